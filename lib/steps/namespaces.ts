// Step `namespaces`: the new namespaces that a process can enter by itself, one call each, so that an error names its own.
import { Flags, formatFlags } from '../flags';
import { whyNoMoreNamespaces, whyNoSuchNamespaces } from '../host/namespace-limits';
import { holds } from '../host/ourselves';
import { constants } from '../kernel/constants';
import * as call from '../assembly/calls';
import type { Step } from '../assembly/step';

/** cgroup first: its root is the cgroup that the process is in at that moment. */
const inOrder = [Flags.NEWCGROUP, Flags.NEWNS, Flags.NEWUTS, Flags.NEWIPC, Flags.NEWNET];

export const namespaces: Step = {
  name: 'namespaces',
  options: [],
  after: {
    user: 'they belong to the user namespace that they are made in, which is what gives us the right to change them',
    process: 'a mount namespace made before the pid namespace could not mount its proc',
  },

  emit(writer, request) {
    if (request.flags === 0) return;
    writer.about(this.name, 'flags');
    for (const flag of inOrder) {
      if (request.creates(flag)) writer.detail(formatFlags(flag)).add(call.unshare, flag);
    }
  },

  hint(code, { detail }, request) {
    if (code === 'EPERM' && !request.creates(Flags.NEWUSER) && holds(constants.CAP_SYS_ADMIN) !== true)
      return 'needs CAP_SYS_ADMIN; add Flags.NEWUSER, with uidMap and gidMap';
    if (code === 'ENOSPC') return whyNoMoreNamespaces(detail ?? '');
    if (code === 'EINVAL') return whyNoSuchNamespaces(detail ?? '');
    return undefined;
  },
};
