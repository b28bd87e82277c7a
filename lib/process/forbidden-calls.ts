// The calls that a child must not make while it shares something with Node: refused before anything is cloned.
import { refusedOption } from '../errors/argument-error';
import { Flags, formatFlags } from '../flags';
import { constants } from '../kernel/constants';
import type { RecordedCall } from '../program/recorder';

/** What a rule looks at: the name of the call, and its arguments as far as they are numbers. */
interface Rule {
  /** Where one of these is shared. */
  readonly flags: number;
  readonly names: readonly string[];
  /** The arguments that it is about; all without it. One that is not known before is always refused. */
  readonly when?: (numbers: readonly (number | undefined)[]) => boolean;
  readonly reason: string;
}

const identity = ['setuid', 'setgid', 'setreuid', 'setregid', 'setresuid', 'setresgid', 'setfsuid', 'setfsgid'];

const memory =
  'brk madvise mlockall mmap mprotect mremap mseal munlockall munmap pkey_mprotect remap_file_pages shmat shmdt'.split(
    ' ',
  );

/** An argument that is one of these, or that nobody knows before the child runs. */
const among =
  (index: number, values: readonly number[]) =>
  (numbers: readonly (number | undefined)[]): boolean =>
    numbers[index] === undefined || values.includes(numbers[index]);

const {
  CLOSE_RANGE_CLOEXEC,
  CLOSE_RANGE_UNSHARE,
  PR_CAP_AMBIENT,
  PR_CAPBSET_DROP,
  PR_SET_CHILD_SUBREAPER,
  PR_SET_DUMPABLE,
  PR_SET_KEEPCAPS,
  PR_SET_MM,
  PR_SET_NO_NEW_PRIVS,
  PR_SET_SECCOMP,
  PR_SET_SECUREBITS,
  PR_SET_THP_DISABLE,
} = constants;
/** Newer than the headers that the constants are from. */
const PR_SET_MDWE = 65;
const PR_SET_MEMORY_MERGE = 67;

/** Operations of prctl(2) that are about one thread. */
const ofThread = [
  PR_SET_SECCOMP,
  PR_CAPBSET_DROP,
  PR_SET_SECUREBITS,
  PR_SET_KEEPCAPS,
  PR_CAP_AMBIENT,
  PR_SET_NO_NEW_PRIVS,
];

/** What a thread of Node must not have for itself alone. */
const ofOneThread = 'it would hold for one thread of Node and not for the others';

