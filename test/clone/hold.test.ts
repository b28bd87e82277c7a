// hold and start(): all but the filter is set up, and the child waits for what is done to it from outside.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';

import { clone, type ClonedProcess, type CloneOptions, constants, Flags, plan } from '../../lib';
import { hasCapability, rootOnly } from '../support/capability';
import { removeCgroup } from '../support/cgroups';
import { failAt, killed } from '../support/fault';
import { owned, read } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted } from '../support/listing';
import { evaluate, runScript } from '../support/own-process';
import { planning, refusal } from '../support/refusal';
import { inTime, until } from '../support/slow';

leavesNothing();

const quiet: CloneOptions = { stdio: 'ignore' };
const held = (script: string, options: CloneOptions = {}): Promise<ClonedProcess> =>
  clone('/bin/sh', ['-c', script], { ...quiet, ...options, hold: true });
const status = (pid: number, field: string): string =>
  new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]!;
const link = (kind: string, pid: number | 'self' = 'self'): string => readlinkSync(`/proc/${pid}/ns/${kind}`);

/** Whether a process is there, and no zombie that waits for whoever adopted it. */
function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z');
  } catch {
    return false;
  }
}

/** Filters of one instruction, `struct sock_filter` with BPF_RET: allow all; kill whoever calls anything. */
function filter(answer: number): Buffer {
  const instruction = Buffer.alloc(8);
  instruction.writeUInt16LE(0x06, 0);
  instruction.writeUInt32LE(answer, 4);
  return instruction;
}
const allow = filter(0x7fff_0000);
const kill = filter(0x8000_0000);

/** All that is told of a child, in its order. */
function record(child: ClonedProcess): string[] {
  const events: string[] = [];
  for (const name of ['spawn', 'exit', 'close', 'error'])
    child.on(name, (...args: unknown[]) => events.push([name, ...args.map(String)].join(' ')));
  return events;
}

describe('hold rejects', () => {
  test.each([1, 0, null])('%p', (value) => {
    expect(planning({ hold: value })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'hold'));
  });
});

describe('hold emits', () => {
  test('nothing without it', () => {
    expect(emitted('hold', {})).toEqual([]);
    expect(emitted('hold', { hold: false })).toEqual([]);
  });
  test('a wait, behind which only the filter, the signals and the exec are left', () => {
    expect(emitted('hold', { hold: true })).toEqual(['hold: wait for the parent']);
    const made = plan('/bin/true', [], {
      hold: true,
      seccomp: allow,
      cwd: '/',
      noNewPrivileges: true,
      ...owned(Flags.NEWNS),
    });
    const steps = made
      .toString()
      .split('\n')
      .map((line) => /^ *\S+  (.*?)(?: {2}|$)/.exec(line)![1]!);
    const after = new Set(steps.slice(steps.lastIndexOf('hold') + 1));
    expect([...after]).toEqual(['parentDeathSignal', 'signal mask', 'seccomp', 'command']);
  });
});

