// What a person can do where the stub cannot be opened, or not be executed.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

import type { Refusal } from '../types/probe';
import { wordsOf } from './errors/hint';
import { host } from './host/host';
import { causeOf, profile, spell, whoRefuses } from './host/ourselves';
import { home } from './package-files';

/** The stub as a file, which hosts need that let nobody execute memory; undefined where there is none. */
function stubFile(): string | undefined {
  const { folder: root } = home();
  if (root === undefined) return undefined;
  // In the order in which the addon is looked for.
  const folders = ['build/Release', `prebuilds/${process.platform}-${process.arch}`];
  return folders.map((folder) => join(root, folder, 'nsclone_stub')).find((file) => existsSync(file));
}

/** Whether it is the program of this version. */
function isStub(path: string): boolean {
  const own = stubFile();
  try {
    const [is, ours] = [statSync(path), own === undefined ? undefined : statSync(own)];
    return is.isFile() && is.size === ours?.size && readFileSync(own!).equals(readFileSync(path));
  } catch {
    return false;
  }
}

/** What keeps a memory file from being executed. */
function whyNoMemoryFile(code: string): Refusal | undefined {
  const value = host.read('/proc/sys/vm/memfd_noexec');
  if (code === 'EACCES' && value === '2')
    return { cause: 'sysctl', detail: 'sysctl vm.memfd_noexec is 2, so no memory file can be executed' };
  const found = profile();
  // The name of a memory file leads nowhere: apparmor.d(5) calls it disconnected.
  if (code === 'EACCES' && found?.module === 'AppArmor' && found.mode === 'enforced') {
    const detail = `${spell(found)} lets us execute no memory file, which takes the flag attach_disconnected`;
    return { cause: causeOf(found), detail };
  }
  return whoRefuses(code, 'memfd_create, and to execute memory files');
}

/**
 * @param path what NSCLONE_STUB is, or ''
 * @param call what was refused
 */
export function stubHint(path: string, code: string, call = 'execveat'): Refusal | undefined {
  if (path !== '' && isStub(path)) return code === 'EACCES' ? undefined : whoRefuses(code, call);
  if (path !== '')
    return { cause: 'kernel', hint: 'NSCLONE_STUB must name the program nsclone_stub of this version of the package' };
  if (code !== 'EACCES' && code !== 'EPERM' && code !== 'ENOSYS') return undefined;
  const reason = whyNoMemoryFile(code);
  // A filter sees no path: what it refuses for the one it refuses for the other.
  if (reason?.cause === 'seccomp') return whoRefuses(code, call);
  const file = stubFile() ?? 'the program nsclone_stub of this version';
  const detail = wordsOf(reason) ?? 'to execute a file in place of memory';
  return { cause: reason?.cause ?? 'kernel', detail, hint: `set NSCLONE_STUB=${file}` };
}
