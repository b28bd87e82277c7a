// What a stream of a child keeps when the child has ended and nobody reads.
import { AsyncResource } from 'node:async_hooks';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';

import { Output } from '../../lib/process/output';

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** An output of an ended child that nobody reads, after so many chunks of such a size. */
async function kept(count: number, size: number): Promise<Output> {
  const source = new PassThrough();
  const output = new Output(new AsyncResource('TEST'), source as unknown as Socket, false);
  const over = new Promise<void>((resolve) => output.readOn(resolve));
  for (let index = 0; index < count; index++) {
    source.write(Buffer.alloc(size, 'x'));
    await turn();
  }
  source.end();
  await over;
  return output;
}

test('1 MiB is kept, and the first of it', async () => {
  const output = await kept(40, 30_000);
  expect((await buffer(output)).equals(Buffer.alloc(1 << 20, 'x'))).toBe(true);
});

test('what comes byte by byte counts for what it costs: no child fills the memory of Node', async () => {
  expect((await kept(10_000, 1)).readableLength).toBe((1 << 20) / 128);
});
