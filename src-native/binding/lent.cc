// Descriptors by number and open file.
#include "binding/lent.h"

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "binding/instance.h"

namespace nsclone {
namespace {

bool Identify(int descriptor, FileIdentity* identity) {
  struct stat about = {};
  // glibc has a function of that name since 2.33 only; its struct is the kernel's on both architectures.
  if (syscall(SYS_fstat, descriptor, &about) != 0) return false;
  identity->device = about.st_dev;
  identity->inode = about.st_ino;
  if (S_ISCHR(about.st_mode) && ioctl(descriptor, TIOCGPTN, &identity->terminal) != 0) identity->terminal = -1;
  return true;
}

}  // namespace

bool OnMainThread() { return syscall(SYS_gettid) == getpid(); }

Lent* Lent::Of(napi_env env) { return &Instance::Of(env)->lent; }

void Lent::Add(int descriptor) {
  FileIdentity identity;
  if (!main_thread_ && Identify(descriptor, &identity)) descriptors_[descriptor] = identity;
}

void Lent::CloseAll() {
  for (const auto& [descriptor, lent] : descriptors_) {
    FileIdentity identity;
    if (Identify(descriptor, &identity) && identity == lent) close(descriptor);
  }
  descriptors_.clear();
}

}  // namespace nsclone
