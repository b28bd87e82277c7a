// setns(): the calling thread enters namespaces that exist.
import { readFileSync, readlinkSync } from 'node:fs';

import type { JoinTarget } from '../types/join-target';
import { addon } from './addon';
import { fileDescriptor, flags as checkFlags, integer, plainObject, string } from './check';
import { invalidArgType, invalidArgValue, refusedOption } from './errors/argument-error';
import { SyscallError } from './errors/syscall-error';
import { Flags, formatFlags, namespaceKinds, namespaceMask } from './flags';
import { refuseForThreads, startThreadPool } from './unshare';

const reasons: readonly (readonly [flag: number, reason: string])[] = [
  [
    Flags.NEWUSER,
    'the kernel refuses it to a process with threads, which Node always has; enter it with the join of clone()',
  ],
  [
    Flags.NEWTIME,
    'the kernel refuses it to a process with threads, which Node always has; enter it with the join of clone()',
  ],
];
const largestPid = 2 ** 22;

/** What is entered: an open descriptor, and which kinds of namespace it stands for. */
interface Entry {
  readonly descriptor: number;
  /** Whether the descriptor is ours to close. */
  readonly own: boolean;
  readonly flags: number;
  readonly path: string | undefined;
}

/**
 * Moves the calling thread into namespaces, see setns(2): this JavaScript thread only, as {@link unshareSync}.
 *
 * A mount namespace is entered with its root as root and working directory; from then on `process.chdir()` moves this thread
 * alone. A pid namespace is entered by children only.
 * @param target a path, a descriptor, or a process by pid or pidfd; of a process all namespaces that differ from ours, or
 * those of its `flags`
 * @param flags which kind the namespace must be (or, of a process, which of its namespaces); default any
 * @throws ArgumentError for `user` and `time`, which a thread cannot enter, and for what is no namespace; SyscallError EPERM,
 * ENOENT, ESRCH
 */
export function setnsSync(target: JoinTarget, flags?: number): void {
  const wanted = flags === undefined ? undefined : checkNamespaces(flags, 'flags argument');
  const entry = open(target, wanted);
  try {
    refuseForThreads('target argument', entry.flags, reasons);
    if ((entry.flags & Flags.NEWPID) !== 0) startThreadPool();
    // setns(2): a mount namespace cannot be entered while the root directory is shared with other threads.
    if ((entry.flags & Flags.NEWNS) !== 0) must(addon().unshare(Flags.FS), 'unshare', undefined);
    if (entry.flags !== 0) must(addon().setns(entry.descriptor, entry.flags), 'setns', entry.path);
  } finally {
    if (entry.own) addon().close(entry.descriptor);
  }
}

/** {@link setnsSync} as a Promise: done when the function returns, never throws. */
export async function setns(target: JoinTarget, flags?: number): Promise<void> {
  setnsSync(target, flags);
}

function checkNamespaces(value: unknown, option: string): number {
  const flags = checkFlags(value, option);
  const other = (flags & ~namespaceMask) >>> 0;
  if (other !== 0) throw refusedOption(option, `cannot have ${formatFlags(other)}: it is no namespace`);
  return flags;
}

function must(result: number, syscall: string, path: string | undefined): number {
  if (result >= 0) return result;
  throw new SyscallError({ errno: -result, syscall, option: 'target', path, hint: hintFor(-result) });
}

function hintFor(errno: number): string | undefined {
  return new SyscallError({ errno }).code === 'EPERM'
    ? 'needs CAP_SYS_ADMIN in the user namespace that owns it, and in our own; use the join of clone() to enter that one too'
    : undefined;
}

