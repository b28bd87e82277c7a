// The operations of a line in their order, as entries of `mounts`.
import { accessSync, constants as access, realpathSync, statSync } from 'node:fs';
import { posix } from 'node:path';

import type { BindMount, Mount, RootMount } from '../../lib/index';
import { refusal, textOf } from './words';

export type OperationKind =
  | 'bind'
  | 'ro-bind'
  | 'dev-bind'
  | 'remount-ro'
  | 'overlay'
  | 'tmp-overlay'
  | 'ro-overlay'
  | 'proc'
  | 'dev'
  | 'tmpfs'
  | 'mqueue'
  | 'dir'
  | 'file'
  | 'bind-data'
  | 'ro-bind-data'
  | 'symlink'
  | 'chmod';

/** What one option asked for. */
export interface Operation {
  readonly kind: OperationKind;
  readonly dest: string;
  readonly source?: string;
  readonly optional?: boolean;
  readonly fd?: number;
  readonly mode?: number;
  readonly size?: string | undefined;
  /** Of an overlay, the uppermost first. */
  readonly layers?: readonly string[];
  readonly work?: string;
  content?: Uint8Array;
}

/** The operation that an entry of `mounts` is of. */
export interface Made {
  readonly operation: Operation;
  readonly type: Mount['type'];
  readonly target: string;
}

/** What they depend on beside themselves. */
export interface Surroundings {
  /** Whether there is a pid namespace of its own, whose processes a fresh proc shows. */
  readonly ownPids: boolean;
  /** Whether the set-up is root for the files in /proc. */
  readonly isRoot: boolean;
  /** The terminal that is to be /dev/console. */
  readonly terminal?: string | undefined;
}

const nodes = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];
const links = [
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
  ['fd', '/proc/self/fd'],
  ['core', '/proc/kcore'],
] as const;
/** What of /proc is made read-only, where it could be written. */
const covered = ['sys', 'sysrq-trigger', 'irq', 'bus'];

const common = { nosuid: true, create: true } as const;
/** What is mounted outside later is seen inside, and what is unmounted there is not kept busy; nothing comes from inside to there. */
const bound = { ...common, propagation: 'rslave' } as const;

function device(source: string, target: string): Mount {
  return { type: 'bind', source, target, ...bound };
}

function dev(dest: string, { terminal }: Surroundings): Mount[] {
  const at = (name: string): string => posix.join(dest, name);
  return [
    { type: 'tmpfs', target: dest, create: true },
    ...nodes.map((name) => device(`/dev/${name}`, at(name))),
    ...links.map(([name, to]): Mount => ({ type: 'symlink', target: at(name), to })),
    { type: 'dir', target: at('shm') },
    { type: 'dir', target: at('pts') },
    { type: 'devpts', target: at('pts') },
    { type: 'symlink', target: at('ptmx'), to: 'pts/ptmx' },
    ...(terminal === undefined ? [] : [device(terminal, at('console'))]),
  ];
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, access.W_OK);
    return true;
  } catch {
    return false;
  }
}

function proc(dest: string, { ownPids, isRoot }: Surroundings): Mount[] {
  const whole: Mount = ownPids
    ? { type: 'proc', target: dest, create: true }
    : { type: 'bind', source: '/proc', target: dest, nodev: true, ...bound };
  const parts = isRoot ? covered.filter((name) => isWritable(`/proc/${name}`)) : [];
  return [whole, ...parts.map((name): Mount => ({ type: 'readonly', target: posix.join(dest, name), optional: true }))];
}

/** What a source says: of what /proc calls a descriptor, the descriptor, as another process opens it. */
function sourceOf({ fd, source }: Operation): string | number {
  const own = /^\/proc\/self\/fd\/(\d+)$/.exec(source!);
  return fd ?? (own === null ? source! : Number(own[1]));
}

