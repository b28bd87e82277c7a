// Why a call was refused although the kernel, and what we hold, would allow it: the causes that all steps have in common.
import { Flags } from '../flags';
import { holds, isInFirstUserNamespace, whoRefuses } from '../host/ourselves';
import { whyTooOld } from '../host/kernel-version';
import { host } from '../host/host';
import { whyNoFreshProc } from '../host/mount-table';
import { constants } from '../kernel/constants';
import type { Label } from '../program/writer';
import { mayRefuse, whyFiltered } from './own-filter';
import { whyPowerless } from './forbidden-user-namespaces';
import type { Request } from '../assembly/request';

const { CAP_NET_ADMIN, CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN } = constants;

/** An instruction that failed. */
export interface Refusal {
  readonly code: string;
  readonly label: Label;
  readonly call: string | undefined;
  /** The new user namespace was made already: there the child has every capability. */
  readonly inNewUser: boolean;
  /** A filter of the child's own was on it. */
  readonly filtered: boolean;
}

/** Calls to which the kernel says EPERM or EACCES only for want of this capability; `free` for want of none. */
const free = -1;
const neededFor: Readonly<Record<string, number>> = {
  clone: free,
  clone3: free,
  close_range: free,
  execveat: free,
  fsconfig: CAP_SYS_ADMIN,
  fsmount: CAP_SYS_ADMIN,
  fsopen: CAP_SYS_ADMIN,
  keyctl: free,
  memfd_create: free,
  mount_setattr: CAP_SYS_ADMIN,
  move_mount: CAP_SYS_ADMIN,
  personality: free,
  pidfd_open: free,
  pivot_root: CAP_SYS_ADMIN,
  sched_setaffinity: free,
  setdomainname: CAP_SYS_ADMIN,
  setgroups: CAP_SETGID,
  sethostname: CAP_SYS_ADMIN,
  setns: CAP_SYS_ADMIN,
  setresgid: CAP_SETGID,
  setresuid: CAP_SETUID,
  umount2: CAP_SYS_ADMIN,
  unshare: CAP_SYS_ADMIN,
};

/** What the kernel asks for in this case; undefined where it may have other reasons, too. */
function needed(call: string, { label, inNewUser }: Refusal, request: Request): number | undefined {
  switch (call) {
    case 'clone':
    case 'clone3':
      // A folder of a cgroup has its own permissions.
      if (call === 'clone3' && label.option === 'cgroup') return undefined;
      return request.creates(Flags.NEWPID) ? CAP_SYS_ADMIN : free;
    case 'ioctl':
      return label.step === 'loopback' ? CAP_NET_ADMIN : undefined;
    case 'fsconfig':
      // A proc belongs to the owner of our pid namespace.
      return inNewUser && !request.creates(Flags.NEWPID) ? undefined : CAP_SYS_ADMIN;
    case 'fsmount':
      return (!inNewUser && isInFirstUserNamespace()) || whyNoFreshProc() === undefined ? CAP_SYS_ADMIN : undefined;
    case 'setgroups':
      return request.setgroupsDenied ? undefined : CAP_SETGID;
    case 'setns':
      // The namespace may belong to somebody above us.
      return isInFirstUserNamespace() && !request.joinsUser ? CAP_SYS_ADMIN : undefined;
    default:
      return neededFor[call];
  }
}

/** Those of the calls that a step's own paths may be the reason for. */
function isMatterOfFiles({ call, label }: Refusal): boolean {
  const opens = call === 'openat' || call === 'openat2';
  if (opens && ['user', 'time', 'sysctl'].includes(label.step)) return false;
  return opens || call === 'chdir' || call === 'execve' || call === 'mkdirat';
}

/** Whether this kernel has the call, so that only a filter says that it has not. */
function isThere(call: string): boolean {
  return call !== 'keyctl' || host.stat('/proc/key-users') !== undefined;
}

/** The reason that the host shows; undefined where it is for the step to say. */
export function whyRefused(refusal: Refusal, request: Request): string | undefined {
  const { code, call, label, inNewUser, filtered } = refusal;
  const old = whyTooOld(code, call);
  if (old !== undefined || call === undefined) return old;
  // The child's own filters are nearer than those that are on us.
  if (filtered && mayRefuse(request.seccomp, call, code)) return whyFiltered(call);
  if (label.step === 'command' && request.seccomp.length > 0) return undefined;
  if (code === 'ENOSYS') return isThere(call) ? whoRefuses(code, call) : undefined;
  if (code !== 'EPERM' && code !== 'EACCES') return undefined;
  // Whether there is a user namespace at all is a question of its own.
  if (label.step === 'user' && call === 'unshare') return undefined;
  const powerless = inNewUser && !isMatterOfFiles(refusal) ? whyPowerless() : undefined;
  if (powerless !== undefined) return powerless;
  const capability = needed(call, refusal, request);
  if (capability === undefined) return undefined;
  const allowed = capability === free || inNewUser || (!request.joinsUser && holds(capability) === true);
  return allowed ? whoRefuses(code, call) : undefined;
}
