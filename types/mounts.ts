// What can be mounted, and what becomes the root.
import type { NamespaceHandle } from './namespace';
import type { IdMapping } from './options';

/**
 * What is set and cleared of a mount, as OCI and mount(8) spell it: 'ro', 'rw', 'nosuid', 'suid', 'nodev', 'dev', 'noexec', 'exec',
 * 'noatime', 'relatime', 'strictatime', 'nodiratime', 'diratime', 'nosymfollow', 'symfollow'; with 'r' before it for all mounts below
 * as well ('rro', 'rnosuid').
 */
export type MountAttribute = AttributeWord | `r${AttributeWord}`;

type AttributeWord =
  | 'ro'
  | 'rw'
  | 'nosuid'
  | 'suid'
  | 'nodev'
  | 'dev'
  | 'noexec'
  | 'exec'
  | 'noatime'
  | 'atime'
  | 'relatime'
  | 'norelatime'
  | 'strictatime'
  | 'nostrictatime'
  | 'nodiratime'
  | 'diratime'
  | 'nosymfollow'
  | 'symfollow';

/** How a mount is shared with other mount namespaces, see mount_namespaces(7); with 'r' before it for all mounts below as well. */
export type MountPropagation = PropagationWord | `r${PropagationWord}`;

type PropagationWord = 'private' | 'slave' | 'shared' | 'unbindable';

/** A size in bytes, or with 'k', 'm' or 'g' behind it: '64m'. */
export type Size = number | string;

/** What every entry of `mounts` has. */
export interface MountEntry {
  /** An absolute path, as the child sees it. No link leads out of the root on the way to it. */
  target: string;
  /** A source or target that is missing is nothing to do. Default false. */
  optional?: boolean | undefined;
}

/** How a mount is seen. */
export interface MountOptions {
  /** Mount it read-only, and what is mounted below it where it is a bind. Default false. */
  readonly?: boolean | undefined;
  /** Ignore set-user-ID bits and file capabilities, see mount(8). */
  nosuid?: boolean | undefined;
  /** Allow no device files. */
  nodev?: boolean | undefined;
  /** Allow no program to be executed. */
  noexec?: boolean | undefined;
  /** Do not write access times. Default false. */
  noatime?: boolean | undefined;
  /** The same in OCI's words, and what is to be cleared; after the options above. */
  attributes?: readonly MountAttribute[] | undefined;
  /**
   * How it is shared with other mount namespaces. Default: as the mount that it lies on, which is private where the option `propagation`
   * of `clone()` does not say otherwise. What is private in a shared place has been copied to wherever that is shared with: only what
   * is mounted in it later is not.
   */
  propagation?: MountPropagation | undefined;
}

/** What every mount has. */
export interface MountBase extends MountEntry, MountOptions {
  /** Make the target, and its parents with mode 0755, where it is missing: a directory, or a file to mount a file on. Default false. */
  create?: boolean | undefined;
}

/** What a mount of a fresh file system has beside. */
export interface FilesystemOptions {
  /**
   * Options of the file system itself, as mount(8) lists them: `true` for one without a value, `false` for none. Permissions are a
   * string, `'0700'`. Not what the type has an option for.
   */
  options?: { readonly [name: string]: string | number | boolean } | undefined;
}

/**
 * The ids that files have in a mount, see MOUNT_ATTR_IDMAP in mount_setattr(2): what belongs to `containerID` on the file system belongs
 * to `hostID` in the mount, and what `hostID` makes there belongs to `containerID` on it. Ids that no range has belong to nobody there
 * (65534), and can make nothing. The maps of the child itself thus mean that an id inside is the same one on the file system.
 */
export interface MountIdMap {
  /** Up to 340 ranges; `hostID` is an id of our own user namespace, as in the option `uidMap`. */
  uidMap: readonly IdMapping[];
  gidMap: readonly IdMapping[];
}

