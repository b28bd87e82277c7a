// The option `steps`: lines of the caller's own, as part of a command's set-up.
import { mkdtempSync, openSync, closeSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { clone, type CloneOptions, constants, Flags, plan, type Recorder, type Step, type StepPlace } from '../../lib';
import { rootOnly } from '../support/capability';
import { calls, failAt, killed } from '../support/fault';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { linesOf } from '../support/listing';
import { planning, refusal } from '../support/refusal';

leavesNothing();

const { AT_FDCWD, AT_REMOVEDIR, CLOSE_RANGE_CLOEXEC, O_CLOEXEC, O_CREAT, O_DIRECTORY, O_PATH, O_RDONLY, O_WRONLY } =
  constants;

const places: readonly StepPlace[] = ['start', 'namespaces', 'mounts', 'root', 'exec', 'filtered'];
/** allow everything */
const allow = Buffer.from([6, 0, 0, 0, 0, 0, 0xff, 0x7f]);

let folder = '';
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'nsclone-lines-')));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A root of the host's programs, with `folder` in it. */
const ownRoot = (): CloneOptions => ({
  ...owned(Flags.NEWNS | Flags.NEWUTS | Flags.NEWPID),
  hostname: 'box',
  root: { type: 'tmpfs' },
  mounts: [
    ...['/usr', '/etc'].map((path) => ({ type: 'bind', source: path, target: path, create: true }) as const),
    ...['bin', 'lib', 'lib64'].map((name) => ({ type: 'symlink', target: `/${name}`, to: `usr/${name}` }) as const),
    { type: 'proc', target: '/proc', create: true },
    { type: 'bind', source: folder, target: '/seen', create: true },
  ],
  cwd: '/seen',
  seccomp: allow,
});

/** Writes a word into a file, with calls alone. */
function note(c: Recorder, path: string, text: string): void {
  const file = c.openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644);
  c.write(file, text);
  c.close(file);
}

