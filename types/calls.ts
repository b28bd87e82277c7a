// The system calls that a recorder has as typed methods, in the order of their topics.
import type { Signal } from './signals';

/** A number that is known when the child has run: what a system call returned, or one of the two ends of a pipe. */
export interface Value {
  readonly kind: 'value';
}

/**
 * What a system call will return. An argument of later calls of the same recording, or one of the results to bring
 * back.
 */
export interface Result extends Value {
  /**
   * Goes on where the kernel answers one of these errors ('EEXIST'), see errno(3). The result is then `-errno`.
   * @returns the same handle
   * @throws ArgumentError for a name that is no error, and for more than eight
   */
  accept(...errors: readonly [string, ...string[]]): this;
  /**
   * The call must fail with one of these errors: the line ends with EIO where it succeeds, and with the error where that is another.
   * The result is then `-errno`. Must be told right behind the call.
   * @returns the same handle
   * @throws ArgumentError for a name that is no error, and for more than eight
   */
  expect(...errors: readonly [string, ...string[]]): this;
}

/** What `c.recvmsg()` brings. */
export interface Received {
  /** How many bytes there were, */
  readonly length: Result;
  /** and the descriptors that came with them, as many as there was room for; -1 in the place of each that did not come. */
  readonly fds: readonly Value[];
}

/** Memory that a call of the child writes to. As a result it comes back as a whole, whatever was written to it. */
export interface BufferHandle {
  readonly kind: 'buffer';
  /** In bytes. */
  readonly size: number;
}

/** An integer of up to 53 bits, or the result of an earlier call. */
export type Int = number | Value;

/**
 * A descriptor: a number, the result of an earlier call, or what has one (a `Namespace`, an `fs.promises.FileHandle`).
 */
export type Fd = number | Value | { readonly fd: number };

/** Bytes that the kernel reads: a string in UTF-8, bytes copied now, or memory that an earlier call writes to. */
export type Bytes = string | Uint8Array | BufferHandle;

/** An address of a socket, see ip(7), ipv6(7), unix(7), netlink(7); or the bytes of any other `struct sockaddr`. */
export type SocketAddress = InternetAddress | UnixAddress | AbstractUnixAddress | NetlinkAddress | Uint8Array;

/** IPv4 or IPv6, by what the address looks like. */
export interface InternetAddress {
  /** '127.0.0.1', '::1', 'fe80::1%2' (the zone as a number). */
  readonly address: string;
  /** 0 to 65535. */
  readonly port: number;
}

/** A unix socket in the file system; one that begins with '\0' is abstract. */
export interface UnixAddress {
  /** At most 107 bytes. */
  readonly path: string;
}

/** A unix socket in the abstract name space, which belongs to the network namespace. */
export interface AbstractUnixAddress {
  /** At most 107 bytes; NUL bytes are allowed. */
  readonly abstract: string;
}

export interface NetlinkAddress {
  /** The port id; 0: the kernel chooses. Default 0. */
  readonly pid?: number | undefined;
  /** Multicast groups, as a mask. */
  readonly groups: number;
}

/** `struct open_how`, see openat2(2). */
export interface OpenHow {
  readonly flags?: number | undefined;
  readonly mode?: number | undefined;
  readonly resolve?: number | undefined;
}

/** `struct mount_attr`, see mount_setattr(2). */
export interface MountAttributes {
  readonly attr_set?: number | undefined;
  readonly attr_clr?: number | undefined;
  readonly propagation?: number | undefined;
  readonly userns_fd?: Fd | undefined;
}

/** `struct timespec`. */
export interface Timespec {
  /** Seconds. */
  readonly tv_sec: number;
  /** Nanoseconds, below 1 000 000 000. Default 0. */
  readonly tv_nsec?: number | undefined;
}

/** `struct rlimit64`, see prlimit(2). */
export interface Rlimit {
  readonly rlim_cur: number | 'unlimited';
  readonly rlim_max: number | 'unlimited';
}

