// Step `nice`: the scheduling priority, see setpriority(2).
import { integer } from '../check';
import { holdsEverywhere } from '../host/ourselves';
import { constants } from '../kernel/constants';
import * as call from '../assembly/calls';
import type { Step } from '../assembly/step';

const { PRIO_PROCESS } = constants;

export const nice: Step = {
  name: 'nice',
  options: ['nice'],
  onlyWhenGiven: true,
  after: {},

  check(given, request) {
    request.nice = integer(given.nice, 'nice', -20, 19);
  },

  emit(writer, { nice: value }) {
    if (value === undefined) return;
    writer.about(this.name, 'nice').add(call.setpriority, PRIO_PROCESS, 0, value);
  },

  hint: (code) =>
    code === 'EACCES' && !holdsEverywhere(constants.CAP_SYS_NICE)
      ? 'a lower value than ours needs CAP_SYS_NICE outside of any user namespace, or a limit of rlimits.nice'
      : undefined,
};
