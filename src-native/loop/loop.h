// The loop: checks a program and runs it, one system call after the other. Compiled into the addon and into the stub.
#ifndef NSCLONE_LOOP_LOOP_H_
#define NSCLONE_LOOP_LOOP_H_

#include "loop/format.h"

namespace nsclone {

struct Program {
  const Instruction* instructions;
  uint32_t count;
  uint8_t* data;
  const Header* header;
  const int32_t* kept;
};

// Checks every count, offset, skip and kind of `block` (which `Header` opens) and turns offsets into addresses. Safe
// for arbitrary bytes: after it, no instruction can make the loop itself read or write outside the block and the
// report. False where the block is no program; `*culprit` is then the offending instruction.
bool Load(uint8_t* block, uint64_t size, Program* program, uint32_t* culprit);

// A clone whose caller stays: its child, and what the caller is to be.
struct Stay {
  int64_t child = 0;
  int64_t orders = 0;
  const InitFilter* filters = nullptr;
  int64_t filter_count = 0;
  int64_t told = -1;  // the end of the pipe
};

// Runs to the end, a failure, or through execve(2). Returns the exit code to leave with; where `stay->child` is set,
// the caller has become a pid 1 instead. In place there is none, and `stay` is null.
int Run(const Program& program, Report* report, Stay* stay);

}  // namespace nsclone

#endif  // NSCLONE_LOOP_LOOP_H_
