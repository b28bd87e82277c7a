// The example `create-start`: a container that outlives who created it, and is started by another process.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

import { clone } from '../../lib';
import { slow, until } from '../support/slow';
import { buildExamples, example } from './built';

let folder = '';
let box = '';
beforeAll(buildExamples);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nsclone-create-start-'));
  box = join(folder, 'box');
});
afterEach(() => {
  const left = readdirSync(folder).filter((name) => name !== 'box');
  rmSync(folder, { recursive: true });
  expect(left).toEqual([]);
});

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function createStart(...args: readonly string[]): Outcome {
  const { status, stdout, stderr } = spawnSync(process.execPath, [example('create-start'), ...args], {
    encoding: 'utf8',
    env: { ...process.env, TMPDIR: folder },
    timeout: slow(30_000),
  });
  return { status, stdout, stderr };
}

const silently = { status: 0, stdout: '', stderr: '' };
const pidOf = (): number => Number(readFileSync(join(box, 'pid'), 'utf8'));
const field = (pid: number, name: string): string | undefined =>
  new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
const isThere = (pid: number): boolean => {
  try {
    return !field(pid, 'State')!.startsWith('Z');
  } catch {
    return false;
  }
};

/** With output of its own: the container has that of who creates it for as long as it lives. */
async function createQuietly(...command: readonly string[]): Promise<void> {
  const { code } = await (
    await clone(process.execPath, [example('create-start'), 'create', box, ...command], { stdio: 'ignore' })
  ).exited;
  expect(code).toBe(0);
}

describe('run', () => {
  test('has the command in a container, and ends as it does', () => {
    expect(createStart('run', 'sh', '-c', 'hostname; id -u; echo $$; exit 7')).toEqual({
      status: 7,
      stdout: 'box\n0\n2\n',
      stderr: '',
    });
    expect(createStart('run', 'sh', '-c', 'kill -KILL $$').status).toBe(137);
  });
  test('is the parent of a container that has lost its creator', async () => {
    const child = await clone(process.execPath, [example('create-start'), 'run', 'cat'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, TMPDIR: folder },
    });
    const children = (): string[] =>
      readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ');
    const isPidOne = (pid: string): boolean => {
      try {
        return field(Number(pid), 'NSpid')!.endsWith('\t1');
      } catch {
        return false; // One of the two Nodes, which has just ended.
      }
    };
    await until(() => children().length === 1 && children().every(isPidOne));
    child.stdin.end('started\n');
    expect(await text(child.stdout)).toBe('started\n');
    expect(await child.exited).toMatchObject({ code: 0 });
  });
  test('tells a command that is nowhere, and one that cannot be executed', () => {
    expect(createStart('run', '/no/such')).toEqual({
      status: 1,
      stdout: '',
      stderr: expect.stringMatching(/^create-start: ENOENT: .*\/no\/such.*\n$/) as string,
    });
    expect(createStart('run', '/etc/passwd')).toEqual({
      status: 1,
      stdout: '',
      stderr: 'create-start: EACCES execve /etc/passwd\n',
    });
  });
});

describe('create and start', () => {
  test('the container waits without its creator, and is executed when somebody starts it', async () => {
    await createQuietly('sleep', 'infinity');
    const pid = pidOf();
    expect(isThere(pid)).toBe(true);
    expect(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')).toBe('');
    expect(createStart('start', box)).toEqual(silently);
    const command = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8'));
    // Its name is the last thing that an exec changes.
    await until(() => readFileSync(`/proc/${command}/comm`, 'utf8') === 'sleep\n');
    process.kill(pid, 'SIGKILL');
    await until(() => !isThere(pid));
  });
  test('a second start comes too late', async () => {
    await createQuietly('true');
    const pid = pidOf();
    expect(createStart('start', box)).toEqual(silently);
    expect(createStart('start', box)).toMatchObject({ status: 1, stderr: expect.stringContaining('ENOENT') as string });
    await until(() => !isThere(pid));
  });
  test('one that was killed cannot be started', async () => {
    await createQuietly('true');
    const pid = pidOf();
    process.kill(pid, 'SIGKILL');
    await until(() => !isThere(pid));
    expect(createStart('start', box)).toMatchObject({ status: 1, stderr: expect.stringContaining('ENXIO') as string });
  });
  test('what cannot be created leaves nothing behind', () => {
    expect(createStart('create', box, '/no/such').status).toBe(1);
    expect(readdirSync(folder)).toEqual([]);
  });
});

test('a wrong call is told', () => {
  for (const args of [[], ['run'], ['create', box], ['start'], ['start', box, 'more']])
    expect(createStart(...args)).toMatchObject({ status: 2, stderr: expect.stringMatching(/^usage: /) as string });
});
