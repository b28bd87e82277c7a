// `nsclone bwrap`: what it is started with reaches the command, and what it says and ends with is bubblewrap's.
import { spawn, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, closeSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

import { needing } from '../support/capability';
import { root } from '../support/own-process';
import { until } from '../support/slow';
import { temporaryFolder } from '../support/temporary-folder';

const folder = temporaryFolder();
const cli = join(root, 'dist/lib/cli.js');
const host = ['--ro-bind', '/', '/', '--tmpfs', '/tmp'];

const bwrap = (argv: readonly string[], options: Parameters<typeof spawnSync>[2] = {}): SpawnSyncReturns<string> =>
  spawnSync(cli, ['bwrap', ...argv], { encoding: 'utf8', ...options }) as SpawnSyncReturns<string>;

test('gives the exit code of the command, or 128 and the number of its signal', () => {
  expect(bwrap([...host, 'sh', '-c', 'echo out; echo err >&2; exit 7'])).toMatchObject({
    status: 7,
    stdout: 'out\n',
    stderr: 'err\n',
  });
  expect(bwrap([...host, 'sh', '-c', 'kill -9 $$']).status).toBe(137);
  for (const signal of [32, 34, 36, 64]) {
    expect(bwrap([...host, 'sh', '-c', `kill -${signal} $$`]).status).toBe(128 + signal);
    expect(bwrap([...host, '--unshare-pid', 'sh', '-c', `kill -${signal} $$`]).status).toBe(128 + signal);
  }
});

test('says what is wrong as bubblewrap does', () => {
  expect(bwrap(['--nope'])).toMatchObject({ status: 1, stderr: 'bwrap: Unknown option --nope\n' });
  expect(bwrap(['--level-prefix', '--nope'])).toMatchObject({ status: 1, stderr: '<3>bwrap: Unknown option --nope\n' });
  expect(bwrap([...host, '--bind', '/nowhere', '/tmp/a', 'true'])).toMatchObject({
    status: 1,
    stderr: "bwrap: Can't find source path /nowhere: No such file or directory\n",
  });
  expect(bwrap([...host, '/nowhere'])).toMatchObject({
    status: 1,
    stderr: 'bwrap: execvp /nowhere: No such file or directory\n',
  });
  expect(bwrap([...host, '--uid', '0', '--uid', '0', '--unshare-user', 'true']).stderr).toBe(
    'bwrap: Only the last --uid option will take effect\n',
  );
});

test('takes no descriptor of Node for one that it was given', () => {
  // Node has some of these by the time that its first line runs.
  for (const number of [3, 6, 8, 10])
    expect(bwrap([...host, '--info-fd', String(number), '--block-fd', String(number), 'echo', 'x'])).toMatchObject({
      status: 1,
      stdout: '',
      stderr: 'bwrap: Write to info_fd: Bad file descriptor\n',
    });
});

test('shows its usage, and that of a version', () => {
  const { status, stdout } = bwrap(['--help']);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^usage: nsclone bwrap \[OPTIONS/);
  expect(bwrap([])).toMatchObject({ status: 1, stderr: expect.stringMatching(/^usage: /) as string });
  expect(bwrap(['--unshare-pid']).stderr).toMatch(/^usage: /);
  expect(bwrap(['--version']).stdout).toMatch(/^bubblewrap 0\.11/);
});

test('is bwrap where it is called so', () => {
  symlinkSync(cli, folder.at('bwrap'));
  const { status, stdout } = spawnSync(folder.at('bwrap'), [...host, 'echo', 'x'], { encoding: 'utf8' });
  expect({ status, stdout }).toEqual({ status: 0, stdout: 'x\n' });
  expect(spawnSync(folder.at('bwrap'), ['--help'], { encoding: 'utf8' }).stdout).toMatch(
    `usage: ${folder.at('bwrap')} `,
  );
});

describe('what it was started with', () => {
  test('are descriptors: those that are inherited, and no other', () => {
    const descriptor = openSync(folder.file('content', 'x'), 'r');
    try {
      const stdio = ['ignore', 'pipe', 'pipe', descriptor, 'ignore', descriptor] as const;
      const { stdout } = bwrap([...host, 'sh', '-c', 'for one in /proc/$$/fd/*; do echo ${one##*/}; done'], {
        stdio: [...stdio],
      });
      // Of what else started us nothing is known: 4 is /dev/null.
      expect(stdout.split('\n').filter((text) => Number(text) <= 5 && text !== '')).toEqual([
        '0',
        '1',
        '2',
        '3',
        '4',
        '5',
      ]);
      const used = bwrap(
        [...host, '--file', '3', '/tmp/a', 'sh', '-c', '[ -e /proc/$$/fd/3 ] && echo open || cat /tmp/a'],
        {
          stdio: [...stdio],
        },
      );
      expect(used.stdout).toBe('x');
    } finally {
      closeSync(descriptor);
    }
  });

  test('are limits, ignored signals and NODE_OPTIONS', () => {
    const look =
      'ulimit -Sn; grep SigIgn /proc/self/status | cut -f2; echo "$NODE_OPTIONS"; env | grep -c NSCLONE_LAUNCHED';
    const script = `ulimit -Sn 400; trap '' HUP PIPE; exec "$@"`;
    const { stdout } = spawnSync('sh', ['-c', script, 'sh', cli, 'bwrap', ...host, 'sh', '-c', look], {
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: '--no-warnings' },
    });
    expect(stdout).toBe('400\n0000000000001001\n--no-warnings\n0\n');
  });

  test('is a folder that is gone', () => {
    const gone = mkdtempSync(join(folder.path, 'gone-'));
    const script = `cd ${gone} && rmdir ${gone} && exec "$@"`;
    const { stdout, status } = spawnSync('sh', ['-c', script, 'sh', cli, 'bwrap', ...host, 'pwd'], {
      encoding: 'utf8',
      env: { ...process.env, HOME: '/usr' },
    });
    expect({ stdout, status }).toEqual({ stdout: '/usr\n', status: 0 });
  });
});

