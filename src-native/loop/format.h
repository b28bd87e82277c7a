// The layout of a program and of its report, as TypeScript writes them and the loop reads them.
// lib/program/format.ts holds the same numbers; test/native/format.test.ts compares the two.
#ifndef NSCLONE_LOOP_FORMAT_H_
#define NSCLONE_LOOP_FORMAT_H_

#include <stddef.h>
#include <stdint.h>

namespace nsclone {

enum class Op : uint8_t {
  kCall = 0,     // a system call
  kStore = 1,    // a result into a word of the data
  kWait = 2,     // tell the parent, sleep until it says go
  kExit = 3,     // the end, with an exit code
  kFail = 4,     // the end, with an errno
  kCompare = 5,  // two pieces of the data: an errno where they differ
  kTell = 6,     // from here on a failure is told to a descriptor, too
};

enum class Kind : uint8_t {
  kNumber = 0,  // the value itself
  kData = 1,    // the address of a place in the data
  kResult = 2,  // the kept result of an earlier instruction
  kWord = 3,    // a signed 32-bit word loaded from the data
  kReport = 4,  // the address of a place in the report
};

// Bits of Instruction::policy.
inline constexpr uint8_t kHasMinimum = 1;  // a smaller result is a failure (EIO)
inline constexpr uint8_t kRetry = 2;       // EAGAIN means: once more
inline constexpr uint8_t kFork = 4;        // go on where the result is 0; the caller of a clone leaves
inline constexpr uint8_t kStay = 8;        // with kFork: the caller stays, as pid 1 of the new process's namespace
inline constexpr uint8_t kExplains =
    16;  // where it fails, what the kernel says of it can be read from its first argument
inline constexpr uint8_t kAwaits = 32;  // it is made when its first argument, a descriptor, can be read

// Of a clone with kStay, the last argument says what pid 1 is to be: its parent-death signal in eight bits, then
inline constexpr int64_t kUntilLast = 1 << 8;  // it ends with the last process, and not with the program
inline constexpr uint32_t kKeptCount = 16;     // how many descriptors it keeps, in 16 bits
inline constexpr uint32_t kKeptFrom = 32;      // and the first of them

// A filter for pid 1. Where it has some, the third argument of that clone is the address of an array of these, the
// fourth is how many there are, and the fifth the end of a pipe by which it tells how that went: an errno or 0, in a
// byte.
struct InitFilter {
  int64_t flags;
  uint8_t program[16];  // struct sock_fprog
};

// A kTell has a descriptor, and a table: for each instruction the offset of a line in the data, 0 for none. The line
// ends with a newline, and has room for the digits of an errno from and up to these bytes of it.
inline constexpr uint32_t kErrnoFrom = 9;
inline constexpr uint32_t kErrnoTo = 13;

inline constexpr uint16_t kAnyErrno = 0xffff;
inline constexpr uint32_t kArguments = 6;
inline constexpr uint32_t kRules = 8;

// On this errno go forward over `skip` instructions; the result is -errno.
struct Rule {
  uint16_t error;
  uint16_t skip;
};

struct Instruction {
  Op op;
  uint8_t argument_count;
  uint8_t rule_count;
  uint8_t policy;
  uint16_t number;  // of the system call
  uint16_t keep;    // 0: the result is forgotten; n: it is kept in slot n - 1
  uint8_t kinds[8];
  int32_t minimum;
  int32_t reserved;
  Rule rules[kRules];
  int64_t arguments[kArguments];
};
static_assert(sizeof(Instruction) == 104);
static_assert(offsetof(Instruction, rules) == 24);
static_assert(offsetof(Instruction, arguments) == 56);

// Of a clone with kStay.
inline bool HasFilters(const Instruction& instruction) {
  return instruction.kinds[2] == static_cast<uint8_t>(Kind::kData);
}

enum class State : uint32_t {
  kNew = 0,  // not one instruction has run
  kRunning = 1,
  kWaiting = 2,  // in a wait instruction
  kExec = 3,     // inside execve(2), or past it
  kDone = 4,     // the line is at its end
  kFailed = 5,   // `instruction` and `error` say what
};

// Values of Report::instruction for what comes before the first instruction.
inline constexpr uint32_t kEntering = 0xffffffff;
inline constexpr uint32_t kArrivingInStub = 0xfffffffe;
inline constexpr uint32_t kLoading = 0xfffffffd;
// And for a child that ran, but that we were refused a descriptor of.
inline constexpr uint32_t kNoPidfd = 0xfffffffc;

// Bits of Report::status that a pid 1 sets beside the 16 of a wait status.
inline constexpr int32_t kStatusKnown = 1 << 16;     // the program has ended, with that status
inline constexpr int32_t kStatusExecuted = 1 << 17;  // and was past its exec by then

// What a child says over the channel, a byte each. The kernel keeps the order and says who sent it, so what was said
// while only we ran in the child stays true whoever comes to run there afterwards.
enum class Message : uint8_t {
  kWaiting = 1,      // in a wait instruction
  kKillMe = 2,       // of a test build: its fault asks for a kill
  kBorn = 3,         // the first word of the second clone's process
  kProgram = 4,      // beside a pid 1: the last word of the program's process, before its exec
  kNamespaces = 5,   // with descriptors of its namespaces
  kEndYourself = 6,  // of a test build: its fault asks for the end of Node
  kMiddle = 7,       // the first word of a process that clones the program, and is not the first one
  kTerminal = 8,     // with our end of a terminal that it has opened
};

// In the place of a fault's errno: the child is killed there; or Node is, and the child goes on; or the child is
// stopped, and of a clone, which succeeds, whoever has called it.
inline constexpr int32_t kDies = -1;
inline constexpr int32_t kNodeDies = -2;
inline constexpr int32_t kStops = -3;

inline constexpr uint32_t kReportSize = 4096;
inline constexpr uint32_t kResults = 500;

// One page that the child and Node share: it says how far the child is. To be believed while only we map it. Whoever
// traces a pid 1 can write it: of what it says then, the program's exit status alone is taken.
struct Report {
  volatile uint32_t state;
  volatile uint32_t instruction;
  volatile int32_t error;
  volatile int32_t pid;  // of the second clone's process, written by the kernel; for one that never said a word
  volatile int32_t status;
  // A test build has this fault at this instruction; 0 is none, n is n - 1.
  volatile uint32_t fault_instruction;
  volatile int32_t fault_error;
  volatile uint32_t explained;  // bytes that stand in the place of the results: what the kernel says of the failure
  uint32_t reserved[8];
  // Of what fails before the first instruction the first one is the number of the call.
  volatile int64_t results[kResults];
};
static_assert(offsetof(Report, results) == 64);
static_assert(sizeof(Report) <= kReportSize);

// What follows the report in the memory file: this header, then instructions, data, relocations and kept descriptors.
struct Header {
  uint32_t size;  // of everything from here on
  uint32_t instruction_count;
  uint32_t data_size;
  uint32_t relocation_count;  // words of the data that hold an offset and become an address
  uint32_t kept_count;        // descriptors whose close-on-exec flag is off for the stub
  int32_t channel;
  int32_t lowest;  // the first number above the stdio entries
  int32_t reserved;
  // Capabilities of a Node that is not root: carried through the exec of the stub, then put back.
  uint64_t carried;
  uint64_t inheritable;
  uint64_t ambient;
  // What the stub calls itself. Nobody can guess it, so a process of another name is past the exec.
  char name[16];
};
static_assert(sizeof(Header) == 72);

inline constexpr uint32_t kMaxInstructions = 16384;
inline constexpr uint32_t kMaxData = 1U << 26;
inline constexpr uint32_t kMaxKept = 4096;
// The data opens with a word that the stub sets to its end of the channel.
inline constexpr uint32_t kChannelWord = 0;
inline constexpr uint32_t kReserved = 8;

// Where the parts lie behind a header; false when they do not fit into `size` bytes.
struct Parts {
  uint64_t instructions, data, relocations, kept, end;
};
inline bool Locate(const Header& header, uint64_t size, Parts* parts) {
  if (header.instruction_count > kMaxInstructions || header.data_size < kReserved || header.data_size > kMaxData ||
      header.data_size % 8 != 0 || header.relocation_count > kMaxData / 8 || header.kept_count > kMaxKept) {
    return false;
  }
  parts->instructions = sizeof(Header);
  parts->data = parts->instructions + uint64_t{header.instruction_count} * sizeof(Instruction);
  parts->relocations = parts->data + header.data_size;
  parts->kept = parts->relocations + uint64_t{header.relocation_count} * 4;
  parts->end = parts->kept + uint64_t{header.kept_count} * 4;
  return parts->end <= size;
}

}  // namespace nsclone

#endif  // NSCLONE_LOOP_FORMAT_H_
