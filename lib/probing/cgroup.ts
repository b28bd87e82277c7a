// What is asked of the kernel and of the host: a child in a cgroup of version 2.
import { accessSync, constants as modes } from 'node:fs';

import { ownCgroup } from '../host/control-groups';
import { host } from '../host/host';
import { mountTable } from '../host/mount-table';
import { Request } from '../assembly/request';
import { cgroupFolder } from '../steps/cgroup';
import { process as secondClone } from '../steps/process';
import type { Answer, Refusal } from '../../types/probe';
import { ask, type Question } from './line';

/** Where the controllers are that are of use. */
function controllersOf(folder: string): string {
  const here = host.read(`${folder}/cgroup.controllers`) ?? '';
  const isOld = mountTable().some(
    ({ type, options }) => type === 'cgroup' && !options.some((one) => one.startsWith('name=')),
  );
  if (here === '') return `${folder} has no controllers${isOld ? ', which are in hierarchies of version 1' : ''}`;
  return `${folder} has the controllers ${here}${isOld ? '; all others are in hierarchies of version 1' : ''}`;
}

/** Whether a cgroup can be made below it: for that nothing has to be tried, as a folder's permissions are all that counts. */
function whyNoneBelow(folder: string): Refusal | undefined {
  try {
    accessSync(folder, modes.W_OK);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      return { cause: 'cgroup', detail: `our cgroup ${folder} is not seen in what is mounted here` };
    if (code === 'EACCES' && host.stat(folder)?.uid === process.geteuid!())
      return { cause: 'cgroup', detail: `our cgroup ${folder} is ours, but may not be written` };
    return code === 'EROFS'
      ? {
          cause: 'cgroup',
          detail: `${folder} is mounted read-only`,
          hint: 'a container has to be started with a writable one (docker: --privileged, podman: --security-opt unmask=/sys/fs/cgroup)',
        }
      : {
          cause: 'cgroup',
          detail: `our cgroup ${folder} belongs to somebody else`,
          hint: 'start Node in one that is ours: systemd-run --user --scope -p Delegate=yes node …',
        };
  }
}

/** Born into the cgroup that we are in: nothing has to be made for it. */
function born(folder: string): Question {
  return {
    name: 'cgroup',
    needs: [],
    flags: 0,
    emit(writer, request) {
      cgroupFolder.emit!(writer, request);
      secondClone.emit!(writer, request);
    },
    tell: () => controllersOf(folder),
    hint: (code) =>
      code === 'EACCES' || code === 'EPERM'
        ? { cause: 'cgroup', detail: `we may not write ${folder}/cgroup.procs` }
        : { cause: 'cgroup' },
  };
}

export async function cgroup(): Promise<Answer> {
  const folder = ownCgroup();
  const refusal: Refusal | undefined =
    folder === undefined
      ? { cause: 'cgroup', detail: 'there is no cgroup v2 hierarchy here, or our cgroup is not seen in it' }
      : whyNoneBelow(folder);
  if (folder === undefined || refusal !== undefined) return { available: false, ...refusal! };
  const request = new Request();
  request.cgroup = folder;
  return (await ask([born(folder)], { request })).get('cgroup')!;
}
