// Recorded children that are ended from here: by an AbortSignal, or when their time is over.
import { clone, Flags, type Program, record, type SyscallError } from '../../lib';
import { leavesNothing } from '../support/leftovers';
import { inTime, slow } from '../support/slow';

leavesNothing();

/** Sleeps for longer than any test. */
const sleeper = (): Program<undefined> => record((c) => void c.nanosleep({ tv_sec: 1000 }));

test.each([
  ['with a copy of our memory', 0],
  ['in our memory', Flags.VM],
])('a child %s is killed when its time is over, naming the call that it was in', async (_how, flags) => {
  const failure = (timeout: number): Promise<unknown> =>
    clone(sleeper(), { flags, timeout }).catch((error: unknown) => error);
  // It may not have come to its line yet.
  const error = await inTime(failure, (told) => (told as SyscallError).syscall !== undefined);
  expect(error).toMatchObject({ code: 'ETIMEDOUT', option: 'timeout', syscall: 'nanosleep' });
});

test('a child is killed when its signal is aborted', async () => {
  const controller = new AbortController();
  const promise = clone(sleeper(), { flags: Flags.VM, signal: controller.signal });
  setTimeout(() => controller.abort(new Error('enough')), 20);
  await expect(promise).rejects.toMatchObject({
    code: 'ABORT_ERR',
    cause: expect.objectContaining({ message: 'enough' }),
  });
});

test('a signal that is aborted already clones nothing', async () => {
  await expect(clone(sleeper(), { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORT_ERR' });
});

test('a child that is done in time says nothing of it', async () => {
  const program = record((c) => ({ pid: c.getpid() }));
  const child = await clone(program, { flags: Flags.VM, timeout: slow(10_000), signal: new AbortController().signal });
  expect(child.results.pid).toBe(child.pid);
  expect(await child.exited).toMatchObject({ code: 0 });
  expect((await child.exited).endedBy).toBeUndefined();
});

test.each(['THREAD', 'VFORK'] as const)('neither goes with %s, which is said', async (name) => {
  const flags = name === 'THREAD' ? Flags.THREAD | Flags.SIGHAND | Flags.VM : Flags.VFORK | Flags.VM;
  const program = record((c) => ({ pid: c.getpid() }));
  await expect(clone(program, { flags, timeout: 10 })).rejects.toMatchObject({ option: 'timeout' });
  const { signal } = new AbortController();
  await expect(clone(program, { flags, signal })).rejects.toThrow(`CLONE_${name}`);
});

test.each([[-1], [NaN], ['1'], [2 ** 40]])('%p is no timeout', async (timeout) => {
  await expect(clone(sleeper(), { timeout: timeout as number })).rejects.toMatchObject({ option: 'timeout' });
});
