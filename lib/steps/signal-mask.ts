// Step `signal mask`: signals have been blocked since before the clone; the program starts with none blocked.
import * as call from '../assembly/calls';
import type { Step } from '../assembly/step';

/** SIG_SETMASK of asm/signal.h. */
const SIG_SETMASK = 2;

export const signalMask: Step = {
  name: 'signal mask',
  options: [],
  after: { parentDeathSignal: 'a signal that was waiting ends the process here' },

  emit(writer) {
    const empty = writer.reserve(8);
    writer.about(this.name).add(call.rt_sigprocmask, SIG_SETMASK, empty, 0, 8);
  },
};
