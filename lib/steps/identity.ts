// Step `identity`: who the program runs as, in the one order that works; see KEEPCAPS in prctl(2) and capabilities(7).
//
// bounding set (needs CAP_SETPCAP) → securebits → setgroups → gid → uid (takes the right to the two before) → capset →
// ambient (must be permitted and inheritable). A change of ids clears the parent-death signal, so that once more.
import { array, integer } from '../check';
import { invalidArgValue, refusedOption } from '../errors/argument-error';
import { Flags } from '../flags';
import { holds } from '../host/ourselves';
import { constants } from '../kernel/constants';
import type { Writer } from '../program/writer';
import * as call from '../assembly/calls';
import { emitBounding, emitCapabilities, settleCapabilities, whyNoCapabilities } from './capabilities';
import { checkCapabilities } from './capability-sets';
import { refuseMixedIds } from './mixed-ids';
import { checkSecurebits } from './securebits';
import { afterNewCredentials } from './new-credentials';
import type { Request } from '../assembly/request';
import type { Step } from '../assembly/step';

const { CAP_SETGID, CAP_SETPCAP, CAP_SETUID } = constants;
const { PR_SET_KEEPCAPS, PR_SET_SECUREBITS } = constants;

/** -1 stands for "leave as it is" in setresuid(2). */
const largestId = 0xffff_fffe;
/** NGROUPS_MAX of linux/limits.h. */
const mostGroups = 65_536;

/** What our own user namespace asks for, by the option, and what else there is for an ordinary user. */
const needs: Readonly<Record<string, { readonly capabilities: readonly number[]; readonly hint: string }>> = {
  uid: {
    capabilities: [CAP_SETUID, CAP_SETGID],
    hint: 'needs CAP_SETUID, and CAP_SETGID to leave our groups; with Flags.NEWUSER an ordinary user has the ids of uidMap and gidMap',
  },
  gid: {
    capabilities: [CAP_SETGID],
    hint: 'needs CAP_SETGID; with Flags.NEWUSER an ordinary user has the ids of uidMap and gidMap',
  },
  groups: {
    capabilities: [CAP_SETGID],
    hint: "needs CAP_SETGID; with Flags.NEWUSER and gidMap: 'auto' an ordinary user has the groups that were lent",
  },
  securebits: {
    capabilities: [CAP_SETPCAP],
    hint: 'needs CAP_SETPCAP, which everybody has in a new user namespace; add Flags.NEWUSER',
  },
  'capabilities.bounding': {
    capabilities: [CAP_SETPCAP],
    hint: 'to take from the bounding set needs CAP_SETPCAP; capabilities: { permitted: [], effective: [] } does without, and with noNewPrivileges the program can get no others',
  },
};

/** @param option the one that asked for these groups */
function emitGroups(writer: Writer, groups: readonly number[], option: string, mayBeDenied: boolean): void {
  const list = writer.reserve(groups.length * 4 + 4);
  groups.forEach((group, index) => writer.setInt32(list + index * 4, group | 0));
  writer.about('identity', option).add(call.setgroups, groups.length, list);
  // Of a joined user namespace only the kernel knows; where it denies them, nobody asked for any.
  if (mayBeDenied) writer.accept('EPERM');
}

/** Whether the ids and groups that are wanted are ours, and we have no right to set any. Without a choice the group itself is none to leave. */
function areGroupsOurs(request: Request): boolean {
  if (request.creates(Flags.NEWUSER) || request.joinsUser || request.own.has(CAP_SETGID)) return false;
  const { uid, gid, groups: ours } = request.own;
  if ((request.uid ?? uid) !== uid || (request.gid ?? gid) !== gid || ours === undefined) return false;
  if (request.groupsByDefault) return ours.every((group) => group === gid);
  const wanted = new Set(request.groups);
  return wanted.size === ours.length && ours.every((group) => wanted.has(group));
}

