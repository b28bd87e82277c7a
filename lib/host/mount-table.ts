// The mounts that we see, see proc_pid_mountinfo(5).
import type { Refusal } from '../../types/probe';
import { host } from './host';

export interface MountLine {
  /** Of the mounted file system, the folder that is the root of the mount. */
  readonly root: string;
  readonly target: string;
  /** Of the mount, then of the file system. */
  readonly options: readonly string[];
  readonly type: string;
  /** Whether what is mounted on it is passed on to others, see mount_namespaces(7). */
  readonly isShared: boolean;
}

export function mountTable(): MountLine[] {
  return (host.read('/proc/thread-self/mountinfo') ?? '').split('\n').flatMap((line) => {
    const [mount, fileSystem] = line.split(' - ');
    const [, , , root, target, options, ...passing] = mount!.split(' ').map(decode);
    const [type, , more] = (fileSystem ?? '').split(' ');
    if (root === undefined || target === undefined || type === undefined) return [];
    const isShared = passing.some((field) => field.startsWith('shared:'));
    return [{ root, target, options: [...(options ?? '').split(','), ...(more ?? '').split(',')], type, isShared }];
  });
}

/** The kernel writes blanks and backslashes as octal numbers. */
function decode(field: string): string {
  return field.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** The mount that a file is on; `path` is absolute. */
export function mountOf(path: string): MountLine | undefined {
  let best: MountLine | undefined;
  for (const mount of mountTable()) {
    const folder = mount.target === '/' ? '/' : `${mount.target}/`;
    // Of two mounts on one target the later one is on top.
    if (path.startsWith(folder) && mount.target.length >= (best?.target.length ?? 0)) best = mount;
  }
  return best;
}

/** Mounts on folders that are empty for ever, which hide nothing. */
const hidesNothing = /^\/proc\/(?:sys\/fs\/binfmt_misc|fs\/nfsd)$/;

/** What lies on our /proc: then the kernel mounts no fresh one in a user namespace that is not the first one. */
export function whyNoFreshProc(): Refusal | undefined {
  const cover = mountTable().find(({ target }) => target.startsWith('/proc/') && !hidesNothing.test(target));
  if (cover === undefined) return undefined;
  return {
    cause: 'masked-proc',
    detail: `a fresh proc needs a fully visible /proc outside, and ${cover.target} is covered by another mount`,
    hint: 'a container has to be started with systempaths=unconfined (docker) or unmask=ALL (podman)',
  };
}