test('sandbox-runtime’s line: own session, no network, files that are bound, written to and hidden', () => {
  folder.file('work/secret', 'secret');
  const work = folder.at('work');
  const line = `--new-session --die-with-parent --unshare-net --unshare-pid --ro-bind / / --bind ${work} ${work}
    --ro-bind /dev/null ${work}/secret --tmpfs ${work}/empty --dev /dev --proc /proc --setenv SANDBOX yes --`.split(
    /\s+/,
  );
  // A device on a mount without devices is one that nobody can open.
  const script = `id -u; cat ${work}/secret 2>&1 | grep -c 'Permission denied'; ls -A ${work}/empty; echo $SANDBOX; echo x > ${work}/written; ls /sys/class/net 2>&1 | wc -l
    (echo > /usr/x) 2>/dev/null || echo refused; [ $$ -le 3 ] && echo few; wc -l < /proc/net/dev`;
  // A bash whose stdin is a socket, as the pipes of Node are, takes itself for one of rshd(8), and reads .bashrc.
  const { stdout, stderr } = bwrap([...line, 'bash', '-c', script], { stdio: ['ignore', 'pipe', 'pipe'] });
  expect(stderr).toBe('');
  const [uid, hidden, environment, , refused, few, devices] = stdout.trim().split('\n');
  expect({ uid, hidden, environment, refused, few, devices }).toEqual({
    hidden: '1',
    uid: String(process.getuid!()),
    environment: 'yes',
    refused: 'refused',
    few: 'few',
    devices: '3',
  });
  expect(readFileSync(join(work, 'written'), 'utf8')).toBe('x\n');
  rmSync(join(work, 'empty'), { recursive: true, force: true });
});

test('with --die-with-parent all ends when its parent does', async () => {
  const mark = folder.at('mark');
  const line = [...host, '--bind', folder.path, folder.path, '--die-with-parent', '--unshare-pid'];
  const sandbox = ['sh', '-c', `touch ${mark}; exec sleep infinity`];
  const parent = spawn('sh', ['-c', '"$@" & wait', 'sh', cli, 'bwrap', ...line, ...sandbox], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await until(() => existsSync(mark));
  parent.kill('SIGKILL');
  // The pipe is open as long as one of them is there.
  await new Promise((resolve) => parent.stdout.resume().once('end', resolve));
});

needing(existsSync('/usr/bin/bwrap'), 'bwrap(1)')('bwrap and ours make the same view', () => {
  const line = [
    ...host,
    '--unshare-all',
    '--dev',
    '/dev',
    '--proc',
    '/proc',
    '--tmpfs',
    '/run',
    'cat',
    '/proc/self/mountinfo',
  ];
  /** By their numbers, which are in the order in which they were made, and not in that in which they were put there. */
  const seen = (command: string, argv: readonly string[]): string[] => {
    const { stdout } = spawnSync(command, argv, { encoding: 'utf8' });
    const mounts = stdout
      .trim()
      .split('\n')
      .map((text) => text.split(' '));
    const isCovered = ([id, , , , point]: string[]): boolean =>
      mounts.some(([, parent, , , other]) => parent === id && other === point);
    return mounts
      .filter((mount) => !isCovered(mount))
      .map((mount) => mount.slice(3, 6).join(' '))
      .sort();
  };
  expect(seen(cli, ['bwrap', ...line])).toEqual(seen('/usr/bin/bwrap', line));
});
