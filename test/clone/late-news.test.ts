// What has happened while the event loop was busy counts, although nobody has been told of it yet.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { clone, Flags } from '../../lib';
import { owned } from '../support/inside';
import { untilZombie } from '../support/alive';
import { leavesNothing, ourChildren } from '../support/leftovers';
import { slow, until } from '../support/slow';

leavesNothing();

/** Keeps the event loop busy until a command has left its mark. */
function busyUntil(mark: string): void {
  for (const end = performance.now() + slow(20_000); !existsSync(mark);) {
    if (performance.now() > end) throw new Error(`waited in vain for ${mark}`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
  }
}

describe('a command that runs already', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nsclone-late-'));
  const mark = join(folder, 'mark');
  const script = `: > ${mark}; while :; do sleep 1; done`;
  afterEach(() => rmSync(mark));
  afterAll(() => rmSync(folder, { recursive: true }));

  test.each([
    ['a plain one', {}],
    ['one in a pid namespace', { ...owned(Flags.NEWPID), setgroups: 'deny' as const }],
    ['one beside a pid 1', { ...owned(Flags.NEWPID), setgroups: 'deny' as const, init: true }],
  ])('is ended as a running one by its timeout: %s', async (_name, options) => {
    const started = clone('/bin/sh', ['-c', script], { stdio: 'ignore', timeout: 1, ...options });
    busyUntil(mark);
    // Its time is over long ago: that is what the event loop comes to first.
    const child = await started;
    expect(await child.exited).toMatchObject({ code: null, endedBy: 'timeout' });
  });

  test('is ended as a running one by its signal', async () => {
    const controller = new AbortController();
    const started = clone('/bin/sh', ['-c', script], { stdio: 'ignore', signal: controller.signal });
    busyUntil(mark);
    controller.abort();
    const child = await started;
    expect(await child.exited).toMatchObject({ signal: 'SIGTERM', endedBy: 'abort' });
  });
});

test('a command that has ended already was ended by nobody', async () => {
  const controller = new AbortController();
  const before = new Set(ourChildren());
  const started = clone('/bin/sh', ['-c', 'exit 3'], { stdio: 'ignore', signal: controller.signal });
  const [pid] = ourChildren().filter((one) => !before.has(one));
  untilZombie(pid!);
  controller.abort();
  const child = await started;
  expect(await child.exited).toMatchObject({ code: 3 });
  expect((await child.exited).endedBy).toBeUndefined();
  await until(() => child.exitCode === 3);
});
