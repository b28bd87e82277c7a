// What we have rights over although we may be in no first user namespace: what that owns which we are in.
import type { NamespaceKind } from '../types/flags';
import { addon } from './addon';
import type { Target } from './join-target';
import { identify } from './open-file';
import { namespaceId, openProc } from './proc';

/** Where the user namespace is that owns one: ours, one below it, or one that the kernel does not tell us of. */
export type Owner = 'ours' | 'below' | 'beyond';

const EPERM = 1;

/** Undefined where the descriptor is of no namespace. */
function ownerSeen(descriptor: number): Owner | undefined {
  const owner = addon().relatedNamespace(descriptor, false);
  if (owner < 0) return owner === -EPERM ? 'beyond' : undefined;
  try {
    return Number(identify(owner).ino) === namespaceId('thread-self/ns/user') ? 'ours' : 'below';
  } catch {
    // A filter that lets nobody look: this is for a hint, and no error of its own.
    return undefined;
  } finally {
    addon().close(owner);
  }
}

/** What we hold in our user namespace we hold over what it owns, and over what those below it own. */
const isWithin = (owner: Owner | undefined): boolean => owner === 'ours' || owner === 'below';

/** Whose is what is to be entered; undefined of a process. */
export function ownerOfTarget(target: Pick<Target, 'open'>): Owner | undefined {
  try {
    const { descriptor, own } = target.open();
    const owner = ownerSeen(descriptor);
    if (own) addon().close(descriptor);
    return owner;
  } catch {
    // It is closed meanwhile, or there is no descriptor left.
    return undefined;
  }
}

export function isTargetWithinOurs(target: Pick<Target, 'open'>): boolean {
  return isWithin(ownerOfTarget(target));
}

/** Whether that is so of the namespace of this kind that we are in. */
export function isOwnWithinOurs(kind: NamespaceKind): boolean {
  const descriptor = openProc(`thread-self/ns/${kind}`);
  if (descriptor < 0) return false;
  const owner = ownerSeen(descriptor);
  addon().close(descriptor);
  return isWithin(owner);
}

/** Why what an owner of these decides is refused; undefined where to join that owner helps. */
export function whyNotOwner(owner: Owner | undefined): string | undefined {
  if (owner === 'ours') return 'it belongs to our own user namespace, in which that needs CAP_SYS_ADMIN';
  if (owner === 'beyond') return 'it belongs to a user namespace that is not below ours: nobody enters it from here';
  return undefined;
}

/** setns(2): one goes down, not up or aside. */
export function whyNotBelow(): string {
  return 'a pid namespace that is not below our own cannot be entered';
}
