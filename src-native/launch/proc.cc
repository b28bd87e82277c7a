// Looks at /proc once and believes it only where it is procfs of our own pid namespace: anything may be mounted there.
#include "launch/proc.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>

#include "launch/descriptor.h"

namespace nsclone {
namespace {

constexpr ino_t kRootInode = 1;  // PROC_ROOT_INO of linux/proc_fs.h

// 0 where it is one, ENOENT where it is something else; another errno where that could not be found out.
int WhyNoProcfs(int descriptor) {
  struct statfs system = {};
  struct stat about = {};
  if (fstatfs(descriptor, &system) != 0 || syscall(SYS_fstat, descriptor, &about) != 0) return errno;
  return system.f_type == PROC_SUPER_MAGIC && about.st_ino == kRootInode ? 0 : ENOENT;
}

// NSpid has our number in each pid namespace from that of this /proc to our own: where they are one, a single number.
// For *why as above.
bool IsOurs(int descriptor, int* why) {
  const Descriptor file(openat(descriptor, "self/status", O_RDONLY | O_CLOEXEC));
  // For who is in no pid namespace of this procfs there is none.
  if (!file.open() && (errno == EMFILE || errno == ENFILE || errno == ENOMEM)) *why = errno;
  if (!file.open()) return false;
  // The groups come before it, and there may be 65,536 of them.
  std::string text;
  char part[4096];
  for (ssize_t length = 0; (length = read(file.number(), part, sizeof(part))) > 0;) text.append(part, length);
  constexpr char kField[] = "\nNSpid:\t";
  const char* field = strstr(text.c_str(), kField);
  if (field == nullptr) return false;
  char* rest = nullptr;
  return strtol(field + sizeof(kField) - 1, &rest, 10) == getpid() && *rest == '\n';
}

}  // namespace

Proc FindProc(int* descriptor) {
  static std::mutex* const mutex = new std::mutex;
  static Descriptor* const found = new Descriptor;
  static std::atomic<bool> is_ours{false};
  if (is_ours) {
    *descriptor = found->number();
    return Proc::kOurs;
  }
  Descriptor proc = AboveStdio(Descriptor(open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC)));
  int why = proc.open() ? WhyNoProcfs(proc.number()) : errno;
  const bool ours = why == 0 && IsOurs(proc.number(), &why);
  if (why != 0) {
    *descriptor = -why;
    return Proc::kNone;
  }
  const std::lock_guard lock(*mutex);
  if (!is_ours) Replace(found, std::move(proc));
  if (ours) is_ours = true;
  *descriptor = found->number();
  return is_ours ? Proc::kOurs : Proc::kOthers;
}

}  // namespace nsclone