describe('a line runs', () => {
  test('in the order of the places, whatever the order in which they are given', () => {
    const steps = places.map((at): Step => ({ at, run: (c) => void c.getpid() })).toReversed();
    const rows = linesOf(plan('/bin/true', [], { ...ownRoot(), steps }));
    const own = rows.filter(({ step }) => step.startsWith('steps at '));
    expect(own.map(({ step }) => step)).toEqual(places.map((place) => `steps at ${place}`));
    expect(own.map(({ option }) => option)).toEqual([5, 4, 3, 2, 1, 0].map((index) => `steps[${index}]`));
    expect(own.map(({ call }) => call)).toEqual(places.map(() => 'getpid()'));
    const lastOf = (name: string): number => rows.findLastIndex(({ step }) => step === name);
    expect(lastOf('stdio')).toBeLessThan(lastOf('steps at start'));
    expect(lastOf('steps at start')).toBeLessThan(lastOf('user'));
    expect(lastOf('hostname')).toBeLessThan(lastOf('steps at namespaces'));
    expect(lastOf('propagation')).toBeLessThan(lastOf('steps at namespaces'));
    expect(lastOf('steps at namespaces')).toBeLessThan(lastOf('root'));
    expect(lastOf('mounts')).toBeLessThan(lastOf('steps at mounts'));
    expect(lastOf('steps at mounts')).toBeLessThan(lastOf('root switch'));
    expect(lastOf('root switch')).toBeLessThan(lastOf('steps at root'));
    expect(lastOf('noNewPrivileges')).toBeLessThan(lastOf('steps at exec'));
    expect(lastOf('seccomp')).toBeLessThan(lastOf('steps at filtered'));
  });

  test.each<[StepPlace, () => string]>([
    ['start', () => join(folder, 'mark')],
    ['namespaces', () => join(folder, 'mark')],
    ['mounts', () => join(folder, 'mark')],
    ['root', () => '/seen/mark'],
    ['exec', () => 'mark'],
    ['filtered', () => 'mark'],
  ])('at %s where its paths mean what they should', async (at, path) => {
    const options = { ...ownRoot(), steps: [{ at, run: (c: Recorder) => note(c, path(), at) }] };
    expect(await inside('cat /seen/mark', options)).toBe(at);
    expect(readFileSync(join(folder, 'mark'), 'utf8')).toBe(at);
  });

  test('with the namespaces and ids of its place', async () => {
    const steps: Step[] = [
      { at: 'namespaces', run: (c) => void c.sethostname('renamed') },
      { at: 'exec', run: (c) => void c.getuid().accept('EPERM') },
    ];
    expect(await inside('cat /proc/sys/kernel/hostname', { ...ownRoot(), steps })).toBe('renamed');
  });

  test('and what it mounts does not appear on the host', async () => {
    const run = (c: Recorder): void => void c.mount('own', folder, 'tmpfs', 0);
    const options: CloneOptions = { ...owned(Flags.NEWNS), steps: [{ at: 'namespaces', run }] };
    expect(await inside(`stat -f -c %T ${folder}`, options)).toBe('tmpfs');
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(folder);
  });

  test('once for each start of a plan, and its callback once', async () => {
    let recorded = 0;
    const run = (c: Recorder): void => {
      recorded++;
      const file = c.openat(AT_FDCWD, join(folder, 'log'), O_WRONLY | O_CREAT | constants.O_APPEND | O_CLOEXEC, 0o644);
      c.write(file, 'x');
    };
    const made = plan('/bin/true', [], { stdio: 'ignore', steps: [{ at: 'exec', run }] });
    for (let start = 0; start < 3; start++) await (await clone(made)).exited;
    expect(readFileSync(join(folder, 'log'), 'utf8')).toBe('xxx');
    expect(recorded).toBe(1);
  });

  test('with results of its own, several beside each other', async () => {
    const run = (text: string) => (c: Recorder) => {
      const [out, into] = c.pipe2(O_CLOEXEC);
      c.write(into, text);
      const buffer = c.buffer(text.length);
      const length = c.read(out, buffer);
      c.write(1, buffer, length);
    };
    const steps: Step[] = [
      { at: 'start', run: run('one ') },
      { at: 'exec', run: run('two ') },
      { at: 'exec', run: run('three ') },
    ];
    expect(await inside('echo four', { steps })).toBe('one two three four');
  });

  test('with structs that have addresses in them', async () => {
    const run = (c: Recorder): void => {
      const vectors = c.memory([{ pointer: 'written ' }, { u64: 8 }, { pointer: 'by writev' }, { u64: 9 }]);
      c.syscall('writev', 1, vectors, 2);
    };
    expect(await inside('true', { steps: [{ at: 'filtered', run }] })).toBe('written by writev');
  });

  test('with descriptors of this process, before they are closed', async () => {
    const own = openSync(folder, O_RDONLY | O_DIRECTORY);
    try {
      const run = (c: Recorder): void => {
        c.mkdirat(own, 'made', 0o700);
        c.mkdirat({ fd: own }, 'gone', 0o700);
        c.unlinkat(own, 'gone', AT_REMOVEDIR);
      };
      expect(await inside(`ls ${folder}; ls /proc/self/fd | wc -l`, { steps: [{ at: 'start', run }] })).toBe('made\n4');
    } finally {
      closeSync(own);
    }
  });

  test('beside pid 1: what it does early reaches the program', async () => {
    const steps: Step[] = [
      { at: 'root', run: (c) => void c.umask(0o27) },
      { at: 'exec', run: (c) => void c.setpriority(0, 0, 7) },
    ];
    const options: CloneOptions = { ...owned(Flags.NEWPID | Flags.NEWNS), init: true, steps };
    expect(await inside('umask; nice', { ...options, mounts: [{ type: 'proc', target: '/proc' }] })).toBe('0027\n7');
  });
});

describe('a call that fails', () => {
  test('fails the start, and says where it was recorded', async () => {
    const run = (c: Recorder): void => {
      c.getpid();
      c.chdir('/no/such');
    };
    await expect(
      clone('/bin/true', {
        steps: [
          { at: 'start', run: () => {} },
          { at: 'exec', run },
        ],
      }),
    ).rejects.toMatchObject({
      code: 'ENOENT',
      syscall: 'chdir',
      step: 'steps at exec',
      option: 'steps[1]',
      path: '/no/such',
      hint: expect.stringMatching(new RegExp(`^recorded at .*${basename(__filename)}:\\d+:\\d+$`)),
    });
  });

  test('does not where the error is accepted', async () => {
    const run = (c: Recorder): void => void c.chdir('/no/such').accept('ENOENT');
    expect(await inside('echo ok', { steps: [{ at: 'exec', run }] })).toBe('ok');
  });

  test('is what is asked for with expect(), and success is the failure', async () => {
    const fails = (c: Recorder): void => void c.chdir('/no/such').expect('ENOENT');
    expect(await inside('echo ok', { steps: [{ at: 'exec', run: fails }] })).toBe('ok');
    const succeeds = (c: Recorder): void => void c.chdir('/').expect('ENOENT', 'EACCES');
    await expect(clone('/bin/true', { steps: [{ at: 'exec', run: succeeds }] })).rejects.toMatchObject({
      code: 'EIO',
      option: 'steps[0]',
      message: expect.stringContaining('chdir has not failed with ENOENT or EACCES'),
    });
  });

  test.each(places)('at %s, as any instruction of the set-up, and so does a death', async (at) => {
    const options = { ...ownRoot(), steps: [{ at, run: (c: Recorder) => void c.gettid() }] };
    expect(await failAt(options, calls('gettid()'), 'ENOMEM')).toMatchObject({
      code: 'ENOMEM',
      syscall: 'gettid',
      step: `steps at ${at}`,
      option: 'steps[0]',
    });
    expect(await failAt(options, calls('gettid()'), killed)).toMatchObject({ code: 'ECHILD', signal: 'SIGKILL' });
  });

  rootOnly('is told with the capability that it lacks', async () => {
    const run = (c: Recorder): void => void c.mount(null, '/', null, constants.MS_REMOUNT);
    await expect(clone('/bin/true', { uid: 65534, gid: 65534, steps: [{ at: 'exec', run }] })).rejects.toMatchObject({
      code: 'EPERM',
      syscall: 'mount',
      hint: expect.stringContaining('recorded at '),
    });
  });
});