describe('a held child', () => {
  test('is set up: namespaces, name, ids, folder, all but the filter and the program', async () => {
    const flags = Flags.NEWUTS | Flags.NEWNET | Flags.NEWPID | Flags.NEWNS | Flags.NEWIPC;
    const child = await held('exit 3', {
      ...owned(flags),
      hostname: 'held',
      cwd: '/proc',
      umask: 0o31,
      seccomp: allow,
      rlimits: { nofile: 77 },
      nice: 3,
    });
    expect(status(child.pid, 'Name')).toMatch(/^nsclone\/[\w-]{7}$/);
    for (const kind of ['uts', 'net', 'pid', 'mnt', 'ipc', 'user'] as const) {
      const namespace = child.namespace(kind);
      expect(`${kind}:[${namespace.id}]`).not.toBe(link(kind));
      namespace.close();
    }
    expect(status(child.pid, 'NSpid').split('\t').at(-1)).toBe('1');
    expect(status(child.pid, 'Umask')).toBe('0031');
    expect(status(child.pid, 'NoNewPrivs')).toBe('1');
    expect(status(child.pid, 'Seccomp')).toBe('0');
    expect(readFileSync(`/proc/${child.pid}/limits`, 'utf8')).toMatch(/^Max open files +77 +77 /m);
    expect(readFileSync(`/proc/${child.pid}/uid_map`, 'utf8').trim().split(/ +/)).toEqual([
      '0',
      String(process.geteuid!()),
      '1',
    ]);
    await child.start();
    expect(await child.exited).toMatchObject({ code: 3, signal: null });
  });
  test('has its pid, its pidfd and its streams', async () => {
    const child = await held('echo $$; cat', { stdio: 'pipe' });
    expect(readFileSync(`/proc/self/fdinfo/${child.pidfd}`, 'utf8')).toMatch(new RegExp(`^Pid:\\t${child.pid}$`, 'm'));
    expect(child.kill(0)).toBe(true);
    child.stdin!.end('typed before the start\n');
    const output = read(child.stdout);
    const { pid } = child;
    await child.start();
    expect(child.pid).toBe(pid);
    expect(await output).toBe(`${pid}\ntyped before the start\n`);
    expect(await child.exited).toMatchObject({ code: 0 });
  });
  test('runs nothing until it is started', async () => {
    const child = await held('echo started', { stdio: ['ignore', 'pipe', 'inherit'] });
    const events = record(child);
    let output = '';
    child.stdout!.on('data', (chunk) => (output += String(chunk)));
    await until(() => status(child.pid, 'State').startsWith('S'));
    await new Promise(setImmediate);
    expect([output, events, child.exitCode]).toEqual(['', [], null]);
    await child.start();
    await new Promise((resolve) => child.once('close', resolve));
    expect([output, events]).toEqual(['started\n', ['spawn', 'exit 0 null', 'close 0 null']]);
  });
  test('can be joined', async () => {
    const child = await held('true', { ...owned(Flags.NEWUTS), hostname: 'joined' });
    const other = await clone('/bin/uname', ['-n'], { join: child, stdio: ['ignore', 'pipe', 'inherit'] });
    expect(await read(other.stdout)).toBe('joined\n');
    await other.exited;
    await child.start();
    await child.exited;
  });
  test('shows its namespaces to us, and what else it is to nobody but root', async () => {
    const child = await held('true', owned(Flags.NEWUTS));
    const look = (): string => readlinkSync(`/proc/${child.pid}/ns/uts`);
    if (hasCapability(constants.CAP_SYS_PTRACE)) expect(look()).not.toBe(link('uts'));
    else expect(look).toThrow(/EACCES/);
    await child.start();
    await child.exited;
  });
  test('that has joined shows its namespaces, too', async () => {
    const first = await held('true', owned(Flags.NEWUTS));
    const child = await held('exit 4', { join: first });
    const [theirs, its] = [first.namespace('uts'), child.namespace('uts')];
    expect(its.equals(theirs)).toBe(true);
    expect(`uts:[${its.id}]`).not.toBe(link('uts'));
    theirs.close();
    its.close();
    await child.start();
    expect(await child.exited).toMatchObject({ code: 4 });
    first.kill();
    await first.exited;
  });
  test('may wait for maps before', async () => {
    const child = await held('exit $(id -u)', { flags: Flags.NEWUSER, uidMap: 'root', gidMap: 'root' });
    await child.start();
    expect(await child.exited).toMatchObject({ code: 0 });
  });
  rootOnly('may be one of many, with maps written by us', async () => {
    const uidMap = [
      { containerID: 0, hostID: 0, size: 1 },
      { containerID: 1, hostID: 100_000, size: 10 },
    ];
    const children = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        held(`exit $(($(id -u) + ${index}))`, {
          flags: Flags.NEWUSER | Flags.NEWPID,
          uidMap,
          gidMap: uidMap,
          uid: index % 2,
        }),
      ),
    );
    for (const child of children.toReversed()) await child.start();
    const codes = await Promise.all(children.map(async ({ exited }) => (await exited).code));
    expect(codes).toEqual(children.map((_, index) => (index % 2) + index));
  });
  test('of a plan, as often as wanted', async () => {
    const made = plan('/bin/sh', ['-c', 'exit 5'], { ...quiet, hold: true });
    for (let i = 0; i < 3; i++) {
      const child = await clone(made);
      await child.start();
      expect(await child.exited).toMatchObject({ code: 5 });
    }
  });
  test('ends with Node', async () => {
    const { pid } = evaluate<{ pid: number }>(
      `const child = await nsclone.clone('sleep', ['1000'], { hold: true, stdio: 'ignore' });
       child.unref();
       return { pid: child.pid };`,
    );
    await until(() => !isAlive(pid));
  });
  test('keeps Node running until then', () => {
    const { stdout, status: code } = runScript(
      `const child = await nsclone.clone('sh', ['-c', 'echo end'], { hold: true, stdio: 'inherit' });
       setTimeout(() => child.start(), 50);`,
    );
    expect([stdout, code]).toEqual(['end\n', 0]);
  });
});

