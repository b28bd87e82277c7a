// What a child does in Node's memory: raw calls, no libc, nothing that waits for the parent.
#ifndef NSCLONE_LAUNCH_ENTRY_H_
#define NSCLONE_LAUNCH_ENTRY_H_

#include "loop/loop.h"

namespace nsclone {

// Where a child's facts lie until it has left our memory: at the bottom of its own stack.
struct StubEntry {
  Report* report;
  int32_t* kept;
  uint32_t kept_count;
  int file;
  int channel;
  int stub;
  uint64_t inheritable;
  uint64_t carried;  // capabilities to bring through the exec of the stub as ambient ones
  char number[16];   // of the file, for the stub's argument
};

struct InPlaceEntry {
  Report* report;
  Program program;
  int wake;
  bool thread;          // leaves by exit(2): exit_group(2) would take Node with it
  bool executes;        // handlers of V8 and libuv must be gone before signals are unblocked
  bool dies_with_node;  // PR_SET_PDEATHSIG
  int64_t node;         // what getppid(2) says while Node is there, if it can see it
};

[[noreturn]] void EnterStub(void* context);
[[noreturn]] void EnterInPlace(void* context);

}  // namespace nsclone

#endif  // NSCLONE_LAUNCH_ENTRY_H_
