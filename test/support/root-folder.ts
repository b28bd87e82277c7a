// A folder that becomes the root of a child, and the mounts that bring the host's programs into it.
import { lstatSync, mkdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

import type { Mount } from '../../lib';

function isMissing(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) === undefined;
}

/** What a shell needs: folders of programs and libraries, or links to them as the host has them. */
export const programs: readonly Mount[] = ['/usr', '/bin', '/sbin', '/lib', '/lib64']
  .filter((path) => !isMissing(path))
  .map((path) =>
    lstatSync(path).isSymbolicLink()
      ? { type: 'symlink', target: path, to: readlinkSync(path) }
      : { type: 'bind', source: path, target: path, readonly: true, create: true },
  );

export const proc = { type: 'proc', target: '/proc', create: true } as const satisfies Mount;

/** An empty folder of this name. */
export function emptyFolder(parent: string, name: string): string {
  const folder = join(parent, name);
  mkdirSync(folder, { recursive: true });
  return folder;
}