describe('start()', () => {
  test('resolves when the program has been executed', async () => {
    const child = await held('read wait', { stdio: ['pipe', 'ignore', 'ignore'] });
    expect(await child.start()).toBeUndefined();
    expect(status(child.pid, 'Name')).toBe('sh');
    child.stdin!.end();
    await child.exited;
  });
  test('sets the filter', async () => {
    const child = await held('read wait', { stdio: ['pipe', 'ignore', 'ignore'], seccomp: allow });
    expect(status(child.pid, 'Seccomp')).toBe('0');
    await child.start();
    expect(status(child.pid, 'Seccomp')).toBe('2');
    child.stdin!.end();
    await child.exited;
  });
  test('a second time is refused, at once and later', async () => {
    const child = await held('true');
    const first = child.start();
    const over = { code: 'ERR_INVALID_ARG_VALUE', option: 'hold', message: expect.stringContaining('is over') };
    await expect(child.start()).rejects.toMatchObject(over);
    await first;
    await expect(child.start()).rejects.toMatchObject(over);
    await child.exited;
    await expect(child.start()).rejects.toMatchObject(over);
  });
  test('without hold is refused, and never thrown', async () => {
    const child = await clone('/bin/true', quiet);
    await expect(child.start()).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
      option: 'hold',
      message: expect.stringContaining('was not given: the child has started'),
    });
    await child.exited;
  });
  test.each(['/etc/passwd', '/'])(
    'rejects where %s cannot be executed, and exited tells how the child ended',
    async (command) => {
      const child = await clone(command, { ...quiet, hold: true });
      const events = record(child);
      await expect(child.start()).rejects.toMatchObject({
        code: 'EACCES',
        step: 'command',
        syscall: 'execve',
        path: command,
      });
      const { code, signal } = await child.exited;
      // It was the stub that ended.
      expect(signal).toBeNull();
      expect(code).not.toBe(0);
      expect([child.exitCode, child.pidfd, child.kill()]).toEqual([code, -1, false]);
      await until(() => events.length > 1);
      expect(events).toEqual([`exit ${code} null`, `close ${code} null`]);
    },
  );
  test('rejects where the kernel refuses the filter', async () => {
    // A jump beyond its end.
    const bad = Buffer.alloc(8);
    bad.writeUInt16LE(0x05, 0);
    bad.writeUInt32LE(1000, 4);
    const child = await held('true', { seccomp: bad });
    await expect(child.start()).rejects.toMatchObject({ code: 'EINVAL', step: 'seccomp', option: 'seccomp' });
    expect((await child.exited).code).not.toBe(0);
  });
  test('rejects where the filter forbids the exec', async () => {
    const child = await held('true', { seccomp: kill });
    await expect(child.start()).rejects.toMatchObject({ code: 'ECHILD', step: 'command', signal: 'SIGSYS' });
    expect(await child.exited).toMatchObject({ code: null, signal: 'SIGSYS' });
  });
  test('is not told of a rejection that nobody waits for twice: exited never rejects', async () => {
    const child = await clone('/', { ...quiet, hold: true });
    const [started, ended] = await Promise.allSettled([child.start(), child.exited]);
    expect([started.status, ended.status]).toEqual(['rejected', 'fulfilled']);
  });
});

