// The errors of moves of the calling thread.
import { addon } from '../addon';
import type { Hint } from '../errors/hint';
import { SyscallError } from '../errors/syscall-error';
import { Flags, formatFlags } from '../flags';
import { whyNoMoreNamespaces, whyNoSuchNamespaces } from '../host/namespace-limits';
import { holds, holdsEverywhere, whoRefuses } from '../host/ourselves';
import { constants } from '../kernel/constants';
import { errnoName } from '../kernel/errno-texts';
import { syscallName } from '../kernel/syscalls';
import { procError } from '../proc';

/** What was to be entered, as messages have it. */
export interface Place {
  readonly option: string;
  readonly path?: string | undefined;
  /** Its kinds of namespace. */
  readonly flags?: number;
}

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
  targets: readonly (Partial<Place> & { readonly flags: number })[],
): SyscallError {
  const [place, call] = [places[0]!, places[1]!];
  if (place >= 0) return enterFailure(errno, call, { option: 'target', ...targets[place]! });
  const [{ option = 'target' } = {}] = targets;
  const kinds = targets.reduce((all, { flags }) => all | flags, 0);
  return wayBackFailure(errno, call, option, kinds);
}

/** Namespaces that there are were refused. @param call the number of the system call */
function enterFailure(errno: number, call: number, { option, path, flags = 0 }: Place): SyscallError {
  if (syscallName(call) === 'openat')
    return procError(errno, {
      syscall: 'openat',
      option,
      path: '/proc/thread-self/ns',
      hint: 'the way back is opened first',
    });
  const hint = whyNotEntered(errnoName(errno), flags);
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
    hint: whyNoWayBack(errnoName(errno)),
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

function whyNotEntered(code: string, flags: number): Hint | undefined {
  if (code === 'ESRCH') return 'the process has ended';
  if (code !== 'EPERM') return undefined;
  if ((flags & Flags.NEWNS) !== 0 && holds(constants.CAP_SYS_ADMIN) === true && !holds(constants.CAP_SYS_CHROOT))
    return 'to enter a mount namespace takes CAP_SYS_CHROOT as well as CAP_SYS_ADMIN';
  if (holdsEverywhere(constants.CAP_SYS_ADMIN)) return whoRefuses(code, 'setns');
  return 'needs CAP_SYS_ADMIN in the user namespace that owns it, and in our own; use the join of clone() to enter that one too';
}

function whyNoWayBack(code: string): Hint | undefined {
  if (code === 'EPERM' && holdsEverywhere(constants.CAP_SYS_ADMIN)) return whoRefuses(code, 'setns');
  if (code === 'EPERM')
    return 'needs CAP_SYS_ADMIN in the user namespace that owns our own namespace; use the join of clone()';
  if (code === 'ENOENT' && addon().proc(false) < 0)
    return 'our own namespaces are opened below /proc, and there is no proc file system';
  if (code === 'ENOENT')
    return 'the pid namespace of our next children has no process yet, so nobody can come back to it';
  return undefined;
}
