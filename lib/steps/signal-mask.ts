// Step `signal mask`: signals have been blocked since before the clone; the program starts with none blocked.
import type { Step } from './step';

/** SIG_SETMASK of asm/signal.h. */
const SIG_SETMASK = 2;

export const signalMask: Step = {
  name: 'signal mask',
  options: [],
  after: { parentDeathSignal: 'a signal that was waiting ends the process here' },

  emit(writer) {
    const empty = writer.reserve(8);
    writer.about(this.name).call('rt_sigprocmask').number(SIG_SETMASK).place(empty).number(0).number(8);
  },
};
