// The flags of clone(2), unshare(2) and setns(2), and the kinds of namespace.

/**
 * What a new child has of its own or shares with its parent: the 32-bit flags of clone(2), safe to combine with `|`.
 *
 * `Flags.IO | …` is a negative number in JavaScript; everything that takes flags reads it as unsigned.
 */
export enum Flags {
  /** No flag at all. clone(2) */
  NONE = 0,
  /** A new mount namespace: own mounts, see mount_namespaces(7). clone(2) */
  NEWNS = 0x00020000,
  /** A new cgroup namespace: an own view of /proc/[pid]/cgroup, see cgroup_namespaces(7). clone(2) */
  NEWCGROUP = 0x02000000,
  /** A new UTS namespace: an own host name and domain name, see uts_namespaces(7). clone(2) */
  NEWUTS = 0x04000000,
  /** A new IPC namespace: own System V IPC and POSIX message queues, see ipc_namespaces(7). clone(2) */
  NEWIPC = 0x08000000,
  /** A new user namespace: own ids and capabilities, see user_namespaces(7). clone(2) */
  NEWUSER = 0x10000000,
  /** A new pid namespace, whose first process is pid 1, see pid_namespaces(7). clone(2) */
  NEWPID = 0x20000000,
  /** A new network namespace: own interfaces, routes and ports, see network_namespaces(7). clone(2) */
  NEWNET = 0x40000000,
  /** A new time namespace: own offsets of the monotonic and boot clocks, see time_namespaces(7). clone(2) */
  NEWTIME = 0x00000080,
  /** Share the memory. clone(2) */
  VM = 0x00000100,
  /** Share the working directory, the root directory and the umask. clone(2) */
  FS = 0x00000200,
  /** Share the table of file descriptors. clone(2) */
  FILES = 0x00000400,
  /** Share the signal handlers; needs `VM`. clone(2) */
  SIGHAND = 0x00000800,
  /** Return a descriptor of the child, see pidfd_open(2). clone(2) */
  PIDFD = 0x00001000,
  /** Let a tracer of the parent trace the child too. clone(2) */
  PTRACE = 0x00002000,
  /** Suspend the parent until the child ends or executes a program. clone(2) */
  VFORK = 0x00004000,
  /** Make the child a sibling: its parent is the caller's parent. clone(2) */
  PARENT = 0x00008000,
  /** Put the child into the caller's thread group; needs `SIGHAND`. clone(2) */
  THREAD = 0x00010000,
  /** Share the undo list of System V semaphores, see semop(2). clone(2) */
  SYSVSEM = 0x00040000,
  /** Give the child its own thread-local storage. clone(2) */
  SETTLS = 0x00080000,
  /** Store the child's thread id in the parent's memory. clone(2) */
  PARENT_SETTID = 0x00100000,
  /** Clear the child's thread id in its memory when it ends, and wake its futex. clone(2) */
  CHILD_CLEARTID = 0x00200000,
  /** Ignored by the kernel since Linux 2.6.2. clone(2) */
  DETACHED = 0x00400000,
  /** Forbid a tracer to force `PTRACE` on the child. clone(2) */
  UNTRACED = 0x00800000,
  /** Store the child's thread id in the child's memory. clone(2) */
  CHILD_SETTID = 0x01000000,
  /** Share the I/O context, that is its turn at the disk. clone(2) */
  IO = 0x80000000,
}

/** A kind of namespace, named as in /proc/[pid]/ns, see namespaces(7). */
export type NamespaceKind = 'mnt' | 'uts' | 'ipc' | 'net' | 'pid' | 'user' | 'cgroup' | 'time';
