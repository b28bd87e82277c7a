// What the first turns of the event loop run through ahead of the first clone: no failure of it would be told by anything else.
import { setImmediate } from 'node:timers/promises';

import { rehearse } from '../lib/process/start';
import { clone } from '../lib';
import { leavesNothing, ourDescriptors } from './support/leftovers';
import { evaluate, root } from './support/own-process';

leavesNothing();

test('comes to its end, opens nothing and starts nothing', async () => {
  const before = ourDescriptors();
  const starting = rehearse();
  expect(ourDescriptors()).toEqual(before);
  expect(starting).toHaveLength(3);
  await expect(Promise.race([...starting, setImmediate('on its way')])).resolves.toBe('on its way');
  // Nor does it keep what it has written from the next one.
  await expect((await clone('/bin/sh', ['-c', 'exit 3'])).exited).resolves.toMatchObject({ code: 3 });
});
test('is not told of, where every plan is', () => {
  const told = evaluate<string>(
    `const { spawnSync } = require('node:child_process');
     const source = 'require(' + JSON.stringify(${JSON.stringify(root)}) + '); setTimeout(() => {}, 100)';
     return spawnSync(process.execPath, ['-e', source], { env: { ...process.env, NODE_DEBUG: 'nsclone' } }).stderr.toString();`,
  );
  expect(told).toBe('');
});
