// What a line of bubblewrap has asked for.
import type { CapabilityName } from '../../lib/index';
import { ownCapabilities } from './capabilities';
import type { Operation } from './operations';

/** What takes a descriptor, once each. */
export type DescriptorName =
  | 'sync-fd'
  | 'block-fd'
  | 'userns-block-fd'
  | 'info-fd'
  | 'json-status-fd'
  | 'seccomp'
  | 'userns'
  | 'userns2'
  | 'pidns';

export type Shared = 'user' | 'ipc' | 'pid' | 'net' | 'uts' | 'cgroup' | 'user-try' | 'cgroup-try';

/** What a line has asked for. What it changes is only looked at where it does not leave it behind. */
export class Line {
  readonly operations: Operation[] = [];
  readonly unshare = new Set<Shared>();
  /** Options that are there or not: 'new-session'. */
  readonly set = new Set<string>();
  /** Options of which the last counts: 'chdir'. */
  readonly texts = new Map<string, string>();
  readonly ids = new Map<'uid' | 'gid', number>();
  readonly descriptors = new Map<DescriptorName, number>();
  /** What the command does not get of the descriptors that were handed over. */
  readonly used = new Set<number>();
  /** What has been read, and is closed for bubblewrap. */
  readonly spent = new Set<number>();
  readonly filters: Uint8Array[] = [];
  readonly locks: string[] = [];
  /** Our own ids. */
  readonly uid = process.getuid!();
  readonly gid = process.getgid!();
  readonly warnings: string[];
  /** The descriptors above 2 that were handed over; undefined where all that are open were. */
  readonly handed: readonly number[] | undefined;
  changesCapabilities = false;
  /** Whether the usage or the version was asked for in the place of all else. */
  asksFor: 'help' | 'version' | undefined;
  /** The command and its arguments. */
  command: readonly string[] = [];
  #env: Record<string, string> | undefined;
  #capabilities: Set<CapabilityName> | undefined;

  constructor(warnings: string[], handed: readonly number[] | undefined) {
    this.warnings = warnings;
    this.handed = handed;
  }

  get env(): Record<string, string> {
    return (this.#env ??= { ...process.env } as Record<string, string>);
  }

  set env(env: Record<string, string>) {
    this.#env = env;
  }

  /** What root has is kept, where nothing is said of it; others have nothing. */
  get capabilities(): Set<CapabilityName> {
    return (this.#capabilities ??= this.uid === 0 ? ownCapabilities() : new Set());
  }

  set capabilities(names: Set<CapabilityName>) {
    this.#capabilities = names;
  }
}
