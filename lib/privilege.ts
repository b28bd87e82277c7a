// What we may do ourselves: our ids, our effective capabilities, our hard limits. Each is asked for in one call, since a call
// into the addon costs two microseconds when the caches are cold.
import { addon } from './addon';

const words = new Float64Array(4);

/** Who we were when it was asked. */
export class Credentials {
  /** The effective user id. */
  readonly uid: number;
  /** The effective group id. */
  readonly gid: number;
  readonly #low: number;
  readonly #high: number;

  constructor() {
    addon().credentials(words);
    this.uid = words[0]!;
    this.gid = words[1]!;
    this.#low = words[2]!;
    this.#high = words[3]!;
  }

  /** Whether a capability (`constants.CAP_…`) is effective in our own user namespace, see capabilities(7). */
  has(capability: number): boolean {
    return (((capability < 32 ? this.#low : this.#high) >>> (capability & 31)) & 1) === 1;
  }
}

/** Whether we have a capability (`constants.CAP_…`) in our own user namespace, see capabilities(7). */
export function hasCapability(capability: number): boolean {
  return new Credentials().has(capability);
}

/** There are sixteen resources, RLIM_NLIMITS of asm-generic/resource.h. */
const limits = new Float64Array(16);

/** The hard limits that we have ourselves, see getrlimit(2); -1 is unlimited. The array is used again by the next call. */
export function currentHardLimits(resources: readonly number[]): Float64Array {
  for (let index = 0; index < resources.length; index++) limits[index] = resources[index]!;
  addon().hardLimits(limits, resources.length);
  return limits;
}
