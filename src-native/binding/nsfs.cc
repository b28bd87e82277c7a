// What the kernel tells of namespaces that exist: whose they are, who is in them; and mounts that keep them.
#include <dirent.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/nsfs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "binding/calls.h"
#include "binding/lent.h"
#include "launch/descriptor.h"
#include "launch/proc.h"
#include "launch/result.h"

namespace nsclone {
namespace {

// relatedNamespace(descriptor, parent) -> a descriptor of its parent, or of the user namespace that owns it
Napi::Value RelatedNamespace(const Napi::CallbackInfo& info) {
  const int descriptor = info[0].As<Napi::Number>().Int32Value();
  Descriptor related = AboveStdio(Descriptor(ioctl(descriptor, Truth(info[1]) ? NS_GET_PARENT : NS_GET_USERNS)));
  if (!related.open()) return Number(info, -errno);
  Lent::Of(info.Env())->Add(related.number());
  return Number(info, related.Release());
}

// namespaceMaker(descriptor) -> the user id that has made a user namespace
Napi::Value NamespaceMaker(const Napi::CallbackInfo& info) {
  uid_t maker = 0;
  const int result = ioctl(info[0].As<Napi::Number>().Int32Value(), NS_GET_OWNER_UID, &maker);
  return Number(info, result < 0 ? -errno : static_cast<double>(maker));
}

// In the order of namespaceKinds in lib/flags.ts.
constexpr const char* kKinds[] = {"mnt", "uts", "ipc", "net", "pid", "user", "cgroup", "time"};
constexpr size_t kRow = 1 + std::size(kKinds);

// 0 for what there is not, or what we may not see. The link says it, 'net:[4026531840]', in half the time of a stat(2)
// of what it leads to.
double NamespaceOf(int proc, const std::string& process, const char* kind) {
  char text[64] = {};
  if (readlinkat(proc, (process + "/ns/" + kind).c_str(), text, sizeof(text) - 1) <= 0) return 0;
  const char* const number = strchr(text, '[');
  return number == nullptr ? 0 : static_cast<double>(strtoull(number + 1, nullptr, 10));
}

// processNamespaces(rows: Float64Array) -> how many processes there are: of each, as far as there is room, its pid,
// then its namespaces
Napi::Value ProcessNamespaces(const Napi::CallbackInfo& info) {
  auto rows = info[0].As<Napi::Float64Array>();
  const size_t room = rows.ElementLength() / kRow;
  int proc = -1;
  const Proc what = FindProc(&proc);
  if (what != Proc::kOurs) return Number(info, what == Proc::kNone ? proc : -EXDEV);
  Descriptor folder(openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.open()) return Number(info, -errno);
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(fdopendir(folder.number()), closedir);
  if (entries == nullptr) return Number(info, -errno);
  folder.Release();
  size_t count = 0;
  while (const dirent* entry = readdir(entries.get())) {
    char* rest = nullptr;
    const long pid = strtol(entry->d_name, &rest, 10);
    if (pid <= 0 || *rest != '\0') continue;
    if (count < room) {
      double* const row = rows.Data() + count * kRow;
      row[0] = static_cast<double>(pid);
      for (size_t kind = 0; kind < std::size(kKinds); kind++) {
        row[kind + 1] = NamespaceOf(proc, entry->d_name, kKinds[kind]);
      }
    }
    count++;
  }
  return Number(info, static_cast<double>(count));
}

// Of the lock that ip-netns(8) takes while it does the same: it has it for a few system calls.
constexpr int kTries = 200;
constexpr timespec kPause = {0, 1'000'000};

Errno Lock(int folder) {
  for (int left = kTries; flock(folder, LOCK_EX | LOCK_NB) != 0; left--) {
    if (errno != EWOULDBLOCK || left == 0) return Errno::Last(SYS_flock);
    nanosleep(&kPause, nullptr);
  }
  return {};
}

// A mount point whose mounts are shared with the mount namespaces that are made of ours: what is kept there is seen,
// and can be let go of, in all of them.
Errno ShareFolder(const char* path) {
  if (mkdir(path, S_IRWXU | S_IRGRP | S_IXGRP | S_IROTH | S_IXOTH) != 0 && errno != EEXIST) {
    return Errno::Last(SYS_mkdirat);
  }
  const Descriptor folder(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.open()) return Errno::Last(SYS_openat);
  const auto share = [path] { return syscall(SYS_mount, "", path, "none", MS_SHARED | MS_REC, nullptr) == 0; };
  // Who may read the folder may hold a lock of it: it is for who has to make the mount alone.
  if (share()) return {};
  if (const Errno error = Lock(folder.number())) return error;
  if (share()) return {};
  // EINVAL: it is no mount point.
  const bool made = errno == EINVAL && syscall(SYS_mount, path, path, "none", MS_BIND | MS_REC, nullptr) == 0;
  return made && share() ? Errno{} : Errno::Last(SYS_mount);
}

// Never on what is there already, and with nothing left behind where it fails.
Errno Keep(int descriptor, const std::string& folder_path, const std::string& name, bool shares) {
  // First, as an ordinary user is refused here.
  const Descriptor tree(static_cast<int>(
      syscall(SYS_open_tree, descriptor, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | unsigned{AT_EMPTY_PATH})));
  if (!tree.open()) return Errno::Last(SYS_open_tree);
  if (shares) {
    if (const Errno error = ShareFolder(folder_path.c_str())) return error;
  }
  const Descriptor folder(open(folder_path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder.open()) return Errno::Last(SYS_openat);
  const Descriptor file(openat(folder.number(), name.c_str(), O_CREAT | O_EXCL | O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0));
  if (!file.open()) return Errno::Last(SYS_openat);
  constexpr unsigned kByDescriptor = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  if (syscall(SYS_move_mount, tree.number(), "", file.number(), "", kByDescriptor) == 0) return {};
  const Errno error = Errno::Last(SYS_move_mount);
  unlinkat(folder.number(), name.c_str(), 0);
  return error;
}

// keepNamespace(descriptor, folder, name, shares, call: Int32Array) -> 0: a bind mount of it on a file that is made for
// it; else the call that failed. `shares`: the folder is made what ip-netns(8) makes of its own
Napi::Value KeepNamespace(const Napi::CallbackInfo& info) {
  const std::string folder = info[1].As<Napi::String>().Utf8Value();
  const std::string name = info[2].As<Napi::String>().Utf8Value();
  const Errno error = Keep(info[0].As<Napi::Number>().Int32Value(), folder, name, Truth(info[3]));
  info[4].As<Napi::Int32Array>()[size_t{0}] = error.call;
  return Number(info, -error.value);
}

}  // namespace

void ExportNsfs(Napi::Env env, Napi::Object exports) {
  Export(env, exports, "relatedNamespace", Entry<RelatedNamespace>);
  Export(env, exports, "namespaceMaker", Entry<NamespaceMaker>);
  Export(env, exports, "processNamespaces", Entry<ProcessNamespaces>);
  Export(env, exports, "keepNamespace", Entry<KeepNamespace>);
}

}  // namespace nsclone
