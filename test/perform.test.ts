// perform(): a recorded line on the calling thread.
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { constants, perform, type Program, record, type Recorder, SyscallError } from '../lib';
import { leavesNothing } from './support/leftovers';
import { root } from './support/own-process';
import { refusal } from './support/refusal';
import { slow } from './support/slow';

leavesNothing();

const { AT_FDCWD, F_SETLK, F_WRLCK, O_CLOEXEC, PR_GET_CHILD_SUBREAPER, PR_GET_NAME } = constants;

/** What a line of its own Node process prints. */
function outputOf(script: string): string {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['-e', `const { perform, record, constants, clone, run } = require(${JSON.stringify(root)}); ${script}`],
    { encoding: 'utf8', timeout: slow(20_000) },
  );
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  return stdout.trimEnd();
}

test('the line runs here, and brings back what it returns', () => {
  const found = perform(
    record((c) => {
      const name = c.buffer(16);
      c.prctl(PR_GET_NAME, name);
      return { pid: c.getpid(), name, none: c.close(-1).accept('EBADF') };
    }),
  );
  expect(found.pid).toBe(process.pid);
  expect(found.none).toBe(-9);
  expect(found.name.toString('latin1').replace(/\0.*$/s, '')).toBe(
    readFileSync('/proc/thread-self/comm', 'latin1').trimEnd(),
  );
});

test('as often as one likes, each time with memory of its own', () => {
  const program = record((c) => {
    const [out, into] = c.pipe2(O_CLOEXEC);
    const buffer = c.buffer(4);
    const before = c.memory([{ bytes: 'same' }]);
    c.write(into, before);
    c.read(out, buffer);
    c.close(out);
    c.close(into);
    return buffer;
  });
  for (let time = 0; time < 1000; time++) expect(perform(program).toString()).toBe('same');
});

test('nothing is what a line returns that returns nothing', () => {
  expect(perform(record((c) => void c.getpid()))).toBeUndefined();
});