describe('a command that is nowhere', () => {
  test.each(['/nowhere/at/all', 'no-such-command', './no-such-file'])(
    'is told at the stop, before anything is done to the child: %s',
    async (command) => {
      await expect(clone(command, { ...quiet, hold: true })).rejects.toMatchObject({ code: 'ENOENT', step: 'command' });
    },
  );
  test('beside pid 1, too', async () => {
    const options: CloneOptions = { ...owned(Flags.NEWPID), init: true, hold: true };
    await expect(clone('no-such-command', options)).rejects.toMatchObject({ code: 'ENOENT', step: 'command' });
  });
  const user = { ...quiet, flags: Flags.NEWUSER };
  test.each([
    ['maps', { ...user, hold: ['maps', 'exec'] }],
    ['mounts', { ...user, ...owned(Flags.NEWNS), hold: 'mounts', mounts: [{ type: 'tmpfs', target: '/mnt' }] }],
  ] as [string, CloneOptions][])('is told at the first stop: %s', async (_, options) => {
    await expect(clone('/no/such', options)).rejects.toMatchObject({ code: 'ENOENT', step: 'command' });
  });
  test('may come with what is mounted after that', async () => {
    const mounts: CloneOptions['mounts'] = [
      { type: 'tmpfs', target: '/mnt' },
      { type: 'file', target: '/mnt/tool', content: '#!/bin/sh\nexit 7\n', mode: 0o755, create: true },
    ];
    const child = await clone('/mnt/tool', { ...user, ...owned(Flags.NEWNS), mounts, hold: ['mounts', 'exec'] });
    await child.start();
    await child.start();
    expect(await child.exited).toMatchObject({ code: 7 });
  });
  test('is looked for where the program will be', async () => {
    const child = await clone('./sh', ['-c', 'exit 7'], { ...quiet, hold: true, cwd: '/bin' });
    await child.start();
    expect(await child.exited).toMatchObject({ code: 7 });
  });
  test('is found behind folders of PATH that do not have it, or do not let us in', async () => {
    const child = await clone('true', { ...quiet, hold: true, env: { PATH: '/no/such:/etc/passwd:/:/usr/bin:/bin' } });
    await child.start();
    expect(await child.exited).toMatchObject({ code: 0 });
  });
});

