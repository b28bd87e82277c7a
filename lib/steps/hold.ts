// Step `hold`: all is set up but the filter, and the child waits for start().
import { boolean } from '../check';
import { constants } from '../kernel/constants';
import * as call from './calls';
import type { Step } from './step';

export const hold: Step = {
  name: 'hold',
  options: ['hold'],
  onlyWhenGiven: true,
  after: {
    identity: 'what is done to a held child is done to the final one',
    noNewPrivileges: 'only the filter is left',
    cwd: 'only the filter is left',
  },

  check(given, request) {
    request.hold = boolean(given.hold, 'hold');
  },

  emit(writer, request) {
    if (!request.hold) return;
    writer.about(this.name, 'hold');
    // After joins it cannot be traced: an ordinary user's Node could not look into it, nor open its namespaces.
    if (request.joins.length > 0) writer.add(call.prctl, constants.PR_SET_DUMPABLE, 1);
    writer.wait();
  },
};
