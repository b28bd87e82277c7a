// Step `user`: the new user namespace and its id maps, see user_namespaces(7).
import { array, integer, oneOf, plainObject } from '../check';
import { invalidArgValue, refusedOption } from '../errors/argument-error';
import { SyscallError } from '../errors/syscall-error';
import { Flags } from '../flags';
import { constants } from '../kernel/constants';
import { isSetgroupsDenied } from '../privilege';
import type { Slot, Writer } from '../program/writer';
import type { IdMapping } from '../../types/options';
import * as call from './calls';
import { changeable } from './fact';
import { whyForbidden } from './forbidden-user-namespaces';
import { mapText, serveMaps } from './id-map-writers';
import { needs } from './needs';
import { type IdMap, insideID, type Request } from './request';
import { subordinateRanges } from './subordinate-ids';
import type { Step } from './step';
import { writeFile } from './write-file';

const { AT_FDCWD, CAP_SETGID, CAP_SETUID, O_CLOEXEC, O_DIRECTORY, O_PATH, PR_SET_DUMPABLE } = constants;

/** UID_GID_MAP_MAX_EXTENTS of linux/user_namespace.h. */
const mostRanges = 340;
const idCount = 2 ** 32 - 1;

type MapName = 'uidMap' | 'gidMap';

function checkRange(value: unknown, option: string): IdMapping {
  const given = plainObject(value, option, ['containerID', 'hostID', 'size']);
  const containerID = integer(given.containerID, `${option}.containerID`, 0, idCount - 1);
  const hostID = integer(given.hostID, `${option}.hostID`, 0, idCount - 1);
  const size = integer(given.size, `${option}.size`, 1, idCount);
  if (containerID + size > idCount)
    throw invalidArgValue(`${option}.size`, size, 'must not reach beyond the last container id');
  if (hostID + size > idCount) throw invalidArgValue(`${option}.size`, size, 'must not reach beyond the last host id');
  return { containerID, hostID, size };
}

/** The index of a range that overlaps one that begins before it; -1 where all are apart. */
function overlapping(ranges: readonly IdMapping[], side: 'containerID' | 'hostID'): number {
  const sorted = ranges.map((range, index) => ({ range, index })).toSorted((a, b) => a.range[side] - b.range[side]);
  const bad = sorted.find(({ range }, at) => {
    const before = sorted[at - 1]?.range;
    return before !== undefined && range[side] < before[side] + before.size;
  });
  return bad?.index ?? -1;
}

function checkRanges(value: unknown, option: MapName): IdMapping[] {
  const given = array(value, option);
  if (given.length === 0) throw invalidArgValue(option, given, 'must have at least one range');
  if (given.length > mostRanges) throw invalidArgValue(option, given.length, `must have at most ${mostRanges} ranges`);
  const ranges = given.map((range, index) => checkRange(range, `${option}[${index}]`));
  for (const side of ['containerID', 'hostID'] as const) {
    const bad = overlapping(ranges, side);
    if (bad >= 0) throw invalidArgValue(`${option}[${bad}].${side}`, ranges[bad], 'must not overlap another range');
  }
  return ranges;
}

function ownID(option: MapName, request: Request): number {
  return option === 'uidMap' ? request.own.uid : request.own.gid;
}

/** Our own id, then the ids that we were lent. */
function lentRanges(option: MapName, request: Request): IdMapping[] {
  request.facts.push(changeable);
  const own = { containerID: 0, hostID: ownID(option, request), size: 1 };
  let next = 1;
  const path = option === 'uidMap' ? '/etc/subuid' : '/etc/subgid';
  const lent = subordinateRanges(path, option).map(({ start, count }) => {
    const range = { containerID: next, hostID: start, size: count };
    next += count;
    return range;
  });
  const ranges = [own, ...lent];
  const bad = overlapping(ranges, 'hostID');
  if (bad < 0) return ranges;
  const reason = `the ids from ${ranges[bad]!.hostID} on overlap another range of our user, or our own id`;
  throw new SyscallError({ code: 'EINVAL', step: 'user', option, path, reason });
}

const words = ['root', 'keep', 'auto'] as const;

function rangesOf(value: unknown, option: MapName, own: number, request: Request): IdMapping[] {
  if (typeof value !== 'string') return checkRanges(value, option);
  switch (oneOf(value, option, words)) {
    case 'root':
      return [{ containerID: 0, hostID: own, size: 1 }];
    case 'keep':
      return [{ containerID: own, hostID: own, size: 1 }];
    case 'auto':
      return lentRanges(option, request);
  }
}

/** Whether the kernel lets the stub write this map by itself. */
function isOwnID(ranges: readonly IdMapping[], own: number): boolean {
  return ranges.length === 1 && ranges[0]!.size === 1 && ranges[0]!.hostID === own;
}

function uidMapOf(value: unknown, request: Request): IdMap {
  const { own } = request;
  const ranges = rangesOf(value, 'uidMap', own.uid, request);
  if (isOwnID(ranges, own.uid)) return { ranges, writer: 'stub' };
  return { ranges, writer: own.has(CAP_SETUID) ? 'parent' : 'helper' };
}

