// The flags of a recorded child: exactly those of clone(2), and refused with the reason where the kernel would only say
// EINVAL.
import { flags as checkFlags } from '../check';
import { invalidArgValue, refusedOption, unknownSignal } from '../errors/argument-error';
import { Flags, formatFlags } from '../flags';
import { signalNames, signalNumber } from '../kernel/signals';

const known =
  Object.values(Flags).reduce<number>((all, flag) => (typeof flag === 'number' ? all | flag : all), 0) >>> 0;

/** Flags that are never ours to pass on. */
const never: readonly (readonly [flags: number, reason: string])[] = [
  [Flags.PIDFD, 'every child has a pidfd already: child.pidfd'],
  [
    Flags.PARENT_SETTID | Flags.CHILD_SETTID | Flags.CHILD_CLEARTID,
    'the words of the thread id are how nsclone knows that the child has left its stack, and they are always there',
  ],
  [Flags.SETTLS, 'the child runs no code that has thread-local storage'],
  [Flags.DETACHED, 'the kernel ignores it since Linux 2.6.2, and clone3(2) refuses it'],
];

/** Flags that the kernel refuses together. */
const apart: readonly (readonly [one: number, others: number, reason: string])[] = [
  [Flags.FS, Flags.NEWNS, 'a new mount namespace has a root and a working directory of its own'],
  [Flags.FS, Flags.NEWUSER, 'a process in a new user namespace must not change the root of one outside'],
  [Flags.SYSVSEM, Flags.NEWIPC, 'the semaphores to undo are those of the old ipc namespace'],
  [Flags.THREAD, Flags.NEWUSER | Flags.NEWPID, 'all threads of a process are in the same user and pid namespace'],
];

/** Flags that the kernel takes only with another. */
const needed: readonly (readonly [flag: number, other: number, reason: string])[] = [
  [Flags.SIGHAND, Flags.VM, 'a signal handler is an address in memory'],
  [Flags.THREAD, Flags.SIGHAND, 'threads of one process have the same signal handlers'],
];

/** Checks the flags, alone and together. @returns them unsigned @throws ArgumentError */
export function checkRecordedFlags(given: unknown): number {
  const value = checkFlags(given, 'flags');
  const unknown = (value & ~known) >>> 0;
  if (unknown !== 0) {
    const why = unknown < 0x100 ? 'the signal at its end is the option "exitSignal"' : 'clone(2) knows no such flag';
    throw invalidArgValue('flags', value, `must not have 0x${unknown.toString(16)}: ${why}`);
  }
  for (const [flags, reason] of never) {
    if ((value & flags) !== 0)
      throw refusedOption('flags', `cannot have ${formatFlags((value & flags) >>> 0)}: ${reason}`);
  }
  for (const [one, others, reason] of apart) {
    const bad = (value & others) >>> 0;
    if ((value & one) !== 0 && bad !== 0) {
      throw refusedOption('flags', `cannot have ${formatFlags(one)} with ${formatFlags(bad)}: ${reason}`);
    }
  }
  for (const [flag, other, reason] of needed) {
    if ((value & flag) !== 0 && (value & other) === 0) {
      throw refusedOption('flags', `cannot have ${formatFlags(flag)} without ${formatFlags(other)}: ${reason}`);
    }
  }
  if ((value & Flags.PARENT) !== 0 && process.pid === 1) {
    throw refusedOption('flags', 'cannot have CLONE_PARENT here: pid 1 has no parent in its pid namespace');
  }
  return value;
}

/** Checks the signal at the end. @returns its number, 0 for none @throws ArgumentError */
export function checkExitSignal(given: unknown, flags: number): number {
  // clone3(2) wants none with these: a sibling has that of the parent, a thread has none.
  const without = (flags & (Flags.THREAD | Flags.PARENT)) >>> 0;
  if (without !== 0) {
    if (given === undefined) return 0;
    throw refusedOption('exitSignal', `must not be given with ${formatFlags(without)}: the kernel takes none there`);
  }
  if (given === undefined) return 17;
  if (given === 0) return 0;
  const number = typeof given === 'string' || typeof given === 'number' ? signalNumber(given) : undefined;
  if (number === undefined) throw unknownSignal('exitSignal', given, signalNames());
  return number;
}
