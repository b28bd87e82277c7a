// Step `identity`: who the program runs as, in the one order that works; see KEEPCAPS in prctl(2) and capabilities(7).
//
// bounding set (needs CAP_SETPCAP) → securebits → setgroups → gid → uid (takes the right to the two before) → capset →
// ambient (must be permitted and inheritable). A change of ids clears the parent-death signal, so that once more.
import { array, integer } from '../check';
import { invalidArgType, invalidArgValue, refusedOption } from '../errors/argument-error';
import { Flags } from '../flags';
import { holds } from '../host/ourselves';
import { constants } from '../kernel/constants';
import type { Writer } from '../program/writer';
import * as call from './calls';
import { availableSet, type CapabilitySets, checkCapabilities, emptySet, namesOf } from './capability-sets';
import { changeable } from './fact';
import type { Request } from './request';
import type { Step } from './step';

const { PR_CAPBSET_DROP, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, PR_CAP_AMBIENT_RAISE } = constants;
const { CAP_SETGID, CAP_SETPCAP, CAP_SETUID } = constants;
const { PR_SET_KEEPCAPS, PR_SET_PDEATHSIG, PR_SET_SECUREBITS } = constants;

/** -1 stands for "leave as it is" in setresuid(2). */
const largestId = 0xffff_fffe;
/** NGROUPS_MAX of linux/limits.h. */
const mostGroups = 65_536;
/** A message with forty names would be read by nobody. */
const mostNamed = 5;
const capabilityVersion3 = 0x20080522;
const SIGKILL = 9;

const securebitNames: Readonly<Record<string, number>> = Object.fromEntries(
  Object.entries(constants).flatMap(([name, value]) =>
    name.startsWith('SECBIT_') && typeof value === 'number'
      ? [
          [name, value],
          [name.slice('SECBIT_'.length), value],
        ]
      : [],
  ),
);

function checkSecurebits(value: unknown): number {
  if (typeof value === 'number') return integer(value, 'securebits', 0, 0xff);
  if (!Array.isArray(value)) throw invalidArgType('securebits', 'of type number or an instance of Array', value);
  return value.reduce<number>((bits, name: unknown, index) => {
    const bit = typeof name === 'string' && Object.hasOwn(securebitNames, name) ? securebitNames[name] : undefined;
    if (bit === undefined) {
      const names = Object.keys(securebitNames).filter((known) => !known.startsWith('SECBIT_'));
      throw invalidArgValue(`securebits[${index}]`, name, `must be one of: ${names.join(', ')}`);
    }
    return bits | bit;
  }, 0);
}

/** Whether the ids are those of root for the exec: then it fills the permitted set from the bounding one. */
function isRootAtExec(request: Request): boolean {
  const noRoot = ((request.securebits ?? 0) & constants.SECBIT_NOROOT) !== 0;
  return request.finalUid() === 0 && !noRoot;
}

/** The names in a set, the first few of many. */
function listNames(set: bigint): string {
  const names = namesOf(set);
  const more = names.length - mostNamed;
  return more > 1 ? `${names.slice(0, mostNamed).join(', ')} and ${more} more` : names.join(', ');
}

/** What the exec would take away, or give, against what was asked for. */
function refuseWhatTheExecUndoes(request: Request, sets: CapabilitySets): void {
  const wanted = (sets.permitted ?? emptySet) | (sets.effective ?? emptySet);
  const ambient = sets.ambient ?? emptySet;
  if (isRootAtExec(request)) {
    // capabilities(7): for root, permitted becomes inheritable and bounding; and ambient, where that is kept.
    const filled = sets.bounding ?? sets.available;
    const kept = filled | (sets.inheritable ?? emptySet) | ambient;
    const taken = sets.bounding === undefined ? emptySet : wanted & ~kept;
    if (taken !== emptySet) {
      throw refusedOption(
        'capabilities',
        `would be lost at the exec, because capabilities.bounding leaves them out: ${listNames(taken)}; put them into bounding, inheritable or ambient`,
      );
    }
    for (const name of ['permitted', 'effective'] as const) {
      const set = sets[name];
      if (set === undefined || (filled & ~set) === emptySet) continue;
      const more = listNames(filled & ~set);
      throw refusedOption(
        `capabilities.${name}`,
        `cannot be less than bounding for uid 0: the exec gives ${more} back; leave them out of bounding too`,
      );
    }
    return;
  }
  const lost = wanted & ~ambient;
  if (lost !== emptySet) {
    const why = request.finalUid() === 0 ? 'securebits have NOROOT' : 'the final uid is not 0';
    throw refusedOption(
      'capabilities',
      `would be lost at the exec, because ${why}: ${listNames(lost)}; put them into capabilities.ambient`,
    );
  }
}

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