/** Decides `setgroups` too: what is written with privilege leaves it allowed. */
function gidMapOf(value: unknown, request: Request): IdMap {
  const { own } = request;
  const ranges = rangesOf(value, 'gidMap', own.gid, request);
  const privileged = own.has(CAP_SETGID);
  const onlyOwn = isOwnID(ranges, own.gid);
  const denied = isSetgroupsDenied();
  if (denied && request.setgroups === 'allow') {
    throw refusedOption('setgroups', "cannot be 'allow': it is 'deny' in our own user namespace, and in all below it");
  }
  request.setgroups ??= (privileged || !onlyOwn) && !denied ? 'allow' : 'deny';
  if (onlyOwn && request.setgroups === 'deny') return { ranges, writer: 'stub' };
  if (onlyOwn && !privileged) {
    throw refusedOption('setgroups', "cannot be 'allow' without CAP_SETGID: the kernel refuses such a gid map");
  }
  return { ranges, writer: privileged ? 'parent' : 'helper' };
}

function mapsZero(map: IdMap | undefined): boolean {
  if (map === undefined) return false;
  for (const range of map.ranges) if (range.containerID === 0) return true;
  return false;
}

/** What is made from here on is owned by mapped ids; the user's own ids come much later. Group first: the uid takes the right. */
function becomeRoot(writer: Writer, { uidMap, gidMap, own }: Request): void {
  const group = mapsZero(gidMap) && insideID(gidMap, own.gid) !== 0;
  const owner = mapsZero(uidMap) && insideID(uidMap, own.uid) !== 0;
  if (group) writer.about('user', 'gidMap').add(call.setresgid, 0, 0, 0);
  if (owner) writer.about('user', 'uidMap').add(call.setresuid, 0, 0, 0);
  // A change of ids closes /proc/PID to an ordinary user's Node, and clears the parent-death signal.
  if (!group && !owner) return;
  writer.add(call.prctl, PR_SET_DUMPABLE, 1);
  writer.add(call.prctl, constants.PR_SET_PDEATHSIG, 9);
}

/** Where neither 0 nor our own id is mapped, we cannot tell who the program is. */
function refuseNobody(option: MapName, id: 'uid' | 'gid', request: Request): void {
  const map = request[option];
  if (map === undefined || mapsZero(map) || request[id] !== undefined) return;
  if (insideID(map, ownID(option, request)) !== undefined) return;
  throw refusedOption(option, `leaves out our own id and 0, so ${id} must say who the program is`);
}

function writeProc(writer: Writer, folder: Slot, option: string, file: string, text: string): void {
  writer.about('user', option).subject(`/proc/self/${file}`);
  writeFile(writer, folder, file, text);
}

export const user: Step = {
  name: 'user',
  options: ['uidMap', 'gidMap', 'setgroups'],
  after: {
    join: 'a new user namespace is a child of the one that was joined',
    oomScoreAdj: 'the privilege for it ends here',
    nice: 'the privilege for it ends here',
  },

  check(given, request) {
    if (given.setgroups !== undefined) request.setgroups = oneOf(given.setgroups, 'setgroups', ['allow', 'deny']);
    if (given.uidMap !== undefined) request.uidMap = uidMapOf(given.uidMap, request);
    if (given.gidMap !== undefined) request.gidMap = gidMapOf(given.gidMap, request);
  },

  settle(request) {
    const { uidMap, gidMap, setgroups } = request;
    if (uidMap !== undefined) needs(request, 'uidMap', Flags.NEWUSER, 'it maps the ids of a new user namespace', false);
    if (gidMap !== undefined) needs(request, 'gidMap', Flags.NEWUSER, 'it maps the ids of a new user namespace', false);
    if (setgroups !== undefined)
      needs(request, 'setgroups', Flags.NEWUSER, 'it is a property of a new user namespace', false);
    if (gidMap === undefined && setgroups === 'allow') {
      throw refusedOption('setgroups', "cannot be 'allow' without gidMap: no group has an id");
    }
    refuseNobody('uidMap', 'uid', request);
    refuseNobody('gidMap', 'gid', request);
  },

  emit(writer, request) {
    if (!request.creates(Flags.NEWUSER)) return;
    const { uidMap, gidMap, setgroups } = request;
    const denies = setgroups === 'deny';
    let proc: Slot = 0;
    // A process that cannot be traced may not write its own maps, nor may an ordinary user's Node.
    if (request.joins.length > 0) writer.about(this.name).add(call.prctl, PR_SET_DUMPABLE, 1);
    if (uidMap?.writer === 'stub' || gidMap?.writer === 'stub' || denies) {
      // Before the view changes. The files themselves belong to the namespace that they are opened in.
      const option = uidMap === undefined ? (gidMap === undefined ? 'setgroups' : 'gidMap') : 'uidMap';
      writer.about(this.name, option).subject('/proc/self');
      writer.add(call.openat, AT_FDCWD, writer.addText('/proc/self'), O_PATH | O_DIRECTORY | O_CLOEXEC);
      proc = writer.keep();
    }
    writer.about(this.name, 'flags').detail('CLONE_NEWUSER').add(call.unshare, Flags.NEWUSER);
    if (uidMap?.writer === 'stub') writeProc(writer, proc, 'uidMap', 'uid_map', mapText(uidMap));
    if (denies) writeProc(writer, proc, 'setgroups', 'setgroups', 'deny');
    if (gidMap?.writer === 'stub') writeProc(writer, proc, 'gidMap', 'gid_map', mapText(gidMap));
    if (request.mapsByParent) writer.about(this.name, gidMap?.writer === 'stub' ? 'uidMap' : 'gidMap').wait();
    becomeRoot(writer, request);
  },

  serve: serveMaps,

  hint: (code, label) => (label.option === 'flags' ? whyForbidden(code) : undefined),
};
