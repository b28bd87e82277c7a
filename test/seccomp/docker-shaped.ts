// A profile of the shape that container engines ship: some hundred names let through, a few by their arguments, three architectures.
import type { SeccompProfile, SeccompRule } from '../../types/seccomp';

const plain = `accept accept4 access alarm bind brk capget capset chdir chmod chown clock_getres clock_gettime clock_nanosleep close
  close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_wait eventfd2 execve
  execveat exit exit_group faccessat faccessat2 fadvise64 fallocate fchdir fchmod fchmodat fchown fchownat fcntl fcntl64 fdatasync
  flock fork fstat fstat64 fstatat64 fstatfs fsync ftruncate futex futex_time64 getcpu getcwd getdents getdents64 getegid geteuid getgid
  getgroups getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid getrlimit get_robust_list
  getrusage getsid getsockname getsockopt get_thread_area gettid gettimeofday getuid getxattr inotify_add_watch inotify_init1
  inotify_rm_watch ioctl io_setup io_submit ipc kill lchown lgetxattr link linkat listen listxattr _llseek lseek lstat lstat64 madvise
  membarrier memfd_create mincore mkdir mkdirat mlock mlock2 mmap mmap2 mprotect mq_open mremap msgctl msgget msgrcv msgsnd msync
  munlock munmap nanosleep newfstatat _newselect open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 poll ppoll prctl
  pread64 preadv preadv2 prlimit64 process_mrelease pselect6 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recv
  recvfrom recvmmsg recvmsg rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask
  rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait sched_getaffinity sched_setaffinity sched_yield seccomp select semctl
  semget semop semtimedop send sendfile sendfile64 sendmmsg sendmsg sendto setfsgid setfsuid setgid setgroups setitimer setpgid
  setpriority setregid setresgid setresuid setreuid setrlimit set_robust_list setsid setsockopt set_thread_area set_tid_address setuid
  shmat shmctl shmdt shmget shutdown sigaltstack signalfd4 socketcall socketpair splice stat stat64 statfs statx symlink symlinkat sync
  sync_file_range syncfs sysinfo tee tgkill time timer_create timer_delete timerfd_create timerfd_settime times tkill truncate ugetrlimit
  umask uname unlink unlinkat utime utimensat utimes vfork vmsplice wait4 waitid waitpid write writev futex_waitv`;

const ofPersonality = (value: number): SeccompRule => ({
  names: ['personality'],
  action: 'SCMP_ACT_ALLOW',
  args: [{ index: 0, value, op: 'SCMP_CMP_EQ' }],
});

/** Its families of sockets but one, the persons of personality(2), clone(2) without namespaces, and clone3(2) for old C libraries. */
export const dockerShaped: SeccompProfile = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: 1,
  architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  syscalls: [
    { names: plain.trim().split(/\s+/), action: 'SCMP_ACT_ALLOW' },
    { names: ['socket'], action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value: 40, op: 'SCMP_CMP_NE' }] },
    ...[0, 8, 0x20000, 0x20008, 0xffff_ffff].map(ofPersonality),
    { names: ['arch_prctl', 'modify_ldt'], action: 'SCMP_ACT_ALLOW' },
    {
      names: ['clone'],
      action: 'SCMP_ACT_ALLOW',
      args: [{ index: 0, value: 0x7e02_0000, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
    },
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 },
    { names: ['riscv_flush_icache'], action: 'SCMP_ACT_ALLOW' },
  ],
};
