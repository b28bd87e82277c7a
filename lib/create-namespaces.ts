// createNamespaces(): new namespaces that no process is in.
import type { NamespaceOptions } from '../types/namespace';
import { type Note, noteCaller, ofCall } from './errors/caller';
import { makeSet, type NamespaceSet } from './namespace-set';
import { makeNamespaces } from './process/make-namespaces';

/**
 * Makes namespaces, and holds them open by descriptors: no process is left behind. To start a command in them, give the set to
 * `join`; each of them can be given alone, too.
 *
 * Resolves when they are all set up as `options` say. Rejects otherwise, naming the option and the system call, with nothing left.
 * Never throws synchronously. They are gone when the set is closed and nobody else is in them or holds them.
 *
 * Without CAP_SYS_ADMIN it takes `Flags.NEWUSER` as well: whoever joins the others then joins that one, too, as a set does.
 * @param flags a `|` of `Flags.NEW…`, but not `NEWPID`: a pid namespace lives by its pid 1, so `clone()` a command with `hold`
 * @throws ArgumentError for what cannot be; SyscallError for what the kernel refused
 * @example
 * using set = await createNamespaces(Flags.NEWUSER | Flags.NEWNET, { uidMap: 'root', gidMap: 'root', loopback: true });
 * await run('ip', ['addr'], { join: set });
 */
export async function createNamespaces(flags: number, options?: NamespaceOptions): Promise<NamespaceSet> {
  let note: Note | undefined;
  try {
    const making = makeNamespaces(flags, options);
    // The child is on its way: this does not make it wait.
    note = noteCaller(createNamespaces);
    return makeSet(await making);
  } catch (error) {
    throw ofCall(error, createNamespaces, note);
  }
}