describe('several stops', () => {
  const stops = ['maps', 'mounts', 'exec'] as const;
  const inMaps: CloneOptions = { flags: Flags.NEWUSER | Flags.NEWNS | Flags.NEWPID, uid: 0, gid: 0 };
  const ownMap = (id: number): string => `0 ${id} 1`;
  /** As newuidmap(1) or a container runtime does. */
  function writeMaps(pid: number): void {
    writeFileSync(`/proc/${pid}/uid_map`, ownMap(process.geteuid!()));
    writeFileSync(`/proc/${pid}/setgroups`, 'deny');
    writeFileSync(`/proc/${pid}/gid_map`, ownMap(process.getegid!()));
  }

  test('come one after the other, and start() goes on to the next', async () => {
    const child = await clone('/bin/sh', ['-c', 'exit $(id -u)'], {
      ...quiet,
      ...inMaps,
      mounts: [{ type: 'tmpfs', target: '/mnt' }],
      hold: stops,
    });
    const seen = (): string => readFileSync(`/proc/${child.pid}/mountinfo`, 'utf8');
    expect(readFileSync(`/proc/${child.pid}/uid_map`, 'utf8')).toBe('');
    const user = child.namespace('user');
    expect(`user:[${user.id}]`).not.toBe(link('user'));
    user.close();
    writeMaps(child.pid);
    await child.start();
    if (hasCapability(constants.CAP_SYS_PTRACE)) expect(seen()).toContain(' /mnt ');
    expect(status(child.pid, 'NSpid').split('\t').at(-1)).toBe('1');
    const mounts = child.namespace('mnt');
    expect(`mnt:[${mounts.id}]`).not.toBe(link('mnt'));
    mounts.close();
    await child.start();
    expect(child.exitCode).toBeNull();
    await child.start();
    expect(await child.exited).toMatchObject({ code: 0 });
    await expect(child.start()).rejects.toThrow(/is over: start\(\) was called|has ended while it was held/);
  });

  test('at the maps alone: without any, the set-up says what it lacks', async () => {
    const child = await clone('/bin/true', { ...quiet, ...inMaps, hold: 'maps' });
    await expect(child.start()).rejects.toMatchObject({ code: 'EINVAL' });
    expect((await child.exited).code).not.toBe(0);
  });

  test('at the mounts: they are made, and the child is still in the old root', async () => {
    await using child = await clone('/bin/sh', ['-c', 'test -e /usr/bin/env && ! test -e /etc'], {
      ...quiet,
      ...owned(Flags.NEWNS),
      root: { type: 'tmpfs' },
      mounts: [
        { type: 'bind', source: '/usr', target: '/usr', create: true },
        ...['bin', 'lib', 'lib64'].map((name) => ({ type: 'symlink', target: `/${name}`, to: `usr/${name}` }) as const),
      ],
      hold: 'mounts',
    });
    // Whoever enters the namespace is in what lies uppermost.
    const other = await clone('/bin/sh', ['-c', 'test -e /usr/bin/env && ! test -e /etc'], { ...quiet, join: child });
    expect(await other.exited).toMatchObject({ code: 0 });
    if (hasCapability(constants.CAP_SYS_PTRACE)) readFileSync(`/proc/${child.pid}/root/etc/passwd`);
    await child.start();
    expect(await child.exited).toMatchObject({ code: 0 });
  });

  test.each(stops)('a child that is ended at %s is gone', async (hold) => {
    const flags = Flags.NEWUSER | Flags.NEWNS | Flags.NEWPID;
    const child = await clone('/bin/true', { ...quiet, flags, hold });
    expect(child.kill()).toBe(true);
    expect(await child.exited).toMatchObject({ signal: 'SIGKILL' });
    await expect(child.start()).rejects.toThrow(/is over: start\(\) was called|has ended while it was held/);
  });

  test.each(stops)('a failure behind the stop at %s is what start() rejects with', async (hold) => {
    const flags = Flags.NEWUSER | Flags.NEWNS;
    const child = await clone('/bin/true', { ...quiet, flags, hold, seccomp: kill });
    await expect(child.start()).rejects.toMatchObject({ code: 'ECHILD', step: 'command', signal: 'SIGSYS' });
    await child.exited;
  });

  test('the listing names them', () => {
    const made = plan('/bin/true', { ...inMaps, hold: ['exec', 'maps'] });
    expect(String(made).match(/wait for the parent, .*/g)).toEqual([
      "wait for the parent, whose start() ends the stop at 'maps'",
      "wait for the parent, whose start() ends the stop at 'exec'",
    ]);
  });

  test.each([
    [{ hold: 'mounts' }, 'hold', 'Flags.NEWNS'],
    [{ hold: 'maps' }, 'hold', 'Flags.NEWUSER'],
    [{ ...owned(0), hold: 'maps' }, 'uidMap', 'somebody else writes them'],
    [{ flags: Flags.NEWUSER, gidMap: 'root', hold: ['maps'] }, 'gidMap', 'somebody else writes them'],
  ])('%p is refused', (options, option, message) => {
    expect(planning(options)).toThrow(refusal('ERR_INVALID_ARG_VALUE', option, message));
  });
});

