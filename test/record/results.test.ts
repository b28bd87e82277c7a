// What a recorded child brings back, and what clone() says where it fails.
import { readFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { clone, constants, Flags, record, SyscallError } from '../../lib';
import { errnoByName } from '../../lib/kernel/errno';
import { addon } from '../support/addon';
import { leavesNothing } from '../support/leftovers';

const { AF_UNIX, AT_FDCWD, O_CLOEXEC, O_RDONLY, SOCK_STREAM } = constants;

leavesNothing();

test.each([
  ['a copy of our memory', 0],
  ['our memory', Flags.VM],
])('results come back from a child with %s', async (_name, flags) => {
  const program = record((c) => {
    const [readEnd, writeEnd] = c.pipe2(O_CLOEXEC);
    c.write(writeEnd, 'hello');
    const buffer = c.buffer(8);
    return { pid: c.getpid(), parent: c.getppid(), length: c.read(readEnd, buffer), buffer, ends: [readEnd, writeEnd] };
  });
  const { results, pid, exited } = await clone(program, { flags });
  expect(results).toEqual({
    pid,
    parent: process.pid,
    length: 5,
    buffer: Buffer.from('hello\0\0\0'),
    ends: [expect.any(Number), expect.any(Number)],
  });
  expect(results.ends[1]).toBeGreaterThan(results.ends[0]);
  await expect(exited).resolves.toMatchObject({ code: 0, signal: null, coreDumped: false });
});

test('one handle comes back alone, and nothing as undefined', async () => {
  const child = await clone(record((c) => c.getpid()));
  expect(child.results).toBe(child.pid);
  expect((await clone(record(() => {}))).results).toBeUndefined();
});

test('a program is started as often as wanted, each time from its own beginning', async () => {
  const program = record((c) => {
    const memory = c.buffer(4);
    const [a, b] = c.socketpair(AF_UNIX, SOCK_STREAM);
    c.write(a, 'once');
    c.read(b, memory);
    return [c.getpid(), memory];
  });
  const children = await Promise.all([clone(program), clone(program, { flags: Flags.VM }), clone(program)]);
  expect(new Set(children.map(({ results }) => results[0])).size).toBe(3);
  for (const { results } of children) expect(String(results[1])).toBe('once');
});

test('an accepted failure is a result', async () => {
  const program = record((c) => c.openat(AT_FDCWD, '/nowhere', O_RDONLY).accept('ENOENT'));
  expect((await clone(program, { flags: Flags.VM })).results).toBe(-errnoByName['ENOENT']!);
});

test('the end of the line is exit(0), or what c.exit() says', async () => {
  const quiet = await clone(record(() => {}));
  await expect(quiet.exited).resolves.toMatchObject({ code: 0 });
  const loud = await clone(
    record((c) => c.exit(77)),
    { flags: Flags.VM },
  );
  await expect(loud.exited).resolves.toMatchObject({ code: 77, signal: null });
});

test('a failure names its call, its place and its path', async () => {
  const program = record((c) => {
    c.getpid();
    c.openat(AT_FDCWD, '/nowhere', O_RDONLY);
  });
  const error = await clone(program, { flags: Flags.VM }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(SyscallError);
  expect({ ...(error as SyscallError) }).toEqual({
    code: 'ENOENT',
    errno: -2,
    syscall: 'openat',
    step: 'program',
    option: 'program[1]',
    path: '/nowhere',
  });
  expect((error as Error).message).toBe('ENOENT: no such file or directory, openat /nowhere (program[1])');
});

test('a failure names both paths, or the address', async () => {
  const move = record((c) => c.renameat2(AT_FDCWD, '/nowhere', AT_FDCWD, '/elsewhere'));
  await expect(clone(move)).rejects.toMatchObject({ path: '/nowhere', dest: '/elsewhere' });
  const bind = record((c) => {
    c.bind(c.socket(constants.AF_INET, SOCK_STREAM), { address: '192.0.2.1', port: 80 });
  });
  await expect(clone(bind)).rejects.toThrow('EADDRNOTAVAIL: address not available, bind 192.0.2.1:80 (program[1])');
});

test('every call of the line can be the one that fails', async () => {
  const program = record((c) => {
    c.getpid();
    c.getuid();
    c.gettid();
  });
  for (const instruction of [0, 1, 2]) {
    addon().setFault!(instruction, errnoByName['EIO']!);
    await expect(clone(program, { flags: Flags.VM })).rejects.toMatchObject({
      code: 'EIO',
      option: `program[${instruction}]`,
    });
  }
});

test('a child that is killed in its line rejects with the signal and the call', async () => {
  const program = record((c) => {
    c.kill(c.getpid(), 'SIGKILL');
  });
  await expect(clone(program, { flags: Flags.VM })).rejects.toMatchObject({
    code: 'ECHILD',
    signal: 'SIGKILL',
    syscall: 'kill',
    option: 'program[1]',
    message: expect.stringContaining('SIGKILL killed the child before its line was done'),
  });
});

test('a child is killed while its line runs', async () => {
  const sleeping = clone(
    record((c) => c.nanosleep({ tv_sec: 60 })),
    { flags: Flags.VM },
  );
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ');
  const child = Number(children.at(-1));
  // Asleep: it is in its line.
  while (!/^State:\tS/m.test(readFileSync(`/proc/${child}/status`, 'utf8'))) await nextTurn();
  process.kill(child, 'SIGKILL');
  await expect(sleeping).rejects.toMatchObject({ code: 'ECHILD', signal: 'SIGKILL', syscall: 'nanosleep' });
});

test('results are there before the end is told, and events after the code that waited', async () => {
  const child = await clone(record((c) => c.getpid()));
  const told: string[] = [];
  for (const event of ['spawn', 'exit', 'close']) child.on(event, () => told.push(event));
  expect(child.exitCode).toBeNull();
  await new Promise((resolve) => child.once('close', resolve));
  expect(told).toEqual(['spawn', 'exit', 'close']);
  expect([child.exitCode, child.pidfd]).toEqual([0, -1]);
});

/** What Node does with signals. Not the queue (SigQ), which it shares with every process of its user. */
const handlers = (): string[] | null => readFileSync('/proc/self/status', 'utf8').match(/^Sig(Blk|Ign|Cgt).*$/gm);

test.each([
  ['a copy of our memory', 0],
  ['our memory', Flags.VM],
  ['our memory, while we wait', Flags.VM | Flags.VFORK],
  ['our descriptors', Flags.VM | Flags.FILES],
  ['our working directory', Flags.FS],
])('a program executed from a child with %s runs on its own', async (_name, flags) => {
  const before = handlers();
  const [readEnd, writeEnd] = (
    await clone(
      record((c) => c.pipe2(O_CLOEXEC)),
      { flags: Flags.VM | Flags.FILES },
    )
  ).results;
  try {
    const script = 'grep -E "Sig(Blk|Ign)" /proc/self/status; exec sleep 0.2';
    const program = record((c) => {
      c.unshare(Flags.FILES);
      c.dup3(writeEnd, 1);
      c.execve('/bin/sh', ['sh', '-c', script], { PATH: process.env['PATH'] });
    });
    const child = await clone(program, { flags });
    expect([child.spawnfile, child.spawnargs[0]]).toEqual(['/bin/sh', 'sh']);
    expect(child.exitCode).toBeNull();
    await expect(child.exited).resolves.toMatchObject({ code: 0 });
    const read = record((c) => {
      const buffer = c.buffer(512);
      return [c.read(readEnd, buffer), buffer];
    });
    const [length, buffer] = (await clone(read)).results;
    expect(String(buffer.subarray(0, length)).match(/0{16}/g)).toHaveLength(2);
  } finally {
    const close = record((c) => {
      c.close(readEnd);
      c.close(writeEnd);
    });
    await clone(close, { flags: Flags.VM | Flags.FILES });
  }
  expect(handlers()).toEqual(before);
});

test('an exec that fails rejects, and one whose failure was accepted goes on', async () => {
  await expect(clone(record((c) => c.execve('/nowhere', [])))).rejects.toMatchObject({
    code: 'ENOENT',
    syscall: 'execve',
    path: '/nowhere',
    option: 'program[0]',
  });
  const second = record((c) => {
    c.execve('/nowhere', []).accept('ENOENT');
    c.execve('/bin/sh', ['sh', '-c', 'exit 9']);
  });
  await expect((await clone(second, { flags: Flags.VM })).exited).resolves.toMatchObject({ code: 9 });
});

test('an executed program is killed through its child', async () => {
  const child = await clone(
    record((c) => c.execve('/bin/sleep', ['sleep', '60'])),
    { flags: Flags.VM },
  );
  expect(child.kill('SIGTERM')).toBe(true);
  await expect(child.exited).resolves.toMatchObject({ code: null, signal: 'SIGTERM' });
});

test('c.syscall() takes numbers of 64 bits, strings, bytes and memory', async () => {
  const program = record((c) => {
    const buffer = c.buffer(16);
    const name = c.syscall('memfd_create', 'made', 0n);
    c.syscall('write', name, Buffer.from('some'), 4);
    c.syscall('pread64', name, buffer, 16, 0n);
    return buffer;
  });
  expect(String((await clone(program)).results.subarray(0, 4))).toBe('some');
});
