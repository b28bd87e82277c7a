// What there is to enter: a path, a descriptor, a process, a namespace, a set of them; checked, and opened when it is needed.
import type { NamespaceKind } from '../types/flags';
import type { Hint } from './errors/hint';
import type { NamespaceSetTarget, NamespaceTarget, SpawnedTarget } from '../types/join-target';
import { addon } from './addon';
import { fileDescriptor, flags as checkFlags, integer, plainObject, string } from './check';
import { bareName, invalidArgType, invalidArgValue, refusedOption, unknownOption } from './errors/argument-error';
import { SyscallError } from './errors/syscall-error';
import { constants } from './kernel/constants';
import { flagOfKind, formatFlags, namespaceKinds, namespaceMask } from './flags';
import { whyNoSuchNamespaces } from './host/namespace-limits';
import { whoRefuses } from './host/ourselves';
import { handedKinds, handedNamespace, hasHandedOver } from './handed-namespaces';
import { has, isSpawned, pidOfSpawned } from './node-child';
import { errnoName } from './kernel/errno-texts';
import { identify } from './open-file';
import { askProc, namespaceId, procError, untraceable, whyNotOurs } from './proc';

const largestPid = 2 ** 22;

/** Of an object that stands for a descriptor or a process. */
const fields = ['fd', 'pid', 'pidfd', 'flags'] as const;

/** A target that was checked: which kinds of namespace it stands for, and how to get a descriptor of it. */
export interface Target {
  readonly flags: number;
  /** For messages; undefined where a descriptor was given. */
  readonly path: string | undefined;
  /** @throws SyscallError */
  open(): Opened;
}

/** A descriptor for setns(2). */
export interface Opened {
  readonly descriptor: number;
  /** Whether it is ours to close. */
  readonly own: boolean;
}

/** What an error of one of these calls is about. */
interface Place {
  readonly option: string;
  readonly path?: string | undefined;
}

function must(result: number, syscall: string, { option, path }: Place): number {
  if (result >= 0) return result;
  const isOfProcess = path?.startsWith('/proc/') === true;
  // The kernel opens the pidfd of any process.
  const refused = syscall === 'pidfd_open' ? whoRefuses(errnoName(-result), syscall) : undefined;
  const hint = result === -ENOENT ? whyNoFile(path) : result === -EACCES && isOfProcess ? untraceable : refused;
  throw new SyscallError({ errno: -result, syscall, option: bareName(option), path, hint });
}

/** Of a kind that this kernel does not have there is no file in any /proc/PID/ns. */
function whyNoFile(path = ''): Hint | undefined {
  if (!path.includes('/')) return `of a name of ip-netns(8) the path is /run/netns/${path}`;
  const kind = /^\/proc\/.*\/ns\/(\w+)$/.exec(path)?.[1];
  const known = namespaceKinds.find((one) => one.kind === kind);
  return known && whyNoSuchNamespaces(formatFlags(known.flag));
}

/** Flags that are kinds of namespace. */
export function checkKinds(value: unknown, option: string): number {
  const flags = checkFlags(value, option);
  const other = (flags & ~namespaceMask) >>> 0;
  if (other !== 0) throw refusedOption(option, `cannot have ${formatFlags(other)}: it is no namespace`);
  return flags;
}

/** As {@link checkTarget}; a set, and a child that has handed its namespaces over, stand for each of them. */
export function checkTargets(target: unknown, option: string, wanted?: number): Target[] {
  if (typeof target === 'object' && target !== null) {
    if (hasHandedOver(target)) return ofHanded(target, option, wanted);
    if (isSet(target)) return ofSet(target, option, wanted);
  }
  return [checkTarget(target, option, wanted)];
}

/** What createNamespaces() makes. */
function isSet(target: object): target is NamespaceSetTarget {
  return typeof (target as Partial<NamespaceSetTarget>)[Symbol.iterator] === 'function' && has(target, 'close');
}

/** As the flags of setns(2), 0 is whatever a namespace is; of several that would be none, and nothing would be entered. */
function refuseNone(wanted: number | undefined, option: string): void {
  if (wanted === 0) throw refusedOption(option, 'would enter nothing: flags are 0');
}

function ofSet(set: NamespaceSetTarget, option: string, wanted: number | undefined): Target[] {
  refuseNone(wanted, option);
  const members = [...set];
  if (!members.every(isMember)) throw invalidArgValue(option, set, 'must have nothing but namespaces');
  const missing = members.reduce((flags, { kind }) => flags & ~flagOfKind[kind], wanted ?? 0) >>> 0;
  if (missing !== 0) throw refusedOption(option, `has no ${formatFlags(missing)}`);
  return members
    .filter(({ kind }) => wanted === undefined || (wanted & flagOfKind[kind]) !== 0)
    .map((member) => checkTarget(member, `${bareName(option)}.${member.kind}`));
}

