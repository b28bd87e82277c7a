// Namespaces to enter.
import type { NamespaceKind } from './flags';

/** A process by its pid; it must be alive. */
export interface PidTarget {
  pid: number;
  fd?: undefined;
  pidfd?: undefined;
  /** Which of its namespaces, a `|` of `Flags.NEW…`. Default: all that differ from ours. */
  flags?: number | undefined;
}

/** A process by a descriptor of it, see pidfd_open(2): unlike a pid it never means another one. */
export interface PidfdTarget {
  pidfd: number;
  fd?: undefined;
  pid?: undefined;
  /** Which of its namespaces, a `|` of `Flags.NEW…`. Default: all that differ from ours. */
  flags?: number | undefined;
}

/** A namespace by a descriptor of it, as opened from `/proc/PID/ns/net`. */
export interface DescriptorTarget {
  fd: number;
  pid?: undefined;
  pidfd?: undefined;
  flags?: undefined;
}

/** A namespace that is held open. */
export interface NamespaceTarget {
  readonly kind: NamespaceKind;
  readonly fd: number;
}

/** Namespaces that were made together by `createNamespaces()`: each of them. */
export interface NamespaceSetTarget extends Iterable<NamespaceTarget> {
  close(): void;
}

/** A child of `clone()`: all of its namespaces that differ from ours. */
export interface ChildTarget {
  readonly pidfd: number;
  readonly exited: Promise<unknown>;
}

/** A child of `node:child_process` that has not ended: all of its namespaces that differ from ours. */
export interface SpawnedTarget {
  readonly pid?: number | undefined;
  readonly exitCode: number | null;
  readonly signalCode: string | null;
}

/** Namespaces to enter: a path (`/proc/PID/ns/net`, a bind mount of it), a descriptor, a namespace, a set of them, or a process. */
export type JoinTarget =
  | string
  | DescriptorTarget
  | PidTarget
  | PidfdTarget
  | NamespaceTarget
  | NamespaceSetTarget
  | ChildTarget
  | SpawnedTarget;
