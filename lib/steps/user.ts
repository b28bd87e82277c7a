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
import { whileDumpable } from './closed-to-others';
import { changeable } from './fact';
import { whyForbidden } from './forbidden-user-namespaces';
import { explain, mapText, serveMaps, writingWhat } from './id-map-writers';
import { needs } from './needs';
import { fillProcFile, openProcFile } from './proc-file';
import { type IdMap, insideID, mapsZero, type Request } from './request';
import { subordinateRanges } from './subordinate-ids';
import type { Step } from './step';

const { CAP_SETGID, CAP_SETUID, PR_SET_PDEATHSIG } = constants;
const SIGKILL = 9;

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

/** Where neither 0 nor our own id is mapped, we cannot tell who the program is. */
function refuseNobody(option: MapName, id: 'uid' | 'gid', request: Request): void {
  const map = request[option];
  if (map === undefined || mapsZero(map) || request[id] !== undefined) return;
  if (insideID(map, ownID(option, request)) !== undefined) return;
  throw refusedOption(option, `leaves out our own id and 0, so ${id} must say who the program is`);
}

function writeMap(writer: Writer, request: Request, option: string, file: string, text: string): void {
  const path = `self/${file}`;
  writer.about('user', option).subject(`/proc/${path}`);
  let descriptor: Slot = 0;
  whileDumpable(writer, request, () => (descriptor = openProcFile(writer, path)));
  fillProcFile(writer, descriptor, text);
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
    const isHelped = uidMap?.writer === 'helper' || gidMap?.writer === 'helper';
    if (isHelped && request.joins.length > 0) {
      throw refusedOption(
        uidMap?.writer === 'helper' ? 'uidMap' : 'gidMap',
        'cannot go with join for an ordinary user but for the own id: newuidmap(1) would have to look into a process that others could look into, too',
      );
    }
    refuseNobody('uidMap', 'uid', request);
    refuseNobody('gidMap', 'gid', request);
  },

  emit(writer, request) {
    if (!request.creates(Flags.NEWUSER)) return;
    const { uidMap, gidMap, setgroups } = request;
    const denies = setgroups === 'deny';
    writer.about(this.name, 'flags').detail('CLONE_NEWUSER').add(call.unshare, Flags.NEWUSER);
    if (uidMap?.writer === 'stub') writeMap(writer, request, 'uidMap', 'uid_map', mapText(uidMap));
    if (denies) writeMap(writer, request, 'setgroups', 'setgroups', 'deny');
    if (gidMap?.writer === 'stub') writeMap(writer, request, 'gidMap', 'gid_map', mapText(gidMap));
    if (request.mapsByParent) {
      writer.about(this.name, gidMap?.writer === 'stub' ? 'uidMap' : 'gidMap').wait();
      writer.remark(() => writingWhat(request));
    }
  },

  serve: serveMaps,

  hint(code, label, { uidMap, gidMap }) {
    if (label.option === 'flags') return whyForbidden(code);
    if (label.option === 'uidMap' && uidMap !== undefined) return explain(code, uidMap, 'uid').hint;
    if (label.option === 'gidMap' && gidMap !== undefined) return explain(code, gidMap, 'gid').hint;
    return undefined;
  },
};

/**
 * What is made from here on is owned by mapped ids; the user's own ids come much later. Where our own ids are left out, our groups are
 * too: whoever is root inside must not read what they may read outside.
 */
export const owner: Step = {
  name: 'owner',
  options: [],
  after: {
    user: 'an id must be mapped before anybody can have it',
    time: 'the file of the offsets belongs to who we were',
  },

  settle(request) {
    if (!request.changesOwner || !request.setgroupsDenied) return;
    request.note("groups stay as they are: setgroups is 'deny' in the new user namespace");
  },

  emit(writer, request) {
    if (!request.changesOwner) return;
    const { uidMap, gidMap, own } = request;
    // Groups first, then the group: the uid takes the right to both.
    if (!request.setgroupsDenied) writer.about(this.name, 'gidMap').add(call.setgroups, 0, writer.reserve(8));
    if (mapsZero(gidMap) && insideID(gidMap, own.gid) !== 0)
      writer.about(this.name, 'gidMap').add(call.setresgid, 0, 0, 0);
    if (mapsZero(uidMap) && insideID(uidMap, own.uid) !== 0)
      writer.about(this.name, 'uidMap').add(call.setresuid, 0, 0, 0);
    // A change of ids clears it.
    writer.add(call.prctl, PR_SET_PDEATHSIG, SIGKILL);
  },
};
