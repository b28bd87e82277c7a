// A tiny init: what is left of a container's first process when the program runs beside it.
#include "stub/init.h"

#include <asm/errno.h>
#include <asm/signal.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

#include "loop/arrival.h"
#include "loop/syscall.h"

namespace nsclone {
namespace {

constexpr int64_t kAllDescriptors = 0xffffffff;
constexpr int64_t kNoHang = 1;                // WNOHANG
constexpr int64_t kAllChildren = 0x40000000;  // __WALL

[[noreturn]] void End(int64_t code) {
  for (;;) Call(__NR_exit_group, code);
}

constexpr int64_t kRefused = 127;

constexpr int64_t kEnded = 4;             // WEXITED
constexpr int64_t kLeaveIt = 0x01000000;  // WNOWAIT
constexpr int64_t kAll = 0;               // P_ALL
constexpr int64_t kOne = 1;               // P_PID
constexpr int32_t kExited = 1;            // CLD_EXITED
constexpr int32_t kDumped = 3;            // CLD_DUMPED
constexpr int32_t kCoreFlag = 0x80;       // of a wait status

// No process id is that large, see PID_MAX_LIMIT in linux/threads.h: a group that setpgid(2) can never put a child
// into.
constexpr int64_t kNoGroup = 0x7fffffff;

// setpgid(2) of a child, alive or a zombie: EACCES once it has executed a program, and before that EPERM, as there is
// no such group. EPERM also where it is in another session, and into that only the program can have gone.
bool IsPastExec(int64_t child) {
  if (Call(__NR_setpgid, child, kNoGroup) == -EACCES) return true;
  return Call(__NR_getsid, child) != Call(__NR_getsid, 0);
}

// As a shell has it, for whoever looks at pid 1 itself.
int64_t ExitCode(int32_t status) {
  const int32_t signal = status & 0x7f;
  return signal == 0 ? (status >> 8) & 0xff : 128 + signal;
}

constexpr int32_t kByKernel = 0x80;  // SI_KERNEL, as a terminal's Ctrl-C has it

// What the kernel sends to a process group, as a terminal does, the program has got by itself where it is in ours.
bool HasItToo(const int32_t* info, int64_t program) {
  return info[2] == kByKernel && Call(__NR_getpgid, program) == Call(__NR_getpgid, 0);
}

struct Zombie {
  int64_t pid = 0;
  int32_t status = 0;    // as wait(2) has it
  bool is_last = false;  // there is none, and no process that could become one
};

// One that has ended and is still to be reaped; no pid where there is none.
Zombie NextZombie() {
  // siginfo_t: number, errno, code, one word of padding, then pid, uid and status.
  int32_t info[32] = {};
  const int64_t result = Call(__NR_waitid, kAll, 0, info, kEnded | kNoHang | kLeaveIt | kAllChildren, 0);
  if (result != 0 || info[4] == 0) return {.is_last = result == -ECHILD};
  const int32_t dumped = info[2] == kDumped ? kCoreFlag : 0;
  return {info[4], info[2] == kExited ? (info[6] & 0xff) << 8 : info[6] | dumped};
}

// What pid 1 is there for.
struct Duty {
  int64_t program;  // 0 once it has ended
  bool until_last;
  int32_t status = 0;  // of the program that has ended
};

void ReapAll(Duty* duty, Report* report) {
  for (;;) {
    const Zombie zombie = NextZombie();
    if (zombie.is_last && duty->program == 0) End(ExitCode(duty->status));
    if (zombie.pid == 0) return;
    const bool is_program = zombie.pid == duty->program;
    // Before it is reaped: whoever kills us as soon as it is gone has from here how it ended.
    if (is_program) {
      const int32_t executed = IsPastExec(zombie.pid) ? kStatusExecuted : 0;
      const int32_t told = kStatusKnown | executed | zombie.status;
      __atomic_store_n(const_cast<int32_t*>(&report->status), told, __ATOMIC_RELEASE);
    }
    // The call that has just been answered, so that no filter refuses it.
    Call(__NR_waitid, kOne, zombie.pid, 0, kEnded | kNoHang | kAllChildren, 0);
    if (!is_program) continue;
    // The kernel ends whatever is left in the namespace.
    if (!duty->until_last) End(ExitCode(zombie.status));
    duty->program = 0;
    duty->status = zombie.status;
  }
}

// From `lowest` on.
void CloseAllBut(int64_t first, int64_t count, int64_t lowest) {
  if (count != 0 && first > lowest) Call(__NR_close_range, lowest, first - 1, 0);
  Call(__NR_close_range, count == 0 ? lowest : first + count, kAllDescriptors, 0);
}

// Before there is a program. Its process must not see the end of our pipe, which it waits for.
[[noreturn]] void Refuse(const Stay& stay) {
  Call(__NR_kill, stay.child, SIGKILL);
  End(kRefused);
}

// It waits and passes signals on, which may be for another user's process, and executes nothing. A container whose root
// may trace every process would have of it what was taken from the program.
bool GiveUpRights() {
  if (Failed(Call(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))) return false;
  const uint32_t header[2] = {_LINUX_CAPABILITY_VERSION_3, 0};
  uint32_t data[6] = {};  // effective, permitted, inheritable; then of the upper half
  if (Failed(Call(__NR_capget, header, data))) return false;
  const uint32_t kept = data[1] & 1U << CAP_KILL;
  const uint32_t rights[6] = {kept, kept};
  return !Failed(Call(__NR_capset, header, rights));
}

// What is done from here on they must let through: it was looked at before there was a process. The program's process
// waits for the byte, an errno or 0, and never goes on without: where there is none, we end, and it with us.
void Install(const Stay& stay) {
  int64_t result = 0;
  for (int64_t i = 0; i < stay.filter_count && !Failed(result); i++) {
    const InitFilter& filter = stay.filters[i];
    result = Call(__NR_seccomp, SECCOMP_SET_MODE_FILTER, filter.flags, filter.program);
  }
  const auto error = static_cast<uint8_t>(Failed(result) ? -result : 0);
  if (Call(__NR_write, 0, &error, 1) != 1) End(kRefused);
}

}  // namespace

void BePidOne(const Stay& stay, Report* report) {
  // A filter that was on us before may refuse what we are here for. We could never end then, as we would hear of no
  // process that has: better before there is a program.
  if (Call(__NR_waitid, kAll, 0, 0, kEnded | kNoHang | kLeaveIt | kAllChildren, 0) != 0) Refuse(stay);
  // As the program's process waits for the end of its pipe: there is nothing to be had of us, and nothing of ours is
  // open, when a stranger runs.
  if (!GiveUpRights()) Refuse(stay);
  const bool filtered = stay.filters != nullptr;
  if (filtered && Failed(Call(__NR_dup3, stay.told, 0, 0))) Refuse(stay);
  CloseAllBut(stay.orders >> kKeptFrom, stay.orders >> kKeptCount & 0xffff, filtered ? 1 : 0);
  if (Failed(Call(__NR_prctl, PR_SET_PDEATHSIG, stay.orders & 0xff, 0, 0, 0))) Refuse(stay);
  // The working directory would keep what it lies on from being unmounted.
  Call(__NR_chdir, "/");
  if (filtered) {
    Install(stay);
    Call(__NR_close, 0);
  }
  Duty duty = {.program = stay.child, .until_last = (stay.orders & kUntilLast) != 0};
  const uint64_t all = ~uint64_t{0};
  for (;;) {
    ReapAll(&duty, report);
    // Blocked signals wait for us; unblocked ones without a handler are ignored for a pid 1.
    int32_t info[32] = {};  // siginfo_t: number, errno, code
    const int64_t signal = Call(__NR_rt_sigtimedwait, &all, info, 0, 8);
    if (signal <= 0 || signal == SIGCHLD) continue;
    // Lower numbers come first: what has ended is not known yet, and what is sent to a zombie is lost.
    ReapAll(&duty, report);
    // Without the program it is for all that there is.
    if (duty.program == 0 || !HasItToo(info, duty.program))
      Call(__NR_kill, duty.program == 0 ? -1 : duty.program, signal);
  }
}

}  // namespace nsclone
