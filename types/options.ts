// The options of clone().
import type { JoinTarget } from './join-target';
import type { Landlock } from './landlock';
import type { IoPriority, MemoryPolicy, Scheduler } from './limits';
import type { Mount, RootMount } from './mounts';
import type { CapabilityName, SecurebitName } from './privileges';
import type { Seccomp } from './seccomp';
import type { Signal } from './signals';
import type { Step } from './steps';
import type { PtyOption, Stdio } from './stdio';

/** How mounts made later are shared with other mount namespaces, see mount_namespaces(7). */
export type Propagation = 'private' | 'slave' | 'shared' | 'unbindable' | 'unchanged';

/** A range of ids: `size` ids from `containerID` on are those from `hostID` on outside, see user_namespaces(7). */
export interface IdMapping {
  /** The first id inside. */
  containerID: number;
  /** The first id outside. */
  hostID: number;
  /** How many, at least 1. */
  size: number;
}

/**
 * 'root' maps our own id to 0, 'keep' maps it to itself, 'auto' maps it to 0 and the subordinate ids of our user (subuid(5),
 * subgid(5)) after it; or up to 340 ranges. More than the own id takes CAP_SETUID and CAP_SETGID, or newuidmap(1).
 */
export type IdMap = 'root' | 'keep' | 'auto' | readonly IdMapping[];

/** What `inner` is to be. */
export interface InnerUserNamespace {
  /**
   * 'keep': the program has the user id that we have outside; 'root': it is 0. Or up to 340 ranges, whose `hostID` is an id of the first
   * user namespace, as the program of `uidMap` would see it. Default 'keep'.
   */
  readonly uidMap?: 'root' | 'keep' | readonly IdMapping[] | undefined;
  /** Group ids, as `uidMap`. Default 'keep'. */
  readonly gidMap?: 'root' | 'keep' | readonly IdMapping[] | undefined;
  /** Whether setgroups(2) stays possible in it. Default: as in the first one; what that denies stays denied. */
  readonly setgroups?: 'allow' | 'deny' | undefined;
  /**
   * A user namespace to enter in the place of a new one. It must be below the one that the option `join` enters, and has its maps; `uid` and
   * `gid` are 0 where they are not given.
   */
  readonly join?: JoinTarget | undefined;
}

/** A shift of a clock, see time_namespaces(7). */
export interface TimeOffset {
  seconds: number;
  /** 0 to 999999999. Default 0. */
  nanoseconds?: number | undefined;
}

/** The resources of getrlimit(2). */
export type RlimitName =
  | 'as'
  | 'core'
  | 'cpu'
  | 'data'
  | 'fsize'
  | 'locks'
  | 'memlock'
  | 'msgqueue'
  | 'nice'
  | 'nofile'
  | 'nproc'
  | 'rss'
  | 'rtprio'
  | 'rttime'
  | 'sigpending'
  | 'stack';

type LimitValue = number | 'unlimited';

/** Both limits, or each of them, a number or 'unlimited'; in the units of getrlimit(2), bytes for sizes. */
export type Limit = LimitValue | { soft: LimitValue; hard: LimitValue };

/** Sets of capabilities ('CAP_NET_ADMIN', …), see capabilities(7). */
export interface Capabilities {
  /** The most that an exec may give. */
  bounding?: readonly CapabilityName[] | undefined;
  /** What a program may make effective. */
  permitted?: readonly CapabilityName[] | undefined;
  /** What the kernel asks for; in `permitted` too. */
  effective?: readonly CapabilityName[] | undefined;
  /** What an exec of a file that has it keeps. */
  inheritable?: readonly CapabilityName[] | undefined;
  /** What a program has whose uid is not 0; in `inheritable` too. */
  ambient?: readonly CapabilityName[] | undefined;
}

/**
 * Options of `clone(command, args, options)`. Each may be left out; `undefined` counts as left out. `S` and `P` are what
 * `stdio` and `pty` are, by which the streams of the child are known.
 */
