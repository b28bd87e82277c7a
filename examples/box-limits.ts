// A cgroup for one container, where this host's cgroup v2 lets us make one, see cgroups(7).
import { accessSync, constants, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** Files of a cgroup and what is written to them: `{ 'pids.max': '100' }`. */
export type Limits = Readonly<Record<string, string>>;

/** Our own cgroup and all above it, the nearest first, as far as we can see them. */
function* ourGroups(): Generator<string> {
  const mount = /^\S+ \S+ \S+ (\S+) (\S+) .* - cgroup2 /m.exec(readFileSync('/proc/self/mountinfo', 'utf8'));
  const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
  if (mount === null || own === undefined) return;
  const [, root, top] = mount as unknown as [string, string, string];
  const below = relative(root, own);
  if (below.startsWith('..')) return;
  for (let folder = join(top, below); ; folder = dirname(folder)) {
    yield folder;
    if (folder === top) return;
  }
}

/** Whether a cgroup made in this one gets these controllers, and we may make one and enter it. */
function offers(folder: string, controllers: readonly string[]): boolean {
  try {
    for (const path of [folder, join(folder, 'cgroup.procs')]) accessSync(path, constants.W_OK);
    const handedDown = readFileSync(join(folder, 'cgroup.subtree_control'), 'utf8').trim().split(' ');
    return controllers.every((name) => handedDown.includes(name));
  } catch {
    return false;
  }
}

/** @throws where there is no place for one; the function that it returns removes it */
export function makeGroup(limits: Limits): { readonly folder: string; remove(): void } {
  const controllers = Object.keys(limits).map((file) => file.slice(0, file.indexOf('.')));
  const above = [...ourGroups()].find((folder) => offers(folder, controllers));
  if (above === undefined) {
    const wanted = controllers.join(' and ');
    throw new Error(`no cgroup v2 above ours offers the controllers ${wanted} to us: no limits of ${wanted} here`);
  }
  const folder = join(above, `minibox-${process.pid}`);
  mkdirSync(folder);
  const remove = (): void => rmdirSync(folder);
  try {
    for (const [file, limit] of Object.entries(limits)) writeFileSync(join(folder, file), limit);
  } catch (error) {
    remove();
    throw error;
  }
  return { folder, remove };
}