function ofHanded(child: object, option: string, wanted: number | undefined): Target[] {
  refuseNone(wanted, option);
  const targets: Target[] = [];
  const kinds = handedKinds({ option: bareName(option) });
  if (kinds.length === 0)
    throw procError(ENOENT, { syscall: 'openat', option: bareName(option), path: '/proc/self/ns' });
  for (const kind of kinds) {
    const { flag } = namespaceKinds.find((one) => one.kind === kind)!;
    if (wanted !== undefined && (wanted & flag) === 0) continue;
    const open = (): Opened => ({ descriptor: handedNamespace(child, kind)!, own: true });
    const { descriptor } = open();
    const ino = Number(identify(descriptor).ino);
    addon().close(descriptor);
    if (wanted === undefined && ino === ownNamespace(kind)) continue;
    targets.push({ flags: flag, path: `${bareName(option)}.namespace('${kind}')`, open });
  }
  return targets;
}

/**
 * Checks a target.
 * @param wanted of a process, which of its namespaces; of a namespace, which kind it must be
 * @throws ArgumentError, SyscallError
 */
export function checkTarget(target: unknown, option: string, wanted?: number): Target {
  const name = bareName(option);
  if (typeof target === 'string') return ofPath(string(target, option, { nonEmpty: true }), option, wanted);
  if (typeof target !== 'object' || target === null) {
    throw invalidArgType(option, 'of type string or an object with one of fd, pid and pidfd', target);
  }
  if (isLiving(target))
    return ofPidfd(() => stillOpen(target.pidfd, `${name}.pidfd`, 'ESRCH'), `${name}.pidfd`, wanted);
  if (isNamespace(target)) {
    const { kind } = target;
    if (!Object.hasOwn(flagOfKind, kind)) throw invalidArgValue(`${name}.kind`, kind, 'must be a kind of namespace');
    const checked = ofDescriptor(() => stillOpen(target.fd, `${name}.fd`, 'EBADF'), `${name}.fd`, wanted);
    checkKind(checked.flags, `${name}.fd`, flagOfKind[kind]);
    return { ...checked, path: `${target.kind}:[${identify(target.fd).ino}]` };
  }
  if (isSpawned(target)) return ofSpawned(target, name, wanted);
  const given = plainObject<(typeof fields)[number]>(target, option);
  const strange = Object.keys(given).find((key) => !(fields as readonly string[]).includes(key));
  if (strange !== undefined) throw unknownOption(`${name}.${strange}`, strange, fields);
  const ways = (['fd', 'pid', 'pidfd'] as const).filter((way) => given[way] !== undefined);
  if (ways.length !== 1) throw invalidArgValue(option, target, 'must have exactly one of fd, pid and pidfd');
  const own = given.flags === undefined ? undefined : checkKinds(given.flags, `${name}.flags`);
  if (own !== undefined && wanted !== undefined && own !== wanted)
    throw refusedOption(`${name}.flags`, `must be ${formatFlags(wanted)} here, or left out`);
  const kinds = own ?? wanted;
  if (given.fd !== undefined) {
    if (own !== undefined)
      throw refusedOption(`${name}.flags`, 'goes with pid and pidfd; a descriptor is one namespace');
    const descriptor = fileDescriptor(given.fd, `${name}.fd`);
    return ofDescriptor(() => descriptor, `${name}.fd`, wanted);
  }
  if (given.pid !== undefined) return ofPid(integer(given.pid, `${name}.pid`, 1, largestPid), name, kinds);
  const pidfd = fileDescriptor(given.pidfd, `${name}.pidfd`);
  return ofPidfd(() => pidfd, `${name}.pidfd`, kinds);
}

/** The descriptor of an object that sets it to -1 when it closes it: its old number may be somebody else's then. */
function stillOpen(descriptor: unknown, option: string, closed: 'EBADF' | 'ESRCH'): number {
  if (descriptor === -1) {
    const reason = closed === 'EBADF' ? 'the namespace is closed' : 'the child has ended';
    throw new SyscallError({ code: closed, syscall: 'setns', option, reason });
  }
  return fileDescriptor(descriptor, option);
}

/** A child of ours. */
function isLiving(target: object): target is { pidfd: number } {
  return has(target, 'pidfd') && has(target, 'exited');
}

function isNamespace(target: object): target is NamespaceTarget {
  return has(target, 'fd') && has(target, 'kind');
}

/** Whether it says of itself that it is one, of a kind that there is. */
function isMember(value: unknown): value is NamespaceTarget {
  return typeof value === 'object' && value !== null && isNamespace(value) && Object.hasOwn(flagOfKind, value.kind);
}

function checkKind(type: number, option: string, wanted: number | undefined): void {
  if (wanted === undefined || wanted === 0 || wanted === type) return;
  throw refusedOption(option, `must be ${formatFlags(wanted)}, but it is ${formatFlags(type)}`);
}