function overlay({ kind, dest, layers, source, work }: Operation): Mount {
  const whole = { type: 'overlay', target: dest, lower: layers!, create: true } as const;
  if (kind === 'tmp-overlay') return { ...whole, upper: 'tmpfs' };
  return kind === 'overlay' ? { ...whole, upper: source!, work: work! } : whole;
}

const isTop = (path: string): boolean => posix.resolve('/', path) === '/';

function entriesOf(operation: Operation, around: Surroundings): Mount[] {
  const { kind, dest: target, mode, content = new Uint8Array() } = operation;
  const bind = { type: 'bind', target, ...bound } as const;
  switch (kind) {
    case 'dev-bind':
      return [{ ...bind, source: sourceOf(operation) }];
    case 'bind':
      return [{ ...bind, source: sourceOf(operation), nodev: true }];
    case 'ro-bind':
      return [{ ...bind, source: sourceOf(operation), nodev: true, readonly: true }];
    case 'remount-ro':
      return [{ type: 'remount', target, attributes: ['ro', 'nosuid', 'nodev'] }];
    case 'overlay':
    case 'tmp-overlay':
    case 'ro-overlay':
      return [overlay(operation)];
    case 'proc':
      return proc(target, around);
    case 'dev':
      return dev(target, around);
    case 'tmpfs':
      return [{ type: 'tmpfs', target, mode, size: operation.size, create: true }];
    case 'mqueue':
      return [{ type: 'mqueue', target, create: true, nosuid: false, nodev: false, noexec: false }];
    case 'dir':
      // mkdir(2) takes no more.
      return [{ type: 'dir', target, mode: mode! & 0o1777 }];
    case 'file':
      return [{ type: 'file', target, content, mode, place: true }];
    case 'bind-data':
      return [{ type: 'file', target, content, mode, writable: true, nodev: true, ...common }];
    case 'ro-bind-data':
      return [{ type: 'file', target, content, mode, nodev: true, ...common }];
    case 'symlink':
      if (operation.source === '') throw refusal(`Can't make symlink at ${target}: No such file or directory`);
      return [{ type: 'symlink', target, to: operation.source! }];
    case 'chmod':
      return [{ type: 'chmod', target, mode: mode! }];
  }
}

/** The permissions of parents that are missing: they open to nobody what is not for everybody. Without --perms nothing is. */
function modeOfParents({ mode = 0 }: Operation): number {
  return 0o755 & ~((mode & 0o070) === 0 ? 0o050 : 0) & ~((mode & 0o007) === 0 ? 0o005 : 0);
}

/** The folders on the way to a path, those that it comes back from too. */
function parentsOf(path: string): string[] {
  const names = path.split('/').slice(0, -1);
  const all = names.map((_, index) => posix.resolve('/', ...names.slice(0, index + 1)));
  return [...new Set(all)].filter((parent) => parent !== '/');
}

