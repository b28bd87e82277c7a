// What is on Node itself: its capabilities, a filter, the profile of a security module; see proc_pid_status(5).
import type { Refusal } from '../../types/probe';
import { host } from './host';

function statusOf(name: string): string | undefined {
  return new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(host.read('/proc/thread-self/status') ?? '')?.[1];
}

/** Whether a seccomp filter is on us, as every container has one. */
export function isFiltered(): boolean {
  return statusOf('Seccomp') === '2';
}

/** Whether no program that we execute gets more than we have, set-user-ID or not; see PR_SET_NO_NEW_PRIVS in prctl(2). */
export function hasNoNewPrivileges(): boolean {
  return statusOf('NoNewPrivs') === '1';
}

/** Whether a capability (`constants.CAP_…`) is effective in our own user namespace; undefined where we cannot tell. */
export function holds(capability: number): boolean | undefined {
  const effective = statusOf('CapEff');
  return effective === undefined ? undefined : ((BigInt(`0x${effective}`) >> BigInt(capability)) & 1n) === 1n;
}

type Kind = 'uid' | 'gid';

/** The lines of our own id map: first id inside, first id outside, how many. */
export function ownMap(kind: Kind): readonly (readonly [inside: number, outside: number, count: number])[] {
  return (host.read(`/proc/thread-self/${kind}_map`) ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.trim().split(/\s+/).map(Number) as [number, number, number]);
}

/** Whether all of these ids are within one line of our own map, as the kernel wants it of a map below. */
export function isMapped(kind: Kind, first: number, count = 1): boolean {
  return ownMap(kind).some(([inside, , size]) => inside <= first && first + count <= inside + size);
}

/** Whether our user namespace is the first one: what we hold there, we hold over all others. */
export function isInFirstUserNamespace(): boolean {
  const [line] = ownMap('uid');
  return line?.join(' ') === '0 0 4294967295';
}

/** Whether we hold it where the kernel asks for it in the first user namespace, and nowhere else. */
export function holdsEverywhere(capability: number): boolean {
  return holds(capability) === true && isInFirstUserNamespace();
}

/** Our effective id, of the four that /proc lists. */
export function effectiveID(kind: Kind): number | undefined {
  const field = statusOf(kind === 'uid' ? 'Uid' : 'Gid')?.split('\t')[1];
  return field === undefined ? undefined : Number(field);
}

export interface Profile {
  readonly module: 'AppArmor' | 'SELinux';
  /** Of AppArmor a profile, of SELinux a domain. */
  readonly name: string;
  /** 'unconfined' is a profile that refuses little, as Ubuntu has them for who may make user namespaces. */
  readonly mode: 'enforced' | 'complain' | 'unconfined';
}

/** What confines us; undefined where nothing does, or where we cannot tell. */
export function profile(): Profile | undefined {
  const folder = '/proc/thread-self/attr';
  const current = (host.read(`${folder}/apparmor/current`) ?? host.read(`${folder}/current`) ?? '').replaceAll(
    '\0',
    '',
  );
  const [, name, mode] = /^(.+) \((\w+)\)$/.exec(current) ?? [];
  if (name !== undefined) {
    const lax = mode === 'complain' || mode === 'unconfined' ? mode : undefined;
    return { module: 'AppArmor', name, mode: lax ?? 'enforced' };
  }
  const domain = /^[^:\s]+:[^:\s]+:([^:\s]+)/.exec(current)?.[1];
  if (domain === undefined) return undefined;
  const enforced = host.read('/sys/fs/selinux/enforce') === '1';
  return { module: 'SELinux', name: domain, mode: enforced ? 'enforced' : 'complain' };
}

/** What a profile that refuses is called as a cause. */
export function causeOf({ module }: Profile): 'apparmor' | 'selinux' {
  return module === 'AppArmor' ? 'apparmor' : 'selinux';
}

/** 'the AppArmor profile "docker-default"' */
export function spell({ module, name }: Profile): string {
  return module === 'AppArmor' ? `the AppArmor profile ${JSON.stringify(name)}` : `the SELinux policy for ${name}`;
}

/** Whatever the rules are, see landlock(7). That there are some the kernel tells nobody. */
const whatLandlockRefuses = new Set(['move_mount', 'pivot_root']);
const landlocked: Refusal = {
  cause: 'kernel',
  detail: 'Landlock rules are on us, as nothing else is that would refuse it',
  hint: 'who is under them can mount nothing: start Node without',
};

/** Whether this kernel has Landlock switched on, as far as it shows that. */
function mayBeLandlocked(): boolean {
  return host.read('/sys/kernel/security/lsm')?.includes('landlock') !== false;
}

/** Why something is refused that the kernel itself allows us. */
export function whoRefuses(code: string, what: string): Refusal | undefined {
  const found = profile();
  // A security module knows no ENOSYS, and a filter of a container answers EPERM or ENOSYS.
  const confining = found?.mode === 'enforced' && code !== 'ENOSYS' ? found : undefined;
  const filtered = isFiltered() && (code !== 'EACCES' || confining === undefined);
  if (filtered && confining !== undefined) {
    return {
      cause: 'seccomp',
      detail: `a seccomp filter and ${spell(confining)} are on us, as in a container`,
      hint: `both must allow ${what}`,
    };
  }
  if (filtered) {
    return {
      cause: 'seccomp',
      detail: 'a seccomp filter is on us, as in a container',
      hint: `its profile must allow ${what}`,
    };
  }
  if (confining === undefined)
    return code === 'EPERM' && whatLandlockRefuses.has(what) && mayBeLandlocked() ? landlocked : undefined;
  return { cause: causeOf(confining), detail: `${spell(confining)} is on us`, hint: `it must allow ${what}` };
}

/** Why a child was killed by SIGSYS, which nothing but a filter sends. */
export function whoKills(call: string): Refusal {
  return {
    cause: 'seccomp',
    detail: 'a seccomp filter kills who makes this call',
    hint: `its profile must allow ${call}`,
  };
}
