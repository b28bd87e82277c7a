// What we have rights over although we may be in no first user namespace: what that owns which we are in.
import type { NamespaceKind } from '../types/flags';
import { addon } from './addon';
import type { Target } from './join-target';
import { openProc } from './proc';

/** Whether it is owned by our user namespace, or by one below it: what we hold here we hold over it. */
function isWithinOurs(descriptor: number): boolean {
  // The kernel tells of no owner beyond.
  const owner = addon().relatedNamespace(descriptor, false);
  if (owner >= 0) addon().close(owner);
  return owner >= 0;
}

/** Whether that is so of what is to be entered. */
export function isTargetWithinOurs(target: Pick<Target, 'open'>): boolean {
  try {
    const { descriptor, own } = target.open();
    const isWithin = isWithinOurs(descriptor);
    if (own) addon().close(descriptor);
    return isWithin;
  } catch {
    // It is closed meanwhile, or there is no descriptor left.
    return false;
  }
}

/** Whether that is so of the namespace of this kind that we are in. */
export function isOwnWithinOurs(kind: NamespaceKind): boolean {
  const descriptor = openProc(`thread-self/ns/${kind}`);
  if (descriptor < 0) return false;
  const isWithin = isWithinOurs(descriptor);
  addon().close(descriptor);
  return isWithin;
}