/** `struct ifreq`, see netdevice(7): the name of an interface, and what of the union the request is about. */
export interface InterfaceRequest {
  /** At most 15 bytes. */
  readonly name: string;
  /** `constants.IFF_…` */
  readonly flags?: number | undefined;
  /** An index, an MTU, a metric. */
  readonly value?: number | undefined;
  /** IPv4. */
  readonly address?: InternetAddress | undefined;
}

/** `struct sigaction`, see rt_sigaction(2). There is no code in a recording that could handle a signal. */
export interface SignalAction {
  readonly handler: 'default' | 'ignore';
  /** `SA_…` as a number. Default 0. */
  readonly flags?: number | undefined;
}

/** `struct flock`, a record lock, see fcntl(2). */
export interface RecordLock {
  /** `constants.F_RDLCK`, `F_WRLCK` or `F_UNLCK`. */
  readonly type: number;
  /** What `start` is relative to: 0 the beginning, 1 the offset, 2 the end. Default 0. */
  readonly whence?: number | undefined;
  /** The first byte. Default 0. */
  readonly start?: number | undefined;
  /** How many bytes; 0 is up to the end, however far that comes to be. Default 0. */
  readonly len?: number | undefined;
}

/** A message to send, see sendmsg(2) and unix(7). */
export interface Message {
  /** Default: one NUL byte, as the kernel passes no descriptor without a byte. */
  readonly bytes?: Bytes | undefined;
  /** Descriptors to pass, at most 253 (`SCM_RIGHTS`). */
  readonly fds?: readonly Fd[] | undefined;
  /** Default: whom the socket is connected to. */
  readonly address?: SocketAddress | undefined;
}

/** Capability sets, see capset(2): arrays of `constants.CAP_…`. Default empty. */
export interface CapabilitySets {
  readonly effective?: readonly number[] | undefined;
  readonly permitted?: readonly number[] | undefined;
  readonly inheritable?: readonly number[] | undefined;
}

/** Environment variables: an object, where `undefined` values are left out, or `NAME=value` strings. */
export type Environment = Readonly<Record<string, string | undefined>> | readonly string[];

/**
 * The system calls as methods. Each records its call and checks its arguments now, and copies all of them; an argument
 * of the wrong kind throws an ArgumentError. Lengths and addresses of lengths are filled in. `null` is `NULL` where it
 * is allowed.
 */
export interface Calls {
  // ---- files

