// The option `landlock` of clone().

/**
 * What may be done with files below a path. Three words, which fit whatever is there, and the kernel's names (those of
 * `LANDLOCK_ACCESS_FS_…`, in small letters), see landlock(7):
 *
 * - 'read': `read_file`, `read_dir`
 * - 'write': `write_file`, `truncate`, `remove_file`, `remove_dir`, `make_reg`, `make_dir`, `make_sym`, `make_sock`, `make_fifo`, `refer`
 *   (to rename and link from one folder to another); no nodes of devices (`make_char`, `make_block`)
 * - 'execute': `execute`
 *
 * Of a file that is no folder, the words mean what there is of files (`read_file`, `write_file`, `truncate`, `execute`, `ioctl_dev`); a
 * kernel's name that is of folders is refused there by the kernel.
 */
export type LandlockAccess =
  | 'read'
  | 'write'
  | 'execute'
  | 'write_file'
  | 'read_file'
  | 'read_dir'
  | 'remove_dir'
  | 'remove_file'
  | 'make_char'
  | 'make_dir'
  | 'make_reg'
  | 'make_sock'
  | 'make_fifo'
  | 'make_block'
  | 'make_sym'
  | 'refer'
  | 'truncate'
  | 'ioctl_dev';

/** Allows something for a file, or for a folder and all that is below it. */
export interface LandlockRule {
  /** An absolute path in the root that the program has, or a descriptor of ours. */
  path: string | URL | number;
  access: readonly LandlockAccess[];
  /** A path that is missing is nothing to allow. Default: false, it is an error (ENOENT). */
  optional?: boolean | undefined;
}

/** Allows a TCP port: to listen on it, or to connect to it, wherever that is. */
export interface LandlockPort {
  /** 0 to 65535; to bind 0 is to have the kernel choose one. */
  port: number;
  access: readonly ('bind_tcp' | 'connect_tcp')[];
}

/**
 * What the program, and all that it starts, may still do, see landlock(7). Nobody can take it back, and it takes no privilege: it sets
 * `noNewPrivileges` unless that is given.
 */
export interface Landlock {
  /**
   * With rules for files nothing else can be done with any file: what is not allowed here is refused (EACCES). Needs ABI 5 (Linux 6.10),
   * which knows all of {@link LandlockAccess}. To execute a command it must be allowed to, and so must its interpreter (`ld.so`, or what
   * a script names). Default: files are not restricted.
   */
  rules?: readonly LandlockRule[] | undefined;
  /**
   * With rules for ports, `[]` too, no other TCP port can be bound or connected to. Needs ABI 4 (Linux 6.7). Default: not restricted.
   */
  net?: readonly LandlockPort[] | undefined;
  /**
   * What ends at the program and what it starts: connections to 'abstract_unix_socket's of others, 'signal's to others. Needs ABI 6 (Linux
   * 6.12). Default: nothing.
   */
  scope?: readonly ('abstract_unix_socket' | 'signal')[] | undefined;
  /**
   * The least version of Landlock that will do. What a kernel of this version or a later one cannot enforce of the above is left out
   * then, and `plan()` says what. Default: the one that all of it needs.
   */
  minimumAbi?: number | undefined;
}
