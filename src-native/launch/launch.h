// The step out of Node: verifies, blocks signals, clones from the calling thread, and is back within microseconds.
#ifndef NSCLONE_LAUNCH_LAUNCH_H_
#define NSCLONE_LAUNCH_LAUNCH_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "launch/descriptor.h"
#include "launch/memory_file.h"
#include "launch/result.h"
#include "launch/stack_pool.h"
#include "loop/loop.h"

namespace nsclone {

// A program as TypeScript recorded it.
struct Image {
  const Instruction* instructions;
  uint32_t instruction_count;
  const uint8_t* data;
  uint32_t data_size;
  const uint32_t* relocations;
  uint32_t relocation_count;
  const int32_t* kept;
  uint32_t kept_count;
};

// For test builds: the instruction (plus one) that fails in the next child, and with what errno.
struct Fault {
  uint32_t instruction = 0;
  int32_t error = 0;
};

struct Launched {
  std::unique_ptr<MemoryFile> file;
  Descriptor pidfd;    // of the first process; none for a thread
  Descriptor channel;  // our end; none for a child in place
  pid_t pid = 0;
  size_t stack = 0;
  char name[16] = {};  // of the stub
};

// A command: the child executes the stub at once.
struct InStub {
  int stub;
  int lowest;  // the first number above the stdio entries
  bool forks;  // a second clone comes, whose process says that it is born
};
Errno LaunchStub(const Image& image, const InStub& how, Fault fault, Launched* launched);

// A recorded child: it runs the program in place, with exactly these flags of clone(2).
struct InPlace {
  uint64_t flags;
  int exit_signal;
  bool executes;  // the program ends in an execve(2)
  int wake;       // an eventfd that tells of the end of a thread
};
Errno LaunchInPlace(const Image& image, const InPlace& how, Fault fault, Launched* launched, uint32_t* culprit);

// Runs a recorded program on the calling thread; `file` has what it left.
Errno Perform(const Image& image, Fault fault, std::unique_ptr<MemoryFile>* file, Program* program, uint32_t* culprit);

}  // namespace nsclone

#endif  // NSCLONE_LAUNCH_LAUNCH_H_