  /** Opens a file, relative to a directory or `AT_FDCWD`. openat(2) */
  openat(directory: Fd, path: string, flags: Int, mode?: Int): Result;
  /** Opens a file and says how its path is resolved. openat2(2) */
  openat2(directory: Fd, path: string, how: OpenHow): Result;
  /** Closes a descriptor. close(2) */
  close(fd: Fd): Result;
  /** Closes all descriptors from `first` to `last`. close_range(2) */
  close_range(first: Int, last: Int, flags?: Int): Result;
  /** Reads into memory, as much as fits. read(2) */
  read(fd: Fd, buffer: BufferHandle): Result;
  /** Writes; of memory that a read(2) filled, as much as it returned where `length` is its result. write(2) */
  write(fd: Fd, bytes: Bytes, length?: Int): Result;
  /** Reads at an offset. pread(2) */
  pread64(fd: Fd, buffer: BufferHandle, offset: Int): Result;
  /** Writes at an offset. pwrite(2) */
  pwrite64(fd: Fd, bytes: Bytes, offset: Int): Result;
  /** Moves the file offset. lseek(2) */
  lseek(fd: Fd, offset: Int, whence: Int): Result;
  /** Writes to the disk what is written. fsync(2) */
  fsync(fd: Fd): Result;
  /** Locks or unlocks a file. flock(2) */
  flock(fd: Fd, operation: Int): Result;
  /** Sets the size of a file. ftruncate(2) */
  ftruncate(fd: Fd, length: Int): Result;
  /** Copies a descriptor. dup(2) */
  dup(fd: Fd): Result;
  /** Copies a descriptor to a number. dup(2) */
  dup3(fd: Fd, number: Int, flags?: Int): Result;
  /** Reads or changes what belongs to a descriptor, or locks a part of a file. fcntl(2) */
  fcntl(fd: Fd, command: Int, argument?: Int | RecordLock): Result;
  /** Asks a driver; the argument is a number, bytes, memory or a `struct ifreq`. ioctl(2), netdevice(7) */
  ioctl(fd: Fd, request: Int, argument?: Int | Uint8Array | BufferHandle | InterfaceRequest): Result;
  /** A pipe: its end to read from and its end to write to. pipe(2) */
  pipe2(flags?: Int): readonly [readEnd: Value, writeEnd: Value];
  /** A file in memory. memfd_create(2) */
  memfd_create(name: string, flags: Int): Result;
  /** A counter as a descriptor. eventfd(2) */
  eventfd2(initial: Int, flags?: Int): Result;
  /** The target of a symbolic link, without a NUL at its end; the result is its length. readlink(2) */
  readlinkat(directory: Fd, path: string, buffer: BufferHandle): Result;
  /** Facts of a file, into memory of at least 256 bytes. statx(2) */
  statx(directory: Fd, path: string, flags: Int, mask: Int, buffer: BufferHandle): Result;
  /** Entries of a directory. getdents64(2) */
  getdents64(fd: Fd, buffer: BufferHandle): Result;
  /** Whether a file is there and may be used. access(2) */
  faccessat(directory: Fd, path: string, mode: Int): Result;
  /** Makes a directory. mkdir(2) */
  mkdirat(directory: Fd, path: string, mode: Int): Result;
  /** Makes a device, pipe, socket or plain file. mknod(2) */
  mknodat(directory: Fd, path: string, mode: Int, device?: Int): Result;
  /** Makes a symbolic link. symlink(2) */
  symlinkat(target: string, directory: Fd, path: string): Result;
  /** Makes a hard link. link(2) */
  linkat(fromDirectory: Fd, from: string, toDirectory: Fd, to: string, flags?: Int): Result;
  /** Moves a file. rename(2) */
  renameat2(fromDirectory: Fd, from: string, toDirectory: Fd, to: string, flags?: Int): Result;
  /** Removes a file, or with `AT_REMOVEDIR` an empty directory. unlink(2) */
  unlinkat(directory: Fd, path: string, flags?: Int): Result;
  /** Sets the mode of a file. chmod(2) */
  fchmodat(directory: Fd, path: string, mode: Int): Result;
  /** Sets the mode of an open file. chmod(2) */
  fchmod(fd: Fd, mode: Int): Result;
  /** Sets the owner of a file; -1 leaves one as it is. chown(2) */
  fchownat(directory: Fd, path: string, uid: Int, gid: Int, flags?: Int): Result;
  /** Sets the owner of an open file. chown(2) */
  fchown(fd: Fd, uid: Int, gid: Int): Result;

  // ---- working directory, root, mounts

  /** Changes the working directory. chdir(2) */
  chdir(path: string): Result;
  /** Changes the working directory to an open one. chdir(2) */
  fchdir(fd: Fd): Result;
  /** The working directory with a NUL at its end; the result is its length with that NUL. getcwd(2) */
  getcwd(buffer: BufferHandle): Result;
  /** Changes the root directory. chroot(2) */
  chroot(path: string): Result;
  /** Sets the file mode creation mask; the result is the one before. umask(2) */
  umask(mask: Int): Result;
  /** Mounts, binds, moves or changes a mount. mount(2) */
  mount(source: string | null, target: string, type: string | null, flags: Int, data?: string | null): Result;
  /** Unmounts. umount(2) */
  umount2(target: string, flags?: Int): Result;
  /** Makes a mount the root, and puts the old root somewhere below it. pivot_root(2) */
  pivot_root(newRoot: string, putOld: string): Result;
  /** Opens a file system type, to configure it. fsopen(2) */
  fsopen(type: string, flags?: Int): Result;
  /** Configures a file system: a key, its value, or a command. fsconfig(2) */
  fsconfig(fd: Fd, command: Int, key?: string | null, value?: string | null, auxiliary?: Fd): Result;
  /** Makes a mount of a configured file system. fsmount(2) */
  fsmount(fd: Fd, flags: Int, attributes?: Int): Result;
  /** Opens a mounted file system, to configure it anew. fspick(2) */
  fspick(directory: Fd, path: string, flags: Int): Result;
  /** Opens a mount, or with `OPEN_TREE_CLONE` a copy of it. open_tree(2) */
  open_tree(directory: Fd, path: string, flags: Int): Result;
  /** Attaches a mount, or moves it. move_mount(2) */
  move_mount(fromDirectory: Fd, from: string, toDirectory: Fd, to: string, flags?: Int): Result;
  /** Changes the attributes of a mount, or of a whole tree. mount_setattr(2) */
  mount_setattr(directory: Fd, path: string, flags: Int, attributes: MountAttributes): Result;