describe('refused is', () => {
  const at = 'exec';
  test.each([
    ['the end of the line', (c: Recorder) => c.exit(0), 'exit', 'the set-up, which ends with the exec'],
    ['another exec', (c: Recorder) => c.execve('/bin/sh', []), 'execve', 'what is executed is the command'],
    ['another name', (c: Recorder) => c.syscall('prctl', 15, 'x', 0, 0, 0), 'prctl', 'by its name we know'],
    ['a second process', (c: Recorder) => c.syscall('fork'), 'name', 'both processes would go on'],
    ['closing all', (c: Recorder) => c.close_range(3, 4095), 'close_range', 'add CLOSE_RANGE_CLOEXEC'],
    ['closing all, raw', (c: Recorder) => c.syscall('close_range', 3, 9, 0), 'close_range', 'CLOSE_RANGE_CLOEXEC'],
  ])('%s', (_, run, option, message) => {
    expect(planning({ steps: [{ at, run }] })).toThrow(refusal('ERR_INVALID_ARG_VALUE', option, message));
  });

  test('a callback that goes on later', () => {
    const run = async (c: Recorder): Promise<void> => {
      await Promise.resolve();
      c.getpid();
    };
    expect(planning({ steps: [{ at, run }] })).toThrow(/must not be async/);
  });

  test('a descriptor that is another one in the child', () => {
    const run = (c: Recorder): void => void c.fchdir(3);
    const stdio = ['ignore', 'ignore', 'ignore', 'ignore'];
    expect(planning({ stdio, steps: [{ at: 'start', run }] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'steps[0].run', 'uses descriptor 3, which is stdio[3] of the child'),
    );
  });

  test.each(['exec', 'filtered'] as const)('at %s a descriptor that is closed by then', (late) => {
    const run = (c: Recorder): void => void c.fchdir(3);
    expect(planning({ steps: [{ at: late, run }] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'steps[0].run', 'uses descriptor 3, which is closed by then'),
    );
    expect(planning({ closeFds: false, steps: [{ at: late, run }] })).not.toThrow();
  });

  test('what is no line', () => {
    expect(planning({ steps: {} })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'steps'));
    expect(planning({ steps: [{ at: 'exce', run() {} }] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'steps[0].at', 'exec'),
    );
    expect(planning({ steps: [{ at, run: 'getpid' }] })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'steps[0].run'));
    expect(planning({ steps: [{ at, run: async () => {} }] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'steps[0].run', 'must not be async'),
    );
    expect(planning({ steps: [{ at, runs() {} }] })).toThrow(/did you mean "run"/);
  });
});

test('closing with CLOSE_RANGE_CLOEXEC leaves the set-up what it needs', async () => {
  const run = (c: Recorder): void => void c.close_range(3, 4095, CLOSE_RANGE_CLOEXEC);
  expect(await inside('echo ok', { steps: [{ at: 'exec', run }] })).toBe('ok');
});

test('a line of thousands of calls, with data of its own', async () => {
  const run = (c: Recorder): void => {
    const directory = c.openat(AT_FDCWD, folder, O_PATH | O_CLOEXEC);
    for (let index = 0; index < 2000; index++) c.mkdirat(directory, `folder-${index}`, 0o755);
  };
  expect(await inside(`ls ${folder} | wc -l; ls ${folder} | tail -n 1`, { steps: [{ at: 'exec', run }] })).toBe(
    '2000\nfolder-999',
  );
});
