// Other ids for the files of a mount, see MOUNT_ATTR_IDMAP in mount_setattr(2): they are those of a user namespace.
import { Flags } from '../flags';
import { constants } from '../kernel/constants';
import type { IdMapping } from '../../types/options';
import type { Target } from '../join-target';
import { ProcWord } from '../program/format';
import type { Slot, Writer } from '../program/writer';
import * as call from './calls';
import type { Place } from './place';
import type { Request } from './request';

const {
  AT_EMPTY_PATH,
  AT_RECURSIVE,
  CLONE_NEWUSER,
  F_SETPIPE_SZ,
  MOUNT_ATTR_IDMAP,
  O_CLOEXEC,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_WRONLY,
  PR_SET_DUMPABLE,
} = constants;

/** asm/signal.h: a bit for each signal. */
const SIG_UNBLOCK = 1;
const sigpipe = 1 << 12;

export interface IdmapRanges {
  readonly uids: readonly IdMapping[];
  readonly gids: readonly IdMapping[];
}

/** Of a user namespace that is given, or of one that is made for it. */
export type Idmap = { readonly namespace: Target } | IdmapRanges;

/** What a mount with other ids is made of. */
export interface MappedSource {
  readonly idmap: Idmap;
  /** Where the file is; undefined where it is held by a descriptor. */
  readonly path: string | undefined;
  readonly recursive: boolean;
  /** Makes the mount, which has no place yet, with its ids and its attributes. */
  open(place: Place, request: Request): Slot;
}

/** `struct mount_attr`: attr_set, attr_clr, propagation, userns_fd. */
const size = 32;
const usernsAt = 24;

/** __WALL of linux/wait.h: also a child that sends no signal. */
const anyChild = 0x40000000;
/** With its NUL byte: of a pid. */
const pidSize = 16;
/** What is written has twice the size of the largest page, and a pipe has one page: many times the same piece, see writev(2). */
const pieces = { size: 2048, count: 64 };

function mapText(ranges: readonly IdMapping[]): string {
  return ranges.map(({ containerID, hostID, size: count }) => `${containerID} ${hostID} ${count}\n`).join('');
}

/**
 * A user namespace with these maps and without a process, by a descriptor. The process that it is made with waits: nothing but
 * privilege outside may write more than one id, so we write, and it lives until it has been opened. It tells its number, which a line of
 * calls cannot spell, by a write that a pipe has not the room for: when the number can be read, the process is inside that call, and has
 * nothing more to do but to be killed (SIGPIPE) when we close the pipe, or are gone.
 * @param isClosed what is ours below /proc is not ours to open
 */
function newUserNamespace(place: Place, { uids, gids }: IdmapRanges, isClosed: boolean): Slot {
  const { writer } = place;
  const pipe = writer.reserve(8);
  const number = writer.reserve(pieces.size);
  const vector = writer.reserve(pieces.count * 16);
  for (let piece = 0; piece < pieces.count; piece++) {
    writer.point(vector + piece * 16, number);
    writer.setInt64(vector + piece * 16 + 8, pieces.size);
  }
  writer.add(call.pipe2, pipe, O_CLOEXEC);
  writer.add(call.fcntlAt, pipe, F_SETPIPE_SZ, 1);
  // In the new process the result is 0.
  writer.add(call.cloneAside, CLONE_NEWUSER).minimum(1).skip('EIO', 1);
  writer.jump(0);
  const jump = writer.count - 1;
  writer.add(call.closeAt, pipe);
  if (isClosed) writer.add(call.prctl, PR_SET_DUMPABLE, 1);
  // What ends it, and nothing else does, as all signals are blocked. It must come to no other instruction: the report is ours.
  const signals = writer.reserve(8);
  writer.setInt64(signals, sigpipe);
  writer.add(call.rt_sigprocmask, SIG_UNBLOCK, signals, 0, 8);
  writer.add(call.readlinkatAt, ProcWord, writer.addText('self'), number, pidSize - 1);
  writer.add(call.writevAt, pipe + 4, vector, pieces.count);
  writer.add(call.exit_group, 0);
  writer.landHere(jump);
  writer.add(call.closeAt, pipe + 4);
  const told = writer.reserve(pidSize);
  writer.add(call.read, pipe, told, pidSize).minimum(pidSize);
  writer.add(call.openatAt, ProcWord, told, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  const folder = place.keep();
  writeMap(place, folder, 'uid_map', uids);
  writeMap(place, folder, 'gid_map', gids);
  writer.add(call.openatOf, folder, writer.addText('ns/user'), O_RDONLY | O_CLOEXEC, 0);
  const namespace = place.keep();
  place.close(folder);
  writer.add(call.closeAt, pipe);
  writer.add(call.wait4, -1, 0, anyChild, 0);
  return namespace;
}

function writeMap(place: Place, folder: Slot, name: string, ranges: readonly IdMapping[]): void {
  const { writer } = place;
  writer.add(call.openatOf, folder, writer.addText(name), O_WRONLY | O_CLOEXEC, 0);
  const file = place.keep();
  // Such files take their content in one write.
  writer.add(call.write, file, writer.addText(mapText(ranges)), writer.textSize).minimum(writer.textSize);
  place.close(file);
}

function setIdmap(writer: Writer, mount: Slot, namespace: Slot, recursive: boolean): void {
  const attributes = writer.reserve(size);
  writer.setInt64(attributes, MOUNT_ATTR_IDMAP);
  writer.store(namespace, attributes + usernsAt, 8);
  const flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
  writer.add(call.mount_setattrOf, mount, writer.addText(''), flags, attributes, size);
}

/** Gives a mount that has no place yet the ids of a user namespace; of a given one, where its copy is kept. */
export function mapIds(place: Place, mount: Slot, mapped: MappedSource, request: Request): void {
  const mapping = request.mappedMounts.find((one) => one.mapped === mapped)!;
  const { idmap } = mapping;
  // In a new user namespace a change of ids has closed us to others, and what is ours in /proc to us. Where nothing was joined nobody else
  // is there, and nobody outside has rights in a namespace below.
  const isClosed =
    request.creates(Flags.NEWUSER) && request.joins.length === 0 && !request.mappedFirst.includes(mapping);
  const namespace =
    'namespace' in idmap ? place.take(request.idmapSlots.get(idmap)!) : newUserNamespace(place, idmap, isClosed);
  setIdmap(place.writer, mount, namespace, mapped.recursive);
  place.close(namespace);
}
