// Who and where we are: ids, limits, namespaces.
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <pwd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "binding/calls.h"
#include "binding/lent.h"
#include "launch/home.h"
#include "launch/proc.h"

namespace nsclone {
namespace {

Napi::Value Lend(const Napi::CallbackInfo& info, int descriptor) {
  const Napi::Value answer = Answer(info, descriptor);
  if (descriptor >= 0) Lent::Of(info.Env())->Add(descriptor);
  return answer;
}

// openAt(folder, path, writes) -> descriptor. O_NONBLOCK: a fifo given by mistake must not hang the event loop.
Napi::Value OpenAt(const Napi::CallbackInfo& info) {
  const std::string path = info[1].As<Napi::String>().Utf8Value();
  const int folder = info[0].As<Napi::Number>().Int32Value();
  const int way = info.Length() > 2 && Truth(info[2]) ? O_WRONLY : O_RDONLY;
  return Lend(info, openat(folder, path.c_str(), way | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
}

// proc(ours) -> the descriptor of /proc, or -errno (-ENOENT, -ENOTDIR where there is none); `ours`: -EXDEV where it is
// of another pid namespace
Napi::Value OpenProc(const Napi::CallbackInfo& info) {
  int descriptor = -1;
  const Proc what = FindProc(&descriptor);
  if (what == Proc::kOthers && Truth(info[0])) return Napi::Number::New(info.Env(), -EXDEV);
  return Napi::Number::New(info.Env(), descriptor);
}

// namespaceType(descriptor) -> its CLONE_NEW… flag; -ENOTTY where it is no namespace. Whoever serves a file system
// answers the question for its files as he likes.
Napi::Value NamespaceType(const Napi::CallbackInfo& info) {
  const int descriptor = info[0].As<Napi::Number>().Int32Value();
  struct statfs status = {};
  if (fstatfs(descriptor, &status) != 0) return Answer(info, -1);
  if (status.f_type != NSFS_MAGIC) return Napi::Number::New(info.Env(), -ENOTTY);
  return Answer(info, ioctl(descriptor, NS_GET_NSTYPE));
}

// openPidfd(pid) -> descriptor
Napi::Value OpenPidfd(const Napi::CallbackInfo& info) {
  return Lend(info, static_cast<int>(syscall(SYS_pidfd_open, info[0].As<Napi::Number>().Int32Value(), 0)));
}

// landlockAbi() -> the version of the kernel's ABI, see landlock_create_ruleset(2)
Napi::Value LandlockAbi(const Napi::CallbackInfo& info) {
  return Answer(info, syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION));
}

// credentials(into: Float64Array) -> 0: effective uid and gid, effective capabilities 0 to 31 and 32 to 63, real uid
// and gid, secure bits
Napi::Value Credentials(const Napi::CallbackInfo& info) {
  __user_cap_header_struct who = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2] = {};
  const int64_t result = syscall(SYS_capget, &who, sets);
  const double values[] = {static_cast<double>(geteuid()),
                           static_cast<double>(getegid()),
                           static_cast<double>(sets[0].effective),
                           static_cast<double>(sets[1].effective),
                           static_cast<double>(getuid()),
                           static_cast<double>(getgid()),
                           static_cast<double>(std::max(0, prctl(PR_GET_SECUREBITS)))};
  memcpy(info[0].As<Napi::Float64Array>().Data(), values, sizeof(values));
  return Answer(info, result);
}

// userName() -> the name of our effective user; '' where it has none, or where nobody can be asked
Napi::Value UserName(const Napi::CallbackInfo& info) {
  if (!SeesOwnFiles()) return Napi::String::New(info.Env(), "");
  passwd entry = {};
  passwd* found = nullptr;
  std::vector<char> text(1024);
  // An entry may be of any length.
  while (getpwuid_r(geteuid(), &entry, text.data(), text.size(), &found) == ERANGE) text.resize(text.size() * 2);
  return Napi::String::New(info.Env(), found == nullptr ? "" : entry.pw_name);
}

// hardLimits(resources: Float64Array, count) -> 0: our hard limit in the place of each resource; -1 is unlimited
Napi::Value HardLimits(const Napi::CallbackInfo& info) {
  double* const values = info[0].As<Napi::Float64Array>().Data();
  const uint32_t count = info[1].As<Napi::Number>().Uint32Value();
  for (uint32_t i = 0; i < count; i++) {
    rlimit limit = {};
    if (getrlimit(static_cast<int>(values[i]), &limit) != 0) return Answer(info, -1);
    values[i] = limit.rlim_max == RLIM_INFINITY ? -1 : static_cast<double>(limit.rlim_max);
  }
  return Answer(info, 0);
}

}  // namespace

void ExportNamespaces(Napi::Env env, Napi::Object exports) {
  Export(env, exports, "credentials", Entry<Credentials>);
  Export(env, exports, "userName", Entry<UserName>);
  Export(env, exports, "hardLimits", Entry<HardLimits>);
  Export(env, exports, "openAt", Entry<OpenAt>);
  Export(env, exports, "proc", Entry<OpenProc>);
  Export(env, exports, "namespaceType", Entry<NamespaceType>);
  Export(env, exports, "openPidfd", Entry<OpenPidfd>);
  Export(env, exports, "landlockAbi", Entry<LandlockAbi>);
}

}  // namespace nsclone
