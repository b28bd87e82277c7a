// Steps of the option `inner`: the user namespace that the program is in, below the one that its mounts are made in; see
// user_namespaces(7).
//
// It is made, or taken, before the view changes, by a descriptor; entered when all is mounted. So nobody whom the program meets in its
// pid namespace ever sees the process that it is made with.
import { array, oneOf, plainObject } from '../check';
import { invalidArgValue, refusedOption } from '../errors/argument-error';
import { checkTargets } from '../join-target';
import { constants } from '../kernel/constants';
import { Flags } from '../flags';
import type { IdMapping } from '../../types/options';
import * as call from '../assembly/calls';
import { changeable } from '../assembly/fact';
import { becomesZero, insideID, mapsZero, type WantedIds } from '../assembly/ids';
import type { Request } from '../assembly/request';
import type { Inner } from '../assembly/settings';
import { hasMixedIds, noOwnFiles } from './mixed-ids';
import { afterNewCredentials } from './new-credentials';
import type { Step } from '../assembly/step';
import { newUserNamespace } from '../assembly/user-namespace';
import { joinWord, lowestFree } from '../assembly/words';
import type { Writer } from '../program/writer';
import { whyForbidden } from './forbidden-user-namespaces';
import { checkRanges } from './id-maps';

const { F_DUPFD_CLOEXEC } = constants;

const kinds = [
  { map: 'uidMap', id: 'uid', file: 'uid_map' },
  { map: 'gidMap', id: 'gid', file: 'gid_map' },
] as const;

function wantedIds(value: unknown, option: string): WantedIds {
  if (value === undefined) return 'keep';
  if (typeof value !== 'string') return checkRanges(array(value, option), option);
  if (value === 'auto')
    throw invalidArgValue(option, value, "must be 'root', 'keep' or ranges: hostID is an id of the first one here");
  return oneOf(value, option, ['root', 'keep']);
}

/** @param own our id outside @param first what it is in the first user namespace */
function rangesOf(wanted: WantedIds, own: number, first: number): readonly IdMapping[] {
  if (typeof wanted !== 'string') return wanted;
  return [{ containerID: wanted === 'root' ? 0 : own, hostID: first, size: 1 }];
}

function refuseWithoutFirst(request: Request, { join }: Inner): void {
  if (!request.creates(Flags.NEWUSER) && !request.joinsUser)
    throw refusedOption(
      'inner',
      'needs Flags.NEWUSER in flags, or, as { join }, a user namespace in join: it is the second one',
    );
  if (join !== undefined) {
    if (request.creates(Flags.NEWUSER))
      throw refusedOption(
        'inner.join',
        'cannot go with Flags.NEWUSER: there is nothing yet below a new user namespace',
      );
    return;
  }
  if (request.joinsUser) {
    throw refusedOption(
      'inner',
      'must be { join } where the first one is joined: to make one takes a process that others there could look into',
    );
  }
  if (request.joinsAny(Flags.NEWPID)) {
    throw refusedOption(
      'inner',
      'cannot go with a pid namespace in join: the process that it is made with would be born there, where others could look into it',
    );
  }
  if (request.holdsAt('maps'))
    throw refusedOption('inner', "cannot go with hold 'maps': its maps are of ids that somebody else gives");
  for (const { map } of kinds) {
    if (request[map] === undefined)
      throw refusedOption('inner', `needs ${map}: who has no id in the first user namespace can make none below it`);
  }
}

/** Where neither 0 nor the id of the set-up is mapped, we cannot tell who the program is. */
function refuseNobody(
  request: Request,
  option: string,
  id: 'uid' | 'gid',
  map: readonly IdMapping[],
  own: number,
): void {
  if (request[id] !== undefined || mapsZero({ ranges: map }) || insideID({ ranges: map }, own) !== undefined) return;
  throw refusedOption(
    option,
    `leaves out 0 and id ${own} of the first user namespace, so ${id} must say who the program is`,
  );
}

/** Takes one that is there, before stdio can take its number. */
export const innerSource: Step = {
  name: 'inner source',
  options: [],
  onlyWhenGiven: 'inner',
  after: { 'stdio sources': 'the words of the descriptors are made there' },

  emit(writer, request) {
    const joined = request.inner?.join;
    if (joined === undefined) return;
    const index = request.targets.indexOf(joined);
    writer.about('inner', 'inner.join').subject(joined.path);
    writer.add(call.fcntlAt, joinWord(request, index), F_DUPFD_CLOEXEC, lowestFree(request));
    request.innerSlot = writer.keep();
  },
};

/** Makes it. */
export const innerNamespace: Step = {
  name: 'inner namespace',
  options: [],
  onlyWhenGiven: 'inner',
  after: {
    user: 'it is made below that one',
    owner: 'who makes it must have an id there',
  },

  emit(writer, request) {
    const { inner } = request;
    if (inner === undefined || inner.join !== undefined) return;
    const options = { uid_map: 'inner.uidMap', gid_map: 'inner.gidMap', setgroups: 'inner.setgroups' } as const;
    writer.about('inner', 'inner').detail('CLONE_NEWUSER');
    request.innerSlot = newUserNamespace(
      { writer, keep: () => writer.keep(), close: (slot) => void writer.add(call.close, slot) },
      { uids: inner.uidMap!, gids: inner.gidMap!, deniesGroups: inner.setgroups === 'deny' },
      request.exposed || request.changesOwner,
      (file) => {
        if (file === undefined) writer.about('inner', 'inner');
        else writer.about('inner', options[file]).subject(`/proc/PID/${file}`);
      },
    );
  },
};