function open(target: unknown, wanted: number | undefined): Entry {
  if (typeof target === 'string') {
    const path = string(target, 'target argument', { nonEmpty: true });
    return namespaceAt(must(addon().openNamespace(path), 'open', path), true, path, wanted);
  }
  if (typeof target !== 'object' || target === null) {
    throw invalidArgType('target argument', 'of type string or an object with one of fd, pid and pidfd', target);
  }
  const given = plainObject(target, 'target argument', ['fd', 'pid', 'pidfd', 'flags']);
  const ways = (['fd', 'pid', 'pidfd'] as const).filter((way) => given[way] !== undefined);
  if (ways.length !== 1) throw invalidArgValue('target argument', target, 'must have exactly one of fd, pid and pidfd');
  const own = given.flags === undefined ? undefined : checkNamespaces(given.flags, 'target.flags');
  if (own !== undefined && wanted !== undefined)
    throw refusedOption('target.flags', 'is given twice: as an argument too');
  const kinds = own ?? wanted;
  if (given.fd !== undefined) {
    if (own !== undefined)
      throw refusedOption('target.flags', 'goes with pid and pidfd; a descriptor is one namespace');
    return namespaceAt(fileDescriptor(given.fd, 'target.fd'), false, undefined, wanted);
  }
  if (given.pid !== undefined) {
    const pid = integer(given.pid, 'target.pid', 1, largestPid);
    const path = `/proc/${pid}`;
    const descriptor = must(addon().openPidfd(pid), 'pidfd_open', path);
    return ofProcess(descriptor, true, pid, kinds);
  }
  const pidfd = fileDescriptor(given.pidfd, 'target.pidfd');
  return ofProcess(pidfd, false, pidOf(pidfd), kinds);
}

function namespaceAt(descriptor: number, own: boolean, path: string | undefined, wanted: number | undefined): Entry {
  const type = addon().namespaceType(descriptor);
  if (type > 0 && (wanted === undefined || wanted === 0 || wanted === type))
    return { descriptor, own, flags: type, path };
  if (own) addon().close(descriptor);
  if (type > 0)
    throw refusedOption('flags argument', `asks for ${formatFlags(wanted!)}, but this is ${formatFlags(type)}`);
  const code = new SyscallError({ errno: -type }).code;
  if (code === 'EBADF') throw new SyscallError({ code, syscall: 'setns', option: 'target.fd' });
  throw invalidArgValue(
    path === undefined ? 'target.fd' : 'target argument',
    path ?? descriptor,
    'must be a namespace',
  );
}

/** All namespaces of a process that differ from ours, or those asked for. */
function ofProcess(descriptor: number, own: boolean, pid: number, wanted: number | undefined): Entry {
  const path = `/proc/${pid}/ns`;
  try {
    const flags = wanted ?? differing(path);
    return { descriptor, own, flags, path };
  } catch (error) {
    if (own) addon().close(descriptor);
    const { errno, syscall } = error as NodeJS.ErrnoException;
    throw new SyscallError({ errno, syscall, option: 'target', path, cause: error });
  }
}

function differing(path: string): number {
  let flags = 0;
  for (const { kind, flag } of namespaceKinds) {
    if (readlinkSync(`${path}/${kind}`) !== readlinkSync(`/proc/thread-self/ns/${kind}`)) flags |= flag;
  }
  return flags >>> 0;
}

/** The pid that a pidfd stands for, see the fdinfo of proc(5). */
function pidOf(pidfd: number): number {
  const pid = /^Pid:\t(-?\d+)$/m.exec(fdinfo(pidfd))?.[1];
  if (pid === undefined) throw invalidArgValue('target.pidfd', pidfd, 'must be a descriptor of a process');
  if (Number(pid) <= 0) throw new SyscallError({ code: 'ESRCH', syscall: 'setns', option: 'target.pidfd' });
  return Number(pid);
}

function fdinfo(descriptor: number): string {
  try {
    return readFileSync(`/proc/thread-self/fdinfo/${descriptor}`, 'utf8');
  } catch (cause) {
    throw new SyscallError({ code: 'EBADF', syscall: 'setns', option: 'target.pidfd', cause });
  }
}
