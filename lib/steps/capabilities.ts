// What step `identity` does with capabilities: which of them an exec leaves, see capabilities(7), and the calls.
import { refusedOption } from '../errors/argument-error';
import type { Hint } from '../errors/hint';
import { Flags } from '../flags';
import { holds, whoRefuses } from '../host/ourselves';
import { constants } from '../kernel/constants';
import type { Writer } from '../program/writer';
import * as call from '../assembly/calls';
import { availableSet, emptySet, namesOf } from './capability-sets';
import { changeable } from '../assembly/fact';
import type { Request } from '../assembly/request';
import type { CapabilitySets } from '../assembly/settings';

const { PR_CAPBSET_DROP, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, PR_CAP_AMBIENT_RAISE } = constants;

/** A message with forty names would be read by nobody. */
const mostNamed = 5;
const capabilityVersion3 = 0x20080522;

/** Our secure bits, as far as the child has them too: a user namespace begins without. */
function inheritedBits(request: Request): number {
  return request.creates(Flags.NEWUSER) || request.joinsUser ? 0 : request.own.securebits;
}

/** Whether root is nobody to the exec. */
function isRootNobody(request: Request): boolean {
  return ((request.securebits ?? inheritedBits(request)) & constants.SECBIT_NOROOT) !== 0;
}

/** Whether the ids are those of root for the exec: then it fills the permitted set from the bounding one. */
function isRootAtExec(request: Request): boolean {
  return request.userIds.ofProgram === 0 && !isRootNobody(request);
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
    // With no_new_privs an exec gives no capability that was not permitted: its root is as small as it was made.
    const given = request.noNewPrivileges === true ? filled & (sets.permitted ?? filled) : filled;
    for (const name of ['permitted', 'effective'] as const) {
      const set = sets[name];
      if (set === undefined || (given & ~set) === emptySet) continue;
      const more = listNames(given & ~set);
      throw refusedOption(
        `capabilities.${name}`,
        `cannot be less than bounding for uid 0: the exec gives ${more} back; leave them out of bounding too`,
      );
    }
    return;
  }
  const lost = wanted & ~ambient;
  if (lost !== emptySet) {
    const why = request.userIds.ofProgram === 0 ? 'securebits have NOROOT' : 'the final uid is not 0';
    throw refusedOption(
      'capabilities',
      `would be lost at the exec, because ${why}: ${listNames(lost)}; put them into capabilities.ambient`,
    );
  }
}

/** Once all options are known: what there is to give, and whether it is there after the exec. */
export function settleCapabilities(sets: CapabilitySets, request: Request): void {
  const isNew = request.creates(Flags.NEWUSER) || request.joinsUser;
  if (!isNew) request.facts.push(changeable);
  sets.available = availableSet(isNew, inheritedBits(request));
  refuseWhatTheExecUndoes(request, sets);
  if ((sets.ambient ?? emptySet) === emptySet) return;
  const forbidden = constants.SECBIT_NO_CAP_AMBIENT_RAISE;
  if (((request.securebits ?? 0) & forbidden) !== 0)
    throw refusedOption('securebits', 'cannot have NO_CAP_AMBIENT_RAISE beside capabilities.ambient');
  if ((inheritedBits(request) & forbidden) !== 0)
    throw refusedOption('capabilities.ambient', 'cannot be: our own secure bits have NO_CAP_AMBIENT_RAISE');
}

/** What the kernel has against these sets. */
export function whyNoCapabilities({
  permitted,
  effective,
  inheritable,
  ambient,
  bounding,
  available,
}: CapabilitySets): Hint | undefined {
  const inherited = (inheritable ?? emptySet) | (ambient ?? emptySet);
  const lacking = ((permitted ?? emptySet) | (effective ?? emptySet) | inherited) & ~available;
  if (lacking !== emptySet) return `we do not have ${listNames(lacking)} ourselves`;
  const left = bounding === undefined ? emptySet : inherited & ~bounding;
  if (left !== emptySet) return `what bounding leaves out cannot become inheritable: ${listNames(left)}`;
  return holds(constants.CAP_SETPCAP) === true ? whoRefuses('EPERM', 'capset') : 'needs CAP_SETPCAP';
}

/** Capset, then the ambient set: that must be permitted and inheritable. */
export function emitCapabilities(writer: Writer, sets: CapabilitySets): void {
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

/** Needs CAP_SETPCAP. */
export function emitBounding(writer: Writer, bounding: bigint, last: number): void {
  writer.about('identity', 'capabilities.bounding');
  for (let capability = 0; capability <= last; capability++) {
    if (((bounding >> BigInt(capability)) & 1n) !== 0n) continue;
    writer.add(call.prctl, PR_CAPBSET_DROP, capability);
  }
}
