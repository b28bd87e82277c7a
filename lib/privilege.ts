// What we may do ourselves: our effective capabilities.
import { addon } from './addon';

/** Whether we have a capability (`constants.CAP_…`) in our own user namespace, see capabilities(7). */
export function hasCapability(capability: number): boolean {
  return addon().hasCapability(capability) === 1;
}
