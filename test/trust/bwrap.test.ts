// Lines of bubblewrap under attack: nothing of them may be less than the line says.
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';

import { root } from '../support/own-process';
import { slow } from '../support/slow';
import { temporaryFolder } from '../support/temporary-folder';

const folder = temporaryFolder();
const cli = join(root, 'dist/lib/cli.js');
const bwrap = (argv: readonly string[], options: Parameters<typeof spawnSync>[2] = {}): SpawnSyncReturns<string> =>
  spawnSync(cli, ['bwrap', '--ro-bind', '/', '/', ...argv], {
    encoding: 'utf8',
    timeout: slow(20_000),
    ...options,
  }) as never;

const asRoot = process.getuid!() === 0 ? test : test.skip;

asRoot('pid 1 has no right that was taken from the command', () => {
  const { stdout } = bwrap(['--cap-drop', 'CAP_CHOWN', '--unshare-pid', '--proc', '/proc', 'cat', '/proc/1/status']);
  const kill = 1n << 5n;
  expect(BigInt(`0x${/^CapPrm:\t(\w+)/m.exec(stdout)![1]}`) & ~kill).toBe(0n);
  expect(stdout).toMatch(/^NoNewPrivs:\t1$/m);
});

test('what is there is mounted or nothing runs, -try or not', () => {
  const hostile = folder.folder('hostile');
  symlinkSync('nowhere', join(hostile, 'link'));
  const line = ['--bind', hostile, hostile, '--ro-bind-try', '/etc', join(hostile, 'link'), 'echo', 'ran'];
  expect(bwrap(line)).toMatchObject({ status: 1, stdout: '' });
});

test('a name that Node cannot tell is not taken for another', () => {
  const { status, stderr } = bwrap(['--tmpfs', '/tmp/a\ufffd', 'true']);
  expect({ status, stderr }).toEqual({ status: 1, stderr: 'bwrap: --tmpfs takes UTF-8\n' });
});

test('a lock is taken on nothing that a link outside leads to', () => {
  const hostile = folder.folder('hostile');
  symlinkSync(folder.file('outside', ''), join(hostile, 'absolute'));
  symlinkSync('../outside', join(hostile, 'relative'));
  for (const name of ['absolute', 'relative']) {
    const line = ['--tmpfs', '/tmp', '--bind', hostile, '/tmp/data', '--lock-file', `/tmp/data/${name}`, 'echo', 'ran'];
    expect(bwrap(line)).toMatchObject({ status: 1, stdout: '' });
  }
});

test('nothing goes on that nobody could be told of', () => {
  // Nothing can be written to what is open for reading; what is left would be waited for.
  const line = '"$0" bwrap --ro-bind / / --info-fd 9 --block-fd 8 sleep 100 9</dev/null 8</dev/zero';
  const { status, error } = spawnSync('sh', ['-c', line, cli], { encoding: 'utf8', timeout: slow(20_000) });
  expect({ status, error }).toEqual({ status: 1, error: undefined });
});

test('who has lost its parent while Node started ends', () => {
  // The shell is the parent, and goes when the launcher has become Node; what is left holds the pipe open.
  const script = `"$0" bwrap --ro-bind / / --die-with-parent sleep 100 &
    until [ /proc/$!/exe -ef "$1" ]; do :; done; kill -9 $$`;
  const { error } = spawnSync('sh', ['-c', script, cli, process.execPath], { encoding: 'utf8', timeout: slow(20_000) });
  expect(error).toBeUndefined();
});
