// Step `time`: the new time namespace, which the second clone enters.
import { Flags } from '../flags';
import type { Step } from './step';

export const time: Step = {
  name: 'time',
  options: [],
  after: { user: 'a time namespace belongs to the user namespace that it is made in' },

  emit(writer, request) {
    if (!request.creates(Flags.NEWTIME)) return;
    writer.about(this.name, 'flags').detail('CLONE_NEWTIME').call('unshare').number(Flags.NEWTIME);
  },

  hint(code, _label, request) {
    if (code === 'EPERM' && !request.creates(Flags.NEWUSER)) return 'needs CAP_SYS_ADMIN; add Flags.NEWUSER';
    if (code === 'ENOSPC') return 'no (more) time namespaces here; see the sysctl user.max_time_namespaces';
    return undefined;
  },
};