describe('a held child is ended', () => {
  test.each(['SIGTERM', 'SIGKILL', 'SIGUSR1'] as const)(
    'by kill(%p), which is SIGKILL: nothing else would do anything',
    async (signal) => {
      const child = await held('exit 1', owned(Flags.NEWPID));
      const events = record(child);
      expect([child.kill(signal), child.killed]).toEqual([true, true]);
      expect(await child.exited).toMatchObject({ code: null, signal: 'SIGKILL' });
      expect(await child.exited).not.toHaveProperty('endedBy');
      await until(() => events.length > 1);
      expect(events).toEqual(['exit null SIGKILL', 'close null SIGKILL']);
      await expect(child.start()).rejects.toMatchObject({ code: 'ECHILD', option: 'hold', signal: 'SIGKILL' });
    },
  );
  test('by kill(), while start() is on its way', async () => {
    const child = await held('exit 1');
    child.kill();
    await expect(child.start()).rejects.toMatchObject({ code: 'ECHILD', signal: 'SIGKILL' });
    expect(await child.exited).toMatchObject({ signal: 'SIGKILL' });
  });
  test('by its signal', async () => {
    const controller = new AbortController();
    const child = await held('exit 1', { signal: controller.signal });
    const reason = new Error('enough');
    controller.abort(reason);
    expect(await child.exited).toMatchObject({ code: null, signal: 'SIGKILL', endedBy: 'abort' });
    await expect(child.start()).rejects.toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: reason });
  });
  test('by its signal, while start() is on its way: with the reason', async () => {
    const controller = new AbortController();
    const child = await held('exit 1', { signal: controller.signal });
    const reason = new Error('enough');
    controller.abort(reason);
    await expect(child.start()).rejects.toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: reason });
    expect(await child.exited).toMatchObject({ endedBy: 'abort' });
  });
  test('by its timeout, which covers the hold', async () => {
    const child = await inTime((timeout) => held('exit 1', { timeout }));
    expect(await child.exited).toMatchObject({ code: null, signal: 'SIGKILL', endedBy: 'timeout' });
    await expect(child.start()).rejects.toMatchObject({
      code: 'ETIMEDOUT',
      step: 'hold',
      message: expect.stringMatching(/set-up was not done within \d+ ms; it was in step hold/) as string,
    });
  });
  test('by dispose and asyncDispose', async () => {
    const first = await held('exit 1');
    first[Symbol.dispose]();
    expect(await first.exited).toMatchObject({ signal: 'SIGKILL' });
    const second = await held('exit 1');
    await second[Symbol.asyncDispose]();
    expect(second.signalCode).toBe('SIGKILL');
  });
  test('by somebody else', async () => {
    const child = await held('exit 1', owned(Flags.NEWPID));
    process.kill(child.pid, 'SIGKILL');
    expect(await child.exited).toMatchObject({ code: null, signal: 'SIGKILL' });
    await expect(child.start()).rejects.toMatchObject({ option: 'hold' });
  });
});

test('a set-up that fails before the hold rejects the call', async () => {
  const options = { ...owned(Flags.NEWUTS), hostname: 'box', hold: true };
  expect(await failAt(options, ({ call }) => call.startsWith('sethostname'), 'EPERM')).toMatchObject({
    step: 'hostname',
  });
  expect(await failAt(options, ({ call }) => call.startsWith('sethostname'), killed)).toMatchObject({
    signal: 'SIGKILL',
  });
});

