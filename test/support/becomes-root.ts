// setpriv(1) with its set-user-ID bit: what an ordinary user starts by it has become root.
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What comes before a command that is to be root. */
export const rootArguments = ['--reuid', '0', '--regid', '0', '--clear-groups'] as const;

/** Runs with a copy of it, as root alone can make it. */
export function withBecomesRoot<T>(use: (setpriv: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'nsclone-test-'));
  try {
    chmodSync(folder, 0o755);
    const copy = join(folder, 'setpriv');
    copyFileSync('/usr/bin/setpriv', copy);
    chmodSync(copy, 0o4755);
    return use(copy);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
