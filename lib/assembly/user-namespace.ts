// A user namespace that no process of ours stays in, by a descriptor: for the ids of a mount, or to be entered later.
import type { IdMapping } from '../../types/options';
import { constants } from '../kernel/constants';
import { ProcWord } from '../program/format';
import type { Slot, Writer } from '../program/writer';
import * as call from './calls';

const { CLONE_NEWUSER, F_SETPIPE_SZ, O_CLOEXEC, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_RDONLY, O_WRONLY, PR_SET_DUMPABLE } =
  constants;

/** asm/signal.h: a bit for each signal. */
const SIG_UNBLOCK = 1;
const sigpipe = 1 << 12;
/** __WALL of linux/wait.h: also a child that sends no signal. */
const anyChild = 0x40000000;
/** With its NUL byte: of a pid. */
const pidSize = 16;
/** What is written has twice the size of the largest page, and a pipe has one page: many times the same piece, see writev(2). */
const pieces = { size: 2048, count: 64 };

export interface IdmapRanges {
  readonly uids: readonly IdMapping[];
  readonly gids: readonly IdMapping[];
  /** setgroups(2) is given up in it. */
  readonly deniesGroups?: boolean;
}

/** Where its descriptors are kept while it is made. */
export interface Keeper {
  readonly writer: Writer;
  keep(): Slot;
  close(slot: Slot): void;
}

function mapText(ranges: readonly IdMapping[]): string {
  return ranges.map(({ containerID, hostID, size: count }) => `${containerID} ${hostID} ${count}\n`).join('');
}

/**
 * Makes it with these maps. The process that it is made with waits: nothing but privilege outside may write more than one id, so we
 * write, and it lives until it has been opened. It tells its number, which a line of calls cannot spell, by a write that a pipe has not
 * the room for: when the number can be read, the process is inside that call, and has nothing more to do but to be killed (SIGPIPE)
 * when we close the pipe, or are gone.
 * @param isClosed what is ours below /proc is not ours to open
 * @param about called before what is written into one of its files, which errors tell of
 */
export function newUserNamespace(
  place: Keeper,
  { uids, gids, deniesGroups = false }: IdmapRanges,
  isClosed: boolean,
  about: (file: 'uid_map' | 'setgroups' | 'gid_map' | undefined) => void = () => undefined,
): Slot {
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
  const write = (file: 'uid_map' | 'setgroups' | 'gid_map', text: string): void => {
    about(file);
    fill(place, folder, file, text);
  };
  write('uid_map', mapText(uids));
  if (deniesGroups) write('setgroups', 'deny');
  write('gid_map', mapText(gids));
  about(undefined);
  writer.add(call.openatOf, folder, writer.addText('ns/user'), O_RDONLY | O_CLOEXEC, 0);
  const namespace = place.keep();
  place.close(folder);
  writer.add(call.closeAt, pipe);
  writer.add(call.wait4, -1, 0, anyChild, 0);
  return namespace;
}

function fill(place: Keeper, folder: Slot, name: string, text: string): void {
  const { writer } = place;
  writer.add(call.openatOf, folder, writer.addText(name), O_WRONLY | O_CLOEXEC, 0);
  const file = place.keep();
  // Such files take their content in one write.
  writer.add(call.write, file, writer.addText(text), writer.textSize).minimum(writer.textSize);
  place.close(file);
}
