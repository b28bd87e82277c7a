// The channel in runtimes without libuv, tried in Node: the thread that wakes tells of it.
import '../support/foreign-runtime';
import { once } from 'node:events';

import { fork } from '../../lib';
import { leavesNothing } from '../support/leftovers';
import { refusal } from '../support/refusal';
import { temporaryFolder } from '../support/temporary-folder';

leavesNothing();
const folder = temporaryFolder();

test('messages go both ways, small and large, and the end is told after them', async () => {
  // A disconnect() of Node's own loses what waits.
  const file = folder.file(
    'module.js',
    `process.on('message', (m) => process.send(m, () => m.length > 5 && process.disconnect()));`,
  );
  const child = await fork(file);
  const events: string[] = [];
  for (const event of ['spawn', 'disconnect', 'exit', 'close']) child.on(event, () => events.push(event));
  const large = 'x'.repeat(5_000_000);
  const sizes: number[] = [];
  child.on('message', (message: string) => sizes.push(message.length));
  for (let i = 0; i < 100; i++) child.send('small');
  expect(child.send(large)).toBe(false);
  await once(child, 'close');
  expect(sizes).toEqual([...Array.from({ length: 100 }, () => 5), large.length]);
  expect(events).toEqual(['spawn', 'disconnect', 'exit', 'close']);
});

test("'advanced' is refused where node:v8 has another format", async () => {
  await expect(fork('x.js', { serialization: 'advanced' })).rejects.toMatchObject({
    code: 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM',
    message: expect.stringMatching(/^fork\(\) with the serialization 'advanced' is unavailable in Bun/) as string,
  });
  // Not before what is said is looked at.
  await expect(fork('x.js', { serialization: 'xml' as 'json' })).rejects.toEqual(
    refusal('ERR_INVALID_ARG_VALUE', 'serialization'),
  );
});
