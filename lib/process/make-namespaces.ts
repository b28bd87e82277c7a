// What createNamespaces() does: a child makes them, hands them over and ends.
import type { ClonedProcess } from '../../types/child';
import { flags as checkFlags } from '../check';
import { refusedOption } from '../errors/argument-error';
import { SyscallError } from '../errors/syscall-error';
import { Flags, formatFlags, kindsOf, namespaceMask } from '../flags';
import { takeHanded } from '../handed-namespaces';
import { adoptNamespace, type Namespace } from '../namespace';
import { checkNamespaces } from '../assembly/assemble';
import type { Request } from '../assembly/request';
import { startForNamespaces } from './start';

/** Of a pid namespace that no process is in any more there is nothing left to enter. */
const withoutPid =
  'cannot have CLONE_NEWPID: a pid namespace lives by its pid 1; clone() a command with Flags.NEWPID and hold: true';

function checkKindsToMake(value: unknown): number {
  const flags = checkFlags(value, 'flags argument');
  if ((flags & Flags.NEWPID) !== 0) throw refusedOption('flags argument', withoutPid);
  const other = (flags & ~namespaceMask) >>> 0;
  if (other !== 0) throw refusedOption('flags argument', `cannot have ${formatFlags(other)}: it is no namespace`);
  if (flags === 0) throw refusedOption('flags argument', 'must have one of Flags.NEW… at least');
  return flags;
}

/** The child, when it has said all, and the descriptors that it has handed over, or why they are lost. */
function run(request: Request, count: number): Promise<[ClonedProcess, readonly number[] | SyscallError]> {
  return new Promise((resolve, reject) => {
    startForNamespaces(request, (child) => resolve([child, takeHanded(child, count)]), reject);
  });
}

/** @throws ArgumentError, SyscallError, AbortError */
export async function makeNamespaces(flags: unknown, options: unknown): Promise<Namespace[]> {
  const wanted = checkKindsToMake(flags);
  const kinds = kindsOf(wanted);
  const [child, taken] = await run(checkNamespaces(wanted, options), kinds.length);
  // Whoever has the namespaces finds no process of ours any more.
  await child.exited;
  if (taken instanceof SyscallError) throw taken;
  return taken.map((descriptor, index) => adoptNamespace(kinds[index]!, descriptor));
}
