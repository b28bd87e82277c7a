// The errors of moves of the calling thread.
import { addon } from '../addon';
import type { Hint } from '../errors/hint';
import { SyscallError } from '../errors/syscall-error';
import { Flags, formatFlags, kindsOf } from '../flags';
import { whyNoMoreNamespaces, whyNoSuchNamespaces } from '../host/namespace-limits';
import { holds, holdsEverywhere, whoRefuses } from '../host/ourselves';
import type { Target } from '../join-target';
import { constants } from '../kernel/constants';
import { errnoName } from '../kernel/errno-texts';
import { syscallName } from '../kernel/syscalls';
import { isOwnWithinOurs, isTargetWithinOurs, ownerOfTarget, whyNotBelow, whyNotOwner } from '../within-ours';
import { procError } from '../proc';

/** What was to be entered, with the option that asked for it. */
type Entered = Pick<Target, 'open' | 'flags'> & { readonly option?: string; readonly path?: string | undefined };

/** New namespaces were refused. */
export function unshareFailure(errno: number, flags: number, option = 'flags'): SyscallError {
  const hint = whyNotUnshared(errnoName(errno), flags);
  const syscall = 'unshare';
  return new SyscallError({ errno, syscall, verb: `${syscall} ${formatFlags(flags)}`, option, hint });
}

/**
 * What the addon was refused on the way into targets.
 * @param places [which of them, or -1 for the way back; the number of the system call]
 */
export function moveFailure(
  errno: number,
  places: Int32Array | readonly number[],
  targets: readonly Entered[],
): SyscallError {
  const [place, call] = [places[0]!, places[1]!];
  if (place >= 0) return enterFailure(errno, call, targets[place]!);
  const [{ option = 'target' } = {}] = targets;
  const kinds = targets.reduce((all, { flags }) => all | flags, 0);
  return wayBackFailure(errno, call, option, kinds);
}

/** Namespaces that there are were refused. @param call the number of the system call */
function enterFailure(errno: number, call: number, target: Entered): SyscallError {
  const { option = 'target', path } = target;
  if (syscallName(call) === 'openat')
    return procError(errno, {
      syscall: 'openat',
      option,
      path: '/proc/thread-self/ns',
      hint: 'the way back is opened first',
    });
  const hint = whyNotEntered(errnoName(errno), target);
  return new SyscallError({ errno, syscall: syscallName(call), option, path, hint });
}

/** The thread was not let go, since it could not come back. @param kinds the namespaces that it is in, as flags */
function wayBackFailure(errno: number, call: number, option: string, kinds: number): SyscallError {
  const syscall = syscallName(call);
  return new SyscallError({
    errno,
    syscall,
    verb: `${syscall} of this thread, ${formatFlags(kinds)}`,
    option,
    reason: 'there is no way back',
    hint: whyNoWayBack(errnoName(errno), kinds),
  });
}

function whyNotUnshared(code: string, flags: number): Hint | undefined {
  if (code === 'EPERM' && holds(constants.CAP_SYS_ADMIN) === true) return whoRefuses(code, 'unshare');
  if (code === 'EPERM') return 'needs CAP_SYS_ADMIN; an ordinary user gets namespaces with clone() and Flags.NEWUSER';
  if (code === 'ENOSPC') return whyNoMoreNamespaces(formatFlags(flags));
  if (code !== 'EINVAL') return undefined;
  const lacking = whyNoSuchNamespaces(formatFlags(flags));
  if (lacking === undefined && (flags & Flags.NEWPID) !== 0)
    return 'the children of this thread are in another pid namespace than itself already: setns() back first';
  return lacking;
}

function whyNotEntered(code: string, target: Entered): Hint | undefined {
  const { flags } = target;
  if (code === 'ESRCH') return 'the process has ended';
  if (code === 'ENOSYS') return whoRefuses(code, 'setns');
  if (code === 'EINVAL' && flags === Flags.NEWPID) return whyNotBelow();
  if (code !== 'EPERM') return undefined;
  if ((flags & Flags.NEWNS) !== 0 && holds(constants.CAP_SYS_ADMIN) === true && !holds(constants.CAP_SYS_CHROOT))
    return 'to enter a mount namespace takes CAP_SYS_CHROOT as well as CAP_SYS_ADMIN';
  if (holdsOver(() => isTargetWithinOurs(target))) return whoRefuses(code, 'setns');
  const alone = whyNotOwner(ownerOfTarget(target));
  if (alone !== undefined) return alone;
  return 'needs CAP_SYS_ADMIN in the user namespace that owns it, and in our own; use the join of clone() to enter that one too';
}

function whyNoWayBack(code: string, kinds: number): Hint | undefined {
  if (code === 'ENOSYS' || (code === 'EPERM' && holdsOver(() => kindsOf(kinds).every(isOwnWithinOurs))))
    return whoRefuses(code, 'setns');
  if (code === 'EPERM')
    return 'needs CAP_SYS_ADMIN in the user namespace that owns our own namespace; use the join of clone()';
  if (code === 'ENOENT' && addon().proc(false) < 0)
    return 'our own namespaces are opened below /proc, and there is no proc file system';
  if (code === 'ENOENT')
    return 'the pid namespace of our next children has no process yet, so nobody can come back to it';
  return undefined;
}

/** Whether we have the right to enter: in the first user namespace over all, in another one over what it owns. */
function holdsOver(isWithin: () => boolean): boolean {
  const { CAP_SYS_ADMIN } = constants;
  return holdsEverywhere(CAP_SYS_ADMIN) || (holds(CAP_SYS_ADMIN) === true && isWithin());
}
