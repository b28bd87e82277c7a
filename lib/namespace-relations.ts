// Whose a namespace is: its parent, the user namespace that owns it and who made that, see ioctl_ns(2).
import type { NamespaceKind } from '../types/flags';
import { addon } from './addon';
import { SyscallError } from './errors/syscall-error';
import { identify } from './open-file';

const EPERM = 1;

function must(result: number): number {
  if (result < 0) throw new SyscallError({ errno: -result, syscall: 'ioctl' });
  return result;
}

/** Of the kernel, that a namespace is beyond our own: or that there is none. */
function orNone(descriptor: number): number | undefined {
  return descriptor === -EPERM ? undefined : must(descriptor);
}

/** A descriptor, the caller's to close; undefined where there is none that we may see. @throws SyscallError EMFILE */
export function ownerOf(descriptor: number): number | undefined {
  return orNone(addon().relatedNamespace(descriptor, false));
}

/** The same of the namespace that it is nested in. */
export function parentOf(descriptor: number, kind: NamespaceKind): number | undefined {
  // No other is nested.
  if (kind !== 'pid' && kind !== 'user') return undefined;
  return orNone(addon().relatedNamespace(descriptor, true));
}

/** The user who owns it: of a user namespace who made it, of any other who made the user namespace that owns it. */
export function ownerUidOf(descriptor: number, kind: NamespaceKind): number | null {
  if (kind === 'user') return must(addon().namespaceMaker(descriptor));
  const owner = ownerOf(descriptor);
  if (owner === undefined) return null;
  try {
    return must(addon().namespaceMaker(owner));
  } finally {
    addon().close(owner);
  }
}

/** The id of what a descriptor is of, which is closed. */
export function idOf(descriptor: number): bigint {
  try {
    return identify(descriptor).ino;
  } finally {
    addon().close(descriptor);
  }
}
