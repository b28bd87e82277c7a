// Step `process`: the second clone, where the program must be born into what only a new process can enter.
import { Flags } from '../flags';
import { constants } from '../kernel/constants';
import { ReportPid } from '../program/format';
import { lookForParent } from './look-for-parent';
import type { Step } from './step';

const { PR_SET_PDEATHSIG } = constants;
const SIGKILL = 9;

export const process: Step = {
  name: 'process',
  options: [],
  after: {
    user: 'a pid namespace belongs to the user namespace that it is made in',
    time: 'a time namespace is entered by the next child',
  },

  emit(writer, request) {
    if (!request.creates(Flags.NEWPID | Flags.NEWTIME)) return;
    writer.about(this.name, 'flags');
    // PARENT: the program stays Node's own child. PARENT_SETTID: its pid is in the report before it runs.
    const flags = Flags.PARENT | Flags.PARENT_SETTID | (request.flags & Flags.NEWPID);
    writer.call('clone').number(flags).number(0).report(ReportPid).number(0).number(0).fork();
    // A clone clears it, so once more, and before anything else: a Node that ends now must take the set-up with it.
    writer.call('prctl').number(PR_SET_PDEATHSIG).number(SIGKILL).number(0).number(0).number(0);
    lookForParent(writer);
  },

  hint(code) {
    if (code === 'ENOSPC')
      return 'no (more) pid namespaces here; see sysctl user.max_pid_namespaces and the nesting limit of 32';
    if (code === 'EAGAIN') return 'a limit on processes is reached; see RLIMIT_NPROC and pids.max of the cgroup';
    return undefined;
  },
};
