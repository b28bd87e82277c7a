// setns(): the calling thread enters namespaces that exist.
import type { JoinTarget } from '../types/join-target';
import { addon } from './addon';
import { ofCall } from './errors/caller';
import { SyscallError } from './errors/syscall-error';
import { holdsEverywhere, whoRefuses } from './host/ourselves';
import { constants } from './kernel/constants';
import { Flags } from './flags';
import { checkKinds, checkTargets, type Target } from './join-target';
import { refuseForThreads, refuseWithoutPool, startThreadPool } from './unshare';

const threads =
  'the kernel refuses it to a process with threads, which Node always has; enter it with the join of clone()';
const reasons: readonly (readonly [flag: number, reason: string])[] = [
  [Flags.NEWUSER, threads],
  [Flags.NEWTIME, threads],
];

/**
 * Moves the calling thread into namespaces, see setns(2): this JavaScript thread only, as {@link unshareSync}.
 *
 * A mount namespace is entered with its root as root and working directory; from then on `process.chdir()` moves this thread
 * alone. A pid namespace is entered by children only.
 * @param target a path, a descriptor, a Namespace, a NamespaceSet, or a process by pid or pidfd; of a process all namespaces that
 * differ from ours, or those of its `flags`
 * @param flags which kind the namespace must be (or, of a process or a set, which of its namespaces); default any
 * @throws ArgumentError for `user` and `time`, which a thread cannot enter, and for what is no namespace; SyscallError EPERM,
 * ENOENT, ESRCH
 */
export function setnsSync(target: JoinTarget, flags?: number): void {
  try {
    enterAll(target, flags);
  } catch (error) {
    throw ofCall(error, setnsSync);
  }
}

/**
 * Moves the calling thread into namespaces, see setns(2): this JavaScript thread only. It is done when the function returns, which
 * never throws; {@link setnsSync} is the same without a Promise, and tells more.
 * @param target a path, a descriptor, a Namespace, a NamespaceSet, or a process by pid or pidfd; of a process all namespaces that
 * differ from ours, or those of its `flags`
 * @param flags which kind the namespace must be (or, of a process or a set, which of its namespaces); default any
 * @throws ArgumentError, SyscallError, as what the Promise rejects with
 */
export async function setns(target: JoinTarget, flags?: number): Promise<void> {
  try {
    enterAll(target, flags);
  } catch (error) {
    throw ofCall(error, setns);
  }
}

function enterAll(target: unknown, flags: unknown): void {
  addon();
  const wanted = flags === undefined ? undefined : checkKinds(flags, 'flags argument');
  const targets = checkTargets(target, 'target argument', wanted);
  for (const { flags: kinds } of targets) {
    refuseForThreads('target argument', kinds, reasons);
    refuseWithoutPool('setns()', kinds);
  }
  for (const one of targets) enter(one);
}

function enter(checked: Target): void {
  if (checked.flags === 0) return;
  const { descriptor, own } = checked.open();
  try {
    if ((checked.flags & Flags.NEWPID) !== 0) startThreadPool();
    // setns(2): a mount namespace cannot be entered while the root directory is shared with other threads.
    if ((checked.flags & Flags.NEWNS) !== 0) must(addon().unshare(Flags.FS), 'unshare', checked.path);
    must(addon().setns(descriptor, checked.flags), 'setns', checked.path);
  } finally {
    if (own) addon().close(descriptor);
  }
}

function must(result: number, syscall: string, path: string | undefined): void {
  if (result >= 0) return;
  const error = { errno: -result, syscall, option: 'target', path };
  const hint =
    new SyscallError(error).code !== 'EPERM'
      ? undefined
      : holdsEverywhere(constants.CAP_SYS_ADMIN)
        ? whoRefuses('EPERM', 'setns')
        : 'needs CAP_SYS_ADMIN in the user namespace that owns it, and in our own; use the join of clone() to enter that one too';
  throw new SyscallError({ ...error, hint });
}
