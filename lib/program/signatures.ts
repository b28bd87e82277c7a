// What the arguments of system calls are: read by the listing, and by the recorder for its typed calls.
//
// A kind is a word, or a word and what it is about; with a '?' at its end, what is not given is 0 or NULL:
//   fd             a descriptor, or AT_FDCWD
//   path, text     a string (the first path is the one that errors name)
//   int, octal     a number
//   signal         a signal
//   ioprio         a class of I/O priorities, and a number within it
//   socktype       SOCK_STREAM and its like, with flags
//   set:MS_        flags, spelled with the constants of these prefixes (comma-separated)
//   one:AF_        one of the constants of these prefixes
//   argv, env      an array of strings
//   bytes          memory that the kernel reads
//   out, out:16    memory that the kernel writes, of this size at least
//   struct:NAME    a struct of structs.ts
//   sockaddr, sockopt, sigset, sigaction, fprog, groups, cpus, capabilities, ifreq   what their names say
//   mempolicy      a mode of set_mempolicy(2) with its flags
//   nodes          a set of numbers, a bit each; the argument after says how many bits
//   any            a number, or any of the above
//   flock          a number, or struct flock
//   message        struct msghdr, of what is sent
//   received       the same, of what is to come
//   pair           where two descriptors are written, which are what the call brings
//   pointer        any address
// and these, which the recorder fills in:
//   length         the length of the argument before; 'length?' may be given, and is then at most that
//   ahead          the length of the argument after
//   socklen        the address of a word with the length of the argument before
//   capheader      struct __user_cap_header_struct
//   null           NULL
//   is:8           the number 8
import type { SyscallName } from '../kernel/syscalls';

const signatures = {
  accept4: ['fd', 'null', 'null', 'set:SOCK_CLOEXEC,SOCK_NONBLOCK?'],
  bind: ['fd', 'sockaddr', 'length'],
  bpf: ['int', 'bytes', 'length'],
  capset: ['capheader', 'capabilities'],
  chdir: ['path'],
  chroot: ['path'],
  clock_gettime: ['int', 'out:16'],
  clone: ['set:CLONE_', 'pointer', 'pointer', 'pointer', 'pointer'],
  close: ['fd'],
  close_range: ['int', 'int', 'set:CLOSE_RANGE_?'],
  connect: ['fd', 'sockaddr', 'length'],
  dup: ['fd'],
  dup3: ['fd', 'int', 'set:O_CLOEXEC?'],
  eventfd2: ['int', 'set:O_CLOEXEC,O_NONBLOCK?'],
  execve: ['path', 'argv', 'env'],
  execveat: ['fd', 'path', 'argv', 'env', 'set:AT_EMPTY_PATH,AT_SYMLINK_NOFOLLOW?'],
  faccessat: ['fd', 'path', 'int'],
  fchdir: ['fd'],
  fchmod: ['fd', 'octal'],
  fchmodat: ['fd', 'path', 'octal'],
  fchown: ['fd', 'int', 'int'],
  fchownat: ['fd', 'path', 'int', 'int', 'set:AT_SYMLINK_NOFOLLOW,AT_EMPTY_PATH?'],
  fcntl: [
    'fd',
    'one:F_DUPFD,F_GETFD,F_SETFD,F_GETFL,F_SETFL,F_ADD_SEALS,F_SETPIPE_SZ,F_GETLK,F_OFD_GETLK,F_SETLK,F_OFD_SETLK',
    'flock?',
  ],
  flock: ['fd', 'int'],
  fsconfig: ['fd', 'one:FSCONFIG_', 'text?', 'text?', 'fd?'],
  fsmount: ['fd', 'set:FSMOUNT_', 'set:MOUNT_ATTR_?'],
  fsopen: ['text', 'set:FSOPEN_?'],
  fspick: ['fd', 'path', 'set:FSPICK_'],
  fsync: ['fd'],
  ftruncate: ['fd', 'int'],
  getcwd: ['out', 'length'],
  getdents64: ['fd', 'out', 'length'],
  getegid: [],
  geteuid: [],
  getgid: [],
  getpeername: ['fd', 'out', 'socklen'],
  getpgid: ['int'],
  getpid: [],
  getppid: [],
  getpriority: ['one:PRIO_', 'int'],
  getsid: ['int'],
  getsockname: ['fd', 'out', 'socklen'],
  getsockopt: ['fd', 'one:SOL_', 'int', 'out', 'socklen'],
  gettid: [],
  getuid: [],
  ioctl: ['fd', 'one:SIOC,TUN,TIOC,FIONBIO,NS_GET_', 'ifreq?'],
  ioprio_get: ['one:IOPRIO_WHO_', 'int'],
  ioprio_set: ['one:IOPRIO_WHO_', 'int', 'ioprio'],
  keyctl: ['one:KEYCTL_', 'any?', 'any?', 'any?', 'any?'],
  kill: ['int', 'signal'],
  linkat: ['fd', 'path', 'fd', 'path', 'set:AT_SYMLINK_FOLLOW,AT_EMPTY_PATH?'],
  listen: ['fd', 'int'],
  lseek: ['fd', 'int', 'int'],
  memfd_create: ['text', 'set:MFD_'],
  mkdirat: ['fd', 'path', 'octal'],
  mknodat: ['fd', 'path', 'octal', 'int?'],
  mount: ['path?', 'path', 'text?', 'set:MS_', 'text?'],
  mount_setattr: ['fd', 'path', 'set:AT_RECURSIVE,AT_EMPTY_PATH,AT_SYMLINK_NOFOLLOW', 'struct:mount_attr', 'length'],
  move_mount: ['fd', 'path', 'fd', 'path', 'set:MOVE_MOUNT_?'],
  nanosleep: ['struct:timespec', 'null'],
  open_tree: ['fd', 'path', 'set:OPEN_TREE_,AT_RECURSIVE,AT_EMPTY_PATH,AT_SYMLINK_NOFOLLOW'],
  openat: ['fd', 'path', 'set:O_', 'octal?'],
  openat2: ['fd', 'path', 'struct:open_how', 'length'],
  personality: ['set:PER_,ADDR_'],
  pidfd_getfd: ['fd', 'int', 'is:0'],
  pidfd_open: ['int', 'int?'],
  pidfd_send_signal: ['fd', 'signal', 'null', 'is:0'],
  pipe2: ['pair', 'set:O_CLOEXEC,O_NONBLOCK,O_DIRECT?'],
  pivot_root: ['path', 'path'],
  prctl: ['one:PR_SET_,PR_GET_,PR_CAPBSET_,PR_CAP_AMBIENT$', 'any?', 'any?', 'any?', 'any?'],
  pread64: ['fd', 'out', 'length', 'int'],
  prlimit64: ['int', 'one:RLIMIT_', 'struct:rlimit64?', 'out:16?'],
  pwrite64: ['fd', 'bytes', 'length', 'int'],
  read: ['fd', 'out', 'length'],
  readlinkat: ['fd', 'path', 'out', 'length'],
  recvfrom: ['fd', 'out', 'length', 'set:MSG_?', 'null', 'null'],
  recvmsg: ['fd', 'received', 'set:MSG_?'],
  renameat2: ['fd', 'path', 'fd', 'path', 'int?'],
  rt_sigaction: ['signal', 'sigaction', 'null', 'is:8'],
  rt_sigprocmask: ['one:SIG_', 'sigset', 'null', 'is:8'],
  sched_setaffinity: ['int', 'ahead', 'cpus'],
  seccomp: ['int', 'int', 'fprog?'],
  sendmsg: ['fd', 'message', 'set:MSG_?'],
  sendto: ['fd', 'bytes', 'length', 'set:MSG_?', 'sockaddr?', 'length'],
  setdomainname: ['text', 'length'],
  setgroups: ['ahead', 'groups'],
  sethostname: ['text', 'length'],
  setns: ['fd', 'set:CLONE_'],
  setpgid: ['int', 'int'],
  setpriority: ['one:PRIO_', 'int', 'int'],
  setresgid: ['int', 'int', 'int'],
  setresuid: ['int', 'int', 'int'],
  setsid: [],
  setsockopt: ['fd', 'one:SOL_', 'int', 'sockopt', 'length'],
  shutdown: ['fd', 'int'],
  socket: ['one:AF_', 'socktype', 'int?'],
  socketpair: ['one:AF_', 'socktype', 'int?', 'pair'],
  statx: ['fd', 'path', 'set:AT_SYMLINK_NOFOLLOW,AT_EMPTY_PATH', 'int', 'out:256'],
  symlinkat: ['text', 'fd', 'path'],
  umask: ['octal'],
  umount2: ['path', 'set:MNT_,UMOUNT_?'],
  uname: ['out:390'],
  unlinkat: ['fd', 'path', 'set:AT_REMOVEDIR?'],
  unshare: ['set:CLONE_'],
  write: ['fd', 'bytes', 'length?'],
} as const satisfies Partial<Record<SyscallName, readonly string[]>>;

