// Step `closeFds`: nothing but stdio reaches the program.
import { boolean } from '../check';
import { constants } from '../kernel/constants';
import * as call from './calls';
import type { Step } from './step';

const { CLOSE_RANGE_CLOEXEC } = constants;
const last = 0xffffffff;

export const closeFds: Step = {
  name: 'closeFds',
  options: ['closeFds'],
  after: { stdio: 'what is above the last entry is closed' },

  check(given, request) {
    request.closeFds = boolean(given.closeFds, 'closeFds');
  },

  emit(writer, request) {
    if (!request.closeFds) return;
    // Close-on-exec, not closed: our channel and what other steps have open is above stdio too.
    writer.about(this.name, 'closeFds');
    writer.add(call.close_range, Math.max(3, request.stdio.length), last, CLOSE_RANGE_CLOEXEC);
  },
};
