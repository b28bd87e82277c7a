// Something for shells to wait for in the place of a time: it lasts until the test says so, at most as long as the test.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folders = new Set<string>();

function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  folders.delete(folder);
}

/** `wait` is a command that takes until `end()`. */
export function lasting(): { readonly wait: string; end(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'nsclone-lasting-'));
  folders.add(folder);
  return { wait: `while [ -e ${folder} ]; do sleep 0.01; done`, end: () => remove(folder) };
}

afterEach(() => folders.forEach(remove));
