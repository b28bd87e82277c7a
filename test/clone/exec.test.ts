// How a command is found and executed: as execvp(3) has it, and side by side with child_process.
import { spawn, type SpawnOptions } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { clone, type CloneOptions, Flags, plan } from '../../lib';
import { failureAt } from '../support/fault';
import { inside, owned, read } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { linesOf } from '../support/listing';
import { rootOnly, userOnly } from '../support/capability';

leavesNothing();

let folder: string;
let first: string;
let second: string;

const script = (path: string, text: string, mode = 0o755): string => {
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nsclone-'));
  first = join(folder, 'first');
  second = join(folder, 'second');
  for (const path of [first, second]) mkdirSync(path);
  script(join(first, 'both'), '#!/bin/sh\necho first "$0" "$@"\n');
  script(join(second, 'both'), '#!/bin/sh\necho second "$0" "$@"\n');
  script(join(first, 'denied'), '#!/bin/sh\necho denied\n', 0o644);
  script(join(first, 'later'), '#!/bin/sh\necho denied\n', 0o644);
  script(join(second, 'later'), '#!/bin/sh\necho later\n');
  script(join(first, 'plain'), 'echo plain "$0" "$@"\n');
  script(join(first, 'empty'), '');
  script(join(first, 'lost'), '#!/nonexistent/interpreter\n');
  script(join(second, 'lost'), '#!/bin/sh\necho found\n');
  script(join(first, 'text'), '#!/bin/sh\n', 0o644);
  mkdirSync(join(first, 'directory'));
  symlinkSync('loop', join(first, 'loop'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Result {
  code: string | undefined;
  errno: number | undefined;
  output: string;
}

/** What our child does: its output, or the code of its error. */
async function ours(command: string, args: string[], options: CloneOptions): Promise<Result> {
  try {
    const child = await clone(command, args, { stdio: ['ignore', 'pipe', 'ignore'], ...options });
    const output = await read(child.stdout);
    await child.exited;
    return { code: undefined, errno: undefined, output };
  } catch (error) {
    const { code, errno } = error as NodeJS.ErrnoException;
    return { code, errno, output: '' };
  }
}

/** What child_process does. */
function theirs(command: string, args: string[], options: CloneOptions): Promise<Result> {
  return new Promise((resolve) => {
    const given = { stdio: ['ignore', 'pipe', 'ignore'], ...options } as SpawnOptions;
    let child;
    try {
      child = spawn(command, args, given);
    } catch (error) {
      const { code, errno } = error as NodeJS.ErrnoException;
      resolve({ code, errno, output: '' });
      return;
    }
    let output = '';
    let failure: NodeJS.ErrnoException | undefined;
    child.stdout?.on('data', (chunk) => (output += String(chunk)));
    child.on('error', (error) => (failure = error));
    child.on('error', ({ code, errno }: NodeJS.ErrnoException) => resolve({ code, errno, output: '' }));
    child.on('close', () => {
      if (failure === undefined) resolve({ code: undefined, errno: undefined, output });
    });
  });
}

const path = (...folders: string[]): CloneOptions => ({ env: { PATH: folders.join(':') } });

describe('as child_process does', () => {
  const cases: [name: string, make: () => [string, string[], CloneOptions], code: string | undefined][] = [
    ['a command along the PATH of the child', () => ['both', ['x'], path(first, second)], undefined],
    ['the order of PATH', () => ['both', [], path(second, first)], undefined],
    ['folders that are missing', () => ['both', [], path('/nonexistent', second)], undefined],
    ['folders that are files', () => ['both', [], path('/etc/passwd', second)], undefined],
    ['a command that is nowhere', () => ['nowhere', [], path(first, second)], 'ENOENT'],
    ['a command that may not be executed', () => ['denied', [], path(first, second)], 'EACCES'],
    ['one that may be executed further on', () => ['later', [], path(first, second)], undefined],
    ['forbidden beats missing', () => ['denied', [], path('/nonexistent', first, '/nonexistent')], 'EACCES'],
    ['a directory in PATH', () => ['directory', [], path(first, second)], 'EACCES'],
    ['a script without #!', () => ['plain', ['a', 'b c'], path(first)], undefined],
    ['a script without #!, by its path', () => [join(first, 'plain'), ['a'], {}], undefined],
    ['an empty file', () => ['empty', [], path(first)], undefined],
    ['a missing interpreter', () => [join(first, 'lost'), [], {}], 'ENOENT'],
    ['a missing interpreter along PATH', () => ['lost', [], path(first, second)], undefined],
    ['a link to itself', () => [join(first, 'loop'), [], {}], 'ELOOP'],
    ['a directory', () => [first, [], {}], 'EACCES'],
    ['a file that is no program', () => [join(first, 'text'), [], {}], 'EACCES'],
    ['a file below a file', () => ['/etc/passwd/x', [], {}], 'ENOTDIR'],
    ['a missing file', () => ['/nonexistent', [], {}], 'ENOENT'],
    ['a name that is too long', () => [`/${'x'.repeat(300)}`, [], {}], 'ENAMETOOLONG'],
    ['a path that is too long', () => [`/${'x/'.repeat(5000)}`, [], {}], 'ENAMETOOLONG'],
    ['a relative path', () => ['./both', [], { cwd: second }], undefined],
    ['a relative path with a folder', () => ['second/both', [], { cwd: folder }], undefined],
    ['a relative path that is not there', () => ['./both', [], { cwd: folder }], 'ENOENT'],
    ['a relative folder of PATH', () => ['both', [], { cwd: folder, ...path('second') }], undefined],
    [
      'an empty entry of PATH: the working directory',
      () => ['both', [], { cwd: second, ...path('/nonexistent', '') }],
      undefined,
    ],
    [
      'an empty entry in the middle',
      () => ['both', [], { cwd: second, ...path('/nonexistent', '', first) }],
      undefined,
    ],
    ['no PATH in an environment', () => ['true', [], { env: {} }], undefined],
    ['a working directory that is missing', () => ['/bin/true', [], { cwd: '/nonexistent' }], 'ENOENT'],
    ['a working directory that is a file', () => ['/bin/true', [], { cwd: '/etc/passwd' }], 'ENOTDIR'],
    ['an argument that is too large', () => ['/bin/true', ['x'.repeat(200_000)], {}], 'E2BIG'],
    ['arguments that are too many', () => ['/bin/true', Array<string>(30_000).fill('x'.repeat(200)), {}], 'E2BIG'],
    ['a variable that is too large', () => ['/bin/true', [], { env: { A: 'x'.repeat(200_000) } }], 'E2BIG'],
    ['variables that are undefined', () => ['/usr/bin/env', [], { env: { A: undefined, B: 'b' } }], undefined],
    ['many arguments', () => ['/bin/sh', ['-c', 'echo $#', ...Array<string>(5000).fill('x')], {}], undefined],
    ['argv0', () => ['/bin/sh', ['-c', 'echo "$0"; tr "\\0" " " < /proc/$$/cmdline'], { argv0: 'other' }], undefined],
    ['an empty argv0', () => ['/bin/sh', ['-c', 'true'], { argv0: '' }], undefined],
  ];

  test.each(cases)('%s', async (_name, make, code) => {
    const [mine, other] = [await ours(...make()), await theirs(...make())];
    expect(mine).toEqual(other);
    expect(mine.code).toBe(code);
  });
});

describe('what the error says', () => {
  test('no such command', async () => {
    await expect(clone('nowhere', [], path(first))).rejects.toMatchObject({
      message: 'ENOENT: no such file or directory, execve nowhere: there is no such command in PATH',
      path: 'nowhere',
      syscall: 'execve',
      step: 'command',
    });
  });
  test('a line in the place of a command', async () => {
    await expect(clone('echo hi', [], path(first))).rejects.toThrow(
      /: there is no such command in PATH: arguments go into an array of their own, a line to '\/bin\/sh', \['-c', line\]$/,
    );
  });
  test('no such interpreter, also of a command that is in PATH', async () => {
    await expect(clone('lost', [], path(first))).rejects.toThrow(
      /\/lost is there, but not the interpreter that it names$/,
    );
  });
  test('no such file, or interpreter', async () => {
    await expect(clone(join(first, 'nowhere'))).rejects.toThrow(/: there is no such file$/);
    await expect(clone(join(first, 'lost'))).rejects.toThrow(/\/lost is there, but not the interpreter that it names$/);
  });
  test('a bad working directory is blamed on cwd', async () => {
    await expect(clone('/bin/true', { cwd: '/nonexistent' })).rejects.toMatchObject({
      message: 'ENOENT: no such file or directory, chdir /nonexistent (cwd)',
      path: '/nonexistent',
      option: 'cwd',
      step: 'cwd',
    });
  });
  test('too large', async () => {
    await expect(clone('/bin/true', ['x'.repeat(200_000)])).rejects.toMatchObject({
      code: 'E2BIG',
      hint: expect.stringContaining('128 KiB'),
    });
  });
  test('larger than any program may be', async () => {
    const args = Array<string>(700).fill('x'.repeat(100_000));
    await expect(clone('/bin/true', args)).rejects.toMatchObject({ code: 'E2BIG' });
  });
  test('the shell of a script that fails', async () => {
    const made = plan(join(first, 'plain'));
    const line = linesOf(made).find(({ call }) => call.startsWith('execve("/bin/sh"'))!;
    expect(await failureAt(made, line.number, 'ENOENT')).toMatchObject({
      code: 'ENOENT',
      step: 'command',
      syscall: 'execve',
    });
  });
});

describe('in new namespaces', () => {
  const options = owned(Flags.NEWNS | Flags.NEWPID);

  test('a command along PATH', async () => {
    const child = await clone('both', ['x'], { ...options, ...path(second) });
    expect(await read(child.stdout)).toBe(`second ${second}/both x\n`);
    await child.exited;
  });
  test('a script without #!', async () => {
    const child = await clone('plain', ['x'], { ...options, ...path('/nonexistent', first) });
    expect(await read(child.stdout)).toBe(`plain ${first}/plain x\n`);
    await child.exited;
  });
  test('a command that is nowhere', async () => {
    await expect(clone('nowhere', [], { ...options, ...path(first) })).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('permissions', () => {
  rootOnly('root may read everything but not execute what nobody may', async () => {
    await expect(clone(join(first, 'denied'))).rejects.toMatchObject({ code: 'EACCES' });
  });
  userOnly('a folder that we may not search', async () => {
    await expect(clone('x', [], path('/root', first))).rejects.toMatchObject({ code: 'EACCES' });
    const child = await clone('both', [], path('/root', second));
    expect(await read(child.stdout)).toMatch(/^second/);
    await child.exited;
  });
});

test('a long PATH', async () => {
  const folders = Array.from({ length: 400 }, (_, index) => `/nonexistent/${index}`);
  const child = await clone('both', [], path(...folders, second));
  expect(await read(child.stdout)).toMatch(/^second/);
  await child.exited;
  await expect(clone('nowhere', [], path(...folders))).rejects.toMatchObject({ code: 'ENOENT' });
});

test("an environment of the caller's own object, inherited variables included, as child_process has it", async () => {
  const env = Object.create({ INHERITED: 'yes' }) as Record<string, string>;
  env['OWN'] = 'too';
  expect(await inside('echo $INHERITED $OWN', { env })).toBe('yes too');
});
