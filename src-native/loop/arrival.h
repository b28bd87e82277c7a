// What a child puts right wherever it arrives: its signals, and the capabilities that an exec would take from it.
#ifndef NSCLONE_LOOP_ARRIVAL_H_
#define NSCLONE_LOOP_ARRIVAL_H_

#include <asm/signal.h>
#include <linux/capability.h>
#include <linux/prctl.h>

#include "loop/syscall.h"

namespace nsclone {

// Results between -4095 and -1 are errnos; all others are values (an address may look negative).
inline bool Failed(int64_t result) { return result < 0 && result >= -4095; }

// A call that was refused; a result that is no failure where none was.
struct Outcome {
  int64_t call;
  int64_t result;
};

// exec(2) resets handlers but leaves ignored signals ignored, and Node ignores SIGPIPE and SIGXFSZ.
inline Outcome ResetSignals() {
  const uint64_t action[4] = {};  // handler, flags, restorer, mask: SIG_DFL
  Outcome last = {__NR_rt_sigaction, 0};
  for (int64_t signal = 1; signal <= 64 && !Failed(last.result); signal++) {
    if (signal != SIGKILL && signal != SIGSTOP) last.result = Call(__NR_rt_sigaction, signal, action, 0, 8);
  }
  return last;
}

// An exec keeps the capabilities of a user who is not root only where they are ambient, and those must be inheritable.
inline Outcome SetInherited(uint64_t inheritable, uint64_t ambient) {
  __user_cap_header_struct who = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2] = {};
  Outcome last = {__NR_prctl, Call(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)};
  if (!Failed(last.result)) last = {__NR_capget, Call(__NR_capget, &who, sets)};
  if (Failed(last.result)) return last;
  sets[0].inheritable = static_cast<uint32_t>(inheritable);
  sets[1].inheritable = static_cast<uint32_t>(inheritable >> 32);
  last = {__NR_capset, Call(__NR_capset, &who, sets)};
  for (int64_t capability = 0; capability < 64 && !Failed(last.result); capability++) {
    if ((ambient >> capability & 1) == 0) continue;
    last = {__NR_prctl, Call(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0)};
  }
  return last;
}

}  // namespace nsclone

#endif  // NSCLONE_LOOP_ARRIVAL_H_
