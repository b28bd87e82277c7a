// Why a file is not executed (EACCES): the folder that may not be searched, the mode of the file, its mount.
import { dirname, resolve } from 'node:path';

import { type FileStatus, host } from './host';
import { mountOf } from './mount-table';

const typeMask = 0o170000;
const folderType = 0o040000;

/** Who executes it, by ids as we see them. */
export interface Executor {
  readonly uid: number;
  readonly groups: readonly number[];
  /** Whether a capability stands above the mode of this file, or may. */
  overrides(status: FileStatus): boolean;
}

/** The permission that is asked of a file to execute it, and of a folder to search it. */
function may({ mode, uid, gid }: FileStatus, who: Executor): boolean {
  if (uid === who.uid) return (mode & 0o100) !== 0;
  return (mode & (who.groups.includes(gid) ? 0o010 : 0o001)) !== 0;
}

/** From the root to the one that the file is in. */
function foldersOf(file: string): string[] {
  const folders: string[] = [];
  for (let at = dirname(file); ; at = dirname(at)) {
    folders.unshift(at);
    if (at === dirname(at)) return folders;
  }
}

/** The first folder on the way to a file that may not be searched. */
function closedTo(file: string, who: Executor): string | undefined {
  for (const folder of foldersOf(file)) {
    const status = host.stat(folder);
    if (status === undefined || (status.mode & typeMask) !== folderType) return undefined;
    if (!may(status, who) && !who.overrides(status)) return folder;
  }
  return undefined;
}

function whyNot(file: string, who: Executor): string | undefined {
  const status = host.stat(file);
  if (status === undefined) return undefined;
  if ((status.mode & typeMask) === folderType) return `${file} is a folder`;
  // For root too, at least somebody must be allowed to.
  if ((status.mode & 0o111) === 0) return `${file} is not executable`;
  if (!may(status, who) && !who.overrides(status)) return `user ${who.uid} may not execute ${file}`;
  const mount = mountOf(file);
  return mount?.options.includes('noexec') === true
    ? `${file} is on ${mount.target}, which is mounted noexec`
    : undefined;
}

/** The first reason among files that are tried in turn: of one that is there, before a folder that may have it and cannot be searched. */
export function whyNotExecuted(files: readonly string[], who: Executor, folder = '.'): string | undefined {
  let closed: string | undefined;
  for (const file of files) {
    const path = resolve(folder, file);
    const first = closedTo(path, who);
    closed ??= first;
    if (first !== undefined) continue;
    const reason = whyNot(path, who);
    // Nothing that can be seen is wrong with one that is there: no folder before it is to blame.
    if (reason !== undefined || host.stat(path) !== undefined) return reason;
  }
  if (closed === undefined) return undefined;
  return files.length === 1
    ? `user ${who.uid} may not search the folder ${closed}`
    : `no folder of PATH that user ${who.uid} may search has it; ${closed} is not one of them`;
}
