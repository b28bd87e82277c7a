// setns(): the calling thread enters namespaces that exist.
import type { JoinTarget } from '../types/join-target';
import { ofCall } from './errors/caller';
import { enterNamespaces } from './threads/enter';

/**
 * Moves the calling thread into namespaces, see setns(2): this JavaScript thread only, as `unshareSync()`.
 *
 * A mount namespace is entered with its root as root and working directory; from then on `process.chdir()` moves this thread
 * alone. A pid namespace is entered by children only. All is entered or nothing: a thread of its own tries several
 * first. Where there can be none, as after a move of pid, several are entered only with a way back.
 * @param target a path, a descriptor, a Namespace, a NamespaceSet, or a process: by pid or pidfd, or as a child of `clone()` or of
 * `node:child_process`; of a process all namespaces that differ from ours, or those of its `flags`
 * @param flags which kind the namespace must be (or, of a process or a set, which of its namespaces); default any
 * @throws ArgumentError for `user` and `time`, which a thread cannot enter, and for what is no namespace; SyscallError EPERM,
 * ENOENT, ESRCH
 */
export function setnsSync(target: JoinTarget, flags?: number): void {
  try {
    enterNamespaces(target, flags);
  } catch (error) {
    throw ofCall(error, setnsSync);
  }
}

/**
 * Moves the calling thread into namespaces, see setns(2): this JavaScript thread only. It is done when the function returns, which
 * never throws; {@link setnsSync} is the same without a Promise, and tells more.
 * @param target a path, a descriptor, a Namespace, a NamespaceSet, or a process: by pid or pidfd, or as a child of `clone()` or of
 * `node:child_process`; of a process all namespaces that differ from ours, or those of its `flags`
 * @param flags which kind the namespace must be (or, of a process or a set, which of its namespaces); default any
 * @throws ArgumentError, SyscallError, as what the Promise rejects with
 */
export async function setns(target: JoinTarget, flags?: number): Promise<void> {
  try {
    enterNamespaces(target, flags);
  } catch (error) {
    throw ofCall(error, setns);
  }
}
