// Namespaces, ids and capabilities of a line, as options of clone(), with what is refused of them together.
import { existsSync, readFileSync } from 'node:fs';

import {
  type Capabilities,
  type CapabilityName,
  type CloneOptions,
  constants,
  Flags,
  type Step,
} from '../../lib/index';
import { allCapabilities, ownCapabilities } from './capabilities';
import type { Line } from './line';
import { lacksCommand, refusal } from './words';

export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** Whether the user namespace is new. */
  readonly newUser: boolean;
  readonly flags: number;
}

function areUserNamespacesOff(): boolean {
  try {
    return readFileSync('/proc/sys/user/max_user_namespaces', 'utf8') === '0\n';
  } catch {
    return false;
  }
}

/** What is not done by halves. */
function refuseMissing({ texts, descriptors }: Line): void {
  if (descriptors.has('userns2') && !descriptors.has('userns')) throw refusal('--userns2 requires --userns');
  if (texts.has('file-label')) throw refusal('--file-label is not supported');
}

/** What contradicts or is missing, in the order in which bubblewrap looks. */
function refuse({ unshare, set, descriptors }: Line): void {
  const has = (name: Parameters<typeof descriptors.has>[0]): boolean => descriptors.has(name);
  const isNew = unshare.has('user');
  if (has('userns-block-fd') && !isNew) throw refusal('--userns-block-fd requires --unshare-user');
  if (has('userns-block-fd') && !has('info-fd')) throw refusal('--userns-block-fd requires --info-fd');
  if (has('userns') && isNew) throw refusal('--userns not compatible --unshare-user');
  if (has('userns') && unshare.has('user-try')) throw refusal('--userns not compatible --unshare-user-try');
  if (set.has('disable-userns') && !isNew) throw refusal('--disable-userns requires --unshare-user');
  if (set.has('disable-userns') && has('userns-block-fd'))
    throw refusal('--disable-userns is not compatible with  --userns-block-fd');
}

const kinds = { ipc: Flags.NEWIPC, pid: Flags.NEWPID, net: Flags.NEWNET, uts: Flags.NEWUTS } as const;

/** @throws TypeError ERR_INVALID_ARG_VALUE */
export function identityOf(line: Line): Identity {
  const { unshare, ids, descriptors, set, texts, locks } = line;
  refuse(line);
  if (line.command.length === 0) throw refusal(lacksCommand);
  const { uid: ownUid, gid: ownGid } = line;
  const joins = descriptors.has('userns');
  const implied = ownUid !== 0 && !joins;
  const newUser = unshare.has('user') || implied || (unshare.has('user-try') && !areUserNamespacesOff());
  const [uid, gid] = [ids.get('uid') ?? ownUid, ids.get('gid') ?? ownGid];
  if (!newUser && !joins && uid !== ownUid) throw refusal('Specifying --uid requires --unshare-user or --userns');
  if (!newUser && !joins && gid !== ownGid) throw refusal('Specifying --gid requires --unshare-user or --userns');
  if (!unshare.has('uts') && texts.has('hostname')) throw refusal('Specifying --hostname requires --unshare-uts');
  refuseMissing(line);
  const asPidOne = set.has('as-pid-1');
  if (asPidOne && !unshare.has('pid')) throw refusal('Specifying --as-pid-1 requires --unshare-pid');
  if (asPidOne && locks.length > 0) throw refusal('Specifying --as-pid-1 and --lock-file is not permitted');
  let flags: number = Flags.NEWNS | (newUser ? Flags.NEWUSER : 0);
  for (const [kind, flag] of Object.entries(kinds)) if (unshare.has(kind as keyof typeof kinds)) flags |= flag;
  const isCgroup = unshare.has('cgroup') || (unshare.has('cgroup-try') && existsSync('/proc/self/ns/cgroup'));
  return { uid, gid, newUser, flags: isCgroup ? flags | Flags.NEWCGROUP : flags };
}

function capabilitiesOf(line: Line, entersUser: boolean): Capabilities | undefined {
  const isRoot = line.uid === 0;
  const own = entersUser || !isRoot ? new Set(allCapabilities()) : ownCapabilities();
  const kept = [...line.capabilities].filter((name) => own.has(name));
  const bounding = entersUser ? { bounding: kept } : {};
  // Root keeps what it has, also where it asks for more.
  const isWhole =
    isRoot && (!line.changesCapabilities || kept.length < line.capabilities.size) && kept.length === own.size;
  if (isWhole) return undefined;
  if (isRoot && !line.changesCapabilities) return entersUser ? bounding : undefined;
  return { permitted: kept, effective: kept, inheritable: kept, ambient: kept, ...bounding };
}

