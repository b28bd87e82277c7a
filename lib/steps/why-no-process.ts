// What a person can do where the kernel makes no process.
import type { Hint } from '../errors/hint';
import { Flags } from '../flags';
import { whyNoMoreProcesses } from '../host/control-groups';
import { whyNoMoreNamespaces, whyNoSuchNamespaces } from '../host/namespace-limits';
import { holds } from '../host/ourselves';
import { constants } from '../kernel/constants';
import type { Request } from '../assembly/request';

/** Why the kernel makes no process, whichever call it is asked by. */
export function whyNoProcess(code: string, request: Request): Hint | undefined {
  if (code === 'EPERM' && !request.creates(Flags.NEWUSER) && holds(constants.CAP_SYS_ADMIN) !== true)
    return 'needs CAP_SYS_ADMIN; add Flags.NEWUSER';
  if (code === 'ENOSPC') return whyNoMoreNamespaces('CLONE_NEWPID');
  if (code === 'ENOMEM' && request.joinsAny(Flags.NEWPID)) {
    return 'the pid 1 of the pid namespace that was joined has ended: no process can be born there any more';
  }
  if (code === 'EINVAL' && request.creates(Flags.NEWPID) && request.joinsAny(Flags.NEWPID))
    return 'the pid namespace that was joined belongs to a user namespace, in which the new one must be made; join that one too';
  if (code === 'EINVAL' && request.creates(Flags.NEWPID)) return whyNoSuchNamespaces('CLONE_NEWPID');
  if (code === 'EAGAIN') return whyNoMoreProcesses(request.cgroupSources);
  return undefined;
}
