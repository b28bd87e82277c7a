// hold: { fd }: a child that outlives its starter and is executed when a byte arrives. How it outlives Node is in
// test/robustness/exit.test.ts.
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, writeSync } from 'node:fs';

import { clone, type ClonedProcess, type CloneOptions, constants, Flags, perform, plan, record, run } from '../../lib';
import { addon } from '../support/addon';
import { untilZombie } from '../support/alive';
import { hasCapability, needing } from '../support/capability';
import { calls, failAt, heldBefore } from '../support/fault';
import { closed, fifo, opened, waiting } from '../support/fifo';
import { owned, read } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted, isCall, linesOf } from '../support/listing';
import { root } from '../support/own-process';
import { planning, refusal } from '../support/refusal';
import { inTime, until } from '../support/slow';
import { temporaryFolder } from '../support/temporary-folder';

leavesNothing();
const folder = temporaryFolder();

const quiet: CloneOptions = { stdio: 'ignore' };
/** A FIFO as the guide has it. */
const starter = (): number => opened(fifo(folder.at('start')));
const byte = (descriptor: number): void => void writeSync(descriptor, 'x');
/** The end that the child writes to, and the one that whoever starts it reads; the first is ours until `closed()`. */
function reports(): [theirs: number, ours: number] {
  const path = fifo(folder.at('report'));
  const ours = opened(path, 'reading');
  return [opened(path, 'writing'), ours];
}
const isAsleep = (pid: number): boolean => /^State:\tS/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
const told = async (child: ClonedProcess): Promise<unknown> => {
  const { code, signal } = await child.exited;
  return { code, signal };
};
/** The lines of a report whose end has come. */
async function linesIn(ours: number): Promise<unknown[]> {
  let text = '';
  await until(() => {
    const more = waiting(ours);
    if (more !== 'end' && more !== 'nothing') text += more;
    return more === 'end';
  });
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as unknown);
}

describe('hold: { fd } rejects', () => {
  test.each([
    [{}, 'ERR_INVALID_ARG_TYPE', 'hold.fd', ''],
    [{ fd: '3' }, 'ERR_INVALID_ARG_TYPE', 'hold.fd', ''],
    [{ fd: -1 }, 'ERR_OUT_OF_RANGE', 'hold.fd', ''],
    [{ fd: 1.5 }, 'ERR_OUT_OF_RANGE', 'hold.fd', ''],
    [{ fd: 5, report: 'x' }, 'ERR_INVALID_ARG_TYPE', 'hold.report', ''],
    [{ fd: 5, report: 5 }, 'ERR_INVALID_ARG_VALUE', 'hold.report', 'must be another one than fd'],
    [{ fd: 5, raport: 6 }, 'ERR_INVALID_ARG_VALUE', 'hold.raport', 'did you mean "report"?'],
    [['exec', { fd: 5 }], 'ERR_INVALID_ARG_VALUE', 'hold[1]', ''],
    [new Date(), 'ERR_INVALID_ARG_TYPE', 'hold', ''],
  ] as const)('%p', (hold, code, option, message) => {
    expect(planning({ hold })).toThrow(refusal(code, option, message));
  });
  test('a signal of the death that the child is to outlive', () => {
    for (const more of [{}, { flags: Flags.NEWPID, init: true }])
      expect(planning({ hold: { fd: 5 }, parentDeathSignal: 'SIGKILL', ...more })).toThrow(
        refusal('ERR_INVALID_ARG_VALUE', 'parentDeathSignal', 'hold: { fd }'),
      );
  });

  const refused = (hold: object): Promise<unknown> =>
    clone('/bin/true', { ...quiet, hold } as CloneOptions).then(
      () => 'started',
      ({ code, step, option, message }: Record<string, string>) => ({ code, step, option, message }),
    );
  test('what is not open', async () => {
    const free = opened('/dev/null');
    closed(free);
    expect(await refused({ fd: free })).toMatchObject({ code: 'EBADF', step: 'hold sources', option: 'hold.fd' });
    expect(await refused({ fd: starter(), report: 123_456 })).toMatchObject({
      code: 'EBADF',
      option: 'hold.report',
    });
  });
  test.each(['/etc/passwd', '/etc', '/dev/null'])('%s, which always can be read or never waits', async (path) => {
    const file = openSync(path, 'r');
    expect(await refused({ fd: file })).toMatchObject({
      code: 'EINVAL',
      option: 'hold.fd',
      message: expect.stringContaining('must be a FIFO, an end of a pipe or a connected socket') as string,
    });
    closeSync(file);
  });
  test('a report that is read as what starts it', async () => {
    expect(await refused({ fd: starter(), report: opened(folder.at('start')) })).toMatchObject({
      code: 'EINVAL',
      option: 'hold.report',
      message: expect.stringContaining('is of the same file as fd') as string,
    });
  });
  test('an end that cannot be read, and a report that cannot be written', async () => {
    const fd = starter();
    const [writing, reading] = reports();
    expect(await refused({ fd: writing })).toMatchObject({
      option: 'hold.fd',
      message: expect.stringMatching(/not open for reading/) as string,
    });
    expect(await refused({ fd, report: reading })).toMatchObject({
      option: 'hold.report',
      message: expect.stringMatching(/not open for writing/) as string,
    });
  });
});

