// Puts the embedded stub into a sealed memory file: root in a container that reaches it through /proc/1/exe must not be
// able to rewrite it for the next child (the class of CVE-2019-5736), nor to take its permissions away.
#include "launch/stub_descriptor.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>

#include "launch/descriptor.h"
#include "stub_image.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif

namespace nsclone {
namespace {

constexpr long kFaccessat2 = 439;  // newer than the C library that we build against

struct Stub {
  std::mutex mutex;
  Descriptor file;
  bool made = false;  // by us, and no file of an administrator's
  bool busy = false;
};

// Never destroyed: a Worker's thread may still launch while the process exits.
Stub& TheStub() {
  static Stub* const stub = new Stub;
  return *stub;
}

Errno Make(Stub* stub) {
  // Before Linux 6.3 MFD_EXEC is unknown and every memory file is executable.
  Descriptor file(memfd_create("nsclone/stub", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC));
  if (!file.open() && errno == EINVAL) file = Descriptor(memfd_create("nsclone/stub", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  file = AboveStdio(std::move(file));
  if (!file.open()) return Errno::Last(SYS_memfd_create);
  for (size_t done = 0; done < sizeof(kStubImage);) {
    const ssize_t written = write(file.number(), kStubImage + done, sizeof(kStubImage) - done);
    if (written < 0) return Errno::Last(SYS_write);
    done += static_cast<size_t>(written);
  }
  // Its mode can be sealed since Linux 6.3.
  fcntl(file.number(), F_ADD_SEALS, F_SEAL_EXEC);
  constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
  if (fcntl(file.number(), F_ADD_SEALS, kSeals) != 0) return Errno::Last(SYS_fcntl);
  Replace(&stub->file, std::move(file));
  stub->made = true;
  stub->busy = false;
  return {};
}

Errno Open(const char* path, Stub* stub) {
  stub->file = AboveStdio(Descriptor(open(path, O_PATH | O_CLOEXEC)));
  return stub->file.open() ? Errno{} : Errno::Last(SYS_openat);
}

// By the ids that execute it. No seal keeps an access control list from the file. A filter that refuses the question
// says nothing of the file.
bool IsForbidden(int descriptor) {
  return syscall(kFaccessat2, descriptor, "", X_OK, AT_EACCESS | AT_EMPTY_PATH) != 0 && errno == EACCES;
}

}  // namespace

Errno OpenStub(const char* path, int* descriptor) {
  Stub& stub = TheStub();
  const std::lock_guard lock(stub.mutex);
  Errno error;
  if (!stub.file.open()) {
    error = path[0] != '\0' ? Open(path, &stub) : Make(&stub);
  } else if (stub.made && (stub.busy || IsForbidden(stub.file.number()))) {
    // A container's root was there. What he has hold of is the old one.
    error = Make(&stub);
  }
  *descriptor = stub.file.number();
  return error;
}

void StubIsBusy() {
  Stub& stub = TheStub();
  const std::lock_guard lock(stub.mutex);
  stub.busy = true;
}

}  // namespace nsclone