/** The same files in a second place, see `mount --bind`. */
export interface BindMount extends MountBase {
  type: 'bind';
  /**
   * Of our view, before the root is changed; a relative path starts at our working directory. Or a descriptor of ours: the file or
   * directory that it is, whatever has its name by then. In another user namespace than ours it must have a name
   * that leads to it, and is refused (ESTALE) where another file has that by then.
   */
  source: string | number;
  /** With what is mounted below it. Default true, which a user namespace needs where something is. */
  recursive?: boolean | undefined;
  /**
   * Files have other owners in it: those that these maps say, or those of a user namespace. For all that is mounted below, too, where
   * `recursive` is not false. Takes CAP_SYS_ADMIN in the user namespace that the file system belongs to (for most, root of the host),
   * and file systems that have it (Linux 5.12: ext4, xfs; 5.15: btrfs; 5.19: overlay; 6.3: tmpfs; …). Beside `Flags.NEWUSER` the maps are
   * applied, and `readonly` and its like are set, before the user namespace is entered: nothing of that can be undone inside.
   */
  idmap?: NamespaceHandle<'user'> | MountIdMap | undefined;
}

/**
 * A fresh proc file system of the child's pid namespace, see proc(5). Needs an own pid namespace, and in a user namespace a
 * fully visible `/proc` outside. `nosuid`, `nodev` and `noexec` by default.
 */
export interface ProcMount extends MountBase, FilesystemOptions {
  type: 'proc';
}

/** A fresh sysfs(5). In a user namespace it needs a new network namespace. `nosuid`, `nodev` and `noexec` by default. */
export interface SysfsMount extends MountBase, FilesystemOptions {
  type: 'sysfs';
}

/** An empty file system in memory, see tmpfs(5). `nosuid` and `nodev` by default. */
export interface TmpfsMount extends MountBase, FilesystemOptions {
  type: 'tmpfs';
  /** The most that it may hold. Default: half of the memory. */
  size?: Size | undefined;
  /** Of its root directory. Default 0o755; with `copyUp` that of the directory it is mounted on. */
  mode?: number | undefined;
  /**
   * What is in the directory that it is mounted on is seen in it, and can be changed in it: OCI's `tmpcopyup`. Nothing is copied
   * until it is changed, as it is an overlay with the directory below an invisible layer in memory: a file of which nothing was
   * changed counts for no `size`, and has another device number than the rest; one that was changed is no more the same as its
   * hard links; and what is mounted below the directory, or changed in it by others meanwhile, is not in it. Not for a root.
   * Default false.
   */
  copyUp?: boolean | undefined;
}

/** Terminals of its own, see pts(4). `nosuid` and `noexec` by default. */
export interface DevptsMount extends MountBase, FilesystemOptions {
  type: 'devpts';
}

/** POSIX message queues of the ipc namespace, see mq_overview(7). `nosuid`, `nodev` and `noexec` by default. */
export interface MqueueMount extends MountBase, FilesystemOptions {
  type: 'mqueue';
}

/** The control groups, from the root of the cgroup namespace on, see cgroups(7). `nosuid`, `nodev` and `noexec` by default. */
export interface Cgroup2Mount extends MountBase, FilesystemOptions {
  type: 'cgroup2';
}

/** Directories laid over each other, see Documentation/filesystems/overlayfs.rst of the kernel. */
export interface OverlayMount extends MountBase, FilesystemOptions {
  type: 'overlay';
  /** What is seen through it, the uppermost first; at least one. Paths of our view. */
  lower: readonly string[];
  /** Where changes go; 'tmpfs' for an invisible one in memory, which ends with the child. Without one it is read-only. */
  upper?: string | undefined;
  /** An empty directory on the file system of `upper`; not for 'tmpfs'. */
  work?: string | undefined;
}

/**
 * A minimal `/dev`: `null`, `zero`, `full`, `random`, `urandom` and `tty` of the host, terminals of its own (`ptmx`, `pts`), an
 * empty `shm`, the links `fd`, `stdin`, `stdout`, `stderr` and `core`; `mqueue` where the ipc namespace is new, and `console` with the
 * option `pty`. `nosuid` and `noexec` by default, as are the mounts in it.
 */
export interface DevMount extends MountBase {
  type: 'dev';
}