describe('hold: { fd } emits', () => {
  const hold = { fd: 30, report: 31 };
  test('the look for the command, the death signal off, Node told, the byte', () => {
    expect(emitted('hold', { hold: { fd: 30 } })).toEqual([
      expect.stringMatching(/^hold\.fd: data\[\d+\] = r\d+$/),
      expect.stringMatching(/^hold\.fd: ppoll\(/),
      'hold: prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0)',
      'hold: wait for the parent, which may end as soon as it says so',
      expect.stringMatching(/^hold\.fd: read\(r\d+, &data\[\d+\], 1\) {2}# at least 1; when it can be read$/),
      expect.stringMatching(/^hold\.fd: close\(r\d+\)$/),
    ]);
  });
  test('nothing that looks for Node behind it', () => {
    const lines = linesOf(plan('/bin/true', [], { hold }));
    const steps = lines.slice(lines.findLastIndex(({ call }) => call.startsWith('read('))).map(({ step }) => step);
    expect([...new Set(steps)]).toEqual(['hold', 'signal mask', 'start report', 'command']);
  });
  test('a last word before the filters, which may forbid it', () => {
    expect(emitted('start report', { hold })).toEqual([
      'hold.report: rt_sigaction(SIGPIPE, {SIG_IGN}, NULL, 8)',
      expect.stringMatching(/^hold\.report: write\(r\d+, .*executing.*\/bin\/true/),
      'hold.report: rt_sigaction(SIGPIPE, {SIG_DFL}, NULL, 8)',
    ]);
    expect(emitted('start report', { hold: { fd: 30 } })).toEqual([]);
    const steps = linesOf(plan('/bin/true', [], { hold, noNewPrivileges: true, seccomp: new Uint8Array(8) }));
    expect(steps.findLastIndex(({ step }) => step === 'start report')).toBeLessThan(
      steps.findIndex(({ step }) => step === 'seccomp'),
    );
  });
  test('the same with labels and without', async () => {
    const fd = starter();
    const [report] = reports();
    const options = { ...quiet, hold: { fd, report } };
    byte(fd);
    byte(fd);
    expect(await told(await clone('/bin/sh', ['-c', 'exit 3'], options))).toEqual({ code: 3, signal: null });
    expect(await told(await clone(plan('/bin/sh', ['-c', 'exit 3'], options)))).toEqual({ code: 3, signal: null });
  });
});

describe('a child that waits for a byte', () => {
  test('is executed when it comes, and the creator hears it as of any other', async () => {
    const fd = starter();
    const child = await clone('/bin/sh', ['-c', 'echo started; exit 3'], {
      ...owned(Flags.NEWPID | Flags.NEWUTS),
      hostname: 'box',
      stdio: ['ignore', 'pipe', 'inherit'],
      hold: { fd },
    });
    const events: string[] = [];
    for (const name of ['spawn', 'exit', 'close', 'error']) child.on(name, () => events.push(name));
    await until(() => isAsleep(child.pid));
    await new Promise(setImmediate);
    expect([events, child.exitCode]).toEqual([[], null]);
    byte(fd);
    expect(await read(child.stdout)).toBe('started\n');
    expect(await told(child)).toEqual({ code: 3, signal: null });
    await until(() => events.length === 3);
    expect(events).toEqual(['spawn', 'exit', 'close']);
    await expect(child.start()).rejects.toThrow(/is over: the child has started/);
  });

  test('may have been started before it waited', async () => {
    const fd = starter();
    byte(fd);
    expect(await told(await clone('/bin/sh', ['-c', 'exit 4'], { ...quiet, hold: { fd } }))).toEqual({
      code: 4,
      signal: null,
    });
  });

  test.each([
    ['', 0],
    [', though the FIFO is non-blocking', constants.O_NONBLOCK],
  ])('takes one byte: of several on one FIFO each has its own%s', async (_which, flag) => {
    const fd = starter();
    perform(record((c) => void c.fcntl(fd, constants.F_SETFL, constants.O_RDWR | flag)));
    const children = await Promise.all(
      [1, 2, 3].map(() => clone('/bin/sh', ['-c', 'exit 5'], { ...quiet, hold: { fd } })),
    );
    const running = (): number => children.filter(({ exitCode }) => exitCode === null).length;
    for (let left = 2; left >= 0; left--) {
      byte(fd);
      await until(() => running() === left);
      await until(() => children.every(({ exitCode, pid }) => exitCode === 5 || isAsleep(pid)));
    }
  });

  test('of two starters one is too late, and nothing comes of it', async () => {
    const fd = starter();
    const child = await clone('/bin/sh', ['-c', 'exit 6'], { ...quiet, hold: { fd } });
    byte(fd);
    byte(fd);
    expect(await told(child)).toEqual({ code: 6, signal: null });
    const bytes = opened(folder.at('start'), 'reading');
    expect(waiting(bytes)).toBe('x');
  });

  test('waits though the FIFO is non-blocking, or nobody has it open for writing yet', async () => {
    const fd = opened(fifo(folder.at('start')), 'reading');
    const child = await clone('/bin/sh', ['-c', 'exit 7'], { ...quiet, hold: { fd } });
    await until(() => isAsleep(child.pid));
    byte(opened(folder.at('start'), 'writing'));
    expect(await told(child)).toEqual({ code: 7, signal: null });
  });

  test('waits on when it was stopped and continued', async () => {
    const fd = starter();
    const child = await clone('/bin/sh', ['-c', 'exit 8'], { ...quiet, hold: { fd } });
    const state = (letter: string): boolean =>
      new RegExp(`^State:\\t${letter}`, 'm').test(readFileSync(`/proc/${child.pid}/status`, 'utf8'));
    await until(() => state('S'));
    process.kill(child.pid, 'SIGSTOP');
    await until(() => state('T'));
    process.kill(child.pid, 'SIGCONT');
    await until(() => state('S'));
    byte(fd);
    expect(await told(child)).toEqual({ code: 8, signal: null });
  });

  const withLandlock = needing(addon().landlockAbi() >= 5, 'Landlock ABI 5');
  withLandlock('may have a file to execute, rules of Landlock and descriptors of its pid 1 beside it', async () => {
    const fd = starter();
    const [report, ours] = reports();
    const commandFd = opened('/bin/sh', 'reading');
    const child = await clone('sh', ['-c', 'ls /proc/self/fd; cat /etc/passwd'], {
      ...owned(Flags.NEWPID),
      init: { keep: [ours] },
      commandFd,
      landlock: {
        rules: ['/usr', '/lib', '/lib64', '/proc'].map((path) => ({
          path,
          access: ['read', 'execute'],
          optional: true,
        })),
      },
      stdio: ['ignore', 'pipe', 'ignore'],
      hold: { fd, report },
    });
    closed(report);
    byte(fd);
    expect(await read(child.stdout)).toBe('0\n1\n2\n3\n');
    expect(await told(child)).toEqual({ code: 1, signal: null });
    expect(await linesIn(ours)).toEqual([{ executing: 'sh' }]);
  });

  test('may wait for what is our stdin', async () => {
    const path = fifo(folder.at('start'));
    const { stdout } = await run(
      process.execPath,
      [
        '-e',
        `const { clone } = require(${JSON.stringify(root)});
         clone('echo', ['started'], { stdio: ['ignore', 'inherit', 'inherit'], hold: { fd: 0 } })
           .then((child) => child.start());`,
      ],
      { stdio: [opened(path), 'pipe', 'inherit'] },
    );
    expect(stdout).toBe('started\n');
  });

  test('beside a pid 1 it is that which waits', async () => {
    const fd = starter();
    const child = await clone('/bin/sh', ['-c', 'exit $(($$ + 5))'], {
      ...owned(Flags.NEWPID),
      ...quiet,
      init: true,
      hold: { fd },
    });
    expect(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')).toBe('');
    byte(fd);
    expect(await told(child)).toEqual({ code: 7, signal: null });
  });

  test('can be joined, and shows its namespaces, as any held one', async () => {
    const fd = starter();
    const child = await clone('true', { ...quiet, ...owned(Flags.NEWUTS), hostname: 'joined', hold: { fd } });
    expect((await run('uname', ['-n'], { join: child })).stdout).toBe('joined\n');
    await child.start();
    await child.exited;
  });

  test.each([{}, { closeFds: false }, { init: true, ...owned(Flags.NEWPID) }])(
    'hands neither descriptor to the command: %p',
    async (options) => {
      const fd = starter();
      const [report] = reports();
      const child = await clone('/bin/sh', ['-c', 'readlink /proc/self/fd/* || true'], {
        ...options,
        stdio: ['ignore', 'pipe', 'ignore'],
        hold: { fd, report },
      });
      byte(fd);
      expect(await read(child.stdout)).not.toContain(folder.path);
      await child.exited;
    },
  );

  test.each([3, 64])('has nothing open but them, whatever their numbers: %d entries of stdio', async (count) => {
    const fd = starter();
    const [report] = reports();
    const child = await clone('true', { stdio: Array<'ignore'>(count).fill('ignore'), hold: { fd, report } });
    if (hasCapability(constants.CAP_SYS_PTRACE)) {
      const targets = readdirSync(`/proc/${child.pid}/fd`).map((name) => readlinkSync(`/proc/${child.pid}/fd/${name}`));
      expect(targets.map((target) => target.replace(/^socket:.*/, 'socket'))).toEqual([
        '/dev/null',
        '/dev/null',
        '/dev/null',
        'socket',
        folder.at('start'),
        folder.at('report'),
      ]);
    }
    await child.start();
    await child.exited;
  });
});

describe('start()', () => {
  test('writes the byte, and resolves when the program has been executed', async () => {
    const fd = starter();
    const child = await clone('/bin/sh', ['-c', 'read wait'], { stdio: ['pipe', 'ignore', 'ignore'], hold: { fd } });
    await child.start();
    expect(readFileSync(`/proc/${child.pid}/comm`, 'utf8')).toBe('sh\n');
    await expect(child.start()).rejects.toThrow(/is over: start\(\) was called/);
    child.stdin.end();
    await child.exited;
  });
  test('rejects with what fails, also where somebody else has started it', async () => {
    const fd = starter();
    const first = await clone('/etc/passwd', { ...quiet, hold: { fd } });
    await expect(first.start()).rejects.toMatchObject({ code: 'EACCES', step: 'command', path: '/etc/passwd' });
    const second = await clone('/etc/passwd', { ...quiet, hold: { fd } });
    const events: string[] = [];
    second.on('spawn', () => events.push('spawn')).on('exit', () => events.push('exit'));
    byte(fd);
    expect(await told(second)).toEqual({ code: 127, signal: null });
    await expect(second.start()).rejects.toMatchObject({ code: 'EACCES', step: 'command', path: '/etc/passwd' });
    expect(events).toEqual(['exit']);
  });
  test('writes nothing for a child that has ended, which nobody has heard yet: another one would be started', async () => {
    const fd = starter();
    const first = await clone('true', { ...quiet, hold: { fd } });
    process.kill(first.pid, 'SIGKILL');
    untilZombie(first.pid);
    await expect(first.start()).rejects.toMatchObject({ code: 'ECHILD', signal: 'SIGKILL' });
    expect(waiting(opened(folder.at('start'), 'reading'))).toBe('nothing');
  });
  test('does not wait for room in a FIFO that somebody else has filled', async () => {
    const fd = starter();
    const child = await clone('true', { ...quiet, hold: { fd } });
    process.kill(child.pid, 'SIGSTOP');
    await until(() => /^State:\tT/m.test(readFileSync(`/proc/${child.pid}/status`, 'utf8')));
    const filling = opened(folder.at('start'), 'writing');
    expect(() => {
      for (;;) writeSync(filling, Buffer.alloc(4096));
    }).toThrow(expect.objectContaining({ code: 'EAGAIN' }));
    await expect(child.start()).rejects.toMatchObject({
      code: 'EAGAIN',
      option: 'hold.fd',
      syscall: 'write',
      hint: 'it is full of bytes that nobody takes',
    });
    process.kill(child.pid, 'SIGCONT');
    expect(await told(child)).toEqual({ code: 0, signal: null });
  });
  test('is for somebody else where it is no longer the same file, or cannot be written', async () => {
    const path = fifo(folder.at('start'));
    const fd = opened(path);
    const child = await clone('true', { ...quiet, hold: { fd } });
    closed(fd);
    // Others may have closed a lower one meanwhile.
    while (opened('/dev/null') !== fd);
    await expect(child.start()).rejects.toMatchObject({
      code: 'EBADF',
      option: 'hold.fd',
      message: expect.stringContaining('is not open any more') as string,
    });
    byte(opened(path));
    expect(await told(child)).toEqual({ code: 0, signal: null });

    const reading = opened(path, 'reading');
    const second = await clone('true', { ...quiet, hold: { fd: reading } });
    await expect(second.start()).rejects.toMatchObject({
      code: 'EBADF',
      message: expect.stringContaining('for reading alone') as string,
    });
    byte(opened(path));
    expect(await told(second)).toEqual({ code: 0, signal: null });
  });
});

describe('a socket', () => {
  const { AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM } = constants;
  const pair = (): [number, number] => {
    const { both } = perform(record((c) => ({ both: c.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC) })));
    return both;
  };

  test('starts it from its other end alone, and can be its report', async () => {
    const [[fd, ours], [report, theirs]] = [pair(), pair()];
    const child = await clone('/etc/passwd', { ...quiet, hold: { fd, report } });
    await expect(child.start()).rejects.toMatchObject({
      message: expect.stringContaining('other end of the socket') as string,
    });
    byte(ours);
    expect(await told(child)).toEqual({ code: 127, signal: null });
    closeSync(report);
    expect(readFileSync(theirs, 'utf8')).toBe(
      '{"executing":"/etc/passwd"}\n{"errno":  13,"step":"command","syscall":"execve","path":"/etc/passwd"}\n',
    );
    for (const one of [fd, ours, theirs]) closeSync(one);
  });
});

describe('the report', () => {
  const started = async (command: string, options: CloneOptions = {}): Promise<[ClonedProcess, unknown[]]> => {
    const fd = starter();
    const [report, ours] = reports();
    const child = await clone(command, { ...quiet, ...options, hold: { fd, report } });
    closed(report);
    expect(waiting(ours)).toBe('nothing');
    byte(fd);
    return [child, await linesIn(ours)];
  };

  test('of a command that runs is closed while it does', async () => {
    const [child, lines] = await started('cat', { stdio: ['pipe', 'ignore', 'inherit'] });
    expect(lines).toEqual([{ executing: 'cat' }]);
    expect(child.exitCode).toBeNull();
    child.stdin!.end();
    await child.exited;
  });
  test('says nothing of a child that a signal ends which has come while it waited', async () => {
    const fd = starter();
    const [report, ours] = reports();
    const child = await clone('true', { ...quiet, hold: { fd, report } });
    closed(report);
    process.kill(child.pid, 'SIGINT');
    byte(fd);
    expect(await told(child)).toEqual({ code: null, signal: 'SIGINT' });
    expect(await linesIn(ours)).toEqual([]);
  });
  test('of one beside a pid 1, too, which lets go of it', async () => {
    const [child, lines] = await started('cat', {
      ...owned(Flags.NEWPID),
      init: true,
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    expect(lines).toEqual([{ executing: 'cat' }]);
    child.stdin!.end();
    expect(await told(child)).toEqual({ code: 0, signal: null });
  });
  test.each([{}, { ...owned(Flags.NEWPID), init: true }])('names the exec that fails: %p', async (options) => {
    const [child, lines] = await started('/etc/passwd', options);
    expect(lines).toEqual([
      { executing: '/etc/passwd' },
      { errno: 13, step: 'command', syscall: 'execve', path: '/etc/passwd' },
    ]);
    await child.exited;
  });
  test('names what of the program’s own set-up fails beside a pid 1', async () => {
    const [child, lines] = await started('true', { ...owned(Flags.NEWPID), init: true, cwd: '/no/such' });
    expect(lines).toEqual([{ errno: 2, step: 'cwd', option: 'cwd', syscall: 'chdir', path: '/no/such' }]);
    await child.exited;
  });
  test('names the filter that the kernel refuses', async () => {
    const [child, lines] = await started('true', { seccomp: Uint8Array.of(5, 0, 0, 0, 255, 255, 0, 0) });
    expect(lines).toEqual([
      { executing: 'true' },
      { errno: 22, step: 'seccomp', option: 'seccomp', syscall: 'seccomp' },
    ]);
    await child.exited;
  });
  test('of a child that is killed while it waits says nothing', async () => {
    const fd = starter();
    const [report, ours] = reports();
    const child = await clone('true', { ...quiet, hold: { fd, report } });
    closed(report);
    child.kill();
    expect(await linesIn(ours)).toEqual([]);
    expect(await told(child)).toEqual({ code: null, signal: 'SIGKILL' });
    await expect(child.start()).rejects.toMatchObject({ code: 'ECHILD', signal: 'SIGKILL' });
  });
  test('that nobody reads any more keeps no command from being executed', async () => {
    const fd = starter();
    const [report, ours] = reports();
    const child = await clone('grep', ['-E', '^(Sig(Pnd|Blk|Ign)|ShdPnd):', '/proc/self/status'], {
      stdio: ['ignore', 'pipe', 'ignore'],
      hold: { fd, report },
    });
    closed(ours);
    closed(report);
    byte(fd);
    // SIGPIPE is what it was: neither pending nor ignored.
    expect((await read(child.stdout)).match(/\d+/g)).toEqual(Array(4).fill('0'.repeat(16)));
    expect(await told(child)).toEqual({ code: 0, signal: null });
  });
  test('that nobody reads any more changes nothing of how a child ends that fails', async () => {
    const fd = starter();
    const [report, ours] = reports();
    const child = await clone('/etc/passwd', { ...quiet, hold: { fd, report } });
    closed(ours);
    closed(report);
    await expect(child.start()).rejects.toMatchObject({ code: 'EACCES', path: '/etc/passwd' });
    expect(await told(child)).toEqual({ code: 127, signal: null });
  });
});

describe('a byte that never comes', () => {
  test('nobody can write any more: it is told', async () => {
    const fd = opened(fifo(folder.at('start')), 'reading');
    const other = opened(folder.at('start'), 'writing');
    const [report, ours] = reports();
    const child = await clone('true', { ...quiet, hold: { fd, report } });
    closed(report);
    closed(other);
    expect(await told(child)).toEqual({ code: 127, signal: null });
    expect(await linesIn(ours)).toEqual([{ errno: 5, step: 'hold', option: 'hold.fd', syscall: 'read' }]);
    await expect(child.start()).rejects.toMatchObject({
      code: 'EIO',
      option: 'hold.fd',
      hint: expect.stringContaining('nobody can write to it any more') as string,
    });
  });
  test('timeout and signal end it as long as we live', async () => {
    const fd = starter();
    const late = await inTime((timeout) => clone('true', { ...quiet, timeout, hold: { fd } }));
    expect(await late.exited).toMatchObject({ signal: 'SIGKILL', endedBy: 'timeout' });
    const controller = new AbortController();
    const child = await clone('true', { ...quiet, signal: controller.signal, hold: { fd } });
    controller.abort();
    expect(await child.exited).toMatchObject({ signal: 'SIGKILL', endedBy: 'abort' });
  });
  test('kill() and dispose, too', async () => {
    const fd = starter();
    const child = await clone('true', { ...quiet, hold: { fd } });
    expect(child.kill('SIGTERM')).toBe(true);
    expect(await told(child)).toEqual({ code: null, signal: 'SIGKILL' });
    const second = await clone('true', { ...quiet, hold: { fd } });
    await second[Symbol.asyncDispose]();
    expect(second.signalCode).toBe('SIGKILL');
  });
});

test('a command that is nowhere is told before anybody waits', async () => {
  const fd = starter();
  byte(fd);
  await expect(clone('/no/such', { ...quiet, hold: { fd } })).rejects.toMatchObject({
    code: 'ENOENT',
    step: 'command',
  });
  expect(waiting(opened(folder.at('start'), 'reading'))).toBe('x');
});

describe.each<[string, CloneOptions]>([
  ['alone', { noNewPrivileges: true, seccomp: Uint8Array.of(6, 0, 0, 0, 0, 0, 0xff, 0x7f) }],
  ['beside a pid 1', { ...owned(Flags.NEWPID), init: true, cwd: '/', rlimits: { core: 0 } }],
])('whatever fails of one that was started, %s,', (_name, options) => {
  const descriptors = (): [CloneOptions, number, number, number] => {
    const fd = starter();
    const [report, ours] = reports();
    return [{ ...quiet, ...options, hold: { fd, report } }, fd, report, ours];
  };

  test('is told to both', async () => {
    const [given, fd, report, ours] = descriptors();
    const made = plan('/bin/true', [], given);
    const lines = linesOf(made).filter((line) => isCall(line));
    const started = lines.findIndex(({ option, call }) => option === 'hold.fd' && call.startsWith('read('));
    const sh = lines.at(-1)!.call.startsWith('execve("/bin/sh"') ? -1 : undefined;
    let path = '';
    for (const { number, step, option } of lines.slice(started, sh)) {
      const child = await heldBefore(made, number, 'E2BIG');
      byte(fd);
      const failure = expect.objectContaining({ errno: 7, step, ...(option === '' ? {} : { option }) }) as unknown;
      await child.exited;
      let text = '';
      for (let more = waiting(ours); more !== 'nothing'; more = waiting(ours)) text += more;
      const last = JSON.parse(text.trimEnd().split('\n').at(-1)!) as { path?: string };
      expect([number, last]).toEqual([number, failure]);
      await expect(child.start()).rejects.toMatchObject({ code: 'E2BIG', step });
      path += last.path ?? '';
      // Where it was not read that byte is there still.
      if (number === lines[started]!.number) expect(waiting(fd)).toBe('x');
    }
    expect(path).toContain('/bin/true');
    closed(report);
  });
});

test('what fails before Node is told rejects the call', async () => {
  const fd = starter();
  const options = { ...quiet, hold: { fd } };
  for (const call of ['fcntl', 'prctl(PR_SET_PDEATHSIG, 0', 'wait for the parent'])
    expect(await failAt(options, calls(call), 'EPERM')).toMatchObject({ code: 'EPERM' });
});
