// The example `sandbox`: what a command in it may not do, and how it ends.
import { spawnSync } from 'node:child_process';

import { inTime, slow } from '../support/slow';
import { buildExamples, example } from './built';

beforeAll(buildExamples);

function sandbox(
  script: string,
  env: NodeJS.ProcessEnv = {},
): { status: number | null; stdout: string; stderr: string } {
  return runIn(['sh', '-c', script], env);
}

function runIn(
  command: string[],
  env: NodeJS.ProcessEnv = {},
): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [example('sandbox'), ...command], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    timeout: slow(20_000),
  });
  return { status, stdout, stderr };
}

test('a command runs as an ordinary user without capabilities', () => {
  const { status, stdout, stderr } = sandbox("id -u; grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status");
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const [uid, ...lines] = stdout.trimEnd().split('\n');
  expect(Number(uid)).toBe(process.geteuid!() === 0 ? 65_534 : process.geteuid!());
  const none = '0'.repeat(16);
  expect(lines.map((line) => line.split(/\s+/))).toEqual([
    ...['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map((name) => [`${name}:`, none]),
    ['NoNewPrivs:', '1'],
    ['Seccomp:', '2'],
  ]);
});

test('there is no network, not even the loopback interface', () => {
  // Head lines are two; an interface that is down has no address.
  const { stdout } = sandbox('tail -n +3 /proc/net/dev | cut -d: -f1; cat /proc/net/fib_trie; hostname');
  expect(stdout.trim().split(/\s+/)).toEqual(['lo', 'sandbox']);
});

test.each([
  ['unshare', 'unshare --uts true'],
  ['unshare of a user namespace', 'unshare --user true'],
  ['mount', 'mount -t tmpfs none /mnt'],
])('%s is refused', (_, script) => {
  const { status, stderr } = sandbox(script);
  expect(status).not.toBe(0);
  expect(stderr).toMatch(/not permitted|must be superuser|permission denied/i);
});

test('the filter answers EPERM to what it denies, and nothing to the rest', () => {
  // Node is killed by none of its own calls, and asks the kernel by /proc: the filter is there for each thread.
  const script = `grep -h ^Seccomp: /proc/self/task/*/status | sort -u; echo works`;
  expect(sandbox(script).stdout).toBe('Seccomp:\t2\nworks\n');
});

test('limits hold', () => {
  expect(sandbox('ulimit -n; ulimit -c; ulimit -t').stdout).toBe('64\n0\n10\n');
  expect(sandbox('head -c 20000000 /dev/zero > "$0"; echo $?', {}).stdout.trim()).not.toBe('0');
});

test('its time is limited, and all of its processes end then', async () => {
  // They hold the output, which has to come to its end.
  const script = 'trap "" TERM; echo ready; sleep 1000 & sleep 1000';
  const start = (limit: number): Promise<ReturnType<typeof sandbox> & { seconds: string }> => {
    const seconds = String(limit / 1000);
    return Promise.resolve({ seconds, ...sandbox(script, { SANDBOX_SECONDS: seconds }) });
  };
  // 1: the time was over before the example knew that the command ran.
  const far = ({ status, stdout }: ReturnType<typeof sandbox>): boolean => stdout !== '' && status !== 1;
  const { seconds, status, stderr } = await inTime(start, far);
  expect({ status, stderr }).toEqual({ status: 137, stderr: `sandbox: not done within ${seconds} s\n` });
});

test('how a command ends is how it ends', () => {
  expect(sandbox('exit 7').status).toBe(7);
  expect(sandbox('kill -SEGV $$').status).toBe(139);
});

test('a command that is not there, and a wrong call, are told in one line', () => {
  expect(runIn(['/no/such/command'])).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^sandbox: ENOENT: .*\n$/) as string,
  });
  expect(runIn([])).toMatchObject({ status: 2, stderr: expect.stringMatching(/^usage: .*\n$/) as string });
});