export interface CloneOptions<S extends Stdio = Stdio, P extends PtyOption = PtyOption> {
  /**
   * The namespaces to create: a `|` of `Flags.NEW…`, see namespaces(7). Other flags share what cannot survive an exec and are
   * refused, but for `VM` and `VFORK`, which say nothing here. Default none.
   */
  flags?: number | undefined;
  /**
   * Namespaces to enter, see setns(2); those that `flags` create must not be among them, but for `user` and `pid`: the new one is
   * made below the one that is entered. With a user namespace `uid` and `gid` are 0 where they are not given, as nsenter(1) has it.
   * Entering a mount namespace, the working directory is its root.
   */
  join?: JoinTarget | readonly JoinTarget[] | undefined;
  /**
   * User ids of a new user namespace. Needs `Flags.NEWUSER`. Default: no map, so that the ids inside are the overflow ids. Below a
   * user namespace of `join` it is one id: `hostID` is that of the joined one where we are 0, which 'root' and 'keep' map to 0.
   */
  uidMap?: IdMap | undefined;
  /** Group ids of a new user namespace, as `uidMap`. Needs `Flags.NEWUSER`. */
  gidMap?: IdMap | undefined;
  /**
   * Whether setgroups(2) stays possible in the new user namespace. Default 'allow' where we have CAP_SETGID, else 'deny': the
   * kernel asks for it before an unprivileged gid map. Needs `gidMap`.
   */
  setgroups?: 'allow' | 'deny' | undefined;
  /**
   * A second user namespace, below the new or joined one, that the program is in: it is entered when all is mounted, and from there on
   * nothing has rights over the mounts any more. `{}` maps our own ids to themselves. `uid`, `gid`, `groups`, `capabilities`,
   * `noNewPrivileges`, `seccomp` and `steps` at 'exec' act in it; so is a pid 1 of `init`. Default none.
   */
  inner?: InnerUserNamespace | undefined;
  /** The host name, up to 64 bytes, see sethostname(2). Needs `Flags.NEWUTS`. */
  hostname?: string | undefined;
  /** The NIS domain name, up to 64 bytes, see setdomainname(2). Needs `Flags.NEWUTS`. */
  domainname?: string | undefined;
  /** Shifts of the monotonic and the boot clock. Needs `Flags.NEWTIME`. */
  timeOffsets?: { monotonic?: TimeOffset | undefined; boottime?: TimeOffset | undefined } | undefined;
  /**
   * Folders of cgroup hierarchies, by path or descriptor, one of each hierarchy, see cgroups(7). In that of version 2 the program is
   * from its birth; those of version 1 (`'/sys/fs/cgroup/pids/jobs'`) are entered first of all, before a new cgroup namespace, which has
   * them for its roots. Those of version 1 and of a list must be there when the options are checked.
   */
  cgroup?: string | number | readonly (string | number)[] | undefined;
  /**
   * Kernel parameters by name ('net.ipv4.ip_forward'), see sysctl(8). Each belongs to a namespace that must be new: net.* to
   * net, kernel.msg*, kernel.sem, kernel.shm* and fs.mqueue.* to ipc, user.* to user; others are refused.
   */
  sysctl?: Readonly<Record<string, string | undefined>> | undefined;
  /** Bring the loopback interface up (127.0.0.1 and ::1). Needs `Flags.NEWNET`. Default false. */
  loopback?: boolean | undefined;
  /**
   * What happens to the propagation of every mount of the new mount namespace. Needs `Flags.NEWNS`, and is then 'private' where
   * it is not given, so that no mount leaks to the host.
   */
  propagation?: Propagation | undefined;
  /**
   * The root of the program, in the place of ours: a folder, which is bound with what is mounted below it, or a mount. Needs
   * `Flags.NEWNS`. The old root cannot be reached from there. Without `cwd` the program starts in the new one.
   */
  root?: string | RootMount | undefined;
  /**
   * What to mount and to make, in this order, inside `root`. Needs `Flags.NEWNS`. A mount whose target is '/' becomes the root of all
   * that follows.
   */
  mounts?: readonly Mount[] | undefined;
  /**
   * The working directory, a path or a `file:` URL; of several the first that can be entered, and then the variable `PWD` of the
   * environment is that. Default: ours.
   */
  cwd?: string | URL | readonly (string | URL)[] | undefined;
  /** The permission bits that new files do not get, 0 to 0o777, see umask(2). Default: ours. */
  umask?: number | undefined;
  /** The user id, as seen inside, see setresuid(2). Default: ours, or what the maps make of it. */
  uid?: number | undefined;
  /** The group id, as seen inside. Default: ours, or what the maps make of it. */
  gid?: number | undefined;
  /**
   * Supplementary groups, as seen inside. Default: none where `uid` or `gid` is given, else ours. Refused where setgroups(2) is
   * denied.
   */
  groups?: readonly number[] | undefined;
  /**
   * What the program may do. An array sets bounding, permitted and effective, never inheritable or ambient; `[]` is none. What
   * the exec would take away, because the uid is not 0, is refused unless it is in `ambient`.
   */
  capabilities?: readonly CapabilityName[] | Capabilities | undefined;
  /** The secure bits, a number or names ('NOROOT', 'NOROOT_LOCKED', …), see capabilities(7). */
  securebits?: number | readonly SecurebitName[] | undefined;
  /**
   * No exec gives more than the process has, see PR_SET_NO_NEW_PRIVS in prctl(2). Default: with `seccomp` or `landlock`.
   * Filters and rulesets need CAP_SYS_ADMIN where it is false.
   */
  noNewPrivileges?: boolean | undefined;
  /**
   * Filters of system calls, see seccomp(2), in the order in which they are installed: compiled ones, or profiles in the form of the
   * OCI runtime specification. They are set right before the exec; with `noNewPrivileges: false` before `uid`, `gid` and
   * `capabilities`, while CAP_SYS_ADMIN is there, and must then let those through. Those before the last must let seccomp(2) through,
   * or prctl(2), which does for filters without flags. What a profile names and this kernel's architectures have not is skipped, and
   * the plan says so. A profile is compiled by each call; `plan()` does it once.
   */
  seccomp?: Seccomp | readonly Seccomp[] | undefined;
  /**
   * What the program may still do with files, TCP ports and others' processes, see landlock(7): `{ rules: [{ path: '/usr', access:
   * ['read', 'execute'] }] }` is a sandbox that needs no privilege and no user namespace. What this kernel cannot enforce is refused,
   * unless `minimumAbi` allows less.
   */
  landlock?: Landlock | undefined;
  /**
   * The AppArmor profile that the program is under from its exec on, by the name that it is loaded with, see aa_change_onexec(2). Default:
   * what the profile that we are under says.
   */
  apparmorProfile?: string | undefined;
  /**
   * The SELinux label that the program has from its exec on, 'user:role:type:level', see setexeccon(3). Default: what the policy says.
   */
  selinuxLabel?: string | undefined;
  /** 'new': a session keyring of its own, see session-keyring(7). Default 'inherit'. */
  keyring?: 'inherit' | 'new' | undefined;
  /** Resource limits, see getrlimit(2). */
  rlimits?: { readonly [Name in RlimitName]?: Limit | undefined } | undefined;
  /** The scheduling priority, -20 to 19, see setpriority(2). */
  nice?: number | undefined;
  /** The processors that it may run on, see sched_setaffinity(2). */
  cpuAffinity?: readonly number[] | undefined;
  /**
   * Scheduling policy and its parameters, see sched_setattr(2): `{ policy: 'SCHED_BATCH' }`, `{ policy: 'SCHED_FIFO', priority: 10 }`.
   * Real-time policies and deadlines take CAP_SYS_NICE outside of any user namespace. Default: ours.
   */
  scheduler?: Scheduler | undefined;
  /**
   * Which of its requests to disks come first, see ioprio_set(2): `{ class: 'IOPRIO_CLASS_IDLE' }`, `{ class: 'IOPRIO_CLASS_BE', priority: 7 }`.
   * Default: ours, and where we have none what the nice value says.
   */
  ioPriority?: IoPriority | undefined;
  /**
   * On which nodes of the machine its memory is taken, see set_mempolicy(2): `{ mode: 'MPOL_BIND', nodes: '0-1' }`. Default: ours.
   */
  memoryPolicy?: MemoryPolicy | undefined;
  /** How soon it is killed when memory is short, -1000 to 1000, see oom_score_adj in proc(5). */
  oomScoreAdj?: number | undefined;
  /** The execution domain, see personality(2). */
  personality?: number | undefined;
  /** Lead a session of its own, see setsid(2), and live on when the Worker that started it ends. Default false. */
  detached?: boolean | undefined;
  /** The process group, 0 for one of its own, see setpgid(2). */
  processGroup?: number | undefined;
  /**
   * It has the foreground of the terminal that it inherits by `stdio`, from its start to its end, as a shell gives it to a command: it can
   * read there, and Ctrl-C is for it alone. Needs `processGroup: 0`, and that we have the foreground ourselves; in the meantime nothing of
   * us may read from that terminal. While Ctrl-Z has stopped it, the foreground is ours, until `kill('SIGCONT')`. With `detached` it is a
   * terminal that controls no session yet, which then controls that of the child.
   * Default false.
   */
  foreground?: boolean | undefined;
  /** The signal that it gets when the **thread** that started it ends (a Worker's, for one). Default none. */
  parentDeathSignal?: Signal | undefined;
  /**
   * Ends the child when aborted, in set-up as well as running. Of a running one only the command is sent `killSignal`, not what it has
   * started: with `killTree` all of it ends, and with a pid namespace.
   */
  signal?: AbortSignal | undefined;
  /** Ends the child after so many milliseconds, as `signal` does; set-up included; 0 is never, as in child_process. */
  timeout?: number | undefined;
  /**
   * What `signal` and `timeout` send to a running child. Default SIGTERM; with `Flags.NEWPID` and without `init` SIGKILL, as a
   * program that is pid 1 itself ignores most signals.
   */
  killSignal?: Signal | undefined;
  /** Milliseconds from `killSignal` to SIGKILL. Default 5000. */
  killGrace?: number | undefined;
  /**
   * Whether `signal`, `timeout` and a disposal end all that the command has started, too. Refused where nothing tells its processes from
   * others'. Of these the first that is there does:
   * - `Flags.NEWPID`: all end with pid 1. `killSignal` is for the command alone, also with `init`: the others get SIGKILL at its end, or,
   *   with `until: 'last'`, when the grace is over.
   * - `cgroup`: all that are in it or below it are sent `killSignal`, and SIGKILL by its `cgroup.kill`. It must be there, with no process
   *   in it; in version 1 it is one of the freezer. Who is moved into it later ends with the others.
   * - `processGroup` 0, `detached` or `pty`: all that are in the process group of the command. Whoever has left it, by setsid(2) or as a
   *   job of an interactive shell, lives on.
   *
   * Without a pid namespace the others have the rest of `killGrace` when `killSignal` has ended the command; `exited` resolves when they have ended, too.
   * A command that ends by itself ends alone, but in a pid namespace. `kill()` is for the command. Default false.
   */
  killTree?: boolean | undefined;
  /**
   * Stop the set-up, resolve, and wait for `child.start()`, which goes on to the next stop, or to the exec. `true` is 'exec'; of several
   * the order is that of the set-up. A command
   * that is nowhere to be found is told at the first stop at which the child sees what it will execute, not by `start()`. Default false.
   * - `'maps'`: the new user namespace is there, and somebody else writes its maps: `/proc/PID/uid_map` and `gid_map` of `child.pid`,
   *   which (with `child.pidfd`) may be another process from the next stop on. `uidMap` and `gidMap` must not be given; `uid` and `gid`
   *   say who the program is, which otherwise keeps its id outside.
   * - `'mounts'`: all mounts are made, and the old root is still there.
   * - `'exec'`: all is set up but the filters. With `init` it is pid 1 that waits, before it clones the program, which inherits what is
   *   done to it; what belongs to the program alone (stdio, ids, limits, `cwd`) is then set up by `start()`.
   *
   * `{ fd }` stops at 'exec' as well, and lets the child outlive us, see {@link HoldDescriptors}.
   */
  hold?: boolean | HoldPoint | readonly HoldPoint[] | HoldDescriptors | undefined;
  /**
   * Lines of system calls of your own that become part of the set-up: what no option says. They are in the listing of `plan()`, and
   * an error names the line that recorded the call. Default none.
   */
  steps?: readonly Step[] | undefined;
  /**
   * A tiny pid 1 that reaps orphans and forwards signals; the program is its child. `pid` and `pidfd` are those of pid 1, `exited`
   * tells how the program ended. Needs `Flags.NEWPID`. Default false; `true` is `{}`.
   */
  init?: boolean | InitOptions | undefined;
  /**
   * A terminal of its own in the place of stdio 0 to 2 (`stderr: 'pipe'` leaves that one out), and a session: `child.pty` is the other end. `true` is 80 columns and 24
   * rows; `{ from: 'container' }` one of the devpts that it has mounted. Default false.
   */
  pty?: P | undefined;
  /** The environment. Default: ours. `undefined` values are left out. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  /** What the program sees as `argv[0]`. Default: the command. */
  argv0?: string | undefined;
  /**
   * A descriptor of ours with the file to execute, in the place of one that is looked up, see AT_EMPTY_PATH in execveat(2): a memory file,
   * a binary that was checked. `command` is then its name. The program does not get the descriptor; so it cannot be a script, which its
   * interpreter would open by it.
   */
  commandFd?: number | undefined;
  /** What the child's descriptors are, as in `child_process.spawn`. Default 'pipe'. */
  stdio?: S | undefined;
  /** Whether nothing but `stdio` is inherited. With `false`, what is not close-on-exec is inherited too. Default true. */
  closeFds?: boolean | undefined;
}

