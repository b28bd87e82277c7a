#include "watch/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace nsclone {

Identity IdentityOf(int descriptor) {
  struct stat about = {};
  // glibc has a function of that name since 2.33 only; its struct is the kernel's on both architectures.
  syscall(SYS_fstat, descriptor, &about);
  return {about.st_dev, about.st_ino};
}

int ReadAll(int descriptor, std::string* text) {
  char part[4096];
  ssize_t length = 0;
  while ((length = pread(descriptor, part, sizeof(part), static_cast<off_t>(text->size()))) > 0)
    text->append(part, length);
  return length == 0 ? 0 : errno;
}

DIR* OpenFolder(int folder) {
  const int opened = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return opened < 0 ? nullptr : fdopendir(opened);
}

}  // namespace nsclone
