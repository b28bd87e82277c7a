// Another host's answers for hints, where this one would say something else.
import { type FileStatus, host } from '../../lib/host/host';
import { kernel } from '../../lib/host/kernel-release';

/** What another host says; of what is not here it has nothing. */
export interface Answers {
  readonly files?: Readonly<Record<string, string>>;
  readonly modes?: Readonly<Record<string, FileStatus>>;
  readonly links?: Readonly<Record<string, string>>;
  readonly release?: string;
}

const real = { ...host };

/** As long as `body` runs, hints are those of that host. */
export async function onHost<T>({ files, modes, links, release }: Answers, body: () => T | Promise<T>): Promise<T> {
  Object.assign(host, {
    read: (path: string) => files?.[path]?.trim(),
    stat: (path: string) =>
      modes?.[path] ?? (files?.[path] === undefined ? undefined : { mode: 0o100644, uid: 0, gid: 0 }),
    readlink: (path: string) => links?.[path],
    begins: (path: string, bytes: string) => files?.[path]?.startsWith(bytes) === true,
    release: () => release ?? '6.8.0-45-generic',
  });
  try {
    return await body();
  } finally {
    Object.assign(host, real);
  }
}

/** As {@link onHost}, but this host says all that is not among the answers. */
export function withAnswers<T>({ files, modes, links, release }: Answers, body: () => T | Promise<T>): Promise<T> {
  Object.assign(host, {
    read: (path: string) => files?.[path]?.trim() ?? real.read(path),
    stat: (path: string) => modes?.[path] ?? real.stat(path),
    readlink: (path: string) => links?.[path] ?? real.readlink(path),
    begins: (path: string, bytes: string) => files?.[path]?.startsWith(bytes) ?? real.begins(path, bytes),
    release: () => release ?? real.release(),
  });
  return Promise.resolve(body()).finally(() => Object.assign(host, real));
}

/** The tests of a file, or of a describe(): on this kernel as it is, and once more as they are on older ones. */
export const kernels: readonly (readonly [name: string, release: string | undefined])[] = [
  ['on this kernel', undefined],
  ['as on Linux 6.1', '6.1.0-50-amd64'],
];

/** From here to the end of a describe() the kernel calls itself so. What it can do is as ever. */
export function callsItself(release: string | undefined): void {
  if (release === undefined) return;
  const { release: own } = kernel;
  beforeEach(() => void (kernel.release = () => release));
  afterEach(() => void (kernel.release = own));
}

const allCapabilities = '000001ffffffffff';

/** /proc/PID/status of somebody with these capabilities, and this mode of seccomp. */
export function status({
  capabilities = '0000000000000000',
  seccomp = 0,
  uid = 1000,
  noNewPrivileges = 0,
} = {}): string {
  return [
    'Name:\tnode',
    `Uid:\t${uid}\t${uid}\t${uid}\t${uid}`,
    `Gid:\t${uid}\t${uid}\t${uid}\t${uid}`,
    `CapEff:\t${capabilities}`,
    `NoNewPrivs:\t${noNewPrivileges}`,
    `Seccomp:\t${seccomp}`,
    '',
  ].join('\n');
}

const firstUserNamespace = {
  '/proc/thread-self/uid_map': '         0          0 4294967295\n',
  '/proc/thread-self/gid_map': '         0          0 4294967295\n',
};
const rootMount = '21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n';

/** What hosts that people have say to an ordinary user's Node, or to that of root in a container. */
export const hosts = {
  /** Ubuntu 24.04: unshare(2) succeeds, and what follows is refused. */
  ubuntu: {
    ...firstUserNamespace,
    '/proc/thread-self/mountinfo': rootMount,
    '/proc/thread-self/status': status(),
    '/proc/thread-self/attr/apparmor/current': 'unconfined\n',
    '/proc/sys/kernel/apparmor_restrict_unprivileged_userns': '1\n',
    '/proc/sys/kernel/unprivileged_userns_clone': '1\n',
    '/proc/sys/user/max_user_namespaces': '31000\n',
  },
  /** Debian 10, or a later one whose administrator has switched it off. */
  debian: {
    ...firstUserNamespace,
    '/proc/thread-self/mountinfo': rootMount,
    '/proc/thread-self/status': status(),
    '/proc/sys/kernel/unprivileged_userns_clone': '0\n',
  },
  /** RHEL 7 and hardened later ones. */
  rhel: {
    ...firstUserNamespace,
    '/proc/thread-self/mountinfo': rootMount,
    '/proc/thread-self/status': status(),
    '/proc/thread-self/attr/current': 'staff_u:staff_r:staff_t:s0-s0:c0.c1023\0',
    '/sys/fs/selinux/enforce': '1',
    '/proc/sys/user/max_user_namespaces': '0\n',
  },
  /** Root in a container of docker on Debian. */
  docker: {
    ...firstUserNamespace,
    '/proc/thread-self/mountinfo': `${rootMount}22 21 0:5 /kcore /proc/kcore rw,nosuid - tmpfs tmpfs rw\n`,
    '/proc/thread-self/status': status({ capabilities: '00000000a80425fb', seccomp: 2, uid: 0 }),
    '/proc/thread-self/attr/apparmor/current': 'docker-default (enforce)\n',
  },
  /** A container with all capabilities, but with the usual filter. */
  filtered: {
    ...firstUserNamespace,
    '/proc/thread-self/mountinfo': rootMount,
    '/proc/thread-self/status': status({ capabilities: allCapabilities, seccomp: 2, uid: 0 }),
    '/proc/key-users': '    0:    99 98/98 67/1000000 1427/25000000',
  },
  /** Root with everything, and nothing on it. */
  free: {
    ...firstUserNamespace,
    '/proc/thread-self/mountinfo': rootMount,
    '/proc/thread-self/status': status({ capabilities: allCapabilities, uid: 0 }),
  },
} as const;