/** Where the set-up of a child can be stopped, see `hold`. */
export type HoldPoint = 'maps' | 'mounts' | 'exec';

/**
 * A held child that outlives us: it is told to us, this process may end, and the command is executed once a byte can be read from `fd`,
 * whoever writes it (OCI's create and start). While we live, `signal`, `timeout` and `kill()` end it as they end any other; they
 * end with us. `parentDeathSignal` is refused.
 */
export interface HoldDescriptors {
  /**
   * A FIFO that is open for reading and writing, so that there is always one who can write to it; or an end of a pipe, a connected socket.
   * One byte is taken. The child has it until then, and the command never.
   */
  readonly fd: number;
  /**
   * Where whoever starts the child hears what has become of it: another FIFO, an end of a pipe, a socket. The child writes lines of
   * JSON: `{"executing":"/bin/sh"}` when all but the filters and the exec is done; for what fails
   * `{"errno":13,"step":"command","syscall":"execve","path":"/bin/sh"}`, with `option` where there is one. The exec closes it.
   *
   * So the command runs where the last line is the first of these, and the end of the file follows; no line at all is a child
   * that was killed. An `errno` of 0 is a filter's that has answered the exec with success. What a filter kills, or forbids to
   * write, is not told. Default none.
   */
  readonly report?: number | undefined;
}

