// Where the files of the package lie.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder of its package.json. */
export function packageRoot(): string {
  let folder = __dirname;
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

/** The stub as a file, which hosts need that let nobody execute memory; undefined where there is none. */
function stubFile(): string | undefined {
  // In the order in which the addon is looked for.
  const folders = ['build/Release', `prebuilds/${process.platform}-${process.arch}`];
  return folders.map((folder) => join(packageRoot(), folder, 'nsclone_stub')).find((file) => existsSync(file));
}

/** What a person can do where the stub cannot be opened, or not be executed. `path`: what NSCLONE_STUB is, or ''. */
export function stubHint(path: string): string {
  if (path !== '') return 'NSCLONE_STUB must name the program nsclone_stub of this version of the package';
  const file = stubFile() ?? 'the program nsclone_stub of this version';
  return `where executable memory files are forbidden (sysctl vm.memfd_noexec), set NSCLONE_STUB=${file}`;
}
