// The namespaces of this host that we may see, as lsns(8) finds them: through processes, mounts, and what they belong to.
import { statSync } from 'node:fs';

import type { NamespaceKind } from '../types/flags';
import type { ListedNamespace } from '../types/namespace';
import { addon } from './addon';
import { SyscallError, type SyscallErrorInit } from './errors/syscall-error';
import { flagOfKind, namespaceKinds } from './flags';
import { mountTable } from './host/mount-table';
import { constants } from './kernel/constants';
import { idOf, ownerOf, ownerUidOf, parentOf } from './namespace-relations';
import { identify } from './open-file';
import { openProc, procError, readProc } from './proc';

/** A pid, then a namespace of each kind. */
const row = 1 + namespaceKinds.length;
/** More than most hosts have. */
const usual = 1024;

const EXDEV = 18;

const foreign = {
  code: 'ESRCH',
  syscall: 'openat',
  path: '/proc',
  reason: 'the /proc here is not that of our pid namespace, so it has other processes',
  hint: 'mount a /proc of ours',
} satisfies SyscallErrorInit;

/** What is known of one so far. */
interface Entry {
  readonly kind: NamespaceKind;
  readonly id: bigint;
  /** In the order of /proc, which is that of their numbers. */
  readonly pids: number[];
  readonly paths: string[];
  owner: bigint | null;
  ownerUid: number | null;
  parent: bigint | null;
}

class Entries {
  readonly #all = new Map<NamespaceKind, Map<bigint, Entry>>(namespaceKinds.map(({ kind }) => [kind, new Map()]));

  /** The one of this id, whether or not it was known. */
  of(kind: NamespaceKind, id: bigint): Entry {
    const ofKind = this.#all.get(kind)!;
    let entry = ofKind.get(id);
    if (entry === undefined) {
      entry = { kind, id, pids: [], paths: [], owner: null, ownerUid: null, parent: null };
      ofKind.set(id, entry);
    }
    return entry;
  }

  has(kind: NamespaceKind, id: bigint): boolean {
    return this.#all.get(kind)!.has(id);
  }

  remove({ kind, id }: Entry): void {
    this.#all.get(kind)!.delete(id);
  }

  /** By kind, the oldest first: ids are given in their turn. */
  list(): Entry[] {
    return [...this.#all.values()].flatMap((ofKind) =>
      [...ofKind.values()].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)),
    );
  }
}

/** Rows of a pid and the ids of its namespaces, and how many there are. @throws SyscallError */
function scan(): [rows: Float64Array, count: number] {
  for (let room = usual; ;) {
    const rows = new Float64Array(room * row);
    const count = addon().processNamespaces(rows);
    if (count === -EXDEV) throw new SyscallError(foreign);
    if (count < 0) throw procError(-count, { syscall: 'openat', path: '/proc' });
    if (count <= room) return [rows, count];
    room = count * 2;
  }
}

function addProcesses(entries: Entries): void {
  const [rows, count] = scan();
  for (let at = 0; at < count * row; at += row) {
    namespaceKinds.forEach(({ kind }, index) => {
      const id = rows[at + 1 + index]!;
      // Of another user, or a process that is ending.
      if (id !== 0) entries.of(kind, BigInt(id)).pids.push(rows[at]!);
    });
  }
}

/** Of a mount of one the root is its name: 'net:[4026531840]'. */
const named = /^(\w+):\[(\d+)\]$/;

function addMounts(entries: Entries): void {
  for (const { type, root, target } of mountTable()) {
    const [, kind, id] = type === 'nsfs' ? (named.exec(root) ?? []) : [];
    if (kind === undefined || !(kind in flagOfKind)) continue;
    const entry = entries.of(kind as NamespaceKind, BigInt(id!));
    if (leadsTo(entry, target) && !entry.paths.includes(target)) entry.paths.push(target);
  }
}

/** Another mount may lie upon it, or another file be there by now: nothing else is opened. */
function leadsTo({ id }: Entry, path: string): boolean {
  try {
    return statSync(path, { bigint: true }).ino === id;
  } catch {
    return false;
  }
}

/** Where it still is what it was; undefined where not. */
function verified(descriptor: number, { kind, id }: Entry): number | undefined {
  if (descriptor < 0) return undefined;
  if (addon().namespaceType(descriptor) === flagOfKind[kind] && identify(descriptor).ino === id) return descriptor;
  addon().close(descriptor);
  return undefined;
}

/** By the first of its processes, or paths, that still leads there. */
function open(entry: Entry): number | undefined {
  for (const pid of entry.pids) {
    const found = verified(openProc(`${pid}/ns/${entry.kind}`), entry);
    if (found !== undefined) return found;
  }
  for (const path of entry.paths) {
    const found = leadsTo(entry, path) ? verified(addon().openAt(constants.AT_FDCWD, path), entry) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The id of one that it belongs to, which is looked at too where nobody else has led to it. Closes `related`. */
function add(entries: Entries, kind: NamespaceKind, related: number | undefined): bigint | null {
  if (related === undefined) return null;
  const { ino } = identify(related);
  if (entries.has(kind, ino)) return idOf(related);
  try {
    lookAt(entries, entries.of(kind, ino), related);
    return ino;
  } finally {
    addon().close(related);
  }
}

function lookAt(entries: Entries, entry: Entry, descriptor: number): void {
  const { kind } = entry;
  entry.owner = add(entries, 'user', ownerOf(descriptor));
  entry.parent = add(entries, kind, parentOf(descriptor, kind));
  entry.ownerUid = ownerUidOf(descriptor, kind);
}

/** Its effective user: that of /proc/PID itself is root's where nobody may look into the process. */
function userOf(pid: number | undefined): number | null {
  const uid = pid === undefined ? undefined : /^Uid:\t\d+\t(\d+)/m.exec(readProc(`${pid}/status`) ?? '')?.[1];
  return uid === undefined ? null : Number(uid);
}

function describe({ kind, id, pids, paths, owner, ownerUid, parent }: Entry): ListedNamespace {
  const pid = pids[0];
  return { kind, id, processes: pids.length, pid: pid ?? null, uid: userOf(pid), paths, owner, ownerUid, parent };
}

/** @throws SyscallError where there is no /proc of ours, EMFILE */
export function listNamespaces(): ListedNamespace[] {
  const entries = new Entries();
  addProcesses(entries);
  addMounts(entries);
  for (const entry of entries.list()) {
    const descriptor = open(entry);
    // Its last process has ended meanwhile; a mount that nothing leads to keeps it all the same.
    if (descriptor === undefined && entry.pids.length > 0 && entry.paths.length === 0) entries.remove(entry);
    if (descriptor === undefined) continue;
    try {
      lookAt(entries, entry, descriptor);
    } finally {
      addon().close(descriptor);
    }
  }
  return entries.list().map(describe);
}
