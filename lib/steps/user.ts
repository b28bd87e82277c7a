// Step `user`: the new user namespace and its id maps, see user_namespaces(7).
import { oneOf } from '../check';
import { refusedOption } from '../errors/argument-error';
import { Flags } from '../flags';
import type { Slot, Writer } from '../program/writer';
import * as call from '../assembly/calls';
import { whileDumpable } from './closed-to-others';
import { whyForbidden } from './forbidden-user-namespaces';
import { explain, mapText, serveMaps, writingWhat } from './id-map-writers';
import { belowJoined, gidMapOf, type MapName, uidMapOf } from './id-maps';
import { needs } from '../assembly/needs';
import { beginAside, endAside, expectOwn, type MapFile, mapsAside } from './maps-below';
import { fillProcFile, openProcFile } from './proc-file';
import { lookForCommand } from './look-for-command';
import { holdHere } from './wait-for-start';
import { insideID, mapsZero } from '../assembly/ids';
import type { Request } from '../assembly/request';
import { hasMixedIds, noOwnFiles } from './mixed-ids';
import { afterNewCredentials } from './new-credentials';
import type { Step } from '../assembly/step';

/** Where neither 0 nor our own id is mapped, we cannot tell who the program is. */
function refuseNobody(option: MapName, id: 'uid' | 'gid', request: Request): void {
  const map = request[option];
  if (request.forNamespaces || map === undefined || mapsZero(map) || request[id] !== undefined) return;
  if (insideID(map, id === 'uid' ? request.userIds.atStart : request.groupIds.atStart) !== undefined) return;
  throw refusedOption(option, `leaves out our own id and 0, so ${id} must say who the program is`);
}

function writeMap(writer: Writer, request: Request, option: string, file: string, text: string): void {
  const path = `self/${file}`;
  writer.about('user', option).subject(`/proc/${path}`);
  let descriptor: Slot = 0;
  whileDumpable(writer, request, () => (descriptor = openProcFile(writer, path)));
  fillProcFile(writer, descriptor, text);
}

/** Whether the file that it will execute is there now, if it ever is. */
function isThereNow({ mounts, changesRoot, ownLines }: Request): boolean {
  return mounts.length === 0 && !changesRoot && ownLines.length === 0;
}

/** What the stub writes, in that order: 'deny' comes before the map of groups. */
function filesOf({ uidMap, gidMap, setgroups }: Request): MapFile[] {
  const files: MapFile[] = [];
  if (uidMap?.writer === 'stub') files.push({ name: 'uid_map', option: 'uidMap', text: mapText(uidMap) });
  if (setgroups === 'deny') files.push({ name: 'setgroups', option: 'setgroups', text: 'deny' });
  if (gidMap?.writer === 'stub') files.push({ name: 'gid_map', option: 'gidMap', text: mapText(gidMap) });
  return files;
}

/**
 * In a joined user namespace, as who joins one is: whoever makes one below it must have an id there, see EPERM in user_namespaces(7).
 * One that has no 0 may have our own id; the call that makes the other one tells where it has not.
 */
function becomeRoot(writer: Writer, request: Request): void {
  if (request.timeOffsets.length > 0 && mapsAside(request)) {
    // It belongs to who we are, and not to who we become.
    writer.about('time', 'timeOffsets').subject('/proc/self/timens_offsets');
    request.timeSlot = openProcFile(writer, 'self/timens_offsets');
  }
  writer.about('user', 'join').add(call.setgroups, 0, writer.reserve(8)).accept('EPERM');
  writer.add(call.setresgid, 0, 0, 0).accept('EINVAL');
  writer.add(call.setresuid, 0, 0, 0).accept('EINVAL');
  afterNewCredentials(writer, request);
}

export const user: Step = {
  name: 'user',
  options: ['uidMap', 'gidMap', 'setgroups'],
  after: {
    join: 'a new user namespace is a child of the one that was joined',
    oomScoreAdj: 'the privilege for it ends here',
    nice: 'the privilege for it ends here',
    scheduler: 'the privilege for it ends here',
    ioPriority: 'the privilege for it ends here',
  },

  check(given, request) {
    if (given.setgroups !== undefined) request.setgroups = oneOf(given.setgroups, 'setgroups', ['allow', 'deny']);
    if (given.uidMap !== undefined) request.uidMap = uidMapOf(given.uidMap, request);
    if (given.gidMap !== undefined) request.gidMap = gidMapOf(given.gidMap, request);
  },

  settle(request) {
    if (request.joinsUser && request.creates(Flags.NEWUSER)) belowJoined(request);
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
    const { gidMap } = request;
    const files = filesOf(request);
    const aside = mapsAside(request) && files.length > 0 ? beginAside(writer, files) : undefined;
    if (request.joinsUser) becomeRoot(writer, request);
    writer.about(this.name, 'flags').detail('CLONE_NEWUSER').add(call.unshare, Flags.NEWUSER);
    if (request.holdsAt('maps')) {
      if (isThereNow(request) && !request.joinsAny(Flags.NEWNS)) lookForCommand(writer, request, false);
      holdHere(writer, request, 'maps');
    }
    if (aside === undefined) for (const { name, option, text } of files) writeMap(writer, request, option, name, text);
    else {
      endAside(writer, aside);
      expectOwn(writer, request);
    }
    if (request.userIds.isMappedByParent || request.groupIds.isMappedByParent) {
      writer.about(this.name, gidMap?.writer === 'stub' ? 'uidMap' : 'gidMap').wait();
      writer.remark(() => writingWhat(request));
    }
  },

  serve: serveMaps,

  hint(code, label, request) {
    const { uidMap, gidMap } = request;
    if (request.joinsUser && request.creates(Flags.NEWUSER) && code === 'EPERM') {
      if (label.option === 'flags')
        return 'neither 0 nor our own id has a place in the user namespace that was joined, or user namespaces are forbidden there';
      return 'below a user namespace that was joined the one id is 0 of it; where it has no 0, our own id in it';
    }
    if (label.option === 'flags') return whyForbidden(code);
    if (code === 'EACCES' && hasMixedIds(request)) return noOwnFiles;
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
    // Groups first, then the group: the uid takes the right to both.
    if (!request.setgroupsDenied) writer.about(this.name, 'gidMap').add(call.setgroups, 0, writer.reserve(8));
    if (request.groupIds.becomesZero) writer.about(this.name, 'gidMap').add(call.setresgid, 0, 0, 0);
    if (request.userIds.becomesZero) writer.about(this.name, 'uidMap').add(call.setresuid, 0, 0, 0);
    afterNewCredentials(writer, request);
  },
};
