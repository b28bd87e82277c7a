// The id maps of a user namespace below one that is joined, written by a process of its own.
//
// Who is in the new one could open its files below /proc only while others may look into it: what cannot be dumped belongs to the
// root of the host there. So before we take the ids of the joined one, a process is made that keeps ours: it is in the joined one as
// well, has all rights there, and owns those files. Nobody can look into either of the two.
import { Flags } from '../flags';
import { constants } from '../kernel/constants';
import type { Place, Slot, Writer } from '../program/writer';
import * as call from '../assembly/calls';
import type { IdMap } from '../assembly/ids';
import type { Request } from '../assembly/request';
import { openProcFolder } from './proc-file';

const { F_SETPIPE_SZ, O_CLOEXEC, O_WRONLY } = constants;

/** asm/signal.h: a bit for each signal. */
const SIG_UNBLOCK = 1;
const sigpipe = 1 << 12;
/** __WALL of linux/wait.h: also a child that sends no signal. */
const anyChild = 0x40000000;
const largestPage = 65_536;

export interface MapFile {
  readonly name: 'uid_map' | 'setgroups' | 'gid_map';
  readonly option: string;
  readonly text: string;
}

/** Whether the maps are written in this way; an ordinary user owns no such file. */
export function mapsAside(request: Request): boolean {
  return request.joinsUser && request.creates(Flags.NEWUSER) && request.own.uid === 0;
}

/** The process that writes, and what it tells. */
export interface Aside {
  readonly files: readonly MapFile[];
  /** What became of each file. */
  readonly results: readonly Slot[];
  readonly pipe: Place;
  readonly folder: Slot;
  /** How much a pipe takes. */
  readonly page: Slot;
  readonly bytes: Place;
}

/**
 * Makes it. It waits inside a write that the pipe has not the room for, by one byte, where our end kills it (SIGPIPE) and nothing but a
 * read of ours lets it go on: until then it comes to no other instruction, as the report is ours.
 */
export function beginAside(writer: Writer, files: readonly MapFile[]): Aside {
  const pipe = writer.reserve(8);
  const bytes = writer.reserve(largestPage);
  const vector = writer.reserve(32);
  const vectorLengths = [vector + 8, vector + 24] as const;
  writer.point(vector, bytes);
  writer.point(vector + 16, bytes);
  writer.setInt64(vectorLengths[1], 1);
  writer.about('user', 'join').subject('/proc/self');
  const folder = openProcFolder(writer, 'self');
  writer.subject(undefined).add(call.pipe2, pipe, O_CLOEXEC);
  writer.add(call.fcntlAt, pipe, F_SETPIPE_SZ, 1);
  const page = writer.keep();
  writer.store(page, vectorLengths[0], 8);
  // In the new process the result is 0.
  writer.add(call.cloneAside, 0).minimum(1).skip('EIO', 1);
  writer.jump(0);
  const jump = writer.count - 1;
  writer.add(call.closeAt, pipe);
  const signals = writer.reserve(8);
  writer.setInt64(signals, sigpipe);
  writer.add(call.rt_sigprocmask, SIG_UNBLOCK, signals, 0, 8);
  let left = files.length * 2;
  writer.add(call.writevAt, pipe + 4, vector, 2).skipAny(left + 1);
  const results = files.map(({ name, option, text }) => {
    writer.about('user', option).subject(`/proc/PID/${name}`);
    writer.add(call.openatOf, folder, writer.addText(name), O_WRONLY | O_CLOEXEC, 0).skipAny(--left);
    const result = writer.keep();
    writer.add(call.write, result, writer.addText(text), writer.textSize).skipAny(--left);
    return writer.keep(result);
  });
  // Where there are results, and where there are none.
  writer.about('user', 'join').add(call.exit_group, 0).add(call.exit_group, 1);
  writer.landHere(jump);
  writer.add(call.closeAt, pipe + 4);
  writer.add(call.read, pipe, bytes, 1).minimum(1);
  return { files, results, pipe, folder, page, bytes };
}

/** Fails with what an earlier call has failed with, unless it has returned this. */
function expectResult(writer: Writer, result: Slot, expected: number): void {
  const [found, wanted] = [writer.reserve(8), writer.reserve(8)];
  writer.setInt64(wanted, expected);
  writer.store(result, found, 8).compare(found, wanted, 8, 'EIO').skip('EIO', 1);
  writer.jump(1);
  writer.verb('write').failWith(result);
}

/** Has it write, waits until it has, and fails as it did. */
export function endAside(writer: Writer, { files, results, pipe, folder, page, bytes }: Aside): void {
  writer.about('user', 'join').add(call.readAsMuch, pipe, bytes, page);
  const status = writer.reserve(8);
  writer.add(call.wait4Into, -1, status, anyChild, 0);
  writer.compare(status, writer.reserve(8), 4, 'ECHILD');
  writer.add(call.closeAt, pipe).add(call.close, folder);
  files.forEach(({ name, option, text }, index) => {
    writer.about('user', option).subject(`/proc/PID/${name}`);
    expectResult(writer, results[index]!, text.length);
  });
}

/** That we have the ids that were mapped: the kernel would take others, too, from who has all rights above. */
export function expectOwn(writer: Writer, request: Request): void {
  const check = (option: 'uidMap' | 'gidMap', map: IdMap | undefined, ask: typeof call.geteuid): void => {
    if (map === undefined) return;
    writer.about('user', option).add(ask);
    const [found, wanted] = [writer.reserve(8), writer.reserve(8)];
    writer.store(writer.keep(), found, 4);
    writer.setInt32(wanted, map.ranges[0]!.containerID | 0);
    writer.compare(found, wanted, 4, 'EPERM');
  };
  check('uidMap', request.uidMap, call.geteuid);
  check('gidMap', request.gidMap, call.getegid);
}
