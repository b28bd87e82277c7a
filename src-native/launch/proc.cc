// Looks at /proc once and believes it only where it is procfs of our own pid namespace: anything may be mounted there.
#include "launch/proc.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <mutex>

#include "launch/descriptor.h"

namespace nsclone {
namespace {

constexpr ino_t kRootInode = 1;  // PROC_ROOT_INO of linux/proc_fs.h

bool IsProcfs(int descriptor) {
  struct statfs system = {};
  struct stat about = {};
  return fstatfs(descriptor, &system) == 0 && system.f_type == PROC_SUPER_MAGIC &&
         syscall(SYS_fstat, descriptor, &about) == 0 && about.st_ino == kRootInode;
}

// NSpid has our number in each pid namespace from that of this /proc to our own: where they are one, a single number.
bool IsOurs(int descriptor) {
  const Descriptor file(openat(descriptor, "self/status", O_RDONLY | O_CLOEXEC));
  char text[4096];
  const ssize_t length = file.open() ? read(file.number(), text, sizeof(text) - 1) : -1;
  if (length <= 0) return false;
  text[length] = '\0';
  constexpr char kField[] = "\nNSpid:\t";
  const char* field = strstr(text, kField);
  if (field == nullptr) return false;
  char* rest = nullptr;
  return strtol(field + sizeof(kField) - 1, &rest, 10) == getpid() && *rest == '\n';
}

}  // namespace

Proc FindProc(int* descriptor) {
  static std::mutex* const mutex = new std::mutex;
  static Descriptor* const found = new Descriptor;
  static Proc what = Proc::kNone;
  const std::lock_guard lock(*mutex);
  if (what != Proc::kOurs) {
    Descriptor proc = AboveStdio(Descriptor(open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC)));
    what = !proc.open() || !IsProcfs(proc.number()) ? Proc::kNone : IsOurs(proc.number()) ? Proc::kOurs : Proc::kOthers;
    if (what != Proc::kNone) Replace(found, std::move(proc));
  }
  *descriptor = what == Proc::kNone ? -1 : found->number();
  return what;
}

}  // namespace nsclone
