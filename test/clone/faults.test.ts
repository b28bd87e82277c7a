// Every instruction of a whole set-up fails in turn, with an error and by a kill: what is told, and what is left.
import { clone, Flags, plan, SyscallError } from '../../lib';
import { failureAt, killed } from '../support/fault';
import { read } from '../support/inside';
import { leavesNothing, memoryFiles } from '../support/leftovers';
import { isCall, type Line, linesOf } from '../support/listing';

leavesNothing();

const namespaces =
  Flags.NEWUSER |
  Flags.NEWPID |
  Flags.NEWNS |
  Flags.NEWUTS |
  Flags.NEWNET |
  Flags.NEWIPC |
  Flags.NEWCGROUP |
  Flags.NEWTIME;

const demo = plan('/bin/sh', ['-c', 'hostname; id -u; echo $$'], {
  flags: namespaces,
  uidMap: 'root',
  gidMap: 'root',
  hostname: 'box',
  mounts: [{ type: 'proc', target: '/proc' }],
  loopback: true,
  cwd: '/',
  stdio: ['ignore', 'inherit', 'pipe', 'socket', 0],
});
const lines = linesOf(demo);

/** What runs only where the exec before it found no format that the kernel knows. */
const shell = lines.findLast(({ call }) => call.startsWith('execve("/bin/sh"'))!.number;
const isTaken = (line: Line): boolean => line.number !== shell && isCall(line) && !line.call.includes('any error');
const taken = lines.filter(isTaken).map((line) => [line.number, line.step, line.option, line.call, line] as const);

const syscallOf = ({ call }: Line): string | undefined => /^\w+(?=\()/.exec(call)?.[0];

/** The system call, the step and the option, as the listing has them. */
function expectPlace(error: SyscallError, line: Line): void {
  expect(error).toBeInstanceOf(SyscallError);
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({ name: 'SyscallError', step: line.step });
  expect(error.option ?? '').toBe(line.option);
  expect(error.syscall).toBe(syscallOf(line));
  if (line.option !== '') expect(error.message).toContain(`(${line.option})`);
}

test('the plan starts where nothing fails', async () => {
  const child = await clone(demo, { stdio: ['ignore', 'pipe', 'inherit', 'ignore', 'ignore'] });
  expect(await read(child.stdout)).toBe('box\n0\n1\n');
  expect(await child.exited).toMatchObject({ code: 0 });
});

test('every instruction but the shell of a script is tried', () => {
  // Beside the shell only what is to go on after any error, and what is no call.
  expect(lines.length - taken.length).toBe(2 + lines.filter((line) => !isCall(line)).length);
  expect(new Set(lines.map(({ step }) => step))).toEqual(
    new Set([
      'stdio sources',
      'user',
      'time',
      'process',
      'namespaces',
      'hostname',
      'loopback',
      'propagation',
      'mounts',
      'stdio',
      'closeFds',
      'cwd',
      'parentDeathSignal',
      'signal mask',
      'command',
    ]),
  );
});

describe('EPERM at instruction', () => {
  test.each(taken)('%i, %s %s: %s', async (number, _step, _option, _call, line) => {
    const error = await failureAt(demo, number, 'EPERM');
    expectPlace(error, line);
    expect(error).toMatchObject({ code: 'EPERM', errno: -1 });
    expect(error.signal).toBeUndefined();
    expect(error.message).toMatch(/^EPERM: operation not permitted[^\n]*$/);
  });
});

describe('a kill at instruction', () => {
  test.each(taken)('%i, %s %s: %s', async (number, _step, _option, _call, line) => {
    const error = await failureAt(demo, number, killed);
    expectPlace(error, line);
    expect(error).toMatchObject({ code: 'ECHILD', errno: -10, signal: 'SIGKILL' });
    expect(error.message).toMatch(/^ECHILD: the child was killed by SIGKILL before its command ran[^\n]*$/);
  });
});

describe('paths are named', () => {
  const path = (matches: (line: Line) => boolean): Promise<SyscallError> =>
    failureAt(demo, lines.find(matches)!.number, 'EPERM');

  test('of files', async () => {
    expect(await path(({ call }) => call.includes('"/dev/null"'))).toMatchObject({ path: '/dev/null' });
    expect(await path(({ call }) => call.includes('"self/uid_map"'))).toMatchObject({ path: '/proc/self/uid_map' });
    expect(await path(({ call }) => call.startsWith('chdir'))).toMatchObject({ path: '/' });
    expect(await path(({ call }) => call.startsWith('execve'))).toMatchObject({ path: '/bin/sh' });
  });
  test('both of a mount', async () => {
    expect(await path(({ call }) => call.startsWith('move_mount'))).toMatchObject({ path: 'proc', dest: '/proc' });
  });
});

test('a child that was to start and failed leaves the next one alone', async () => {
  for (const { number } of lines.filter(isTaken)) {
    const [failed, started] = await Promise.allSettled([failureAt(demo, number, 'EPERM'), clone('/bin/true')]);
    expect(failed.status).toBe('fulfilled');
    expect(started.status).toBe('fulfilled');
    if (started.status === 'fulfilled') expect(await started.value.exited).toMatchObject({ code: 0 });
  }
});

test('failures do not add memory files to the pool', async () => {
  // A failure is told before the failed child is gone, and the next start takes a second one.
  for (const [number] of taken.slice(0, 3)) await failureAt(demo, number, 'EPERM');
  const before = memoryFiles();
  for (const [i, [number]] of taken.slice(0, 20).entries())
    await failureAt(demo, number, i % 2 === 0 ? 'EPERM' : 'ENOSPC');
  expect(memoryFiles()).toBe(before);
});

test('many at once each get their own failure', async () => {
  const found = await Promise.all(taken.slice(0, 30).map(([number]) => failureAt(demo, number, 'EPERM')));
  expect(found.map(({ step }) => step)).toEqual(taken.slice(0, 30).map(([, step]) => step));
  for (const [index, error] of found.entries()) expectPlace(error, taken[index]![4]);
});
