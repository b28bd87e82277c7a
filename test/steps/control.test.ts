// Step `control`: the checks of what ends a child from here. What they do is in test/clone/control.test.ts.
import { clone, type ClonedProcess, type CloneOptions, Flags } from '../../lib';
import { inside, read } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted } from '../support/listing';
import { planning, refusal } from '../support/refusal';
import { inTime, slow } from '../support/slow';

leavesNothing();

const sleep = (options: object): ReturnType<typeof clone> =>
  clone('/bin/sleep', ['100'], { stdio: 'ignore', ...options });

describe('control rejects', () => {
  test.each([5, 'SIGTERM', null, true, {}, new EventTarget(), new AbortController()])('the signal %p', (signal) => {
    expect(planning({ signal })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'signal', 'an instance of AbortSignal'));
  });
  test.each(['timeout', 'killGrace'])('a %s that is no number of milliseconds', (option) => {
    for (const value of ['5', null, true, {}, 5n]) {
      expect(planning({ [option]: value })).toThrow(refusal('ERR_INVALID_ARG_TYPE', option));
    }
    // setTimeout() takes no more, and makes 1 of it.
    for (const value of [-1, 0.5, NaN, Infinity, 2 ** 31]) {
      expect(planning({ [option]: value })).toThrow(refusal('ERR_OUT_OF_RANGE', option));
    }
    expect(planning({ [option]: 2 ** 31 - 1 })).not.toThrow();
  });
  test('a killSignal that nobody knows, with the nearest', () => {
    expect(planning({ killSignal: 'SIGTREM' })).toThrow(
      refusal('ERR_UNKNOWN_SIGNAL', 'killSignal', 'Unknown signal: SIGTREM; did you mean "SIGTERM"?'),
    );
    for (const killSignal of ['TERM', '', 0, 65, -1, 1.5, 'SIGRTMIN+31']) {
      expect(planning({ killSignal })).toThrow(refusal('ERR_UNKNOWN_SIGNAL', 'killSignal'));
    }
    for (const killSignal of [null, true, {}, 5n]) {
      expect(planning({ killSignal })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'killSignal'));
    }
    for (const killSignal of ['sigterm', 9, 'SIGRTMIN', 'SIGRTMAX-3', 64]) {
      expect(planning({ killSignal })).not.toThrow();
    }
  });
});

describe('control emits', () => {
  test('nothing: all of it is ours to do', () => {
    const { signal } = new AbortController();
    const options: CloneOptions = { signal, timeout: 5, killSignal: 'SIGINT', killGrace: 5 };
    expect(emitted('control', options)).toEqual([]);
    expect(emitted('parentDeathSignal', options)).toEqual(emitted('parentDeathSignal', {}));
  });
});

describe('control, seen from inside', () => {
  test('the signal that was asked for', async () => {
    const script = "trap 'echo told; exit 3' USR1; echo; while :; do sleep 0.01; done";
    const start = async (timeout: number): Promise<{ output: string; exited: unknown }> => {
      const child = await clone('/bin/sh', ['-c', script], { timeout, killSignal: 'SIGUSR1' });
      return { output: await read(child.stdout), exited: await child.exited };
    };
    const { output, exited } = await inTime(start, (told) => told.output.startsWith('\n'));
    expect(output).toBe('\ntold\n');
    expect(exited).toMatchObject({ code: 3, signal: null, endedBy: 'timeout' });
  });
  test('nothing where nothing ends it', async () => {
    expect(await inside('echo ok', { timeout: slow(20_000), signal: new AbortController().signal })).toBe('ok');
  });
  test('SIGTERM by default, SIGKILL where it is pid 1', async () => {
    const child = await inTime((timeout) => sleep({ timeout }));
    expect(await child.exited).toMatchObject({ signal: 'SIGTERM', endedBy: 'timeout' });
    const pidOne = await inTime((timeout) => sleep({ timeout, flags: Flags.NEWUSER | Flags.NEWPID }));
    expect(await pidOne.exited).toMatchObject({ signal: 'SIGKILL', endedBy: 'timeout' });
  });
  test('SIGKILL once the grace is over', async () => {
    const script = "trap '' TERM; while :; do sleep 0.05; done";
    const start = async (timeout: number): Promise<Awaited<ClonedProcess['exited']>> =>
      (await clone('/bin/sh', ['-c', script], { stdio: 'ignore', timeout, killGrace: 50 })).exited;
    // SIGTERM before its trap ends it.
    const end = await inTime(start, ({ signal }) => signal !== 'SIGTERM');
    expect(end).toMatchObject({ code: null, signal: 'SIGKILL', endedBy: 'timeout' });
  });
});

describe('control reports', () => {
  test('an abort before the call, with its reason', async () => {
    const reason = new Error('enough');
    await expect(sleep({ signal: AbortSignal.abort(reason) })).rejects.toMatchObject({
      name: 'AbortError',
      code: 'ABORT_ERR',
      cause: reason,
    });
  });
  test('an abort in a running child', async () => {
    const controller = new AbortController();
    const child = await sleep({ signal: controller.signal });
    controller.abort();
    expect(await child.exited).toMatchObject({ code: null, signal: 'SIGTERM', endedBy: 'abort' });
  });
});
