// Where the files of the package lie.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

function isOurs(folder: string): boolean {
  const file = join(folder, 'package.json');
  return existsSync(file) && /"name": *"nsclone"/.test(readFileSync(file, 'utf8'));
}

/** The folder of its package.json; undefined where this code has been bundled into another program, away from the package. */
export function packageRoot(): string | undefined {
  for (let folder = __dirname; ; folder = dirname(folder)) {
    if (isOurs(folder)) return folder;
    if (dirname(folder) === folder) return undefined;
  }
}
