// What ends together with a command, see `killTree`: told to the addon, with what it needs of a cgroup for that.
import { addon } from '../addon';
import { SyscallError } from '../errors/syscall-error';
import type { OpenFolder } from '../cgroup-folder';
import type { Request } from '../assembly/request';

/** How the addon ends it. A pid namespace needs nothing: the kernel ends it with its pid 1. */
const enum Way {
  None = 0,
  Group = 1,
  Cgroup = 2,
  Freezer = 3,
}

/** The way, and up to three descriptors, which the addon closes once there is a child. */
export type TreeArguments = [way: number, folder: number, first: number, second: number];

export const none: TreeArguments = [Way.None, -1, -1, -1];
const group: TreeArguments = [Way.Group, -1, -1, -1];

/** The cgroup that ends with it, where it was given by its path. */
export function treeFolder({ cgroups, treeCgroup }: Request): string | undefined {
  const source = cgroups[treeCgroup]?.source;
  return typeof source === 'string' ? source : undefined;
}

/** @param folders the opened folders of `cgroup`, in their order. @throws SyscallError */
export function openTree(request: Request, folders: readonly OpenFolder[]): TreeArguments {
  if (request.treeWay === 'group') return group;
  if (request.treeWay !== 'cgroup') return none;
  const index = request.treeCgroup;
  const { version } = request.cgroups[index]!;
  const opened: number[] = [];
  const open = (name: string, writes = false): number => {
    const result = addon().openAt(folders[index]!.descriptor, name, writes);
    if (result >= 0) {
      opened.push(result);
      return result;
    }
    for (const one of opened) addon().close(one);
    const path = treeFolder(request);
    throw new SyscallError({
      errno: -result,
      step: 'cgroup',
      option: 'killTree',
      syscall: 'openat',
      path: path === undefined ? undefined : `${path}/${name}`,
      hint: whyNotOpened(name, -result),
    });
  };
  const folder = open('.');
  if (version === 2) return [Way.Cgroup, folder, open('cgroup.kill', true), open('cgroup.events')];
  return [Way.Freezer, folder, open('freezer.state', true), -1];
}

const ENOENT = 2;

function whyNotOpened(name: string, errno: number): string | undefined {
  if (errno === ENOENT && name === 'cgroup.kill') return 'the root of the hierarchy has none: give a cgroup below it';
  return undefined;
}

/** For a child that never was. */
export function closeTree([, ...descriptors]: TreeArguments): void {
  for (const descriptor of descriptors) if (descriptor >= 0) addon().close(descriptor);
}
