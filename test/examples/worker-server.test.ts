// The example `worker-server`: two Workers serve the same port, each in a network of its own.
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';

import { slow } from '../support/slow';
import { buildExamples, example } from './built';

beforeAll(buildExamples);

function outcomeOf(file: string): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [file], { encoding: 'utf8', timeout: slow(20_000) });
  return { status, stdout, stderr };
}

const both = { status: 0, stdout: 'blue on blue-box\ngreen on green-box\n', stderr: '' };

test('each answers in its network, with its host name', () => {
  expect(outcomeOf(example('worker-server'))).toEqual(both);
});

test('on a port that is taken in ours', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const copy = example('worker-server-test');
  const source = readFileSync(example('worker-server'), 'utf8');
  writeFileSync(copy, source.replace('const port = 8080;', `const port = ${port};`));
  try {
    expect(readFileSync(copy, 'utf8')).not.toBe(source);
    expect(outcomeOf(copy)).toEqual(both);
  } finally {
    rmSync(copy);
    server.close();
  }
});