function ofPath(path: string, option: string, wanted: number | undefined): Target {
  const open = (): Opened => ({
    descriptor: must(addon().openAt(constants.AT_FDCWD, path), 'open', { option, path }),
    own: true,
  });
  const { descriptor } = open();
  let flags: number;
  try {
    flags = typeOf(descriptor, { option, path }, path);
  } finally {
    addon().close(descriptor);
  }
  checkKind(flags, option, wanted);
  return { flags, path, open };
}

function ofDescriptor(current: () => number, option: string, wanted: number | undefined): Target {
  const flags = typeOf(current(), { option });
  checkKind(flags, option, wanted);
  const reopen = (): Opened => {
    const descriptor = current();
    checkKind(typeOf(descriptor, { option }), option, flags);
    return { descriptor, own: false };
  };
  return { flags, path: undefined, open: reopen };
}

/** @param given for the message: what stands for it */
function typeOf(descriptor: number, { option, path }: Place, given: unknown = descriptor): number {
  const flags = addon().namespaceType(descriptor);
  // A filter may answer 0 in the kernel's place.
  if (namespaceKinds.some(({ flag }) => flag === flags)) return flags;
  if (flags === -EBADF) throw new SyscallError({ errno: EBADF, syscall: 'setns', option });
  if (flags === -ENOTTY || flags >= 0) throw invalidArgValue(option, given, 'must be a namespace');
  throw new SyscallError({ errno: -flags, syscall: 'ioctl', option: bareName(option), path });
}

function ofSpawned(child: SpawnedTarget, option: string, wanted: number | undefined): Target {
  const current = (): Target =>
    ofPid(integer(pidOfSpawned(child, option, 'setns'), `${option}.pid`, 1, largestPid), option, wanted);
  return { ...current(), open: () => current().open() };
}

function ofPid(pid: number, option: string, wanted: number | undefined): Target {
  refuseNone(wanted, option);
  const path = `/proc/${pid}`;
  const open = (): Opened => ({ descriptor: must(addon().openPidfd(pid), 'pidfd_open', { option, path }), own: true });
  const { descriptor } = open();
  try {
    return { flags: wanted ?? differing(pid, option), path: `${path}/ns`, open };
  } finally {
    addon().close(descriptor);
  }
}

function ofPidfd(current: () => number, option: string, wanted: number | undefined): Target {
  refuseNone(wanted, option);
  const pid = pidOf(current(), option);
  const reopen = (): Opened => {
    const descriptor = current();
    pidOf(descriptor, option);
    return { descriptor, own: false };
  };
  return { flags: wanted ?? differing(pid, option), path: `/proc/${pid}/ns`, open: reopen };
}

/**
 * Where a child of this thread would be, as {@link namespaceId} has it. After unshare(2) of a pid namespace that is another one than
 * the thread's own, and there is none to be named before its first process.
 */
function ownNamespace(kind: NamespaceKind): number {
  const own = namespaceId(`thread-self/ns/${kind}`);
  return kind === 'pid' && own > 0 ? Math.max(0, namespaceId('thread-self/ns/pid_for_children')) : own;
}

/** All namespaces of a process that differ from ours. */
function differing(pid: number, option: string): number {
  let flags = 0;
  for (const { kind, flag } of namespaceKinds) {
    const ours = ownNamespace(kind);
    // A kind that this kernel does not have.
    if (ours === -ENOENT && namespaceId('thread-self/ns/mnt') > 0) continue;
    const theirs = namespaceId(`${pid}/ns/${kind}`);
    if (theirs < 0) {
      // A process that has ended is in no namespace any more, reaped or not.
      const errno = theirs === -ENOENT ? ESRCH : -theirs;
      throw procError(errno, { syscall: 'openat', option: bareName(option), path: `/proc/${pid}/ns` });
    }
    if (theirs !== ours) flags |= flag;
  }
  return flags >>> 0;
}

const ENOENT = 2;
const ESRCH = 3;
const EACCES = 13;
const EBADF = 9;
const ENOTTY = 25;

/** The pid that a pidfd stands for, see the fdinfo of proc(5). */
function pidOf(pidfd: number, option: string): number {
  const pid = /^Pid:\t(-?\d+)$/m.exec(fdinfo(pidfd, option))?.[1];
  if (pid === undefined) throw invalidArgValue(option, pidfd, 'must be a descriptor of a process');
  if (Number(pid) <= 0) throw new SyscallError({ code: 'ESRCH', syscall: 'setns', option });
  return Number(pid);
}

function fdinfo(descriptor: number, option: string): string {
  const path = `thread-self/fdinfo/${descriptor}`;
  // The pid in it is one of that /proc's pid namespace.
  const refused = whyNotOurs();
  if (refused !== 0) throw procError(refused, { syscall: 'setns', option });
  const text = askProc(path);
  if (typeof text === 'string') return text;
  if (text === -ENOENT) throw new SyscallError({ code: 'EBADF', syscall: 'setns', option });
  throw procError(-text, { syscall: 'openat', option, path: `/proc/${path}` });
}
