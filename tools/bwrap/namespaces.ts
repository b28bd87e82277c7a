// Namespaces, ids and capabilities of a line, as options of clone(), with what is refused of them together.
import { existsSync, readFileSync } from 'node:fs';

import { Flags, type CloneOptions, type Step } from '../../lib/index';
import { allCapabilities } from './capabilities';
import type { Line } from './arguments';
import { refusal } from './words';

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

/** What cannot be done yet, and is not done by halves. */
function refuseMissing({ set, texts, descriptors }: Line): void {
  if (set.has('disable-userns')) throw refusal('--disable-userns is not supported');
  if (descriptors.has('userns2')) throw refusal('--userns2 is not supported');
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
  const [ownUid, ownGid] = [process.getuid!(), process.getgid!()];
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

function capabilitiesOf(line: Line, entersUser: boolean): CloneOptions['capabilities'] {
  const kept = [...line.capabilities];
  const all = { permitted: kept, effective: kept, inheritable: kept, ambient: kept };
  const bounding = entersUser ? { bounding: kept } : {};
  if (line.changesCapabilities || process.getuid!() !== 0) return { ...all, ...bounding };
  // Root keeps what it has.
  return entersUser && kept.length < allCapabilities().length ? bounding : undefined;
}

const assertDisabled: Step = {
  at: 'exec',
  run: (c) => void c.unshare(Flags.NEWUSER).expect('ENOSPC', 'EPERM', 'EUSERS', 'ENOSYS'),
};

/** The options of clone() that are about these. */
export function namespacesOf(line: Line, { uid, gid, newUser, flags }: Identity): CloneOptions {
  const { descriptors, set, texts } = line;
  const joined = (['userns', 'pidns'] as const).flatMap((name) => descriptors.get(name) ?? []);
  const [own, host] = [{ uid, gid }, { uid: process.getuid!(), gid: process.getgid!() }];
  const map = (kind: 'uid' | 'gid') => [{ containerID: own[kind], hostID: host[kind], size: 1 }];
  const joins = descriptors.has('userns');
  const hasMaps = newUser && !descriptors.has('userns-block-fd');
  const hasInit = (flags & Flags.NEWPID) !== 0 && !set.has('as-pid-1');
  const label = texts.get('exec-label');
  const name = texts.get('hostname');
  return {
    flags,
    ...(joined.length > 0 && { join: joined.map((fd) => ({ fd })) }),
    ...(hasMaps && { uidMap: map('uid'), gidMap: map('gid'), setgroups: 'deny' as const }),
    ...((joins || (newUser && !hasMaps)) && own),
    ...(name !== undefined && { hostname: name }),
    ...((flags & Flags.NEWNET) !== 0 && { loopback: true }),
    ...(hasInit && { init: { until: set.has('die-with-parent') ? ('command' as const) : ('last' as const) } }),
    capabilities: capabilitiesOf(line, newUser || joins),
    noNewPrivileges: true,
    ...(line.filters.length > 0 && { seccomp: line.filters }),
    ...(label !== undefined && { selinuxLabel: label }),
    ...(set.has('new-session') && { detached: true }),
    ...(set.has('die-with-parent') && { parentDeathSignal: 'SIGKILL' as const }),
    ...(set.has('assert-userns-disabled') && { steps: [assertDisabled] }),
  };
}
