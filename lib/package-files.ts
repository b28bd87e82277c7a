// Where the files of the package lie.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder of its package.json. */
export function packageRoot(): string {
  let folder = __dirname;
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}
