// What a child shares with Node: each flag of clone(2), by what the kernel does with it and without it.
import { spawnSync } from 'node:child_process';
import { closeSync, readdirSync, readFileSync, readlinkSync, writeSync } from 'node:fs';

import { clone, constants, Flags, perform, record, type Recorder, type Signal, type Value } from '../../lib';
import { leavesNothing, ourChildren } from '../support/leftovers';
import { evaluate, root } from '../support/own-process';
import { until } from '../support/slow';

const { MFD_CLOEXEC } = constants;
const thread = Flags.VM | Flags.SIGHAND | Flags.THREAD;

leavesNothing();

/** For nanosleep(2). */
const timespec = (milliseconds: number): { tv_sec: number; tv_nsec: number } => ({
  tv_sec: Math.floor(milliseconds / 1000),
  tv_nsec: (milliseconds % 1000) * 1_000_000,
});

/** A byte that a child reads, and its thread or process waits for. */
function byteToCome(): { wait(c: Recorder): void; send(): void } {
  const [out, into] = perform(record((c) => c.pipe2(constants.O_CLOEXEC)));
  return {
    wait: (c) => void c.read(out, c.buffer(1)),
    send: () => {
      writeSync(into, 'x');
      closeSync(into);
      // Whoever has been started has the other end as its own.
      closeSync(out);
    },
  };
}

/** What the child returns. */
async function value(flags: number, callback: (c: Recorder) => Value): Promise<number> {
  return (await clone(record(callback), { flags })).results;
}

// ---- kcmp(2): whether two processes have the same table, by the kernel's own word

const kinds = { VM: 1, FILES: 2, FS: 3, SIGHAND: 4, IO: 5, SYSVSEM: 6 };

test.each([
  ['VM', Flags.VM],
  ['FILES', Flags.FILES],
  ['FS', Flags.FS],
  ['SIGHAND', Flags.SIGHAND | Flags.VM],
  ['SYSVSEM', Flags.SYSVSEM],
] as const)('Flags.%s shares what it says, and without it the child has its own', async (name, flags) => {
  const compare = (c: Recorder): Value => c.syscall('kcmp', c.getpid(), process.pid, kinds[name], 0, 0);
  const [shared, own] = [await value(flags, compare), await value(0, compare)];
  expect(shared).toBe(0);
  expect(own).toBeGreaterThan(0);
});

test('Flags.FILES: a descriptor that the child opens is ours, and without it is not', async () => {
  const make = (c: Recorder): Value => c.memfd_create('shared', MFD_CLOEXEC);
  const ours = await value(Flags.VM | Flags.FILES, make);
  expect(readlinkSync(`/proc/self/fd/${ours}`)).toContain('memfd:shared');
  await value(Flags.VM | Flags.FILES, (c) => c.close(ours));
  const theirs = await value(Flags.VM, make);
  expect(readdirSync('/proc/self/fd').map((number) => readOrGone(number))).not.toContainEqual(
    expect.stringContaining('memfd:shared'),
  );
  expect(theirs).toBeGreaterThan(2);
});