  // ---- sockets

  /** Makes a socket. socket(2) */
  socket(family: Int, type: Int, protocol?: Int): Result;
  /** Makes two sockets that are connected. socketpair(2) */
  socketpair(family: Int, type: Int, protocol?: Int): readonly [Value, Value];
  /** Gives a socket its address. bind(2) */
  bind(fd: Fd, address: SocketAddress): Result;
  /** Connects a socket. connect(2) */
  connect(fd: Fd, address: SocketAddress): Result;
  /** Lets others connect. listen(2) */
  listen(fd: Fd, backlog: Int): Result;
  /** Takes a connection. accept(2) */
  accept4(fd: Fd, flags?: Int): Result;
  /** Sends, to an address where one is given. send(2) */
  sendto(fd: Fd, bytes: Bytes, flags?: Int, address?: SocketAddress): Result;
  /** Receives. recv(2) */
  recvfrom(fd: Fd, buffer: BufferHandle, flags?: Int): Result;
  /** Sends a message, with descriptors where `fds` are given. sendmsg(2) */
  sendmsg(fd: Fd, message: Message, flags?: Int): Result;
  /**
   * Receives a message, and up to `fds` descriptors with it (default 0). They are close-on-exec with `MSG_CMSG_CLOEXEC` only.
   * The socket must not have SO_PASSCRED, with which credentials come in their place. recvmsg(2)
   */
  recvmsg(fd: Fd, room: { readonly buffer: BufferHandle; readonly fds?: number | undefined }, flags?: Int): Received;
  /** Ends one direction or both. shutdown(2) */
  shutdown(fd: Fd, how: Int): Result;
  /** Sets an option; a number is an `int`. setsockopt(2) */
  setsockopt(fd: Fd, level: Int, option: Int, value: number | Bytes): Result;
  /** Reads an option. getsockopt(2) */
  getsockopt(fd: Fd, level: Int, option: Int, buffer: BufferHandle): Result;
  /** The address of a socket as `struct sockaddr`. getsockname(2) */
  getsockname(fd: Fd, buffer: BufferHandle): Result;
  /** The address of its peer. getpeername(2) */
  getpeername(fd: Fd, buffer: BufferHandle): Result;

  // ---- namespaces

  /** Enters a namespace, or those of a process by its pidfd; a descriptor, no path: open that first. setns(2) */
  setns(target: Fd, flags: Int): Result;
  /** Makes new namespaces, or ends the sharing of what is shared. unshare(2) */
  unshare(flags: Int): Result;
  /** Sets the host name. sethostname(2) */
  sethostname(name: string): Result;
  /** Sets the NIS domain name. setdomainname(2) */
  setdomainname(name: string): Result;
  /** The names of the system, six of 65 bytes, into memory of at least 390. uname(2) */
  uname(buffer: BufferHandle): Result;

  // ---- processes

