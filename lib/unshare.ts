// unshare(): new namespaces for the calling thread.
import { addon } from './addon';
import { flags as checkFlags } from './check';
import { refusedOption, unavailableIn } from './errors/argument-error';
import { ofCall } from './errors/caller';
import type { Hint } from './errors/hint';
import { SyscallError } from './errors/syscall-error';
import { whyNoMoreNamespaces } from './host/namespace-limits';
import { holds, whoRefuses } from './host/ourselves';
import { constants } from './kernel/constants';
import { Flags, formatFlags, namespaceMask } from './flags';
import { hasLibuv, runtime } from './runtime';

const reasons: readonly (readonly [flag: number, reason: string])[] = [
  [
    Flags.NEWUSER,
    'the kernel refuses it to a process with threads, which Node always has; use clone() with Flags.NEWUSER',
  ],
  [Flags.FILES, 'it would cut this thread off from the descriptors that the thread pool opens'],
  [Flags.VM | Flags.THREAD | Flags.SIGHAND, 'the kernel refuses it to a process with threads, which Node always has'],
];

/** What unshare(2) knows and what does not only hurt here. */
const allowed = namespaceMask | Flags.FS | Flags.SYSVSEM;

/** @throws ArgumentError naming the flag and the way that works */
export function refuseForThreads(option: string, flags: number, refused: typeof reasons): void {
  for (const [flag, reason] of refused) {
    const bad = (flags & flag) >>> 0;
    if (bad !== 0) throw refusedOption(option, `cannot have ${formatFlags(bad)}: ${reason}`);
  }
}

/**
 * Moves the calling thread into new namespaces, see unshare(2): this JavaScript thread only. The thread pool (`fs.promises`,
 * `dns.lookup`) and other Workers stay where they are; children started from here are born into the new ones.
 *
 * After `NEWPID` this thread can start no thread any more (no Worker), and when the first child has ended no child either:
 * the kernel's rule for a pid namespace whose pid 1 is gone. After `NEWNS` or `FS`, `process.chdir()` moves this thread alone.
 * @param flags a `|` of `Flags.NEWNS`, `NEWUTS`, `NEWIPC`, `NEWNET`, `NEWCGROUP`, `NEWPID`, `NEWTIME`, `FS` and `SYSVSEM`
 * @throws ArgumentError for flags that can only hurt; SyscallError EPERM without CAP_SYS_ADMIN, ENOSPC at a limit
 */
export function unshareSync(flags: number): void {
  try {
    leave(flags);
  } catch (error) {
    throw ofCall(error, unshareSync);
  }
}

/**
 * Moves the calling thread into new namespaces, see unshare(2): this JavaScript thread only, not the thread pool nor other Workers. It
 * is done when the function returns, which never throws; {@link unshareSync} is the same without a Promise, and tells more.
 * @param flags a `|` of `Flags.NEWNS`, `NEWUTS`, `NEWIPC`, `NEWNET`, `NEWCGROUP`, `NEWPID`, `NEWTIME`, `FS` and `SYSVSEM`
 * @throws ArgumentError, SyscallError, as what the Promise rejects with
 */
export async function unshare(flags: number): Promise<void> {
  try {
    leave(flags);
  } catch (error) {
    throw ofCall(error, unshare);
  }
}

function leave(flags: number): void {
  const value = checkFlags(flags, 'flags argument');
  refuseForThreads('flags argument', value, reasons);
  const other = (value & ~allowed) >>> 0;
  if (other !== 0)
    throw refusedOption('flags argument', `cannot have ${formatFlags(other)}: unshare(2) does not know it`);
  refuseWithoutPool('unshare()', value);
  const native = addon();
  if (value === 0) return;
  if ((value & Flags.NEWPID) !== 0) startThreadPool();
  const result = native.unshare(value);
  if (result < 0) {
    const error = { errno: -result, syscall: 'unshare', option: 'flags', path: formatFlags(value) };
    throw new SyscallError({ ...error, hint: hintFor(new SyscallError(error).code, error.path) });
  }
}

/**
 * Where threads are started one by one, whenever the runtime needs one, none may be kept from it.
 * @throws ArgumentError
 */
export function refuseWithoutPool(call: string, flags: number): void {
  if (hasLibuv || (flags & Flags.NEWPID) === 0) return;
  const reason = `a thread that has done it can start no other, and ${runtime} ends where it needs one; use clone()`;
  throw unavailableIn(runtime, `${call} of a pid namespace`, reason);
}

/** Before a thread enters a pid namespace: libuv aborts when it cannot start its pool later. */
export function startThreadPool(): void {
  const result = addon().startThreadPool();
  if (result < 0) throw new SyscallError({ errno: -result, syscall: 'pthread_create' });
}

function hintFor(code: string, flags: string): Hint | undefined {
  if (code === 'EPERM' && holds(constants.CAP_SYS_ADMIN) === true) return whoRefuses(code, 'unshare');
  if (code === 'EPERM') return 'needs CAP_SYS_ADMIN; an ordinary user gets namespaces with clone() and Flags.NEWUSER';
  if (code === 'ENOSPC') return whyNoMoreNamespaces(flags);
  return undefined;
}
