// A folder of its own for each test of a file, which children of any id may look into.
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { removeFolder } from './remove-folder';

export class TemporaryFolder {
  path = '';

  /** Of a name in it. */
  at(name: string): string {
    if (this.path === '') throw new Error('the folder is there as long as a test runs');
    return join(this.path, name);
  }

  /** An empty folder in it, with its parents. */
  folder(name: string): string {
    mkdirSync(this.at(name), { recursive: true });
    return this.at(name);
  }

  /** A file in it, with its parents. */
  file(name: string, content: string): string {
    mkdirSync(dirname(this.at(name)), { recursive: true });
    writeFileSync(this.at(name), content);
    return this.at(name);
  }
}

/** It is there as long as a test runs. */
export function temporaryFolder(): TemporaryFolder {
  const folder = new TemporaryFolder();
  beforeEach(() => {
    folder.path = mkdtempSync(join(tmpdir(), 'nsclone-'));
    chmodSync(folder.path, 0o755);
  });
  afterEach(() => {
    removeFolder(folder.path);
    folder.path = '';
  });
  return folder;
}
