// Step `parentDeathSignal`: the signal that the program gets when the thread that started it ends; by default none.
import { constants } from '../kernel/constants';
import * as call from '../assembly/calls';
import { checkSignal } from './check-signal';
import { lookForParent, sayProgram } from './look-for-parent';
import type { Step } from '../assembly/step';

const { PR_SET_PDEATHSIG } = constants;

export const parentDeathSignal: Step = {
  name: 'parentDeathSignal',
  options: ['parentDeathSignal'],
  after: {
    identity: 'a change of credentials clears it',
    hold: 'a held child must not outlive Node',
  },

  check(given, request) {
    request.parentDeathSignal = checkSignal(given.parentDeathSignal, 'parentDeathSignal');
  },

  emit(writer, request) {
    // It is off already, and Node may have gone.
    if (request.heldBy !== undefined && !request.init) return;
    // With a pid 1 of ours the signal is for that.
    const signal = request.init ? 0 : request.parentDeathSignal;
    writer.about(this.name, request.parentDeathSignal === 0 ? undefined : 'parentDeathSignal');
    // Until now it was SIGKILL. The program must not die with the thread that started it, a Worker's for one, unless asked.
    writer.add(call.prctl, PR_SET_PDEATHSIG, signal);
    if (request.init) sayProgram(writer, request);
    else lookForParent(writer);
  },
};
