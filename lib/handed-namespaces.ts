// The namespaces that children have handed over, because nobody may look into them: a held one, one with a pid 1 of ours.
import type { NamespaceKind } from '../types/flags';
import { addon } from './addon';
import { SyscallError, type SyscallErrorInit } from './errors/syscall-error';
import { namespaceKinds } from './flags';
import { namespaceId } from './proc';

const ENOENT = 2;

let present: readonly NamespaceKind[] | undefined;

/**
 * The kinds that there are, in the order in which they are handed over: a kernel may have been built without one. None where there is
 * no /proc that could tell.
 * @param place what asks, for an error
 * @throws SyscallError where it could not be found out: a kind that is missing by mistake would not be entered
 */
export function handedKinds(place: SyscallErrorInit): readonly NamespaceKind[] {
  if (present !== undefined) return present;
  if (addon().proc(false) === -ENOENT) return [];
  const found = namespaceKinds.filter(({ kind }) => {
    const id = namespaceId(`self/ns/${kind}`);
    if (id < 0 && id !== -ENOENT) {
      throw new SyscallError({ ...place, errno: -id, syscall: 'openat', path: `/proc/self/ns/${kind}` });
    }
    return id > 0;
  });
  return (present = found.map(({ kind }) => kind));
}

const children = new WeakMap<object, number>();

/** This child hands its namespaces over. */
export function handsOver(child: object, id: number): void {
  children.set(child, id);
}

/** Whether it was such a child. */
export function hasHandedOver(child: object): boolean {
  return children.has(child);
}

/**
 * A descriptor of a namespace of a child, the caller's to close; undefined where there is none of it.
 * @throws SyscallError ESRCH for a child that has ended, EMFILE
 */
export function handedNamespace(child: object, kind: NamespaceKind): number | undefined {
  const place = handedKinds({ option: 'source' }).indexOf(kind);
  if (place < 0) return undefined;
  const descriptor = addon().handedNamespace(children.get(child) ?? 0, place);
  if (descriptor >= 0) return descriptor;
  throw new SyscallError({ errno: -descriptor, syscall: 'fcntl', option: 'source' });
}

/**
 * The descriptors of what a child has handed over that was made for its namespaces, the caller's to close; in its order. Or why there
 * are not as many: nobody can be thrown to where this is heard.
 */
export function takeHanded(child: object, count: number): readonly number[] | SyscallError {
  const id = children.get(child) ?? 0;
  const taken: number[] = [];
  for (let place = 0; place < count; place++) {
    const descriptor = addon().handedNamespace(id, place);
    if (descriptor < 0) {
      for (const one of taken) addon().close(one);
      return new SyscallError({ ...lost, errno: -descriptor });
    }
    taken.push(descriptor);
  }
  return taken;
}

const lost = {
  step: 'handover',
  option: 'flags',
  syscall: 'recvmsg',
  hint: 'too many descriptors are open, here or on their way through sockets; see RLIMIT_NOFILE',
} satisfies SyscallErrorInit;