  /** The process id. getpid(2) */
  getpid(): Result;
  /** The process id of the parent. getppid(2) */
  getppid(): Result;
  /** The thread id. gettid(2) */
  gettid(): Result;
  /** The process group of a process; 0: the caller. getpgid(2) */
  getpgid(pid: Int): Result;
  /** Puts a process into a group. setpgid(2) */
  setpgid(pid: Int, group: Int): Result;
  /** The session of a process; 0: the caller. getsid(2) */
  getsid(pid: Int): Result;
  /** Makes a new session. setsid(2) */
  setsid(): Result;
  /** Opens a process. pidfd_open(2) */
  pidfd_open(pid: Int, flags?: Int): Result;
  /** Copies a descriptor of another process. pidfd_getfd(2) */
  pidfd_getfd(pidfd: Fd, number: Int): Result;
  /** Sends a signal through a pidfd. pidfd_send_signal(2) */
  pidfd_send_signal(pidfd: Fd, signal: Signal): Result;
  /** Sends a signal. kill(2) */
  kill(pid: Int, signal: Signal): Result;
  /**
   * Blocks or unblocks signals (`SIG_BLOCK` 0, `SIG_UNBLOCK` 1, `SIG_SETMASK` 2); all are blocked at first.
   * sigprocmask(2)
   */
  rt_sigprocmask(how: Int, signals: readonly Signal[]): Result;
  /** Ignores a signal, or takes its default action; with `Flags.SIGHAND` for Node too. sigaction(2) */
  rt_sigaction(signal: Signal, action: SignalAction): Result;
  /** Sleeps. nanosleep(2) */
  nanosleep(time: Timespec): Result;
  /** Reads a clock into memory of at least 16 bytes. clock_gettime(2) */
  clock_gettime(clock: Int, buffer: BufferHandle): Result;
  /** Operations on a process. prctl(2) */
  prctl(operation: Int, ...args: readonly (Int | Bytes)[]): Result;
  /** Sets the execution domain. personality(2) */
  personality(persona: Int): Result;
  /** Sets a resource limit, or reads it into memory of at least 16 bytes; pid 0: the caller. prlimit(2) */
  prlimit64(pid: Int, resource: Int, limit: Rlimit | null, old?: BufferHandle): Result;
  /** Sets the nice value. setpriority(2) */
  setpriority(which: Int, who: Int, nice: Int): Result;
  /** The nice value, as 20 minus it. getpriority(2) */
  getpriority(which: Int, who: Int): Result;
  /** Sets the I/O priority. ioprio_set(2) */
  ioprio_set(which: Int, who: Int, priority: Int): Result;
  /** The I/O priority. ioprio_get(2) */
  ioprio_get(which: Int, who: Int): Result;
  /** The CPUs to run on; pid 0: the caller. sched_setaffinity(2) */
  sched_setaffinity(pid: Int, cpus: readonly number[]): Result;

  // ---- identity

  /** The real user id. getuid(2) */
  getuid(): Result;
  /** The effective user id. geteuid(2) */
  geteuid(): Result;
  /** The real group id. getgid(2) */
  getgid(): Result;
  /** The effective group id. getegid(2) */
  getegid(): Result;
  /** Sets the user ids; -1 leaves one as it is. setresuid(2) */
  setresuid(real: Int, effective: Int, saved: Int): Result;
  /** Sets the group ids; -1 leaves one as it is. setresgid(2) */
  setresgid(real: Int, effective: Int, saved: Int): Result;
  /** Sets the supplementary groups. setgroups(2) */
  setgroups(groups: readonly number[]): Result;
  /** Sets the capability sets of the caller. capset(2) */
  capset(sets: CapabilitySets): Result;
  /** Asks for something about BPF; `attributes` is a `union bpf_attr`, see `c.memory()`. bpf(2) */
  bpf(command: Int, attributes: Bytes): Result;
  /** Installs a seccomp filter, compiled `struct sock_filter[]`. seccomp(2) */
  seccomp(operation: Int, flags: Int, filter: Uint8Array | null): Result;
  /** Operations on keys and keyrings. keyctl(2) */
  keyctl(operation: Int, ...args: readonly (Int | Bytes)[]): Result;

  // ---- the program

  /**
   * Executes a program, see execve(2). Before it the signal mask is emptied and the parent-death signal is taken off,
   * unless the recording has set one itself. What follows runs only where the failure was accepted. Node's descriptors
   * are close-on-exec, 0 to 2 as well: `c.fcntl(1, F_SETFD, 0)` lets one through.
   * @param env default: the environment of Node, as it is now
   */
  execve(path: string, argv: readonly string[], env?: Environment): Result;
  /** Executes a program, relative to a directory; as execve. execveat(2) */
  execveat(directory: Fd, path: string, argv: readonly string[], env?: Environment, flags?: Int): Result;
}
