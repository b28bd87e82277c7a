// What a person can do where the command is not executed.
import { resolve } from 'node:path';

import { Flags } from '../flags';
import { whyNotExecuted } from '../host/executable';
import { host } from '../host/host';
import { holds } from '../host/ourselves';
import { constants } from '../kernel/constants';
import { insideID, outsideID, type Ranges } from '../assembly/ids';
import { isTop } from '../assembly/target';
import type { Request } from '../assembly/request';

/** Which file or folder is in the way; where the child sees others, or has rights that we cannot tell, only the kernel knows. */
export function whyNotExecutedBy(request: Request): string | undefined {
  if (request.joinsAny(Flags.NEWNS | Flags.NEWUSER) || request.capabilities !== undefined) return undefined;
  // Which of them it has entered, only the child knows.
  if (request.cwds.length > 0) return undefined;
  if (request.inner?.join !== undefined) return undefined;
  for (const file of request.files) {
    const index = coverOf(request, file);
    if (request.mounts[index]?.isNoexec === true) return `${file} is on mounts[${index}], which is mounted noexec`;
  }
  if (!request.files.every((file) => isOurs(request, file))) return undefined;
  const { own, uid, gid, userIds, groupIds } = request;
  const isNew = request.creates(Flags.NEWUSER);
  const groups =
    request.groups?.map((group) => (isNew ? outsideID(groupIds.map, group) : group)) ?? process.getgroups!();
  // Where 0 is mapped and nothing else is asked for, the child became that.
  const outside = (id: number | undefined, map: Ranges | undefined, before: number): number | undefined =>
    isNew ? (outsideID(map, id ?? 0) ?? (id === undefined ? before : undefined)) : (id ?? before);
  const group = outside(gid, groupIds.map, own.gid);
  const user = outside(uid, userIds.map, own.uid);
  if (user === undefined) return undefined;
  const keeps = (uid ?? own.uid) === 0 || own.uid !== 0;
  const privileged = [constants.CAP_DAC_OVERRIDE, constants.CAP_DAC_READ_SEARCH].some((one) => holds(one) !== false);
  return whyNotExecuted(
    request.files,
    {
      uid: user,
      groups: [...groups, group].filter((one) => one !== undefined),
      // See capable_wrt_inode_uidgid() in the kernel: inside, over files whose ids are mapped.
      overrides: (status) =>
        isNew
          ? insideID(userIds.map, status.uid) !== undefined && insideID(groupIds.map, status.gid) !== undefined
          : keeps && privileged,
    },
    request.cwd,
  );
}

/** The last entry that a file is on, which hides what is there on the host. */
function coverOf(request: Request, file: string): number {
  const path = resolve(request.cwd ?? '.', file);
  return request.mounts.findLastIndex(
    ({ target }) => isTop(target) || path === target || path.startsWith(`${target}/`),
  );
}

/** Whether this is the file of that name that the child sees. A link may lead elsewhere; so it is only said of what is in the way. */
function isOurs(request: Request, file: string): boolean {
  return !request.changesRoot && coverOf(request, file) < 0;
}

/** Where nobody else's files are meant, one that is there has an interpreter that is not. */
export function whyMissing(request: Request): string {
  const { command, cwd, cwds } = request;
  const isOurView =
    cwds.length === 0 && !request.joinsAny(Flags.NEWNS) && request.mounts.length === 0 && !request.changesRoot;
  const there = isOurView
    ? request.files.find((file) => host.stat(resolve(cwd ?? '.', file)) !== undefined)
    : undefined;
  if (there !== undefined) return `${there} is there, but not the interpreter that it names`;
  const line =
    request.args.length === 0 && /\s/.test(command)
      ? `: arguments go into an array of their own, a line to '/bin/sh', ['-c', line]`
      : '';
  if (!command.includes('/'))
    return `there is no such command in PATH${isOurView ? '' : ', in what the child sees'}${line}`;
  if (isOurView) return `there is no such file${line}`;
  return 'the file, or the interpreter that it names, is missing in what the child sees: a program needs its loader there, see ldd(1)';
}
