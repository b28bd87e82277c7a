// What can be mounted.

/** What every mount has. */
export interface MountBase {
  /** Where to, an absolute path as the child sees it. */
  target: string;
  /** Make the target directory (and its parents) where it is missing. Default false. */
  create?: boolean | undefined;
  /** Mount it read-only. Default false. */
  readonly?: boolean | undefined;
  /** Ignore set-user-ID bits and file capabilities, see mount(8). Default true for proc. */
  nosuid?: boolean | undefined;
  /** Allow no device files. Default true for proc. */
  nodev?: boolean | undefined;
  /** Allow no program to be executed. Default true for proc. */
  noexec?: boolean | undefined;
  /** Do not write access times. Default false. */
  noatime?: boolean | undefined;
}

/**
 * A fresh proc file system of the child's pid namespace, see proc(5). Needs an own pid namespace, and in a user namespace a
 * fully visible `/proc` outside.
 */
export interface ProcMount extends MountBase {
  type: 'proc';
}

/** A mount, told apart by its `type`. */
export type Mount = ProcMount;