function readOrGone(number: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${number}`);
  } catch {
    return '';
  }
}

test('Flags.FS: where the child goes, we go', async () => {
  const before = process.cwd();
  try {
    await value(Flags.VM, (c) => c.chdir('/'));
    expect(readlinkSync('/proc/self/cwd')).toBe(before);
    await value(Flags.FS, (c) => c.chdir('/'));
    expect(readlinkSync('/proc/self/cwd')).toBe('/');
  } finally {
    process.chdir(before);
  }
});

test('Flags.SIGHAND: what the child does about a signal, we do', async () => {
  const signal = 34 + 9;
  const ignored = (): boolean => {
    const mask = BigInt(`0x${/^SigIgn:\t(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]}`);
    return ((mask >> BigInt(signal - 1)) & 1n) === 1n;
  };
  const act = (handler: 'ignore' | 'default') => (c: Recorder) => c.rt_sigaction('SIGRTMIN+9', { handler });
  await value(Flags.VM, act('ignore'));
  expect(ignored()).toBe(false);
  await value(Flags.VM | Flags.SIGHAND, act('ignore'));
  expect(ignored()).toBe(true);
  await value(Flags.VM | Flags.SIGHAND, act('default'));
  expect(ignored()).toBe(false);
});

test('Flags.THREAD: the child is one of our threads', async () => {
  const byte = byteToCome();
  const before = readdirSync('/proc/self/task');
  const running = clone(
    record((c) => {
      byte.wait(c);
      return { pid: c.getpid(), tid: c.gettid(), parent: c.getppid() };
    }),
    { flags: thread },
  );
  const during = readdirSync('/proc/self/task').filter((task) => !before.includes(task));
  byte.send();
  const child = await running;
  const { pid, tid, parent } = child.results;
  expect([pid, parent]).toEqual([process.pid, process.ppid]);
  expect(tid).not.toBe(pid);
  expect(tid).toBe(child.pid);
  expect(during).toContain(String(tid));
  expect(() => child.kill()).toThrow(expect.objectContaining({ code: 'EPERM' }));
  await expect(child.exited).resolves.toEqual({ code: 0, signal: null, coreDumped: false, resourceUsage: undefined });
  // As after pthread_join(3) the kernel may not have taken its number away yet.
  await until(() => !readdirSync('/proc/self/task').includes(String(tid)));
});

test('Flags.THREAD: its exit code comes from its report, its failure too', async () => {
  const child = await clone(
    record((c) => c.exit(7)),
    { flags: thread },
  );
  await expect(child.exited).resolves.toMatchObject({ code: 7 });
  await expect(
    clone(
      record((c) => c.chdir('/nowhere')),
      { flags: thread },
    ),
  ).rejects.toMatchObject({ code: 'ENOENT', option: 'program[0]' });
});

test('Flags.THREAD: with all that threads share, and many at once', async () => {
  const flags = thread | Flags.FILES | Flags.FS | Flags.SYSVSEM | Flags.IO;
  const program = record((c) => c.gettid());
  const children = await Promise.all(Array.from({ length: 50 }, () => clone(program, { flags })));
  expect(new Set(children.map(({ results }) => results)).size).toBeGreaterThan(1);
  await Promise.all(children.map(({ exited }) => exited));
});

test('Flags.THREAD: the end of each is told, whoever comes next to its stack', async () => {
  const program = record((c) => c.gettid());
  for (const flags of [Flags.VM, thread, Flags.VM | Flags.FILES]) {
    const first = await clone(program, { flags: thread });
    // In the turn in which the first one's end is seen.
    const second = await clone(program, { flags });
    await expect(first.exited).resolves.toMatchObject({ code: 0 });
    await expect(second.exited).resolves.toMatchObject({ code: 0 });
  }
});

test('Flags.VFORK: the event loop stands still until the child is done', async () => {
  /** PF_EXITING of linux/sched.h: a vfork is over when the memory is let go of, which is in the middle of an exit. */
  const exiting = 4;
  /** Whether a thread or process is past its line, or gone. */
  const isOver = (folder: string): boolean => {
    try {
      const stat = readFileSync(`${folder}/stat`, 'utf8');
      return (Number(stat.slice(stat.lastIndexOf(')')).split(' ')[7]) & exiting) !== 0;
    } catch {
      return true;
    }
  };
  /** Our threads and our children, as far as they go on. */
  const running = (): string[] => [
    ...readdirSync('/proc/self/task').filter((thread) => !isOver(`/proc/self/task/${thread}`)),
    ...ourChildren()
      .map(String)
      .filter((pid) => !isOver(`/proc/${pid}`)),
  ];
  /** Whether the child is still there when the call is back. */
  const goesOn = async (flags: number): Promise<boolean> => {
    const byte = byteToCome();
    const standsStill = (flags & Flags.VFORK) !== 0;
    const started = clone(
      record((c) => void (standsStill ? c.nanosleep(timespec(50)) : byte.wait(c))),
      { flags },
    );
    const found = running();
    byte.send();
    const child = await started;
    await child.exited;
    return found.includes(String(child.pid));
  };
  expect(await goesOn(Flags.VM | Flags.VFORK)).toBe(false);
  expect(await goesOn(Flags.VM)).toBe(true);
  expect(await goesOn(thread)).toBe(true);
  expect(await goesOn(thread | Flags.VFORK)).toBe(false);
});

test('Flags.PARENT: the child is our sibling', () => {
  // A shell above that reaps whatever it is given.
  const found = evaluate<{ parent: number; ours: number; code: number | null }>(
    `const { clone, record, Flags } = nsclone;
     const child = await clone(record((c) => c.getppid()), { flags: Flags.VM | Flags.PARENT });
     const { code, signal } = await child.exited;
     return { parent: child.results, ours: process.ppid, code: code ?? signal };`,
    ['/bin/sh', '-c', '"$@"; exit $?', 'sh'],
  );
  expect(found.parent).toBe(found.ours);
  expect([0, null]).toContain(found.code);
});

test('Flags.IO: the child’s I/O priority is ours', async () => {
  const [IOPRIO_WHO_PROCESS, bestEffort] = [1, 2 << 13];
  const get = (c: Recorder): Value => c.ioprio_get(IOPRIO_WHO_PROCESS, process.pid);
  const set = (who: number, level: number) => (c: Recorder) =>
    c.ioprio_set(IOPRIO_WHO_PROCESS, who, bestEffort | level);
  // There must be something to share first.
  await value(0, set(process.pid, 4));
  await value(0, set(0, 6));
  expect(await value(0, get)).toBe(bestEffort | 4);
  await value(Flags.IO, set(0, 6));
  expect(await value(0, get)).toBe(bestEffort | 6);
  await value(0, set(process.pid, 4));
});

test('Flags.SYSVSEM: what semop(2) has to undo is undone when we end, not when the child does', () => {
  const values = evaluate<{ own: number; shared: number }>(`
    const { clone, record, Flags } = nsclone;
    const run = async (flags, callback) => (await clone(record(callback), { flags })).results;
    const [IPC_PRIVATE, IPC_RMID, GETVAL, SEM_UNDO] = [0, 0, 12, 0x1000];
    const set = await run(Flags.VM, (c) => c.syscall('semget', IPC_PRIVATE, 1, 0o600));
    const operation = Buffer.alloc(6);
    operation.writeInt16LE(1, 2);
    operation.writeInt16LE(SEM_UNDO, 4);
    const after = async (flags) => {
      await run(flags, (c) => c.syscall('semop', set, operation, 1));
      return run(Flags.VM, (c) => c.syscall('semctl', set, 0, GETVAL, 0));
    };
    const found = { own: await after(Flags.VM), shared: await after(Flags.VM | Flags.SYSVSEM) };
    await run(Flags.VM, (c) => c.syscall('semctl', set, 0, IPC_RMID, 0));
    return found;`);
  expect(values).toEqual({ own: 0, shared: 1 });
});

// ---- the flags that a tracer sees

const strace = ['/usr/bin/strace', '/bin/strace'].find((file) => {
  try {
    return readFileSync(file).length > 0;
  } catch {
    return false;
  }
});
const traced = (name: string, body: () => void): void =>
  strace === undefined ? test.skip(`${name} (skipped: needs strace)`, body) : test(name, body);

const readTracer = `
  const { clone, record, Flags, constants } = nsclone;
  const status = record((c) => {
    const buffer = c.buffer(1024);
    c.read(c.openat(constants.AT_FDCWD, '/proc/self/status', 0), buffer);
    return buffer;
  });
  const read = async (flags) => String((await clone(status, { flags })).results);
  const tracer = async (flags) => Number(/TracerPid:\\s*(\\d+)/.exec(await read(flags))[1]);
  return { none: await tracer(0), ptrace: await tracer(Flags.PTRACE), untraced: await tracer(Flags.UNTRACED) };`;

test('Flags.PTRACE and Flags.UNTRACED change nothing where nobody traces us', async () => {
  for (const flags of [Flags.PTRACE, Flags.UNTRACED]) expect(await value(flags, (c) => c.getppid())).toBe(process.pid);
});

traced('Flags.UNTRACED: a tracer that follows all children does not get this one (needs strace)', () => {
  const found = evaluate<Record<string, number>>(readTracer, [strace!, '-f', '-qq', '-o', '/dev/null']);
  expect(found['none']).toBeGreaterThan(0);
  expect(found['untraced']).toBe(0);
});

traced('Flags.PTRACE: the flag reaches clone(2) (needs strace)', () => {
  const script = `const { clone, record, Flags } = require(${JSON.stringify(root)});
    clone(record((c) => c.getpid()), { flags: Flags.PTRACE | Flags.VM });`;
  const args = ['-qq', '-e', 'trace=clone3,clone', process.execPath, '-e', script];
  const output = spawnSync(strace!, args, { encoding: 'utf8' });
  expect(output.stderr).toMatch(/CLONE_VM\|CLONE_PIDFD\|CLONE_PTRACE/);
});

// ---- the end

test.each<[string, Signal]>([
  ['none', 0],
  ['SIGURG', 'SIGURG'],
  ['SIGURG by its number', 23],
])('a child whose exit signal is %s is reaped all the same', async (_name, exitSignal) => {
  const child = await clone(
    record(() => {}),
    { flags: Flags.VM, exitSignal },
  );
  await expect(child.exited).resolves.toMatchObject({ code: 0 });
});

test('the exit signal reaches Node', () => {
  const heard = evaluate<string[]>(`
    const { clone, record, Flags } = nsclone;
    const heard = [];
    process.on('SIGUSR2', (name) => heard.push(name));
    const child = await clone(record(() => {}), { flags: Flags.VM, exitSignal: 'SIGUSR2' });
    await child.exited;
    await until(() => heard.length > 0);
    return heard;`);
  expect(heard).toEqual(['SIGUSR2']);
});
