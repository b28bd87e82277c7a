// Namespaces as objects: one that is held by a descriptor, one that is listed, and how new ones are made.
import type { NamespaceKind } from './flags';
import type { JoinTarget } from './join-target';
import type { CloneOptions } from './options';

/** A namespace, see namespaces(7). It lives as long as this object is open, whether or not a process is in it. */
export interface NamespaceHandle<K extends NamespaceKind = NamespaceKind> {
  /** 'net', 'mnt', … */
  readonly kind: K;
  /** The descriptor; -1 once closed. */
  readonly fd: number;
  /** The inode number, which names the namespace while it lives. */
  readonly id: bigint;
  /** Whether both are the same namespace. */
  equals(other: NamespaceHandle): boolean;
  /** The namespace that this one is nested in, opened; null where there is none that we may see. */
  parent(): NamespaceHandle<K> | null;
  /** The user namespace that owns it, opened; null where there is none that we may see. */
  owner(): NamespaceHandle<'user'> | null;
  /** The id of the user who owns it; null where we may not see the user namespace that owns it. */
  ownerUid(): number | null;
  /** Keeps it beyond this object, by a bind mount on `path`, which is made. */
  persist(path: string): void;
  /** Lets go of it. Closing twice does nothing. */
  close(): void;
  [Symbol.dispose](): void;
}

/** A namespace as `Namespace.list()` has it: what was found at that moment, nothing of it is open. */
export interface ListedNamespace {
  /** 'net', 'mnt', … */
  readonly kind: NamespaceKind;
  /** The inode number, as the `id` of a Namespace and `ls -l /proc/PID/ns` have it. */
  readonly id: bigint;
  /** How many processes are in it, of those that we may look at; of a process its first thread counts. */
  readonly processes: number;
  /** The lowest pid of these; null where there is none. `Namespace.open(pid, kind)` opens it. */
  readonly pid: number | null;
  /** The effective user id of that process. */
  readonly uid: number | null;
  /** Where bind mounts keep it, as `ip netns` and `persist()` make them. `Namespace.open(path)` opens it. */
  readonly paths: readonly string[];
  /** The id of the user namespace that owns it; null where there is none that we may see. */
  readonly owner: bigint | null;
  /** The id of the user who owns it, see `ownerUid()` of a Namespace; null where we may not see the user namespace that owns it. */
  readonly ownerUid: number | null;
  /** Of pid and user namespaces the id of the one that it is nested in; null where there is none that we may see. */
  readonly parent: bigint | null;
}

/**
 * Options of `createNamespaces()`, with the meaning that they have in `clone()`: each acts on a namespace that is new in the same
 * call. `signal` and `timeout` end the making.
 */
export interface NamespaceOptions extends Pick<
  CloneOptions,
  | 'uidMap'
  | 'gidMap'
  | 'setgroups'
  | 'hostname'
  | 'domainname'
  | 'timeOffsets'
  | 'loopback'
  | 'sysctl'
  | 'signal'
  | 'timeout'
> {
  /**
   * A user namespace to make them in, which they then belong to: of a set, a process or a child it is that one. So an ordinary user makes
   * a second network for the same root. Default: ours, or the new one.
   */
  join?: JoinTarget | undefined;
}
