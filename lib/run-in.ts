// runIn(): a function on the calling thread, in namespaces of others.
import type { JoinTarget } from '../types/join-target';
import type { Synchronous } from '../types/synchronous';
import { ofCall } from './errors/caller';
import { visitNamespaces } from './threads/visit';

/**
 * Runs a synchronous function on this thread inside of namespaces, and returns what it returns: sockets that it makes are of that
 * network, for one. The thread is back when the call is over, also where `fn` throws. What `fn` begins and does not end (promises,
 * callbacks, `node:fs` without `Sync`, `dns.lookup()`) is done outside.
 *
 * Should the way back be lost meanwhile, by what `fn` does to the process, that is aborted: it would go on in the wrong place.
 * @param target network, uts, ipc and cgroup namespaces; of a pid namespace, which is then that of the children started by `fn`
 * @param fn no async function, and none that returns a promise
 * @throws ArgumentError for what a thread cannot enter and leave; SyscallError EPERM, also where it could not come back
 */
export function runIn<T>(target: JoinTarget, fn: () => Synchronous<T>): T {
  try {
    return visitNamespaces(target, fn) as T;
  } catch (error) {
    throw ofCall(error, runIn);
  }
}