/** Of calls that steps make and recordings have no method of. */
const ofSteps: Readonly<Partial<Record<SyscallName, readonly string[]>>> = {
  landlock_add_rule: ['fd', 'one:LANDLOCK_RULE_', 'struct:landlock_path_beneath_attr', 'int'],
  landlock_create_ruleset: ['struct:landlock_ruleset_attr', 'length', 'int'],
  landlock_restrict_self: ['fd', 'int'],
  set_mempolicy: ['mempolicy', 'nodes', 'int'],
  sched_setattr: ['int', 'struct:sched_attr', 'int'],
};

export type SignatureName = keyof typeof signatures;

/** A kind taken apart: 'set:MS_?' is the word 'set', about 'MS_', optional. */
export interface Kind {
  readonly word: string;
  readonly about: string;
  readonly optional: boolean;
}

const parsed = new Map<string, Kind>();

/** Takes a kind apart. */
export function kindOf(text: string): Kind {
  let kind = parsed.get(text);
  if (kind === undefined) {
    const optional = text.endsWith('?');
    const [word, about] = (optional ? text.slice(0, -1) : text).split(':') as [string, string?];
    kind = { word, about: about ?? '', optional };
    parsed.set(text, kind);
  }
  return kind;
}

/** The system calls that can be recorded. */
export function recordable(): SignatureName[] {
  return Object.keys(signatures) as SignatureName[];
}

/** The kinds of a system call's arguments; none where they are not known. */
export function signatureOf(name: string): readonly string[] {
  if (Object.hasOwn(signatures, name)) return signatures[name as SignatureName];
  return Object.hasOwn(ofSteps, name) ? ofSteps[name as SyscallName]! : [];
}
