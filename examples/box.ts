// What a container of the minibox sees, is and may do, as options of clone().
import { existsSync, readFileSync } from 'node:fs';

import { type CapabilityName, type CloneOptions, Flags, type Mount, plan, type RootMount } from 'nsclone';

import { denied, filter } from './filter';

export interface Box {
  /** A folder; or 'host': the programs of this host. */
  readonly root: string;
  readonly hostname: string;
  /** As `uidMap` and `gidMap`; 'auto' where ids were lent to our user. */
  readonly ids: 'auto' | 'root' | undefined;
  /** Whether the kernel lets us have a fresh /sys. */
  readonly sysfs: boolean;
}

/** What Docker leaves to the root of a container. */
const capabilities: readonly CapabilityName[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
];

/** Changes go into an upper layer that nobody else sees, and are gone with the container. */
function rootOf(root: string): { readonly root: RootMount; readonly mounts: readonly Mount[] } {
  if (root !== 'host') return { root: { type: 'overlay', lower: [root], upper: 'tmpfs', nodev: true }, mounts: [] };
  return {
    root: { type: 'tmpfs', size: '64m' },
    mounts: [
      { type: 'overlay', target: '/usr', lower: ['/usr'], upper: 'tmpfs', nodev: true, create: true },
      ...['bin', 'lib', 'lib64', 'sbin'].map((name): Mount => ({
        type: 'symlink',
        target: `/${name}`,
        to: `usr/${name}`,
      })),
    ],
  };
}

/** The host's; one without a network has none. */
function nameServers(): Mount[] {
  if (!existsSync('/etc/resolv.conf')) return [];
  return [{ type: 'file', target: '/etc/resolv.conf', content: readFileSync('/etc/resolv.conf'), create: true }];
}

function mounts({ hostname, sysfs }: Box): Mount[] {
  const hosts = `127.0.0.1 localhost ${hostname}\n::1 localhost\n`;
  const readOnly = ['/proc/sys', '/proc/sysrq-trigger', '/proc/irq', '/proc/bus', '/proc/fs'];
  const hidden = ['/proc/kcore', '/proc/keys', '/proc/timer_list', ...(sysfs ? ['/sys/firmware'] : [])];
  return [
    { type: 'proc', target: '/proc', create: true },
    ...(sysfs ? [{ type: 'sysfs', target: '/sys', readonly: true, create: true } as const] : []),
    { type: 'dev', target: '/dev', create: true },
    { type: 'tmpfs', target: '/tmp', mode: 0o1777, size: '64m', create: true },
    { type: 'tmpfs', target: '/run', size: '16m', create: true },
    ...nameServers(),
    { type: 'file', target: '/etc/hosts', content: hosts, create: true },
    { type: 'file', target: '/etc/hostname', content: `${hostname}\n`, create: true },
    ...hidden.map((target): Mount => ({ type: 'mask', target })),
    ...readOnly.map((target): Mount => ({ type: 'readonly', target, optional: true })),
  ];
}

/** 'auto' where it is possible: it is refused in a plan already. */
function usualIds(): 'auto' | 'root' {
  try {
    plan('true', { flags: Flags.NEWUSER, uidMap: 'auto', gidMap: 'auto' });
    return 'auto';
  } catch {
    return 'root';
  }
}

export function optionsOf(box: Box): CloneOptions {
  const ids = box.ids ?? usualIds();
  const { root, mounts: ofRoot } = rootOf(box.root);
  return {
    flags: Flags.NEWUSER | Flags.NEWPID | Flags.NEWNS | Flags.NEWUTS | Flags.NEWIPC | Flags.NEWNET | Flags.NEWCGROUP,
    uidMap: ids,
    gidMap: ids,
    hostname: box.hostname,
    loopback: true,
    root,
    mounts: [...ofRoot, ...mounts(box)],
    init: true,
    cwd: '/',
    umask: 0o022,
    uid: 0,
    gid: 0,
    capabilities,
    noNewPrivileges: true,
    seccomp: filter(denied),
    keyring: 'new',
    env: {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/root',
      HOSTNAME: box.hostname,
      TERM: process.env['TERM'],
    },
    // A session of its own: whose controlling terminal is ours could type into it (TIOCSTI, CVE-2017-5226).
    detached: true,
    parentDeathSignal: 'SIGKILL',
  };
}
