// The loop itself: it knows system calls and no option. It runs where libc may not be called, in shared memory too.
#include "loop/loop.h"

#include <asm/errno.h>

#include "loop/arrival.h"
#include "loop/syscall.h"

namespace nsclone {
namespace {

constexpr int kRetries = 1000;
constexpr int kMessages = 8;  // that the kernel keeps of a file system context, see linux/fs_context.h
constexpr int kGone = 127;    // what a shell exits with for a command that it could not start
[[maybe_unused]] constexpr int64_t kSigKill = 9;   // of a fault
[[maybe_unused]] constexpr int64_t kSigStop = 19;  // of a fault
constexpr int64_t kSigPipe = 13;
constexpr int64_t kSigBlock = 0;
constexpr int64_t kMsgNoSignal = 0x4000;

void Enter(Report* report, State state) {
  // The parent reads state last written: the compiler must not move the other words behind it.
  __atomic_store_n(const_cast<uint32_t*>(&report->state), static_cast<uint32_t>(state), __ATOMIC_RELEASE);
}

int Fail(Report* report, int64_t error) {
  report->error = static_cast<int32_t>(error);
  Enter(report, State::kFailed);
  return kGone;
}

int64_t Value(const Program& program, const Report* report, const Instruction& instruction, uint32_t i) {
  const int64_t value = instruction.arguments[i];
  switch (static_cast<Kind>(instruction.kinds[i])) {
    case Kind::kNumber:
      return value;
    case Kind::kData:
      return Argument(program.data + value);
    case Kind::kResult:
      return report->results[value];
    case Kind::kWord:
      return *reinterpret_cast<const int32_t*>(program.data + value);
    case Kind::kReport:
      return Argument(reinterpret_cast<const volatile uint8_t*>(report) + value);
  }
  return 0;
}

#ifdef NSCLONE_FAULTS
// A pid 1 cannot kill itself, so it asks Node for it.
[[noreturn]] void Die(const Program& program) {
  const auto kill_me = static_cast<uint8_t>(Message::kKillMe);
  Call(__NR_kill, Call(__NR_getpid), kSigKill);
  Call(__NR_sendto, *reinterpret_cast<const int32_t*>(program.data + kChannelWord), &kill_me, 1, kMsgNoSignal, 0, 0);
  for (;;) Call(__NR_sched_yield);
}

// Node ends here, and this process goes on. Only Node can signal Node from every namespace and with any ids: it is
// asked for it, and its end of the channel is closed when it is gone.
void OutliveNode(const Program& program) {
  const int64_t channel = *reinterpret_cast<const int32_t*>(program.data + kChannelWord);
  const auto end_yourself = static_cast<uint8_t>(Message::kEndYourself);
  uint8_t answer = 0;
  Call(__NR_sendto, channel, &end_yourself, 1, kMsgNoSignal, 0, 0);
  while (Call(__NR_recvfrom, channel, &answer, 1, 0, 0, 0) > 0) {
  }
}

void StopAt(const Report* report, uint32_t instruction) {
  if (report->fault_instruction == instruction + 1 && report->fault_error == kStops)
    Call(__NR_kill, Call(__NR_getpid), kSigStop);
}

// The errno to fail with; 0 where the instruction is to be run.
int32_t Fault(const Program& program, const Report* report) {
  const uint32_t instruction = report->instruction;
  if (report->fault_instruction != instruction + 1) return 0;
  switch (report->fault_error) {
    case kDies:
      Die(program);
    case kNodeDies:
      OutliveNode(program);
      return 0;
    case kStops:
      // Of a clone it comes behind.
      if ((program.instructions[instruction].policy & kFork) == 0) StopAt(report, instruction);
      return 0;
    default:
      return report->fault_error;
  }
}
#endif

int64_t CallOnce(const Program& program, const Report* report, const Instruction& instruction) {
  int64_t values[kArguments];
  for (uint32_t i = 0; i < kArguments; i++) {
    values[i] = i < instruction.argument_count ? Value(program, report, instruction, i) : 0;
  }
  return Call6(instruction.number, values[0], values[1], values[2], values[3], values[4], values[5]);
}

// struct pollfd of poll.h, which is a header of the C library's.
struct PollFd {
  int32_t descriptor;
  int16_t events;
  int16_t found;
};
constexpr int16_t kPollIn = 1;

// A read of a FIFO that nobody has opened for writing yet brings its end, where that is non-blocking: not so poll(2).
// And somebody else may take what has come: whoever waits then waits for the next.
int64_t CallWhenReadable(const Program& program, const Report* report, const Instruction& instruction) {
  PollFd awaited = {static_cast<int32_t>(Value(program, report, instruction, 0)), kPollIn, 0};
  int64_t result = -EAGAIN;
  while (result == -EAGAIN) {
    const int64_t count = Call(__NR_ppoll, &awaited, 1, 0, 0, 0);
    result = Failed(count) ? count : CallOnce(program, report, instruction);
  }
  return result;
}

bool Executes(const Instruction& instruction) {
  return instruction.number == __NR_execve || instruction.number == __NR_execveat;
}

int64_t CallWithPolicy(const Program& program, Report* report, const Instruction& instruction) {
#ifdef NSCLONE_FAULTS
  if (const int32_t error = Fault(program, report); error != 0) return -int64_t{error};
#endif
  const bool executes = Executes(instruction);
  if (executes) Enter(report, State::kExec);
  const bool awaits = (instruction.policy & kAwaits) != 0;
  int64_t result = (awaits ? CallWhenReadable : CallOnce)(program, report, instruction);
  if (executes) Enter(report, State::kRunning);
  for (int left = kRetries; result == -EAGAIN && (instruction.policy & kRetry) != 0 && left > 0; left--) {
    Call(__NR_sched_yield);
    result = CallOnce(program, report, instruction);
  }
  if ((instruction.policy & kHasMinimum) != 0 && result >= 0 && result < instruction.minimum) return -EIO;
  return result;
}

const Rule* Match(const Instruction& instruction, int64_t result) {
  for (uint32_t i = 0; i < instruction.rule_count; i++) {
    const Rule& rule = instruction.rules[i];
    if (rule.error == kAnyErrno || rule.error == -result) return &rule;
  }
  return nullptr;
}

// A file system context gives its messages one by one, see fsopen(2): the last one is of the call that has failed. Of a
// failed program nobody reads the results.
void Explain(const Program& program, Report* report, const Instruction& instruction) {
  const int64_t context = Value(program, report, instruction, 0);
  for (int left = kMessages; left > 0; left--) {
    const int64_t length = Call(__NR_read, context, const_cast<int64_t*>(report->results), sizeof(report->results));
    if (Failed(length) || length == 0) return;
    report->explained = static_cast<uint32_t>(length);
  }
}

bool Same(const Program& program, const Instruction& instruction) {
  const uint8_t* one = program.data + instruction.arguments[0];
  const uint8_t* other = program.data + instruction.arguments[1];
  for (int64_t i = 0; i < instruction.arguments[2]; i++) {
    if (one[i] != other[i]) return false;
  }
  return true;
}

// True when the parent said go; false when it is gone.
bool Wait(Report* report, int64_t channel) {
  const auto waiting = static_cast<uint8_t>(Message::kWaiting);
  uint8_t answer = 0;
  Enter(report, State::kWaiting);
  if (Call(__NR_sendto, channel, &waiting, 1, kMsgNoSignal, 0, 0) != 1) return false;
  if (Call(__NR_recvfrom, channel, &answer, 1, 0, 0, 0) != 1) return false;
  Enter(report, State::kRunning);
  return true;
}

// What has failed, as a line to whoever starts a child that outlives Node. The mask is empty by the exec, and nobody
// may read it any more: how this process ends is for Node to tell.
void Tell(const Program& program, const Report* report, const Instruction& how) {
  const auto* lines = reinterpret_cast<const uint32_t*>(program.data + how.arguments[1]);
  const uint32_t failed = report->instruction;
  if (failed >= how.arguments[2] || lines[failed] == 0) return;
  const uint32_t first = lines[failed];
  const uint32_t size = program.header->data_size;
  uint32_t last = first;
  while (last < size && program.data[last] != '\n') last++;
  if (last >= size || last - first < kErrnoTo) return;
  uint8_t* line = program.data + first;
  auto left = static_cast<uint32_t>(report->error);
  uint32_t digit = kErrnoTo;
  do {
    line[--digit] = static_cast<uint8_t>('0' + left % 10);
    left /= 10;
  } while (left != 0 && digit > kErrnoFrom);
  const uint64_t pipe = uint64_t{1} << (kSigPipe - 1);
  Call(__NR_rt_sigprocmask, kSigBlock, &pipe, 0, sizeof(pipe));
  Call(__NR_write, Value(program, report, how, 0), line, last - first + 1);
}

int RunAll(const Program& program, Report* report, Stay* stay, const Instruction** teller) {
  Enter(report, State::kRunning);
  for (uint32_t i = 0; i < program.count; i++) {
    const Instruction& instruction = program.instructions[i];
    report->instruction = i;
    int64_t result = 0;
    switch (instruction.op) {
      case Op::kCall:
        result = CallWithPolicy(program, report, instruction);
        // A filter may answer an exec with 0: nothing was executed, and there is no errno to tell.
        if (Executes(instruction) && !Failed(result)) return Fail(report, 0);
        break;
      case Op::kStore: {
        result = Value(program, report, instruction, 0);
        uint8_t* place = program.data + instruction.arguments[1];
        if (instruction.arguments[2] == 4) {
          *reinterpret_cast<int32_t*>(place) = static_cast<int32_t>(result);
        } else {
          *reinterpret_cast<int64_t*>(place) = result;
        }
        continue;
      }
      case Op::kCompare:
#ifdef NSCLONE_FAULTS
        if (const int32_t error = Fault(program, report); error != 0) return Fail(report, error);
#endif
        result = Same(program, instruction) ? 0 : -instruction.arguments[3];
        break;
      case Op::kWait:
#ifdef NSCLONE_FAULTS
        if (const int32_t error = Fault(program, report); error != 0) return Fail(report, error);
#endif
        if (!Wait(report, Value(program, report, instruction, 0))) return kGone;
        continue;
      case Op::kTell:
        *teller = &instruction;
        continue;
      case Op::kExit:
        Enter(report, State::kDone);
        return static_cast<int>(Value(program, report, instruction, 0));
      case Op::kFail: {
        const int64_t error = Value(program, report, instruction, 0);
        return Fail(report, Failed(error) ? -error : error);
      }
    }
    if (Failed(result)) {
      const Rule* rule = Match(instruction, result);
      if (rule == nullptr) {
        if ((instruction.policy & kExplains) != 0) Explain(program, report, instruction);
        return Fail(report, -result);
      }
      i += rule->skip;
    } else if ((instruction.policy & kFork) != 0 && result > 0) {
      // The report belongs to the new process from here on: nothing may be written into it.
      if ((instruction.policy & kStay) != 0 && stay != nullptr) {
        // clone(2) has five arguments; the sixth is ours.
        *stay = {.child = result, .orders = Value(program, report, instruction, kArguments - 1)};
        if (HasFilters(instruction)) {
          stay->filters = reinterpret_cast<const InitFilter*>(program.data + instruction.arguments[2]);
          stay->filter_count = instruction.arguments[3];
          stay->told = Value(program, report, instruction, 4);
        }
      }
#ifdef NSCLONE_FAULTS
      StopAt(report, i);
#endif
      return 0;
    }
    if (instruction.keep != 0) report->results[instruction.keep - 1] = result;
  }
  Enter(report, State::kDone);
  return 0;
}

}  // namespace

int Run(const Program& program, Report* report, Stay* stay) {
  const Instruction* teller = nullptr;
  const int code = RunAll(program, report, stay, &teller);
  // Who leaves with 0 has made the process that the report is of by now.
  if (teller != nullptr && code != 0 && report->state == static_cast<uint32_t>(State::kFailed))
    Tell(program, report, *teller);
  return code;
}

}  // namespace nsclone