/** As in the first one: whose id has no place there becomes 0, and its groups go. */
function takeIds(writer: Writer, request: Request, { uidMap, gidMap }: Inner): void {
  const user = uidMap !== undefined && becomesZero({ ranges: uidMap }, request.userIds.inSetUp);
  const group = gidMap !== undefined && becomesZero({ ranges: gidMap }, request.groupIds.inSetUp);
  if ((user || group) && !request.setgroupsDenied)
    writer.about('inner', 'inner.gidMap').add(call.setgroups, 0, writer.reserve(8));
  if (group) writer.about('inner', 'inner.gidMap').add(call.setresgid, 0, 0, 0);
  if (user) writer.about('inner', 'inner.uidMap').add(call.setresuid, 0, 0, 0);
  afterNewCredentials(writer.about('inner', 'inner'), request);
}

/** Enters it. */
export const inner: Step = {
  name: 'inner',
  options: ['inner'],
  onlyWhenGiven: true,
  after: {
    'inner namespace': 'it is what is entered',
    'inner source': 'it is what is entered',
    mounts: 'they are made with the rights that the first one gives',
    'root switch': 'it takes rights over the mount namespace',
    'steps at root': 'they have the rights of set-up',
    sysctl: 'its parameters are those of the first one',
  },

  check(given, request) {
    const { uidMap, gidMap, setgroups, join } = plainObject(given.inner, 'inner', [
      'uidMap',
      'gidMap',
      'setgroups',
      'join',
    ]);
    let joined: Inner['join'];
    if (join !== undefined) {
      for (const [name, value] of Object.entries({ uidMap, gidMap, setgroups }))
        if (value !== undefined)
          throw refusedOption(`inner.${name}`, 'cannot go with inner.join, whose maps are written');
      request.facts.push(changeable);
      const [target] = checkTargets(join, 'inner.join', Flags.NEWUSER);
      if (target === undefined) throw invalidArgValue('inner.join', join, 'must have a user namespace');
      joined = { option: 'inner.join', ...target };
    }
    request.inner = {
      uids: wantedIds(uidMap, 'inner.uidMap'),
      gids: wantedIds(gidMap, 'inner.gidMap'),
      setgroups: setgroups === undefined ? undefined : oneOf(setgroups, 'inner.setgroups', ['allow', 'deny']),
      join: joined,
    };
  },

  settle(request) {
    const { inner: given } = request;
    if (given === undefined) return;
    refuseWithoutFirst(request, given);
    if (given.join !== undefined) return;
    if (given.setgroups === 'allow' && request.setgroups !== 'allow')
      throw refusedOption('inner.setgroups', "cannot be 'allow': it is 'deny' in the first one, and in all below it");
    const uidMap = rangesOf(given.uids, request.own.uid, request.userIds.inSetUp);
    const gidMap = rangesOf(given.gids, request.own.gid, request.groupIds.inSetUp);
    refuseNobody(request, 'inner.uidMap', 'uid', uidMap, request.userIds.inSetUp);
    refuseNobody(request, 'inner.gidMap', 'gid', gidMap, request.groupIds.inSetUp);
    request.inner = { ...given, uidMap, gidMap };
  },

  emit(writer, request) {
    if (request.inner === undefined) return;
    const { join } = request.inner;
    writer.about(this.name, join === undefined ? 'inner' : 'inner.join').subject(join?.path);
    writer.add(call.setns, request.innerSlot, Flags.NEWUSER);
    writer.add(call.close, request.innerSlot);
    takeIds(writer, request, request.inner);
  },

  hint(code, label, request, syscall) {
    if (code === 'EACCES' && hasMixedIds(request)) return noOwnFiles;
    if (syscall === 'clone') return code === 'EAGAIN' ? undefined : whyForbidden(code);
    if (label.option === 'inner.join') {
      if (code === 'EPERM') return 'it must be below the user namespace that join enters';
      return code === 'EINVAL' ? 'the child is in that user namespace already' : undefined;
    }
    for (const { map, id } of kinds) {
      if (label.option !== `inner.${map}` || code !== 'EPERM') continue;
      const strange = request.inner?.[map]?.find(({ hostID, size }) => !hasPlace(request[map]?.ranges, hostID, size));
      if (strange !== undefined) return `${id} ${strange.hostID} has no place in the first user namespace; see ${map}`;
    }
    return undefined;
  },
};

/** Whether all of these ids are mapped. */
function hasPlace(ranges: readonly IdMapping[] = [], from: number, size: number): boolean {
  for (let id = from; id < from + size;) {
    const line = ranges.find(({ containerID, size: count }) => id >= containerID && id < containerID + count);
    if (line === undefined) return false;
    id = line.containerID + line.size;
  }
  return true;
}
