// The table of docs/guides/coming-from-bwrap.md has every option, and no other.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { options } from '../../tools/bwrap/options';
import { root } from '../support/own-process';

test('every option of bubblewrap is in the table, once', () => {
  const page = readFileSync(join(root, 'docs/guides/coming-from-bwrap.md'), 'utf8');
  const cells = Array.from(page.matchAll(/^\| (`--.*?) \|/gm), ([, cell]) => cell!);
  const named = cells.flatMap((cell) => Array.from(cell.matchAll(/`(--[\w-]+)`/g), ([, name]) => name!));
  expect(named.sort()).toEqual(Object.keys(options).sort());
});
