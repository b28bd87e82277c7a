// The example `enter`: a command in the namespaces of a process that unshare(1) has started.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

import { clone } from '../../lib';
import { isInForeground } from '../support/foreground';
import { slow, until } from '../support/slow';
import { buildExamples, example } from './built';

beforeAll(buildExamples);

/** All namespaces new; prints a line when it is set up. */
const unshare =
  '--user --map-root-user --pid --fork --mount --mount-proc --uts --ipc --net --cgroup --kill-child'.split(' ');

let outer: ChildProcess;
let pid = 0;

beforeAll(async () => {
  outer = spawn('unshare', [...unshare, 'sh', '-c', 'hostname entered; echo; exec sleep 1000'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(outer.stdout!, 'data');
  // unshare(1) stays outside of the pid namespace; its child is pid 1.
  pid = Number(readFileSync(`/proc/${outer.pid}/task/${outer.pid}/children`, 'utf8'));
});

afterAll(async () => {
  outer.kill('SIGKILL');
  await once(outer, 'exit');
});

function enter(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [example('enter'), ...args], {
    encoding: 'utf8',
    timeout: slow(20_000),
  });
  return { status, stdout, stderr };
}

const kinds = ['user', 'pid', 'mnt', 'uts', 'ipc', 'net', 'cgroup'];

test('a command is in all of its namespaces, as their root', () => {
  const links = (process: string): string => `readlink ${kinds.map((kind) => `/proc/${process}/ns/${kind}`).join(' ')}`;
  const { status, stdout, stderr } = enter(
    String(pid),
    'sh',
    '-c',
    `hostname; id -u; id -g; ${links('1')}; ${links('self')}`,
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const [hostname, uid, gid, ...namespaces] = stdout.trimEnd().split('\n');
  expect({ hostname, uid, gid }).toEqual({ hostname: 'entered', uid: '0', gid: '0' });
  expect(namespaces).toHaveLength(2 * kinds.length);
  expect(namespaces.slice(kinds.length)).toEqual(namespaces.slice(0, kinds.length));
  expect(new Set(namespaces).size).toBe(kinds.length);
});

test('how the command ends is how it ends', () => {
  expect(enter(String(pid), 'sh', '-c', 'exit 7').status).toBe(7);
  expect(enter(String(pid), 'sh', '-c', 'kill -TERM $$').status).toBe(143);
});

test('a terminal is the shell’s', async () => {
  const env = { ...process.env, SHELL: '/bin/sh', PS1: '> ' };
  const child = await clone(process.execPath, [example('enter'), String(pid)], { pty: true, env });
  let output = '';
  // At `exit` dash would give the terminal back to a process group that has no number in this pid namespace.
  const steps = [
    ['> ', 'sleep 100\n'],
    ['sleep 100\r\n', '\x03'],
    ['^C\r\n> ', 'hostname; echo $?; kill -KILL $$\n'],
  ];
  for await (const chunk of child.pty) {
    output += String(chunk);
    const [seen, typed] = steps[0] ?? [];
    if (seen === undefined || !output.endsWith(seen)) continue;
    steps.shift();
    if (typed === '\x03') await until(() => isInForeground('sleep', child.pid));
    child.pty.write(typed!);
  }
  expect(output).toContain('entered\r\n0\r\n');
  expect(await child.exited).toMatchObject({ code: 137, signal: null });
});

test('a process that is not there, and a wrong call, are told in one line', () => {
  const gone = spawnSync(process.execPath, ['-e', 'console.log(process.pid)'], { encoding: 'utf8' }).stdout.trim();
  expect(enter(gone)).toEqual({
    status: 1,
    stdout: '',
    stderr: expect.stringMatching(
      /^Cannot enter the namespaces of process \d+\. ESRCH: no such process.*\n$/,
    ) as string,
  });
  expect(enter()).toMatchObject({ status: 2, stderr: expect.stringMatching(/^usage: .*\n$/) as string });
});
