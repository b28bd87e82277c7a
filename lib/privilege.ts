// What we may do ourselves: our effective capabilities.
import { addon } from './addon';

/** Whether we have a capability (`constants.CAP_…`) in our own user namespace, see capabilities(7). */
export function hasCapability(capability: number): boolean {
  return addon().hasCapability(capability) === 1;
}

/** The hard limit that we have ourselves, see getrlimit(2); -1 is unlimited. */
export function currentHardLimit(resource: number): number {
  return addon().hardLimit(resource);
}
