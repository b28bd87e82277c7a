// What the errors of this library carry.

/** The code of an {@link ArgumentError}, as Node has them. */
export type ArgumentErrorCode =
  | 'ERR_INVALID_ARG_TYPE'
  | 'ERR_INVALID_ARG_VALUE'
  | 'ERR_OUT_OF_RANGE'
  | 'ERR_UNKNOWN_SIGNAL'
  | 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM';

/** A refused argument: a TypeError, or a RangeError for `ERR_OUT_OF_RANGE`; nothing was done. */
export interface ArgumentError extends Error {
  /**
   * 'ERR_INVALID_ARG_TYPE', 'ERR_INVALID_ARG_VALUE', 'ERR_OUT_OF_RANGE', 'ERR_UNKNOWN_SIGNAL' or
   * 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM'.
   */
  code: ArgumentErrorCode;
  /** The option or argument that was refused ('mounts[0].target'); missing where the whole platform is. */
  option?: string;
}

/** A system call that the kernel refused, and where in the set-up that was. */
export interface SyscallErrorFields {
  /** The error's name, see errno(3): 'EPERM'. */
  code: string;
  /** The error's number, negative as in Node: -1. */
  errno: number;
  /** The system call: 'move_mount'. */
  syscall?: string;
  /** The step of the set-up that the call belongs to: 'mounts'. */
  step?: string;
  /** The option that asked for it: 'mounts[0]'. */
  option?: string;
  /** The path that the call was about, or its source. */
  path?: string;
  /** Its second path. */
  dest?: string;
  /** What can be done about it. */
  hint?: string;
  /** The signal that killed the child before its command ran (with `code` 'ECHILD'). */
  signal?: string;
}