/** Whether there is nothing to do: its source is not there, and need not be. Where it is there, it is mounted or all fails. */
function isVoid({ optional, source }: Operation): boolean {
  if (optional !== true) return false;
  try {
    statSync(source!);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

const writers: readonly OperationKind[] = ['dir', 'file', 'symlink', 'chmod'];
const opensHost: readonly OperationKind[] = ['bind', 'dev-bind', 'overlay'];

/** Whether something of these is there when all of it is covered: what is written into a bind. */
function leavesTraces(operations: readonly Operation[]): boolean {
  const first = operations.findIndex(({ kind }) => opensHost.includes(kind));
  return first !== -1 && operations.slice(first).some(({ kind }) => writers.includes(kind));
}

/** Where the root is a bind, what was made before is covered by it, and all else is made in that. */
function splitAtRoot(
  operations: readonly Operation[],
): [top: Operation | undefined, rest: readonly Operation[], covered: readonly Operation[]] {
  const at = operations.findLastIndex(({ dest, kind }) => isTop(dest) && kind.endsWith('bind'));
  const covered = operations.slice(0, Math.max(at, 0));
  if (at === -1 || leavesTraces(covered)) return [undefined, operations, []];
  return [operations[at], operations.slice(at + 1), covered];
}

/** Bubblewrap looks at all sources before it does anything. */
export function firstMissing(operations: readonly Operation[]): string | undefined {
  for (const { source, fd, kind, optional } of operations) {
    if (source === undefined || fd !== undefined || !kind.endsWith('bind')) continue;
    try {
      realpathSync(source);
    } catch (error) {
      if (optional && (error as NodeJS.ErrnoException).code === 'ENOENT') continue;
      return `Can't find source path ${source}: ${textOf(error)}`;
    }
  }
  return undefined;
}

function rootOf(top: Operation | undefined, around: Surroundings): RootMount {
  if (top === undefined) return { type: 'tmpfs' };
  const { target: _target, create: _create, ...root } = entriesOf(top, around)[0] as BindMount;
  return root;
}

export interface Mounts {
  readonly root: RootMount;
  readonly mounts: Mount[];
  /** The operation that each of `mounts` is of. */
  readonly made: Made[];
  /** That of the root, where it is of one. */
  readonly top: Made | undefined;
}

/** All of them. */
export function mountsOf(all: readonly Operation[], around: Surroundings): Mounts {
  const operations = all.filter((operation) => !isVoid(operation));
  const mounts: Mount[] = [];
  const made: Made[] = [];
  const [top, rest, hidden] = splitAtRoot(operations);
  const missing = firstMissing(hidden);
  if (missing !== undefined) throw refusal(missing);
  let known = new Set<string>();
  for (const given of rest) {
    const operation = { ...given, dest: posix.resolve('/', given.dest) };
    const add = (mount: Mount): void => {
      mounts.push(mount);
      made.push({ operation: given, type: mount.type, target: mount.target });
    };
    const { dest, kind } = operation;
    const mode = modeOfParents(operation);
    const isStraight = !given.dest.split('/').includes('..');
    const makesParents = kind !== 'chmod' && kind !== 'remount-ro' && !(mode === 0o755 && isStraight);
    for (const target of makesParents ? parentsOf(given.dest.startsWith('/') ? given.dest : `/${given.dest}`) : []) {
      if (!known.has(target)) add({ type: 'dir', target, mode });
      known.add(target);
    }
    entriesOf(operation, around).forEach(add);
    // What was known may be covered.
    known = new Set([...known].filter((path) => dest !== '/' && !path.startsWith(`${dest}/`)));
  }
  const madeTop = top && ({ operation: top, type: 'bind', target: '/' } as const);
  return { root: rootOf(top, around), mounts, made, top: madeTop };
}

/** Where a path inside is outside. */
export interface Outside {
  /** What is bound. */
  readonly source: string;
  /** The path from there on. */
  readonly below: string;
  /** Whether it is bound on the root. */
  readonly isTop: boolean;
}

/** Undefined where it is of no bind. */
export function whereOutside(path: string, operations: readonly Operation[]): Outside | undefined {
  const wanted = posix.resolve('/', path);
  const on = operations.findLast(({ dest, kind }) => {
    if (['dir', 'file', 'symlink', 'chmod', 'remount-ro'].includes(kind)) return false;
    const top = posix.resolve('/', dest);
    return wanted === top || wanted.startsWith(top === '/' ? '/' : `${top}/`);
  });
  if (on?.source === undefined || !on.kind.endsWith('bind')) return undefined;
  return { source: on.source, below: posix.relative(posix.resolve('/', on.dest), wanted), isTop: isTop(on.dest) };
}

/** The path outside of one inside; undefined where it is of no bind. */
export function pathOutside(path: string, operations: readonly Operation[]): string | undefined {
  const on = whereOutside(path, operations);
  return on && posix.join(on.source, on.below);
}
