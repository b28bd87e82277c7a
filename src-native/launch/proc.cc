// Looks at /proc once and believes it only where it is procfs of our own pid namespace: anything may be mounted there.
#include "launch/proc.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>

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
  *descriptor = -1;
  if (!proc.open() || !IsProcfs(proc.number())) return Proc::kNone;
  const bool ours = IsOurs(proc.number());
  const std::lock_guard lock(*mutex);
  if (!is_ours) Replace(found, std::move(proc));
  if (ours) is_ours = true;
  *descriptor = found->number();
  return is_ours ? Proc::kOurs : Proc::kOthers;
}

}  // namespace nsclone
