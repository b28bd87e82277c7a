// Children by the hundred leave nothing behind. NSCLONE_SOAK=10000 starts that many, and a fifth of it beside Workers.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import { slow } from '../support/slow';

interface Figures {
  readonly descriptors: number;
  readonly children: number;
  readonly threads: number;
  readonly mappings: number;
  readonly residentKiB: number;
  readonly zombies: number;
}

const clones = Number(process.env['NSCLONE_SOAK'] ?? 500);

test(
  `${clones} children, and ${clones / 5} beside Workers, leave nothing`,
  () => {
    const argv = ['--expose-gc', join(__dirname, 'soak.js'), String(clones), String(clones / 5)];
    const { status, stdout, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
    const { before, between, after } = JSON.parse(stdout) as Record<'before' | 'between' | 'after', Figures>;
    for (const now of [between, after]) {
      expect(now.descriptors).toBeLessThanOrEqual(before.descriptors);
      expect(now.threads).toBeLessThanOrEqual(before.threads);
      expect([now.children, now.zombies]).toEqual([0, 0]);
      // Not one for each child: V8 maps its pages, and malloc an arena for a thread that finds the others busy.
      expect(now.mappings).toBeLessThanOrEqual(before.mappings + 100);
      expect(now.residentKiB).toBeLessThanOrEqual(before.residentKiB + 64 * 1024);
    }
  },
  slow(60_000 + clones * 20),
);