/** The lines of our steps, to be shown. */
const texts = new WeakMap<Step, string>();

const assertDisabled: Step = {
  at: 'exec',
  run: (c) => void c.unshare(Flags.NEWUSER).expect('ENOSPC', 'EPERM', 'EUSERS', 'ENOSYS'),
};
texts.set(assertDisabled, "(c) => void c.unshare(Flags.NEWUSER).expect('ENOSPC', 'EPERM', 'EUSERS', 'ENOSYS')");

/** What root has as inheritable becomes ambient, as far as that is so. */
function raiseInherited(kept: Iterable<CapabilityName>): Step {
  const values = Array.from(kept, (name) => constants[name]);
  const { PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE } = constants;
  const step: Step = {
    at: 'exec',
    run: (c) =>
      values.forEach((value) => void c.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, value).accept('EPERM', 'EINVAL')),
  };
  const call = "c.prctl(constants.PR_CAP_AMBIENT, constants.PR_CAP_AMBIENT_RAISE, value).accept('EPERM', 'EINVAL')";
  texts.set(step, `(c) => [${values.join(', ')}].forEach((value) => void ${call})`);
  return step;
}

/** A step's line, as it is written. */
export const textOfStep = (step: Step): string => texts.get(step) ?? '() => {}';

type Ids = Pick<Identity, 'uid' | 'gid'>;
const mapped = ({ uid, gid }: Ids, host: Ids) => ({
  uidMap: [{ containerID: uid, hostID: host.uid, size: 1 }],
  gidMap: [{ containerID: gid, hostID: host.gid, size: 1 }],
});

/** The ids of the set-up: a devpts needs an id 0. */
export function firstIds({ operations }: Line, { uid, gid }: Ids): Ids {
  return operations.some(({ kind }) => kind === 'dev') ? { uid: 0, gid: 0 } : { uid, gid };
}

/**
 * The ids, in one new user namespace or in two: the second has those of the command where the set-up needs others, and what shuts user
 * namespaces off must not be where it could be undone.
 */
function mapsOf(line: Line, { uid, gid }: Identity): CloneOptions {
  const host = { uid: line.uid, gid: line.gid };
  const wanted = { uid, gid };
  const first = firstIds(line, wanted);
  const isOff = line.set.has('disable-userns');
  const hasSecond = isOff || first.uid !== uid || first.gid !== gid;
  return {
    ...mapped(first, host),
    setgroups: 'deny',
    ...(hasSecond && { inner: mapped(wanted, first) }),
    ...(isOff && { sysctl: { 'user.max_user_namespaces': '1' } }),
  };
}

/** The options of clone() that are about these. */
export function namespacesOf(line: Line, identity: Identity): CloneOptions {
  const { descriptors, set, texts } = line;
  const { uid, gid, newUser, flags } = identity;
  const joined = (['userns', 'pidns'] as const).flatMap((name) => descriptors.get(name) ?? []);
  const joins = descriptors.has('userns');
  const second = descriptors.get('userns2');
  const hasMaps = newUser && !descriptors.has('userns-block-fd');
  const hasInit = (flags & Flags.NEWPID) !== 0 && !set.has('as-pid-1');
  const label = texts.get('exec-label');
  const name = texts.get('hostname');
  const capabilities = capabilitiesOf(line, newUser || joins);
  const isOff = set.has('disable-userns') || set.has('assert-userns-disabled');
  const isWhole = capabilities?.ambient === undefined;
  const steps = [...(isOff ? [assertDisabled] : []), ...(isWhole ? [raiseInherited(line.capabilities)] : [])];
  return {
    flags,
    ...(joined.length > 0 && { join: joined.map((fd) => ({ fd })) }),
    ...(hasMaps && mapsOf(line, identity)),
    ...(second !== undefined && { inner: { join: { fd: second } } }),
    ...((joins || (newUser && !hasMaps)) && { uid, gid }),
    ...(name !== undefined && { hostname: name }),
    ...((flags & Flags.NEWNET) !== 0 && { loopback: true }),
    ...(hasInit && { init: { until: set.has('die-with-parent') ? ('command' as const) : ('last' as const) } }),
    capabilities,
    noNewPrivileges: true,
    ...(line.filters.length > 0 && { seccomp: line.filters }),
    ...(label !== undefined && { selinuxLabel: label }),
    ...(set.has('new-session') && { detached: true }),
    ...(set.has('die-with-parent') && { parentDeathSignal: 'SIGKILL' as const }),
    ...(steps.length > 0 && { steps }),
  };
}