/** What a pid 1 of ours is to be, see `init`. */
export interface InitOptions {
  /**
   * When it ends, and with it the pid namespace: with the command, or with the last process there. With 'last' it forwards signals to
   * all processes once the command has ended, whose code or signal `exited` tells all the same. Default 'command'.
   */
  readonly until?: 'command' | 'last' | undefined;
  /**
   * Descriptors of this process that pid 1 holds open until it ends: a lock, an end of a pipe that tells of the end of the container.
   * They must be above the entries of `stdio`; the command does not get them. Default none.
   */
  readonly keep?: readonly number[] | undefined;
  /**
   * Whether the filters of `seccomp` are for it too. They must let through what it calls: close(2), exit_group(2), getpgid(2), getsid(2),
   * kill(2), rt_sigtimedwait(2), setpgid(2), waitid(2) and write(2), and those before the last seccomp(2); others are refused. Default
   * false.
   */
  readonly seccomp?: boolean | undefined;
}

/** What of a plan may differ from one start to the next. */
export interface StartOptions<S extends Stdio = Stdio> {
  /** As in {@link CloneOptions}; default: the plan's. */
  signal?: AbortSignal | undefined;
  /** As in {@link CloneOptions}; default: the plan's. */
  timeout?: number | undefined;
  /** As in {@link CloneOptions}; default: the plan's. */
  stdio?: S | undefined;
  /** As in {@link CloneOptions}; default: the plan's. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
}