test('a call that fails throws, with the stack of the caller; what is before it has been done', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nsclone-perform-'));
  try {
    const program = record((c) => {
      c.mkdirat(AT_FDCWD, join(folder, 'made'), 0o755);
      c.mkdirat(AT_FDCWD, join(folder, 'no/such'), 0o755);
    });
    let error: unknown;
    try {
      perform(program);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(SyscallError);
    expect(error).toMatchObject({ code: 'ENOENT', syscall: 'mkdirat', step: 'program', option: 'program[1]' });
    expect((error as Error).stack!.split('\n')[1]).toContain('perform.test.ts');
    expect(() => perform(program)).toThrow(expect.objectContaining({ code: 'EEXIST', option: 'program[0]' }));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('what a call was to fail with, and did not', () => {
  expect(() => perform(record((c) => void c.getpid().expect('EPERM')))).toThrow(
    'EIO: i/o error, getpid has not failed with EPERM (program[0])',
  );
});

test('Node becomes a subreaper: an orphan of a child is its own', () => {
  expect(
    outputOf(`
      perform(record((c) => { c.prctl(constants.PR_SET_CHILD_SUBREAPER, 1); }));
      (async () => {
        const script = '(while read -r _ _ _ parent _ < /proc/self/stat; [ $parent = $$ ]; do sleep 0.01; done; echo $parent) & exit';
        const { stdout } = await run('/bin/sh', ['-c', script], { encoding: 'utf8' });
        console.log(Number(stdout) === process.pid);
      })();
    `),
  ).toBe('true');
  const flag = perform(
    record((c) => {
      const word = c.buffer(4);
      c.prctl(PR_GET_CHILD_SUBREAPER, word);
      return word;
    }),
  );
  expect(flag.readInt32LE()).toBe(0);
});

test('Node dies with its parent', () => {
  const { stdout } = spawnSync(
    process.execPath,
    [
      '-e',
      `const { spawn } = require('node:child_process');
       const inner = "const { perform, record, constants } = require(process.argv[1]); perform(record((c) => { c.prctl(constants.PR_SET_PDEATHSIG, 9); })); console.log(process.pid); setInterval(() => {}, 1000);";
       const child = spawn(process.execPath, ['-e', inner, ${JSON.stringify(root)}], { stdio: ['ignore', 'pipe', 'inherit'] });
       child.stdout.once('data', (pid) => { process.stdout.write(pid, () => process.kill(process.pid, 'SIGKILL')); });`,
    ],
    { encoding: 'utf8', timeout: slow(20_000) },
  );
  const pid = Number(stdout);
  expect(pid).toBeGreaterThan(1);
  const ended = (): boolean => {
    try {
      return /^State:\t[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
    } catch {
      return true;
    }
  };
  const limit = Date.now() + slow(5000);
  while (!ended() && Date.now() < limit);
  expect(ended()).toBe(true);
});

test('setsid() is for Node itself', () => {
  expect(
    outputOf(`
      const sid = record((c) => ({ before: c.getsid(0), made: c.setsid().accept('EPERM'), after: c.getsid(0) }));
      const { made, after } = perform(sid);
      console.log(made === process.pid && after === process.pid);
    `),
  ).toBe('true');
});

test('a record lock belongs to this process, and keeps others out', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nsclone-lock-'));
  const path = join(folder, 'file');
  writeFileSync(path, '');
  const file = openSync(path, 'r+');
  try {
    const lock = record((c) => void c.fcntl(file, F_SETLK, { type: F_WRLCK, start: 10, len: 5 }));
    perform(lock);
    const held = readFileSync('/proc/locks', 'utf8');
    expect(held).toMatch(new RegExp(`POSIX +ADVISORY +WRITE ${process.pid} .* 10 14$`, 'm'));
    const other = `
      const file = require('node:fs').openSync(${JSON.stringify(path)}, 'r+');
      try { perform(record((c) => { c.fcntl(file, constants.F_SETLK, { type: constants.F_WRLCK, start: 12, len: 1 }); })); }
      catch ({ code }) { console.log(code); }`;
    expect(outputOf(other)).toBe('EAGAIN');
  } finally {
    closeSync(file);
    rmSync(folder, { recursive: true });
  }
});

test('in a Worker, on its own thread', () => {
  expect(
    outputOf(`
      const { Worker } = require('node:worker_threads');
      const code = \`const { perform, record } = require(\${JSON.stringify(${JSON.stringify(root)})});
        const { tid, pid } = perform(record((c) => ({ tid: c.gettid(), pid: c.getpid() })));
        require('node:worker_threads').parentPort.postMessage(tid !== pid && pid === process.pid);\`;
      new Worker(code, { eval: true }).on('message', (own) => console.log(own));
    `),
  ).toBe('true');
});

describe('refused is what is not for a thread of Node', () => {
  test.each([
    ['exit', (c: Recorder) => c.exit(0), /ends where the line ends/],
    ['execve', (c: Recorder) => c.execve('/bin/true', []), /replace Node itself/],
    ['setresuid', (c: Recorder) => c.setresuid(-1, -1, -1), /one thread of Node/],
    ['setgroups', (c: Recorder) => c.setgroups([]), /one thread of Node/],
    ['capset', (c: Recorder) => c.capset({}), /one thread of Node/],
    ['prctl', (c: Recorder) => c.prctl(constants.PR_SET_NO_NEW_PRIVS, 1), /one thread of Node/],
    ['munmap', (c: Recorder) => c.syscall('munmap', 0, 0), /memory .* is that of Node/],
    ['rt_sigprocmask', (c: Recorder) => c.rt_sigprocmask(0, ['SIGCHLD']), /process\.on\(\)/],
    ['close_range', (c: Recorder) => c.close_range(3, 99), /close the descriptors of Node/],
    [
      'close_range',
      (c: Recorder) => c.close_range(900, 999, constants.CLOSE_RANGE_CLOEXEC | constants.CLOSE_RANGE_UNSHARE),
      /not those of the other threads/,
    ],
    ['unshare', (c: Recorder) => c.unshare(constants.CLONE_NEWUTS), /unshare\(\) does it/],
    ['setns', (c: Recorder) => c.setns(0, 0), /setns\(\) does it/],
    ['chdir', (c: Recorder) => c.chdir('/'), /process\.chdir\(\)/],
    ['chroot', (c: Recorder) => c.chroot('/'), /files of another root/],
  ])('%s', (name, callback, message) => {
    const program = record((c) => {
      c.getpid();
      callback(c);
    });
    expect(() => perform(program)).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'program[1]', message));
    expect(() => perform(program)).toThrow(`cannot be ${name}() on the calling thread`);
  });

  test.each([undefined, null, 'line', {}, () => {}])('no program: %p', (value) => {
    expect(() => perform(value as Program)).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'program'));
  });
});
