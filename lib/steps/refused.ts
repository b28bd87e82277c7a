// Why a call was refused although the kernel, and what we hold, would allow it: the causes that all steps have in common.
import type { Refusal } from '../../types/probe';
import { Flags } from '../flags';
import { holds, isInFirstUserNamespace, whoRefuses } from '../host/ourselves';
import { whyTooOld } from '../host/kernel-version';
import { host } from '../host/host';
import { whyNoFreshProc } from '../host/mount-table';
import { constants } from '../kernel/constants';
import type { Label } from '../program/writer';
import { whyPowerless } from './forbidden-user-namespaces';
import type { Request } from '../assembly/request';
import { idmapping } from '../assembly/settings';

const { CAP_NET_ADMIN, CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN } = constants;

/** An instruction that failed. */
export interface FailedCall {
  readonly code: string;
  readonly label: Label;
  readonly call: string | undefined;
  /** The new user namespace was made already: there the child has every capability. */
  readonly inNewUser: boolean;
}

/** Calls to which the kernel says EPERM or EACCES only for want of this capability; `free` for want of none. */
const free = -1;
const neededFor: Readonly<Record<string, number>> = {
  clone: free,
  clone3: free,
  close_range: free,
  dup3: free,
  execveat: free,
  fsconfig: CAP_SYS_ADMIN,
  fsmount: CAP_SYS_ADMIN,
  fsopen: CAP_SYS_ADMIN,
  keyctl: free,
  landlock_add_rule: free,
  landlock_create_ruleset: free,
  memfd_create: free,
  mknodat: free,
  mount_setattr: CAP_SYS_ADMIN,
  move_mount: CAP_SYS_ADMIN,
  open_tree: CAP_SYS_ADMIN,
  openat2: free,
  personality: free,
  pidfd_open: free,
  pivot_root: CAP_SYS_ADMIN,
  sched_setaffinity: free,
  set_mempolicy: free,
  setdomainname: CAP_SYS_ADMIN,
  setgroups: CAP_SETGID,
  // Of a new process, which leads no group.
  setsid: free,
  socket: free,
  sethostname: CAP_SYS_ADMIN,
  setns: CAP_SYS_ADMIN,
  setresgid: CAP_SETGID,
  setresuid: CAP_SETUID,
  statx: free,
  symlinkat: free,
  umask: free,
  umount2: CAP_SYS_ADMIN,
  unshare: CAP_SYS_ADMIN,
};

/** Of these, EACCES is a matter of the files and folders that they are about, and EPERM is not. */
const onFiles = new Set(['mknodat', 'open_tree', 'openat2', 'statx', 'symlinkat']);
/** As steps name a device that is made. */
const device = /^[bc] \d+:\d+$/;

/** What the kernel asks for in this case; undefined where it may have other reasons, too. */
function needed(call: string, { code, label, inNewUser }: FailedCall, request: Request): number | undefined {
  if (code === 'EACCES' && onFiles.has(call)) return undefined;
  switch (call) {
    case 'clone':
    case 'clone3':
      // A folder of a cgroup has its own permissions.
      if (call === 'clone3' && label.option === 'cgroup') return undefined;
      return request.creates(Flags.NEWPID) ? CAP_SYS_ADMIN : free;
    case 'chdir':
    case 'setpriority':
      // EACCES is a matter of the folder, and of a value that is lower than ours.
      return code === 'EPERM' ? free : undefined;
    case 'ioctl':
      return label.step === 'loopback' ? CAP_NET_ADMIN : undefined;
    case 'fsconfig':
      // A proc belongs to the owner of our pid namespace.
      return inNewUser && !request.creates(Flags.NEWPID) ? undefined : CAP_SYS_ADMIN;
    case 'fsmount':
      return (!inNewUser && isInFirstUserNamespace()) || whyNoFreshProc() === undefined ? CAP_SYS_ADMIN : undefined;
    case 'landlock_restrict_self':
      // Else the right to it may be gone with the ids and capabilities, which come before.
      return request.noNewPrivileges === false ? undefined : free;
    case 'mknodat':
      // The cgroup may have a list of the devices that are allowed.
      return device.test(label.path ?? '') ? undefined : free;
    case 'prctl':
      return label.step === 'seccomp' && code === 'EPERM' ? free : undefined;
    case 'seccomp':
      // EACCES is the kernel's own, where neither CAP_SYS_ADMIN nor no_new_privs is there.
      return code === 'EPERM' ? free : undefined;
    case 'mount':
      // EACCES is a matter of what is mounted.
      return code === 'EPERM' ? CAP_SYS_ADMIN : undefined;
    case 'mount_setattr':
      // Of other ids the file system's own user namespace is asked.
      return label.verb === idmapping ? undefined : CAP_SYS_ADMIN;
    case 'setpgid':
      return request.processGroup === 0 ? free : undefined;
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
function isMatterOfFiles({ call, label }: FailedCall): boolean {
  const opens = call === 'openat' || call === 'openat2';
  if (opens && ['user', 'time', 'sysctl'].includes(label.step)) return false;
  return opens || call === 'chdir' || call === 'execve' || call === 'mkdirat';
}

/** Of calls that a kernel may be built without: what there is where it was not. */
const signs: Readonly<Record<string, string>> = {
  ioprio_set: '/sys/block',
  keyctl: '/proc/key-users',
  set_mempolicy: '/sys/devices/system/node',
};

/** Whether this kernel has the call, so that only a filter says that it has not. */
function isThere(call: string): boolean {
  const sign = signs[call];
  return sign === undefined || host.stat(sign) !== undefined;
}

/** The reason that the host shows; undefined where it is for the step to say. */
export function whyRefused(failed: FailedCall, request: Request): Refusal | undefined {
  const { code, call, label, inNewUser } = failed;
  const old = whyTooOld(code, call);
  if (old !== undefined || call === undefined) return old;
  // After the filters of the child's own there is but the exec.
  if (label.step === 'command' && request.seccomp.length > 0) return undefined;
  if (code === 'ENOSYS') return isThere(call) ? whoRefuses(code, call) : undefined;
  if (code !== 'EPERM' && code !== 'EACCES') return undefined;
  // Whether there is a user namespace at all is a question of its own.
  if (label.step === 'user' && call === 'unshare') return undefined;
  const powerless = inNewUser && !isMatterOfFiles(failed) ? whyPowerless() : undefined;
  if (powerless !== undefined) return powerless;
  const capability = needed(call, failed, request);
  if (capability === undefined) return undefined;
  const allowed = capability === free || inNewUser || (!request.joinsUser && holds(capability) === true);
  return allowed ? whoRefuses(code, call) : undefined;
}
