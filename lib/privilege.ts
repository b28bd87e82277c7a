// What we may do ourselves: our ids, our effective capabilities, our hard limits. Each is asked for in one call, since a call
// into the addon costs two microseconds when the caches are cold.
import { addon } from './addon';
import { askProc, procError } from './proc';

const ENOENT = 2;

const words = new Float64Array(7);

/** As /proc lists them, which is in order. */
function ownGroups(): string | undefined {
  const text = askProc('thread-self/status');
  return typeof text === 'number' ? undefined : /^Groups:[ \t]*(.*?)[ \t]*$/m.exec(text)?.[1];
}

/** Who we were when it was asked. */
export class Credentials {
  /** The effective user id. */
  readonly uid: number;
  /** The effective group id. */
  readonly gid: number;
  /** Effective capabilities 0 to 31, and 32 to 63. */
  readonly low: number;
  readonly high: number;
  /** The real user id, which seteuid(2) leaves as it is. */
  readonly realUid: number;
  readonly realGid: number;
  /** See capabilities(7). */
  readonly securebits: number;

  constructor() {
    addon().credentials(words);
    this.uid = words[0]!;
    this.gid = words[1]!;
    this.low = words[2]!;
    this.high = words[3]!;
    this.realUid = words[4]!;
    this.realGid = words[5]!;
    this.securebits = words[6]!;
  }

  #groups: string | undefined;

  /** Our supplementary groups, in order; undefined where they could not be found out. */
  get groups(): readonly number[] | undefined {
    this.#groups ??= ownGroups();
    return this.#groups?.split(' ').filter(Boolean).map(Number);
  }

  /** Whether we are still the same. */
  holds(): boolean {
    addon().credentials(words);
    return (
      (this.#groups === undefined || this.#groups === ownGroups()) &&
      this.uid === words[0] &&
      this.gid === words[1] &&
      this.low === words[2] &&
      this.high === words[3] &&
      this.realUid === words[4] &&
      this.realGid === words[5] &&
      this.securebits === words[6]
    );
  }

  /** Whether a capability (`constants.CAP_…`) is effective in our own user namespace, see capabilities(7). */
  has(capability: number): boolean {
    return (((capability < 32 ? this.low : this.high) >>> (capability & 31)) & 1) === 1;
  }
}

/** Which Landlock the kernel had when it was asked. */
export class LandlockVersion {
  /** Of its ABI, from 1 on; -errno where it has none. */
  readonly abi = addon().landlockAbi();

  /** Whether it is still the same. */
  holds(): boolean {
    return addon().landlockAbi() === this.abi;
  }
}

let denied: boolean | undefined;

/**
 * Whether setgroups(2) is given up in our own user namespace, and with it in all below; see user_namespaces(7). It stays as it is
 * from the first map of groups on, and a process with threads cannot leave its user namespace.
 * @param option what asks, for an error
 * @throws SyscallError where it could not be found out
 */
export function isSetgroupsDenied(option: string): boolean {
  if (denied !== undefined) return denied;
  const text = askProc('thread-self/setgroups');
  // Without /proc the kernel itself will say so.
  if (text === -ENOENT) return false;
  if (typeof text === 'number')
    throw procError(-text, { syscall: 'openat', option, path: '/proc/thread-self/setgroups' });
  return (denied = text.trim() === 'deny');
}

/** There are sixteen resources, RLIM_NLIMITS of asm-generic/resource.h. */
const limits = new Float64Array(16);

function readLimits(resources: readonly number[]): void {
  for (let index = 0; index < resources.length; index++) limits[index] = resources[index]!;
  addon().hardLimits(limits, resources.length);
}

/** The hard limits that we had ourselves when it was asked, see getrlimit(2). */
export class HardLimits {
  /** In the order of the resources; -1 is unlimited. */
  readonly values: readonly number[];
  readonly #resources: readonly number[];

  constructor(resources: readonly number[]) {
    readLimits(resources);
    this.#resources = resources;
    this.values = resources.map((_, index) => limits[index]!);
  }

  /** Whether they are still the same. */
  holds(): boolean {
    readLimits(this.#resources);
    return this.values.every((value, index) => value === limits[index]);
  }
}
