// What a cgroup has to do with it: its limits, its type, and whether it is frozen; see cgroups(7).
import { dirname, resolve } from 'node:path';

import type { Refusal } from '../../types/probe';
import { host } from './host';
import { type MountLine, mountTable } from './mount-table';

/** The `cgroup` option of a child: paths, or descriptors of ours; none where it is in ours. */
export type Given = readonly (string | number)[];

/** A folder and those above it, up to the root of the hierarchy, or to what we see of it. */
function upwards(folder: string | undefined): string[] {
  const folders: string[] = [];
  if (folder === undefined) return folders;
  for (let at = resolve(folder); host.stat(`${at}/cgroup.procs`) !== undefined; at = dirname(at)) folders.push(at);
  return folders;
}

function foldersOf(given: Given): string[] {
  return given.flatMap((one) => upwards(folderOf(one)));
}

function folderOf(given: string | number): string | undefined {
  return typeof given === 'number' ? host.readlink(`/proc/self/fd/${given}`) : given;
}

/** Our own cgroup, in the hierarchy of v1 that has this controller, or else in that of v2. */
function ownFolder(controller: string): string | undefined {
  const memberships = (host.read('/proc/thread-self/cgroup') ?? '').split('\n').map((line) => {
    const [, controllers, ...path] = line.split(':');
    return { controllers: controllers?.split(',') ?? [], path: path.join(':') };
  });
  const mounts = mountTable();
  const old = memberships.find(({ controllers }) => controllers.includes(controller));
  const found = old ?? memberships.find(({ controllers }) => controllers[0] === '');
  const mount = mounts.find(({ type, options }) =>
    old === undefined ? type === 'cgroup2' : type === 'cgroup' && options.includes(controller),
  );
  return found === undefined || mount === undefined ? undefined : seenAt(mount, found.path);
}

/** Where a cgroup is in a mount of its hierarchy. */
function seenAt({ root, target }: MountLine, path: string): string | undefined {
  const above = root === '/' ? '' : root;
  return path.startsWith(above) ? resolve(target + path.slice(above.length)) : undefined;
}

/** Our own cgroup in the hierarchy of version 2; undefined where there is none that we see. */
export function ownCgroup(): string | undefined {
  const path = /^0::(.*)$/m.exec(host.read('/proc/thread-self/cgroup') ?? '')?.[1];
  const mount = mountTable().find(({ type }) => type === 'cgroup2');
  return path === undefined || mount === undefined ? undefined : seenAt(mount, path);
}

/** What a cgroup has of a controller of version 1. */
const fileOf = { pids: 'pids.max', memory: 'memory.limit_in_bytes' } as const;

function foldersFor(given: Given, controller: keyof typeof fileOf): string[] {
  const folders = foldersOf(given);
  // Of the hierarchies of version 1 it may be given others.
  return given.length === 1 || folders.some((folder) => host.stat(`${folder}/${fileOf[controller]}`) !== undefined)
    ? folders
    : upwards(ownFolder(controller));
}

/** The number behind a word of a file such as memory.events; 0 where there is none. */
function count(path: string, word: string): number {
  return Number(new RegExp(`^${word} (\\d+)$`, 'm').exec(host.read(path) ?? '')?.[1] ?? 0);
}

/** All that the kernel means by EAGAIN, where no cgroup shows that it was that. */
const processLimits: Refusal = {
  cause: 'limit',
  detail: 'a limit on processes is reached',
  hint: 'see RLIMIT_NPROC and pids.max of the cgroup',
};

/** Which `pids.max` has refused a process, where it was one. */
export function whyNoMoreProcesses(given: Given = []): Refusal {
  let refused = false;
  for (const folder of foldersFor(given, 'pids')) {
    // Who asked has ended since, so that there may be room by now. Some kernels count below the limit, others at it.
    refused ||= count(`${folder}/pids.events`, 'max') > 0;
    const limit = Number(host.read(`${folder}/pids.max`));
    const isFull = Number(host.read(`${folder}/pids.current`)) >= limit;
    if (!Number.isNaN(limit) && (refused || isFull))
      return { cause: 'cgroup', detail: `pids.max of the cgroup ${folder} is ${limit}` };
  }
  return processLimits;
}

/** Where the kernel has killed for want of memory. */
export function whyKilled(given: Given = []): Refusal | undefined {
  for (const folder of foldersFor(given, 'memory')) {
    const limit = host.read(`${folder}/memory.max`) ?? host.read(`${folder}/memory.limit_in_bytes`);
    const kills = count(`${folder}/memory.events`, 'oom_kill') + count(`${folder}/memory.oom_control`, 'oom_kill');
    if (kills > 0 && limit !== undefined && limit !== 'max')
      return {
        cause: 'cgroup',
        detail: `the cgroup ${folder} may have ${limit} bytes, and the kernel has killed in it for want of memory`,
      };
  }
  return undefined;
}

/** Linux 6.18 kills whoever is born into a cgroup whose cgroup.kill was ever written, but not whoever goes there. */
export function whyKilledAtBirth(given: string | number | undefined): Refusal | undefined {
  const folder = given === undefined ? undefined : folderOf(given);
  if (folder === undefined || host.stat(`${folder}/cgroup.kill`) === undefined) return undefined;
  const detail = `where the cgroup.kill of ${folder} was ever written, this kernel may kill whoever is born into it`;
  return { cause: 'cgroup', detail, hint: 'make another cgroup' };
}

/** What keeps every process of a cgroup from running. */
export function whyStopped(given: Given): Refusal | undefined {
  for (const folder of foldersOf(given)) {
    const detail = `the cgroup ${folder} is frozen`;
    if (host.read(`${folder}/cgroup.freeze`) === '1')
      return { cause: 'cgroup', detail, hint: 'write 0 to its cgroup.freeze' };
    if (host.read(`${folder}/freezer.self_freezing`) === '1')
      return { cause: 'cgroup', detail, hint: 'write THAWED to its freezer.state' };
  }
  return undefined;
}

/** Why a cgroup takes no process at all (EOPNOTSUPP). */
export function whyNotSupported(given: string | number | undefined): Refusal | undefined {
  const folder = given === undefined ? undefined : folderOf(given);
  const type = folder === undefined ? undefined : host.read(`${folder}/cgroup.type`);
  if (type === undefined || type === 'domain') return undefined;
  const detail =
    type === 'domain invalid'
      ? 'its cgroup.type is "domain invalid", as the cgroups beside it are threaded: it takes no process until it is, too'
      : `its cgroup.type is "${type}"`;
  return { cause: 'cgroup', detail };
}
