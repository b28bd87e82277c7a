// Puts the embedded stub into a sealed memory file: root in a container that reaches it through /proc/1/exe must not be
// able to rewrite it for the next child (the class of CVE-2019-5736).
#include "launch/stub_descriptor.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <mutex>

#include "launch/descriptor.h"
#include "stub_image.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

namespace nsclone {
namespace {

Errno Keep(Descriptor made, int* number) {
  Descriptor descriptor = AboveStdio(std::move(made));
  if (!descriptor.open()) return Errno::Last();
  *number = descriptor.Release();
  return {};
}

Errno Seal(int* number) {
  // Before Linux 6.3 MFD_EXEC is unknown and every memory file is executable.
  Descriptor file(memfd_create("nsclone/stub", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC));
  if (!file.open() && errno == EINVAL) file = Descriptor(memfd_create("nsclone/stub", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file.open()) return Errno::Last();
  for (size_t done = 0; done < sizeof(kStubImage);) {
    const ssize_t written = write(file.number(), kStubImage + done, sizeof(kStubImage) - done);
    if (written < 0) return Errno::Last();
    done += static_cast<size_t>(written);
  }
  if (fcntl(file.number(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) {
    return Errno::Last();
  }
  return Keep(std::move(file), number);
}

}  // namespace

Errno OpenStub(const char* path, int* descriptor) {
  static std::mutex* const mutex = new std::mutex;
  static int opened = -1;
  const std::lock_guard lock(*mutex);
  if (opened < 0) {
    const Errno error = path[0] != '\0' ? Keep(Descriptor(open(path, O_PATH | O_CLOEXEC)), &opened) : Seal(&opened);
    if (error) return error;
  }
  *descriptor = opened;
  return {};
}

}  // namespace nsclone
