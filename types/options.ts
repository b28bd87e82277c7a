// The options of clone().
import type { Mount } from './mounts';
import type { Stdio } from './stdio';

/** How mounts made later are shared with other mount namespaces, see mount_namespaces(7). */
export type Propagation = 'private' | 'slave' | 'shared' | 'unbindable' | 'unchanged';

/** Options of `clone(command, args, options)`. Each may be left out; `undefined` counts as left out. */
export interface CloneOptions {
  /**
   * The namespaces to create: a `|` of `Flags.NEW…`, see namespaces(7). Other flags share what cannot survive an exec and are
   * refused, but for `VM` and `VFORK`, which say nothing here. Default none.
   */
  flags?: number;
  /**
   * User ids of a new user namespace: 'root' maps our own id to 0, 'keep' maps it to itself; see user_namespaces(7). Needs
   * `Flags.NEWUSER`. Default: no map, so that the ids inside are the overflow ids.
   */
  uidMap?: 'root' | 'keep';
  /** Group ids of a new user namespace, as `uidMap`. Needs `Flags.NEWUSER`. */
  gidMap?: 'root' | 'keep';
  /**
   * Whether setgroups(2) stays possible in the new user namespace. Default 'allow' where we have CAP_SETGID, else 'deny': the
   * kernel asks for it before an unprivileged gid map. Needs `gidMap`.
   */
  setgroups?: 'allow' | 'deny';
  /** The host name, up to 64 bytes, see sethostname(2). Needs `Flags.NEWUTS`. */
  hostname?: string;
  /** Bring the loopback interface up (127.0.0.1 and ::1). Needs `Flags.NEWNET`. Default false. */
  loopback?: boolean;
  /**
   * What happens to the propagation of every mount of the new mount namespace. Needs `Flags.NEWNS`, and is then 'private' where
   * it is not given, so that no mount leaks to the host.
   */
  propagation?: Propagation;
  /** What to mount, in this order. Needs `Flags.NEWNS`. */
  mounts?: readonly Mount[];
  /** The working directory, a path or a `file:` URL. Default: ours. */
  cwd?: string | URL;
  /** The environment. Default: ours. `undefined` values are left out. */
  env?: Readonly<Record<string, string | undefined>>;
  /** What the program sees as `argv[0]`. Default: the command. */
  argv0?: string;
  /** What the child's descriptors are, as in `child_process.spawn`. Default 'pipe'. */
  stdio?: Stdio;
  /** Whether nothing but `stdio` is inherited. With `false`, what is not close-on-exec is inherited too. Default true. */
  closeFds?: boolean;
}

/** What of a plan may differ from one start to the next. */
export interface StartOptions {
  /** As in {@link CloneOptions}; default: the plan's. */
  stdio?: Stdio;
  /** As in {@link CloneOptions}; default: the plan's. */
  env?: Readonly<Record<string, string | undefined>>;
}
