// The example `sockets`: traffic between two networks, through sockets of a process that is in neither.
import { spawnSync } from 'node:child_process';
import { networkInterfaces } from 'node:os';

import { needing } from '../support/capability';
import { leavesNothing } from '../support/leftovers';
import { slow } from '../support/slow';
import { buildExamples, example } from './built';

leavesNothing();
beforeAll(buildExamples);

const hasIp = spawnSync('ip', ['-V']).error === undefined;

needing(hasIp, 'ip(8)')('what a client writes comes through the cable to the server, and back', () => {
  // Those of `minibox` come and go meanwhile.
  const interfaces = (): string[] => Object.keys(networkInterfaces()).filter((name) => !name.startsWith('minibox'));
  const before = interfaces();
  const { status, stdout, stderr } = spawnSync(process.execPath, [example('sockets')], {
    encoding: 'utf8',
    timeout: slow(20_000),
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toBe(
    'the server in the left network hears from 10.0.0.2\n' +
      'the client in the right network is 10.0.0.2, and has back: hello through the cable\n',
  );
  expect(interfaces()).toEqual(before);
});
