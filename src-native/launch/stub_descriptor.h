// The descriptor that the stub is executed from.
#ifndef NSCLONE_LAUNCH_STUB_DESCRIPTOR_H_
#define NSCLONE_LAUNCH_STUB_DESCRIPTOR_H_

#include "launch/result.h"

namespace nsclone {

// A sealed memory file with the stub in it, made once. `path` (NSCLONE_STUB) names a file to take instead, where the
// host forbids executable memory files or an administrator wants a security profile on a path.
Errno OpenStub(const char* path, int* descriptor);

// Somebody has the memory file open for writing, which the kernel executes no file in (ETXTBSY): the next child gets
// another one.
void StubIsBusy();

}  // namespace nsclone

#endif  // NSCLONE_LAUNCH_STUB_DESCRIPTOR_H_
