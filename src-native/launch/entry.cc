// The two ways that a child goes in Node's memory: into the stub, or along its program.
#include "launch/entry.h"

#include <linux/fcntl.h>

#include "loop/arrival.h"

namespace nsclone {
namespace {

constexpr int64_t kGone = 127;
constexpr int64_t kEmptyPath = 0x1000;  // AT_EMPTY_PATH

[[noreturn]] void Refuse(Report* report, const Outcome& refused) {
  report->instruction = kEntering;
  report->error = static_cast<int32_t>(-refused.result);
  report->results[0] = refused.call;
  __atomic_store_n(const_cast<uint32_t*>(&report->state), static_cast<uint32_t>(State::kFailed), __ATOMIC_RELEASE);
  for (;;) Call(__NR_exit_group, kGone);
}

void ClearCloseOnExec(int64_t descriptor) { Call(__NR_fcntl, descriptor, F_SETFD, 0); }

void Wake(int64_t wake) {
  const uint64_t one = 1;
  Call(__NR_write, wake, &one, 8);
}

}  // namespace

void EnterStub(void* context) {
  auto* entry = static_cast<StubEntry*>(context);
  // First of all: a Node that dies from here on takes the set-up with it.
  const int64_t result = Call(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (Failed(result)) Refuse(entry->report, {__NR_prctl, result});
  ClearCloseOnExec(entry->file);
  ClearCloseOnExec(entry->channel);
  for (uint32_t i = 0; i < entry->kept_count; i++) {
    // One that was inheritable already stays as it is afterwards; one that is closed is the program's own error.
    if (Call(__NR_fcntl, entry->kept[i], F_GETFD) == FD_CLOEXEC) {
      ClearCloseOnExec(entry->kept[i]);
    } else {
      entry->kept[i] = -1;
    }
  }
  if (entry->carried != 0) {
    const Outcome last = SetInherited(entry->inheritable | entry->carried, entry->carried);
    if (Failed(last.result)) Refuse(entry->report, last);
  }
  const char* const arguments[] = {"nsclone/stub", entry->number, nullptr};
  const char* const environment[] = {nullptr};
  Refuse(entry->report, {__NR_execveat, Call(__NR_execveat, entry->stub, "", arguments, environment, kEmptyPath)});
}

void EnterInPlace(void* context) {
  auto* entry = static_cast<InPlaceEntry*>(context);
  if (entry->dies_with_node) {
    const int64_t result = Call(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (Failed(result)) Refuse(entry->report, {__NR_prctl, result});
    // No signal comes of a death that was before that.
    // Who adopts us then is seen, or is as far outside of our pid namespace as Node may be: of that it is 0.
    const int64_t parent = Call(__NR_getppid);
    if (parent != entry->node && parent != 0) Call(__NR_exit_group, kGone);
  }
  if (entry->executes) {
    const Outcome last = ResetSignals();
    if (Failed(last.result)) Refuse(entry->report, last);
  }
  const int64_t code = Run(entry->program, entry->report, nullptr);
  // The kernel keeps no exit status of a thread.
  entry->report->status = static_cast<int32_t>(code);
  if (entry->thread) Wake(entry->wake);
  for (;;) Call(entry->thread ? __NR_exit : __NR_exit_group, code);
}

}  // namespace nsclone
