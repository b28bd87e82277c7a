// Code of the caller's that runs while a child is being started, as its pause() of a stream that the child gets, may do anything.
import { closeSync, openSync } from 'node:fs';
import type { Readable } from 'node:stream';

import { clone, Flags, plan } from '../../lib';
import { owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';

leavesNothing();

let fd = -1;
beforeAll(() => {
  fd = openSync('/dev/null', 'r');
});
afterAll(() => closeSync(fd));

/** A stream that is being read, as child_process knows one. */
const stream = (pause: () => void): Readable =>
  ({ fd, _handle: { fd, reading: true, readStop: () => {} }, pause }) as unknown as Readable;

test('an abort in it is heard', async () => {
  const abort = new AbortController();
  const started = clone('/bin/sleep', ['5'], {
    stdio: [stream(() => abort.abort()), 'ignore', 'ignore'],
    signal: abort.signal,
  });
  await expect(started).rejects.toMatchObject({ name: 'AbortError' });
});

test('the same plan that it starts joins what that joins, and so does the first start', async () => {
  const other = await clone('/bin/sleep', ['20'], { ...owned(Flags.NEWUTS), stdio: 'ignore' });
  const codeOf = async (): Promise<number | null> => (await (await clone(joining)).exited).code;
  let inner: Promise<number | null> | undefined;
  let isFirst = true;
  const startAgain = (): void => {
    if (isFirst) {
      isFirst = false;
      inner = codeOf();
    }
  };
  const stdio = [stream(startAgain), 'ignore', 'ignore'] as const;
  const joining = plan('/bin/true', [], { join: { pid: other.pid }, stdio });
  try {
    expect(await codeOf()).toBe(0);
    expect(await inner).toBe(0);
  } finally {
    other.kill('SIGKILL');
    await other.exited;
  }
});
