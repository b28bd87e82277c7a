// The options `uidMap` and `gidMap`: their ranges, and who may write them, see user_namespaces(7).
import { array, integer, oneOf, plainObject } from '../check';
import { invalidArgType, invalidArgValue, refusedOption } from '../errors/argument-error';
import { SyscallError } from '../errors/syscall-error';
import { constants } from '../kernel/constants';
import { isSetgroupsDenied } from '../privilege';
import type { IdMapping } from '../../types/options';
import { changeable } from '../assembly/fact';
import type { IdMap } from '../assembly/ids';
import type { Request } from '../assembly/request';
import { subordinateRanges } from './subordinate-ids';

const { CAP_SETGID, CAP_SETUID } = constants;

/** UID_GID_MAP_MAX_EXTENTS of linux/user_namespace.h. */
const mostRanges = 340;
const idCount = 2 ** 32 - 1;

export type MapName = 'uidMap' | 'gidMap';

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

/** @throws ArgumentError */
export function checkRanges(value: unknown, option: string): IdMapping[] {
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

/** Our own id on the side that a map has it. */
export function ownID(option: MapName, request: Request): number {
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

function wordOf(value: unknown): IdMap['word'] {
  return typeof value === 'string' ? (value as IdMap['word']) : undefined;
}

function rangesOf(value: unknown, option: MapName, own: number, request: Request): IdMapping[] {
  if (typeof value !== 'string') {
    if (Array.isArray(value)) return checkRanges(value, option);
    throw invalidArgType(option, "'root', 'keep', 'auto' or an instance of Array", value);
  }
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

/** @throws ArgumentError, SyscallError of the files of subordinate ids */
export function uidMapOf(value: unknown, request: Request): IdMap {
  const { own } = request;
  const ranges = rangesOf(value, 'uidMap', own.uid, request);
  const word = wordOf(value);
  if (isOwnID(ranges, own.uid)) return { ranges, word, writer: 'stub' };
  return { ranges, word, writer: own.has(CAP_SETUID) ? 'parent' : 'helper' };
}

/** Decides `setgroups` too: what is written with privilege leaves it allowed. @throws as {@link uidMapOf} */
export function gidMapOf(value: unknown, request: Request): IdMap {
  const { own } = request;
  const ranges = rangesOf(value, 'gidMap', own.gid, request);
  const privileged = own.has(CAP_SETGID);
  const onlyOwn = isOwnID(ranges, own.gid);
  const denied = request.setgroups !== 'deny' && isSetgroupsDenied('gidMap');
  if (denied && request.setgroups === 'allow') {
    throw refusedOption('setgroups', "cannot be 'allow': it is 'deny' in our own user namespace, and in all below it");
  }
  request.setgroupsByDefault = request.setgroups === undefined;
  request.setgroups ??= (privileged || !onlyOwn) && !denied ? 'allow' : 'deny';
  const word = wordOf(value);
  if (onlyOwn && request.setgroups === 'deny') return { ranges, word, writer: 'stub' };
  if (onlyOwn && !privileged) {
    throw refusedOption('setgroups', "cannot be 'allow' without CAP_SETGID: the kernel refuses such a gid map");
  }
  return { ranges, word, writer: privileged ? 'parent' : 'helper' };
}

const soleID = [{ containerID: 0, hostID: 0, size: 1 }] as const;

function mapBelow({ ranges, word }: IdMap, option: MapName): IdMap {
  if (word === 'auto')
    throw refusedOption(
      option,
      "cannot be 'auto' below a user namespace that is joined: what we were lent are ids outside of it",
    );
  if (word === undefined && (ranges.length > 1 || ranges[0]!.size > 1)) {
    throw refusedOption(
      option,
      'must be one id below a user namespace that is joined: more would be written by a process that others there could look into',
    );
  }
  // Who joins is 0 there, so that is kept, and is root.
  return { ranges: word === undefined ? ranges : soleID, word, writer: 'stub' };
}

/**
 * The maps of a new user namespace below a joined one are of ids of that one. Nobody may write them but who is in one of the two, so the
 * stub does, and without privilege over the joined one any more.
 * @throws ArgumentError
 */
export function belowJoined(request: Request): void {
  const { uidMap, gidMap } = request;
  if (uidMap !== undefined) request.uidMap = mapBelow(uidMap, 'uidMap');
  if (gidMap === undefined) return;
  request.gidMap = mapBelow(gidMap, 'gidMap');
  if (request.setgroups === 'allow' && !request.setgroupsByDefault) {
    throw refusedOption(
      'setgroups',
      "cannot be 'allow' below a user namespace that is joined: the kernel refuses the gid map to who is in the new one",
    );
  }
  request.setgroups = 'deny';
}
