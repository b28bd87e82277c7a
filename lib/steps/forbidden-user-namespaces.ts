// Why this host forbids user namespaces, or leaves them without power: which of its switches is off, and what to do.
import type { Refusal } from '../../types/probe';
import { host } from '../host/host';
import { mountTable } from '../host/mount-table';
import { whyNoMoreNamespaces, whyNoSuchNamespaces } from '../host/namespace-limits';
import { effectiveID, holds, isMapped, profile, spell, whoRefuses } from '../host/ourselves';
import { constants } from '../kernel/constants';

const { CAP_SYS_ADMIN } = constants;

function parameter(name: string): string | undefined {
  return host.read(`/proc/sys/${name.replaceAll('.', '/')}`);
}

/** Why a user namespace that we could make gives no capabilities: Ubuntu lets unshare(2) succeed, and refuses what follows. */
export function whyPowerless(): Refusal | undefined {
  // It is meant for those who have no privilege, and whom no profile confines.
  if (parameter('kernel.apparmor_restrict_unprivileged_userns') !== '1') return undefined;
  if (holds(CAP_SYS_ADMIN) === true || profile() !== undefined) return undefined;
  return {
    cause: 'apparmor',
    detail: 'AppArmor takes the capabilities of new user namespaces away',
    hint: 'give Node a profile with "userns,", or set sysctl kernel.apparmor_restrict_unprivileged_userns to 0',
  };
}

/** No call of a kernel that allows it is answered with EACCES: a security module says so. */
function whyConfined(code: string): Refusal | undefined {
  const found = code === 'EACCES' ? profile() : undefined;
  if (found === undefined || found.mode === 'complain') return undefined;
  return found.module === 'AppArmor'
    ? { cause: 'apparmor', detail: `${spell(found)} is on us`, hint: 'it must have the rule "userns,"' }
    : { cause: 'selinux', detail: `${spell(found)} is on us`, hint: 'it must allow user_namespace create' };
}

/** See current_chrooted() in the kernel, and EPERM in user_namespaces(7). */
function whyNowhere(): Refusal | undefined {
  const mounts = mountTable();
  if (mounts.length > 0 && !mounts.some(({ target }) => target === '/'))
    return { cause: 'kernel', detail: 'we are inside chroot(2), where the kernel allows none' };
  for (const kind of ['uid', 'gid'] as const) {
    const id = effectiveID(kind);
    if (id === undefined || isMapped(kind, id)) continue;
    const detail = `our ${kind} has no place in our own user namespace, so the kernel allows none below it`;
    return { cause: 'kernel', detail };
  }
  return undefined;
}

/** The reason for an error of unshare(CLONE_NEWUSER); undefined where the host shows none. */
export function whyForbidden(code: string): Refusal | undefined {
  if (code === 'ENOSPC') return whyNoMoreNamespaces('CLONE_NEWUSER');
  if (code === 'EINVAL') return whyNoSuchNamespaces('CLONE_NEWUSER');
  if (code === 'EUSERS') return { cause: 'kernel', detail: 'user namespaces are nested 32 deep here, and no deeper' };
  if (code !== 'EPERM' && code !== 'EACCES') return undefined;
  if (parameter('kernel.unprivileged_userns_clone') === '0' && holds(CAP_SYS_ADMIN) !== true) {
    return {
      cause: 'sysctl',
      detail: 'user namespaces are switched off for ordinary users',
      hint: 'set sysctl kernel.unprivileged_userns_clone to 1',
    };
  }
  return whyPowerless() ?? whyConfined(code) ?? whyNowhere() ?? whoRefuses(code, 'unshare, clone and mount calls');
}