const rules: readonly Rule[] = [
  {
    flags: Flags.THREAD,
    names: ['execve', 'execveat'],
    reason: 'a thread that executes a program replaces Node itself',
  },
  {
    flags: Flags.SIGHAND,
    names: ['execve', 'execveat'],
    reason: 'the default handlers that a program starts with would be those of Node too',
  },
  {
    flags: Flags.THREAD,
    names: [...identity, 'setgroups', 'capset', 'seccomp'],
    reason: ofOneThread,
  },
  {
    flags: Flags.THREAD,
    names: ['prctl'],
    when: among(0, ofThread),
    reason: ofOneThread,
  },
  {
    flags: Flags.THREAD,
    names: ['setsid', 'setpgid', 'alarm', 'setitimer'],
    reason: 'a thread has no session, process group or timer of its own: it would be that of Node',
  },
  {
    flags: Flags.THREAD,
    names: ['prctl'],
    when: among(0, [PR_SET_CHILD_SUBREAPER]),
    reason: 'it would make Node itself the reaper of orphans',
  },
  {
    flags: Flags.THREAD,
    names: ['close_range'],
    when: ([, , flags]) => flags === undefined || (flags & CLOSE_RANGE_CLOEXEC) === 0,
    reason: 'the end of a thread is told through one of the descriptors that it would close',
  },
  {
    flags: Flags.FILES,
    names: ['close_range'],
    when: ([, , flags]) => flags === undefined || (flags & (CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) === 0,
    reason: 'it would close the descriptors of Node; add CLOSE_RANGE_UNSHARE',
  },
  {
    flags: Flags.VM,
    names: identity,
    reason:
      'it makes the shared memory undumpable: Node could no longer be debugged, nor write id maps; leave out Flags.VM',
  },
  {
    flags: Flags.VM,
    names: ['setns'],
    when: ([, flags]) => flags === undefined || flags === 0 || (flags & Flags.NEWUSER) !== 0,
    reason:
      'who may trace processes in that user namespace could read the memory of Node; leave out Flags.VM, or Flags.NEWUSER',
  },
  {
    flags: Flags.VM,
    names: ['prctl'],
    when: among(0, [PR_SET_MM, PR_SET_DUMPABLE, PR_SET_MDWE, PR_SET_THP_DISABLE, PR_SET_MEMORY_MERGE]),
    reason: 'it changes the shared memory as a whole, which is that of Node',
  },
  {
    flags: Flags.VM,
    names: memory,
    reason: 'the memory that it changes is that of Node',
  },
  {
    flags: Flags.VM,
    names: ['arch_prctl', 'rseq', 'set_robust_list', 'set_tid_address'],
    reason: 'the memory that the kernel would write to is that of Node',
  },
];

/** What a thread of Node must not do to itself. */
const ownRules: readonly Omit<Rule, 'flags'>[] = [
  { names: ['execve', 'execveat'], reason: 'it would replace Node itself' },
  { names: ['exit'], reason: 'it ends where the line ends' },
  {
    names: [...identity, 'setgroups', 'capset', 'seccomp', 'landlock_restrict_self', 'personality'],
    reason: ofOneThread,
  },
  {
    names: ['prctl'],
    when: among(0, ofThread),
    reason: ofOneThread,
  },
  { names: ['prctl'], when: among(0, [PR_SET_MM, PR_SET_MDWE]), reason: 'the memory that it changes is that of Node' },
  {
    names: [...memory, 'arch_prctl', 'rseq', 'set_robust_list', 'set_tid_address'],
    reason: 'the memory that it changes is that of Node',
  },
  {
    names: ['rt_sigaction', 'rt_sigprocmask', 'sigaltstack', 'rt_sigsuspend'],
    reason: 'signals and their handlers are those of Node; see process.on()',
  },
  {
    names: ['close_range'],
    when: ([, , flags]) => flags === undefined || (flags & CLOSE_RANGE_CLOEXEC) === 0,
    reason: 'it would close the descriptors of Node',
  },
  {
    names: ['close_range'],
    when: ([, , flags]) => flags === undefined || (flags & CLOSE_RANGE_UNSHARE) !== 0,
    reason: 'this thread would have descriptors that are not those of the other threads of Node',
  },
  { names: ['unshare'], reason: 'unshare() does it, and knows what it means for Node' },
  { names: ['setns'], reason: 'setns() does it, and knows what it means for Node' },
  { names: ['chdir', 'fchdir'], reason: 'process.chdir() does it, and tells Node' },
  { names: ['chroot', 'pivot_root'], reason: 'Node and the library would read files of another root; use clone()' },
];

/** @throws ArgumentError for the first call that is not for a thread of Node */
export function refuseOnOwnThread(calls: readonly RecordedCall[]): void {
  for (const [index, { name, numbers }] of calls.entries()) {
    const rule = ownRules.find((one) => one.names.includes(name) && (one.when?.(numbers) ?? true));
    if (rule === undefined) continue;
    throw refusedOption(`program[${index}] argument`, `cannot be ${name}() on the calling thread: ${rule.reason}`);
  }
}

/** @throws ArgumentError for the first call that would take Node's process or memory from under it */
export function refuseForbiddenCalls(calls: readonly RecordedCall[], flags: number): void {
  for (const [index, { name, numbers }] of calls.entries()) {
    const rule = rules.find(
      (one) => (flags & one.flags) !== 0 && one.names.includes(name) && (one.when?.(numbers) ?? true),
    );
    if (rule === undefined) continue;
    throw refusedOption(
      `program[${index}] argument`,
      `cannot be ${name}() with ${formatFlags(rule.flags)}: ${rule.reason}`,
    );
  }
}
