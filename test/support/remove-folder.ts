// The end of a folder of a test.
import { chmodSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

function open(folder: string): void {
  chmodSync(folder, 0o700);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) open(join(folder, entry.name));
  }
}

/** Removes it with all that is in it, also where nobody may enter that: the kernel makes such a folder for an overlay. */
export function removeFolder(folder: string): void {
  open(folder);
  rmSync(folder, { recursive: true });
}