/**
 * A device, in what is mounted there, with its parents: a node where we may make one, see mknod(2). In a user namespace, where nobody
 * may, the node of the host that has these numbers is mounted there, with its own owner and permissions; it must be below `/dev`.
 * A node that is there and is the same is nothing to do. What is mounted with `nodev` has none that can be opened.
 */
export interface DeviceEntry extends MountEntry {
  type: 'device';
  /** A character device, or a block device. */
  kind: 'c' | 'b';
  major: number;
  minor: number;
  /** Default 0o666. */
  mode?: number | undefined;
  /** Default: that of the process that makes it, which is 0 in most. */
  uid?: number | undefined;
  /** Default: that of the process that makes it, which is 0 in most. */
  gid?: number | undefined;
}

/** A named pipe, in what is mounted there, with its parents, see fifo(7). One that is there and is the same is nothing to do. */
export interface FifoEntry extends Omit<DeviceEntry, 'kind' | 'major' | 'minor'> {
  kind: 'p';
}

/** A path hidden: a directory is empty, a file has nothing in it. One that is missing is nothing to do. */
export interface Mask extends MountEntry {
  type: 'mask';
}

/** A path made read-only; `target: '/'` is all that has been mounted so far. */
export interface ReadonlyEntry extends MountEntry {
  type: 'readonly';
  /** With what is mounted below it, which `false` leaves as it is. Default true. */
  recursive?: boolean | undefined;
}

/** Other attributes of the mount that is there, in the place of laying another upon it. Its target must be a mount point. */
export interface Remount extends MountEntry {
  type: 'remount';
  /** With `'r'` in front for the mounts below as well. */
  attributes: readonly MountAttribute[];
}

/** A file with this content: resolv.conf, hosts, a secret. What it may not be used for says nothing beside `place`. */
export interface FileMount extends MountEntry, Pick<MountOptions, 'nosuid' | 'nodev' | 'noexec'> {
  type: 'file';
  content: string | Uint8Array;
  /** Default 0o644. */
  mode?: number | undefined;
  /** A private copy that may be written to, in memory. Default false: it is read-only. */
  writable?: boolean | undefined;
  /** Write a real file into what is mounted there, in the place of mounting one. Default false. */
  place?: boolean | undefined;
  /** Make the target, and its parents with mode 0755, where it is missing. Default false. */
  create?: boolean | undefined;
}

/** A symbolic link in what is mounted there, with its parents. One that is there and says the same is nothing to do. */
export interface SymlinkEntry extends MountEntry {
  type: 'symlink';
  /** What it says. */
  to: string;
}

/** A directory in what is mounted there, with its parents. One that is there is nothing to do. */
export interface DirectoryEntry extends MountEntry {
  type: 'dir';
  /** Default 0o755. */
  mode?: number | undefined;
}

/** Other permissions for what is there. */
export interface ChmodEntry extends MountEntry {
  type: 'chmod';
  mode: number;
}

/** Any other file system. */
export interface FilesystemMount extends MountBase, FilesystemOptions {
  type: 'filesystem';
  /** Its name, as in /proc/filesystems: 'ext4'. */
  fstype: string;
  /** A device, or what else it is mounted from. */
  source?: string | undefined;
}

/** An entry of `mounts`, told apart by its `type`. */
export type Mount =
  | BindMount
  | ProcMount
  | SysfsMount
  | TmpfsMount
  | DevptsMount
  | MqueueMount
  | Cgroup2Mount
  | OverlayMount
  | DevMount
  | FilesystemMount
  | Mask
  | ReadonlyEntry
  | Remount
  | FileMount
  | SymlinkEntry
  | DirectoryEntry
  | ChmodEntry
  | DeviceEntry
  | FifoEntry;

/** What becomes the root: one of these without its target. */
export type RootMount =
  | Omit<BindMount, 'target' | 'create' | 'optional'>
  | Omit<TmpfsMount, 'target' | 'create' | 'optional' | 'copyUp'>
  | Omit<OverlayMount, 'target' | 'create' | 'optional'>
  | Omit<FilesystemMount, 'target' | 'create' | 'optional'>;
