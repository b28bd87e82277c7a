// What the arguments of system calls are: read by the listing, and by the recorder for its typed calls.
//
// A kind is a word, or a word and what it is about:
//   fd             a descriptor, or AT_FDCWD
//   path, text     a string (the first path is the one that errors name)
//   int, octal     a number
//   set:MS_        flags, spelled with the constants of these prefixes (comma-separated)
//   one:AF_        one of the constants of these prefixes
//   argv           an array of strings
//   bytes          memory that the kernel reads; the next argument is its length
//   out            memory that the kernel writes; the next argument is its length
//   struct:NAME    a struct of structs.ts
//   pointer        any address
import type { AnySyscallName } from '../kernel/syscalls';

export const signatures = {
  accept4: ['fd', 'pointer', 'pointer', 'set:SOCK_CLOEXEC,SOCK_NONBLOCK'],
  bind: ['fd', 'struct:sockaddr', 'int'],
  chdir: ['path'],
  chroot: ['path'],
  clone: ['set:CLONE_', 'pointer', 'pointer', 'pointer', 'pointer'],
  close: ['fd'],
  close_range: ['int', 'int', 'set:CLOSE_RANGE_'],
  connect: ['fd', 'struct:sockaddr', 'int'],
  dup: ['fd'],
  dup3: ['fd', 'int', 'set:O_CLOEXEC'],
  execve: ['path', 'argv', 'argv'],
  faccessat: ['fd', 'path', 'int'],
  fchdir: ['fd'],
  fchmodat: ['fd', 'path', 'octal'],
  fchownat: ['fd', 'path', 'int', 'int', 'set:AT_SYMLINK_NOFOLLOW,AT_EMPTY_PATH'],
  fcntl: ['fd', 'one:F_DUPFD,F_GETFD,F_SETFD,F_GETFL,F_SETFL,F_ADD_SEALS', 'int'],
  fsconfig: ['fd', 'one:FSCONFIG_', 'text', 'text', 'int'],
  fsmount: ['fd', 'set:FSMOUNT_', 'set:MOUNT_ATTR_'],
  fsopen: ['text', 'set:FSOPEN_'],
  getegid: [],
  geteuid: [],
  getgid: [],
  getpid: [],
  getppid: [],
  gettid: [],
  getuid: [],
  ioctl: ['fd', 'one:SIOC,TUN,TIOC,NS_GET_', 'struct:ifreq'],
  kill: ['int', 'int'],
  listen: ['fd', 'int'],
  memfd_create: ['text', 'set:MFD_'],
  mkdirat: ['fd', 'path', 'octal'],
  mount: ['path', 'path', 'text', 'set:MS_', 'text'],
  mount_setattr: ['fd', 'path', 'set:AT_RECURSIVE,AT_EMPTY_PATH,AT_SYMLINK_NOFOLLOW', 'struct:mount_attr', 'int'],
  move_mount: ['fd', 'path', 'fd', 'path', 'set:MOVE_MOUNT_'],
  nanosleep: ['struct:timespec', 'pointer'],
  open_tree: ['fd', 'path', 'set:OPEN_TREE_,AT_RECURSIVE,AT_EMPTY_PATH,AT_SYMLINK_NOFOLLOW'],
  openat: ['fd', 'path', 'set:O_', 'octal'],
  openat2: ['fd', 'path', 'struct:open_how', 'int'],
  pidfd_open: ['int', 'int'],
  pidfd_send_signal: ['fd', 'int', 'pointer', 'int'],
  pipe2: ['pointer', 'set:O_CLOEXEC,O_NONBLOCK,O_DIRECT'],
  pivot_root: ['path', 'path'],
  prctl: ['one:PR_SET_,PR_GET_,PR_CAPBSET_,PR_CAP_AMBIENT$', 'int', 'int', 'int', 'int'],
  read: ['fd', 'out', 'int'],
  readlinkat: ['fd', 'path', 'out', 'int'],
  recvfrom: ['fd', 'out', 'int', 'set:MSG_', 'pointer', 'pointer'],
  renameat2: ['fd', 'path', 'fd', 'path', 'int'],
  rt_sigprocmask: ['one:SIG_', 'pointer', 'pointer', 'int'],
  sendto: ['fd', 'bytes', 'int', 'set:MSG_', 'struct:sockaddr', 'int'],
  setdomainname: ['text', 'int'],
  sethostname: ['text', 'int'],
  setns: ['fd', 'set:CLONE_'],
  setpgid: ['int', 'int'],
  setresgid: ['int', 'int', 'int'],
  setresuid: ['int', 'int', 'int'],
  setsid: [],
  setsockopt: ['fd', 'one:SOL_', 'int', 'bytes', 'int'],
  socket: ['one:AF_', 'set:SOCK_', 'int'],
  socketpair: ['one:AF_', 'set:SOCK_', 'int', 'pointer'],
  symlinkat: ['text', 'fd', 'path'],
  umask: ['octal'],
  umount2: ['path', 'set:MNT_,UMOUNT_'],
  uname: ['pointer'],
  unlinkat: ['fd', 'path', 'set:AT_REMOVEDIR'],
  unshare: ['set:CLONE_'],
  write: ['fd', 'bytes', 'int'],
} as const satisfies Partial<Record<AnySyscallName, readonly string[]>>;

export type SignatureName = keyof typeof signatures;

/** The kinds of a system call's arguments; none where they are not known. */
export function signatureOf(name: string): readonly string[] {
  return Object.hasOwn(signatures, name) ? signatures[name as SignatureName] : [];
}