/** What the kernel has against these sets. */
function whyNoCapabilities({
  permitted,
  effective,
  inheritable,
  ambient,
  bounding,
  available,
}: CapabilitySets): string {
  const inherited = (inheritable ?? emptySet) | (ambient ?? emptySet);
  const lacking = ((permitted ?? emptySet) | (effective ?? emptySet) | inherited) & ~available;
  if (lacking !== emptySet) return `we do not have ${listNames(lacking)} ourselves`;
  const left = bounding === undefined ? emptySet : inherited & ~bounding;
  if (left !== emptySet) return `what bounding leaves out cannot become inheritable: ${listNames(left)}`;
  return 'needs CAP_SETPCAP';
}

function emitCapabilities(writer: Writer, sets: CapabilitySets): void {
  const ambient = sets.ambient ?? emptySet;
  const inheritable = (sets.inheritable ?? emptySet) | ambient;
  const bounded = sets.available & (sets.bounding ?? sets.available);
  const permitted = (sets.permitted ?? bounded) | ambient;
  const effective = (sets.effective ?? permitted) & permitted;
  const header = writer.reserve(8);
  writer.setInt32(header, capabilityVersion3);
  const data = writer.reserve(24);
  [effective, permitted, inheritable].forEach((set, index) => {
    writer.setInt32(data + index * 4, Number(BigInt.asIntN(32, set)));
    writer.setInt32(data + 12 + index * 4, Number(BigInt.asIntN(32, set >> 32n)));
  });
  writer.about('identity', 'capabilities').add(call.capset, header, data);
  writer.about('identity', 'capabilities.ambient');
  writer.add(call.prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL);
  for (let capability = 0n; ambient >> capability !== emptySet; capability++) {
    if (((ambient >> capability) & 1n) === 0n) continue;
    writer.add(call.prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, Number(capability));
  }
}

function emitBounding(writer: Writer, bounding: bigint, last: number): void {
  writer.about('identity', 'capabilities.bounding');
  for (let capability = 0; capability <= last; capability++) {
    if (((bounding >> BigInt(capability)) & 1n) !== 0n) continue;
    writer.add(call.prctl, PR_CAPBSET_DROP, capability);
  }
}

/** @param option the one that asked for these groups */
function emitGroups(writer: Writer, groups: readonly number[], option: string, mayBeDenied: boolean): void {
  const list = writer.reserve(groups.length * 4 + 4);
  groups.forEach((group, index) => writer.setInt32(list + index * 4, group | 0));
  writer.about('identity', option).add(call.setgroups, groups.length, list);
  // Of a joined user namespace only the kernel knows; where it denies them, nobody asked for any.
  if (mayBeDenied) writer.accept('EPERM');
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
    if (request.joinsUser) {
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
    const sets = request.capabilities;
    if (sets !== undefined) {
      const isNew = request.creates(Flags.NEWUSER) || request.joinsUser;
      if (!isNew) request.facts.push(changeable);
      sets.available = availableSet(isNew);
    }
    if (sets !== undefined) refuseWhatTheExecUndoes(request, sets);
    const raises = ((request.securebits ?? 0) & constants.SECBIT_NO_CAP_AMBIENT_RAISE) === 0;
    if (!raises && (sets?.ambient ?? emptySet) !== emptySet) {
      throw refusedOption('securebits', 'cannot have NO_CAP_AMBIENT_RAISE beside capabilities.ambient');
    }
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
    if (groups !== undefined) {
      const { groupsByDefault } = request;
      const option = !groupsByDefault ? 'groups' : uid === undefined ? 'gid' : 'uid';
      emitGroups(writer, groups, option, groupsByDefault && request.joinsUser);
    }
    if (gid !== undefined) writer.about(this.name, 'gid').add(call.setresgid, gid, gid, gid);
    if (uid !== undefined) {
      writer.about(this.name, 'uid');
      if (keeps && securebits === undefined) writer.add(call.prctl, PR_SET_KEEPCAPS, 1);
      writer.add(call.setresuid, uid, uid, uid);
    }
    if (capabilities !== undefined) emitCapabilities(writer, capabilities);
    if (uid === undefined && gid === undefined && capabilities === undefined) return;
    writer.about(this.name);
    // A change of credentials clears it.
    writer.add(call.prctl, PR_SET_PDEATHSIG, SIGKILL);
  },

  hint(code, label, request) {
    if (code === 'EINVAL' && /^(?:uid|gid|groups)$/.test(label.option ?? '')) {
      if (request.joinsUser) return 'this id has no place in the user namespace that was joined';
      return `this id has no place in the user namespace; map it with ${label.option === 'uid' ? 'uidMap' : 'gidMap'}`;
    }
    if (code !== 'EPERM') return undefined;
    if (label.option === 'capabilities') return whyNoCapabilities(request.capabilities!);
    const need = needs[label.option ?? ''];
    if (need === undefined || request.creates(Flags.NEWUSER) || request.joinsUser) return undefined;
    return need.capabilities.every((one) => holds(one) === true) ? undefined : need.hint;
  },
};