export const identity: Step = {
  name: 'identity',
  options: ['uid', 'gid', 'groups', 'capabilities', 'securebits'],
  after: {
    mounts: 'set-up needs the privileges that the program may not have',
    rlimits: 'limits are set with the privileges that we still have',
  },

  check(given, request) {
    if (given.uid !== undefined) request.uid = integer(given.uid, 'uid', 0, largestId);
    if (given.gid !== undefined) request.gid = integer(given.gid, 'gid', 0, largestId);
    if (given.groups !== undefined) {
      const groups = array(given.groups, 'groups');
      if (groups.length > mostGroups)
        throw invalidArgValue('groups', groups.length, `must have at most ${mostGroups} entries`);
      request.groups = groups.map((group, index) => integer(group, `groups[${index}]`, 0, largestId));
    }
    if (given.securebits !== undefined) request.securebits = checkSecurebits(given.securebits);
    if (given.capabilities !== undefined) request.capabilities = checkCapabilities(given.capabilities);
  },

  settle(request) {
    if (request.endsInJoinedUser) {
      // As nsenter: a process with unmapped ids would lose all capabilities at its exec.
      request.uid ??= 0;
      request.gid ??= 0;
    }
    const changes = request.uid !== undefined || request.gid !== undefined;
    if (request.setgroupsDenied) {
      if (request.groups !== undefined) {
        throw refusedOption(
          'groups',
          "cannot be set where setgroups is 'deny'; it is so without privilege for the gid map",
        );
      }
      const where = request.creates(Flags.NEWUSER) ? 'the new' : 'our';
      if (changes) request.note(`groups stay as they are: setgroups is 'deny' in ${where} user namespace`);
    } else if (changes) {
      // A plan's request is settled again for each start.
      request.groupsByDefault ||= request.groups === undefined;
      request.groups ??= [];
    }
    request.groupsAreOurs = request.groups !== undefined && areGroupsOurs(request);
    refuseMixedIds(request);
    if (request.capabilities !== undefined) settleCapabilities(request.capabilities, request);
  },

  emit(writer, request) {
    const { uid, gid, groups, securebits, capabilities } = request;
    // A uid that stops being 0 takes the permitted set with it, from which the ambient one is raised.
    const keeps = uid !== undefined && capabilities !== undefined;
    if (capabilities?.bounding !== undefined) emitBounding(writer, capabilities.bounding, capabilities.last);
    if (securebits !== undefined) {
      // The exec clears KEEP_CAPS, locked or not; while it is locked nothing else can set it.
      const bits = keeps ? securebits | constants.SECBIT_KEEP_CAPS : securebits;
      writer.about(this.name, 'securebits').add(call.prctl, PR_SET_SECUREBITS, bits);
    }
    if (groups !== undefined && !request.groupsAreOurs) {
      const { groupsByDefault } = request;
      const option = !groupsByDefault ? 'groups' : uid === undefined ? 'gid' : 'uid';
      emitGroups(writer, groups, option, groupsByDefault && request.endsInJoinedUser);
    }
    if (gid !== undefined) writer.about(this.name, 'gid').add(call.setresgid, gid, gid, gid);
    if (uid !== undefined) {
      writer.about(this.name, 'uid');
      if (keeps && securebits === undefined) writer.add(call.prctl, PR_SET_KEEPCAPS, 1);
      writer.add(call.setresuid, uid, uid, uid);
    }
    if (capabilities !== undefined) emitCapabilities(writer, capabilities);
    if (uid === undefined && gid === undefined && capabilities === undefined) return;
    afterNewCredentials(writer.about(this.name), request);
  },

  hint(code, label, request) {
    if (code === 'EINVAL' && /^(?:uid|gid|groups)$/.test(label.option ?? '')) {
      if (request.endsInJoinedUser)
        return 'this id has no place in the user namespace that was joined; it may have been made without uidMap and gidMap, or without a place for 0: uid and gid say who the program is';
      const map = label.option === 'uid' ? 'uidMap' : 'gidMap';
      if (!request.creates(Flags.NEWUSER))
        return `this id has no place in our own user namespace, see /proc/self/${map === 'uidMap' ? 'uid_map' : 'gid_map'}`;
      return `this id has no place in the user namespace; map it with ${request.inner === undefined ? map : `inner.${map}`}`;
    }
    if (code !== 'EPERM') return undefined;
    if (label.option === 'capabilities') return whyNoCapabilities(request.capabilities!);
    const need = needs[label.option ?? ''];
    if (need === undefined || request.creates(Flags.NEWUSER) || request.joinsUser) return undefined;
    return need.capabilities.every((one) => holds(one) === true) ? undefined : need.hint;
  },
};