describe('beside a pid 1 of ours', () => {
  const options = { ...owned(Flags.NEWPID | Flags.NEWNS), init: true, hold: true } as const;

  test('what is done to the held pid 1 reaches the program', async () => {
    const child = await clone('/bin/sh', ['-c', 'ulimit -Hn; echo $$'], options);
    // All of the program is still to come.
    expect(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')).toBe('');
    execFileSync('prlimit', ['--pid', String(child.pid), '--nofile=33:33']);
    await child.start();
    expect(await read(child.stdout)).toBe('33\n2\n');
    expect(await child.exited).toMatchObject({ code: 0, signal: null });
  });
  test('start() rejects with what belongs to the program alone, and exited tells the end', async () => {
    const child = await clone('/bin/true', [], { ...options, ...quiet, cwd: '/no/such/folder' });
    await expect(child.start()).rejects.toMatchObject({ code: 'ENOENT', step: 'cwd', path: '/no/such/folder' });
    expect(await child.exited).not.toMatchObject({ code: 0 });
  });
  test('it is ended while it is held', async () => {
    const child = await clone('/bin/true', [], { ...options, ...quiet });
    expect(child.kill('SIGKILL')).toBe(true);
    expect(await child.exited).toMatchObject({ code: null, signal: 'SIGKILL' });
    await expect(child.start()).rejects.toThrow(/is over: start\(\) was called|has ended while it was held/);
  });
  test('it ends with Node', async () => {
    const pid = Number(
      runScript(
        `const child = await nsclone.clone('/bin/sleep', ['100'], { flags: ${options.flags}, uidMap: 'root', gidMap: 'root', init: true,
           hold: true, stdio: 'ignore' });
         console.log(child.pid);
         process.exit();`,
      ).stdout,
    );
    expect(pid).toBeGreaterThan(1);
    await until(() => !isAlive(pid));
  });
});

describe('in a memory cgroup with a tiny limit', () => {
  const parent = ['/sys/fs/cgroup/memory', '/sys/fs/cgroup'].find((path) => {
    try {
      return path.endsWith('memory')
        ? readFileSync(`${path}/memory.limit_in_bytes`).length > 0
        : readFileSync(`${path}/cgroup.subtree_control`, 'utf8').includes('memory');
    } catch {
      return false;
    }
  });
  const name = 'a held child beside a hog never costs Node its life';
  const body = async (): Promise<void> => {
    const group = mkdtempSync(`${parent}/nsclone-test-`);
    const limit = parent!.endsWith('memory') ? 'memory.limit_in_bytes' : 'memory.max';
    try {
      writeFileSync(`${group}/${limit}`, '8000000');
      const outcome = runScript(
        // Node is as large as any child that shares its memory, and its score is the highest: it would be the first to go.
        `const ballast = Buffer.alloc(100_000_000, 1);
         const join = (pid) => fs.writeFileSync(${JSON.stringify(group)} + '/cgroup.procs', String(pid));
         const held = await nsclone.clone('/bin/sh', ['-c', 'exit 5'], { hold: true, stdio: 'ignore' });
         join(held.pid);
         const hog = await nsclone.clone('/usr/bin/tail', ['/dev/zero'], { hold: true, stdio: 'ignore' });
         join(hog.pid);
         await hog.start();
         const end = await hog.exited;
         const alive = held.exitCode === null && held.signalCode === null;
         if (alive) await held.start().catch(() => {});
         const { code, signal } = await held.exited;
         console.log(JSON.stringify({ hog: end.signal, held: alive ? code : signal, ballast: ballast.length }));`,
      );
      expect(outcome).toMatchObject({ status: 0, signal: null, stderr: '' });
      const { hog, held: end } = JSON.parse(outcome.stdout) as { hog: string; held: unknown };
      expect(hog).toBe('SIGKILL');
      expect([5, 'SIGKILL']).toContain(end);
    } finally {
      await removeCgroup(group);
    }
  };
  if (parent === undefined) test.skip(`${name} (skipped: needs a memory controller)`, body);
  else rootOnly(name, body);
});
