// How a child is ended from here: by its AbortSignal at every moment, by its timeout, by dispose; and that nothing is left of it.
import { getEventListeners } from 'node:events';
import { readFileSync } from 'node:fs';

import { clone, type ClonedProcess, type CloneOptions, Flags, plan } from '../../lib';
import { owned } from '../support/inside';
import { leavesNothing, ourChildren } from '../support/leftovers';
import { evaluate, runScript } from '../support/own-process';
import { planning, refusal } from '../support/refusal';
import { inTime, slow, until } from '../support/slow';

leavesNothing();

const quiet: CloneOptions = { stdio: 'ignore' };
const aborted = { name: 'AbortError', code: 'ABORT_ERR', message: 'The operation was aborted' };
const everything = owned(
  Flags.NEWPID | Flags.NEWNS | Flags.NEWUTS | Flags.NEWNET | Flags.NEWIPC | Flags.NEWCGROUP | Flags.NEWTIME,
);

/** Says that it is ready, then acts on signals as `trap` says, for ever. @throws where it is ended before it is ready */
async function trapping(trap: string, options: CloneOptions): Promise<ClonedProcess> {
  const script = `${trap}; echo ready; while :; do sleep 0.01; done`;
  const child = await clone('/bin/sh', ['-c', script], { ...options, stdio: ['ignore', 'pipe', 'ignore'] });
  const isReady = await new Promise((resolve) => {
    child.stdout!.once('data', () => resolve(true)).once('end', () => resolve(false));
  });
  if (isReady !== true) throw Object.assign(new Error('ended before it was ready'), { code: 'ETIMEDOUT' });
  return child;
}
const sleeping = (options: CloneOptions): Promise<ClonedProcess> =>
  clone('/bin/sleep', ['1000'], { ...quiet, ...options });
const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

/** The name of a process and its state, 'T' for stopped: 'sleep T'; 'gone T' of one that is not there. */
const state = (pid: number): string => {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return `${/^Name:\t(.*)$/m.exec(status)![1]} ${/^State:\t(.)/m.exec(status)![1]}`;
  } catch {
    return 'gone T';
  }
};

/** Starts a set-up and stops it, somewhere in the middle; again, where the program was faster. */
async function stopped(options: CloneOptions): Promise<{ started: Promise<ClonedProcess>; pid: number }> {
  for (;;) {
    const before = new Set(ourChildren());
    const started = sleeping({ ...owned(Flags.NEWNS | Flags.NEWUTS | Flags.NEWNET | Flags.NEWIPC), ...options });
    // It may fail while we look.
    started.catch(() => {});
    const pid = ourChildren().find((child) => !before.has(child))!;
    process.kill(pid, 'SIGSTOP');
    await until(() => state(pid).endsWith(' T'));
    if (state(pid) !== 'sleep T') return { started, pid };
    process.kill(pid, 'SIGKILL');
    await (
      await started
    ).exited;
  }
}

describe('control rejects', () => {
  test.each([
    ['signal', {}],
    ['signal', 'SIGTERM'],
    ['signal', null],
    ['signal', new AbortController()],
    ['timeout', '5'],
    ['killGrace', null],
  ])('%s: %p', (option, value) => {
    expect(planning({ [option]: value })).toThrow(refusal('ERR_INVALID_ARG_TYPE', option));
  });
  test.each([
    ['timeout', -1],
    ['timeout', 1.5],
    ['timeout', Infinity],
    ['timeout', 2 ** 31],
    ['killGrace', -1],
    ['killGrace', NaN],
  ])('%s: %p', (option, value) => {
    expect(planning({ [option]: value })).toThrow(refusal('ERR_OUT_OF_RANGE', option));
  });
  test.each(['SIGKIL', 'TERM', 65, -1, 1.5])('killSignal: %p', (value) => {
    expect(planning({ killSignal: value })).toThrow(refusal('ERR_UNKNOWN_SIGNAL', 'killSignal'));
  });
});

describe('a signal that is aborted', () => {
  test('before the call clones nothing, and its reason is the cause', async () => {
    const before = ourChildren();
    const reason = new Error('never mind');
    const promise = clone('/nowhere', { signal: AbortSignal.abort(reason) });
    expect(ourChildren()).toEqual(before);
    await expect(promise).rejects.toMatchObject({ ...aborted, cause: reason });
    await expect(clone(plan('/bin/true', quiet), { signal: AbortSignal.abort() })).rejects.toMatchObject(aborted);
  });
  test('before the call does not hide that an option is wrong', async () => {
    await expect(clone('/bin/true', { signal: AbortSignal.abort(), hostname: 'box' })).rejects.toMatchObject({
      option: 'hostname',
    });
  });
  test('in set-up is what the call rejects with, with its reason', async () => {
    const controller = new AbortController();
    const { started } = await stopped({ signal: controller.signal });
    const reason = { any: 'value' };
    controller.abort(reason);
    await expect(started).rejects.toMatchObject({ ...aborted, cause: reason });
    expect(listeners(controller.signal)).toBe(0);
  });
  test('in a set-up that stands still ends it, with SIGKILL', async () => {
    const controller = new AbortController();
    const { started, pid } = await stopped({
      signal: controller.signal,
      killSignal: 'SIGTERM',
      killGrace: slow(100_000),
    });
    expect(state(pid)).toMatch(/^[^g].* T$/);
    controller.abort();
    await expect(started).rejects.toMatchObject(aborted);
    expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
  });
  test('at any moment of the set-up rejects with it, or ends the program', async () => {
    let inSetUp = 0;
    let running = 0;
    // As long as the set-up takes on this machine, found out by the way.
    const expected = [4, 1];
    for (let round = 0; round < 150; round++) {
      const sort = round % 2;
      const controller = new AbortController();
      const { signal } = controller;
      const started = sleeping({ ...(sort === 0 ? everything : {}), signal });
      const end = performance.now() + Math.random() * 2 * expected[sort]!;
      const abort = async (): Promise<void> => {
        while (performance.now() < end) await new Promise((resolve) => void setImmediate(resolve));
        controller.abort();
      };
      const [result] = await Promise.allSettled([started, abort()]);
      if (result.status === 'rejected') {
        inSetUp++;
        expected[sort]! *= 1.2;
        expect(result.reason).toMatchObject(aborted);
      } else {
        running++;
        expected[sort]! /= 1.2;
        const end = await result.value.exited;
        expect(end).toMatchObject({ code: null, signal: expect.stringMatching(/^SIG(TERM|KILL)$/), endedBy: 'abort' });
      }
      expect(listeners(signal)).toBe(0);
    }
    expect(inSetUp).toBeGreaterThan(10);
    expect(running).toBeGreaterThan(10);
  });
  test('in the running program sends SIGTERM, and is told', async () => {
    const controller = new AbortController();
    const child = await trapping('trap "exit 9" TERM', { signal: controller.signal });
    controller.abort();
    expect(await child.exited).toMatchObject({ code: 9, signal: null, endedBy: 'abort' });
    expect(child.killed).toBe(true);
    expect(listeners(controller.signal)).toBe(0);
  });
  test('after the end does nothing', async () => {
    const controller = new AbortController();
    const child = await clone('/bin/sh', ['-c', 'exit 3'], { ...quiet, signal: controller.signal });
    const end = await child.exited;
    controller.abort();
    await new Promise(setImmediate);
    expect(end).toMatchObject({ code: 3 });
    expect(end).not.toHaveProperty('endedBy');
    expect([child.killed, listeners(controller.signal)]).toEqual([false, 0]);
  });
  test('from AbortSignal.timeout() and AbortSignal.any()', async () => {
    const child = await inTime((milliseconds) => sleeping({ signal: AbortSignal.timeout(milliseconds) }));
    expect(await child.exited).toMatchObject({ signal: 'SIGTERM', endedBy: 'abort' });
    const controller = new AbortController();
    const other = await sleeping({ signal: AbortSignal.any([controller.signal, AbortSignal.timeout(slow(60_000))]) });
    controller.abort();
    expect(await other.exited).toMatchObject({ signal: 'SIGTERM', endedBy: 'abort' });
  });
  test('given at the start of a plan, in the place of the plan’s own', async () => {
    const [first, second] = [new AbortController(), new AbortController()];
    const made = plan('/bin/sleep', ['1000'], { ...quiet, signal: first.signal });
    const child = await clone(made, { signal: second.signal });
    expect([listeners(first.signal), listeners(second.signal)]).toEqual([0, 1]);
    first.abort();
    second.abort();
    expect(await child.exited).toMatchObject({ endedBy: 'abort' });
    await expect(clone(made)).rejects.toMatchObject(aborted);
  });
});

describe('many children on one signal', () => {
  test('have one listener, which goes with the last of them', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const children = await Promise.all(
      Array.from({ length: 20 }, () => clone('/bin/cat', { stdio: ['pipe', 'ignore', 'ignore'], signal })),
    );
    expect(listeners(signal)).toBe(1);
    for (const child of children.slice(1)) child.stdin.end();
    await Promise.all(children.slice(1).map(({ exited }) => exited));
    expect(listeners(signal)).toBe(1);
    controller.abort();
    expect(await children[0]!.exited).toMatchObject({ endedBy: 'abort' });
    expect(listeners(signal)).toBe(0);
  });
  test('are all ended: those that run and those that are being set up', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const running = await Promise.all(Array.from({ length: 10 }, () => sleeping({ signal })));
    const starting = [await stopped({ signal }), await stopped({ signal }), await stopped({ signal })];
    controller.abort();
    const results = await Promise.allSettled(starting.map(({ started }) => started));
    for (const result of results) expect(result).toMatchObject({ status: 'rejected', reason: aborted });
    for (const { exited } of running) expect(await exited).toMatchObject({ signal: 'SIGTERM', endedBy: 'abort' });
    expect(listeners(signal)).toBe(0);
  });
  test('print no MaxListenersExceededWarning', () => {
    const { stderr, status } = runScript(
      `const controller = new AbortController();
       const options = { stdio: 'ignore', signal: controller.signal };
       const children = await Promise.all(Array.from({ length: 50 }, () => nsclone.clone('sleep', ['1000'], options)));
       controller.abort();
       await Promise.all(children.map(({ exited }) => exited));`,
    );
    expect([stderr, status]).toEqual(['', 0]);
  });
});

describe('timeout', () => {
  test('ends a running program with SIGTERM, and is told', async () => {
    const child = await inTime((timeout) => sleeping({ timeout }));
    expect(await child.exited).toMatchObject({ code: null, signal: 'SIGTERM', endedBy: 'timeout' });
  });
  test('in set-up is an error that names the step', async () => {
    const timeout = slow(100);
    const { started } = await stopped({ timeout });
    const error = (await started.catch((reason: unknown) => reason)) as Error;
    expect(error).toMatchObject({
      name: 'SyscallError',
      code: 'ETIMEDOUT',
      errno: -110,
      option: 'timeout',
      step: expect.any(String),
      message: expect.stringMatching(
        new RegExp(`^ETIMEDOUT: set-up was not done within ${timeout} ms.*\\(timeout\\)$`),
      ),
    });
  });
  test('of 0 is none, as in child_process', async () => {
    const child = await clone('/bin/sleep', ['0.05'], { ...quiet, timeout: 0 });
    expect(await child.exited).toMatchObject({ code: 0 });
  });
  test('that is not reached leaves no trace', async () => {
    expect(await (await clone('/bin/true', { ...quiet, timeout: slow(60_000) })).exited).not.toHaveProperty('endedBy');
  });
  test('given at the start of a plan', async () => {
    const made = plan('/bin/sleep', ['1000'], { ...quiet, timeout: slow(60_000) });
    const child = await inTime((timeout) => clone(made, { timeout }));
    expect(await child.exited).toMatchObject({ endedBy: 'timeout' });
  });
  test('and signal: the first one is told', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const child = await inTime((timeout) => trapping('trap "" TERM', { timeout, signal, killGrace: 200 }));
    await until(() => child.killed);
    controller.abort();
    expect(await child.exited).toMatchObject({ signal: 'SIGKILL', endedBy: 'timeout' });
  });
});

describe('killSignal and killGrace', () => {
  test.each(['SIGINT', 'SIGUSR2', 'SIGRTMIN+3', 12] as const)('%s is what is sent', async (killSignal) => {
    const child = await inTime((timeout) => sleeping({ timeout, killSignal }));
    expect(await child.exited).toMatchObject({
      signal: killSignal === 12 ? 'SIGUSR2' : killSignal,
      endedBy: 'timeout',
    });
  });
  test('SIGKILL comes when the grace is over, not before', async () => {
    const controller = new AbortController();
    const child = await trapping('trap "" TERM', { signal: controller.signal, killGrace: 150 });
    const start = performance.now();
    controller.abort();
    expect(await child.exited).toMatchObject({ signal: 'SIGKILL', endedBy: 'abort' });
    expect(performance.now() - start).toBeGreaterThan(140);
  });
  test('a grace of 0 is none', async () => {
    const controller = new AbortController();
    const child = await trapping('trap "" TERM', { signal: controller.signal, killGrace: 0 });
    controller.abort();
    expect(await child.exited).toMatchObject({ signal: 'SIGKILL' });
  });
  test('a program that ends in its grace ends as it wants to', async () => {
    const controller = new AbortController();
    const child = await trapping('trap "sleep 0.1; exit 4" TERM', {
      signal: controller.signal,
      killGrace: slow(10_000),
    });
    controller.abort();
    expect(await child.exited).toMatchObject({ code: 4, signal: null, endedBy: 'abort' });
  });
  test('a pid 1 gets SIGKILL at once: it ignores what it has no handler for', async () => {
    const controller = new AbortController();
    const child = await sleeping({ ...owned(Flags.NEWPID), signal: controller.signal, killGrace: slow(60_000) });
    controller.abort();
    expect(await child.exited).toMatchObject({ signal: 'SIGKILL', endedBy: 'abort' });
    const options: CloneOptions = { ...owned(Flags.NEWPID), killGrace: slow(60_000) };
    const timed = await inTime((timeout) => sleeping({ ...options, timeout }));
    expect(await timed.exited).toMatchObject({ signal: 'SIGKILL', endedBy: 'timeout' });
  });
  test('a pid 1 gets the signal that was given, and SIGKILL after the grace', async () => {
    const options: CloneOptions = { ...owned(Flags.NEWPID), killSignal: 'SIGTERM' };
    // One that has no handler yet does not hear it: the grace ends that, and a longer time is tried.
    const polite = await inTime(
      async (timeout) => {
        const child = await trapping('trap "exit 6" TERM', { ...options, timeout, killGrace: slow(500) });
        return child.exited;
      },
      ({ code }) => code !== null,
    );
    expect(polite).toMatchObject({ code: 6, endedBy: 'timeout' });
    const deaf = await inTime((timeout) => sleeping({ ...options, timeout, killGrace: 50 }));
    expect(await deaf.exited).toMatchObject({ signal: 'SIGKILL', endedBy: 'timeout' });
  });
  test('a program in a joined pid namespace is no pid 1', async () => {
    const first = await sleeping(owned(Flags.NEWPID));
    const child = await inTime((timeout) => sleeping({ join: first, timeout, killGrace: slow(60_000) }));
    expect(await child.exited).toMatchObject({ signal: 'SIGTERM', endedBy: 'timeout' });
    first.kill('SIGKILL');
    await first.exited;
  });
});

describe('asyncDispose', () => {
  test('of a child that was let go of: Node waits for it', () => {
    const { stdout, status } = runScript(`
      const child = await nsclone.clone('/bin/sh', ['-c', 'trap "" TERM; echo; while :; do sleep 0.05; done'], { killGrace: 50 });
      await require('node:events').once(child.stdout, 'data');
      child.stdout.destroy();
      child.unref();
      await child[Symbol.asyncDispose]();
      console.log('disposed', child.signalCode);`);
    expect([stdout, status]).toEqual(['disposed SIGKILL\n', 0]);
  });
  test('sends the signal, and resolves when the child is reaped', async () => {
    const child = await trapping('trap "exit 8" TERM', {});
    await child[Symbol.asyncDispose]();
    expect([child.exitCode, child.signalCode]).toEqual([8, null]);
    expect(() => process.kill(child.pid, 0)).toThrow(/ESRCH/);
    // It was nobody's signal or timeout.
    expect(await child.exited).not.toHaveProperty('endedBy');
  });
  test('kills after the grace', async () => {
    const child = await trapping('trap "" TERM', { killGrace: 50 });
    await child[Symbol.asyncDispose]();
    expect(child.signalCode).toBe('SIGKILL');
  });
  test('sends killSignal, and SIGKILL to a pid 1', async () => {
    const polite = await sleeping({ killSignal: 'SIGINT' });
    await polite[Symbol.asyncDispose]();
    expect(polite.signalCode).toBe('SIGINT');
    const first = await sleeping(owned(Flags.NEWPID));
    await first[Symbol.asyncDispose]();
    expect(first.signalCode).toBe('SIGKILL');
  });
  test('of a child that has ended, and twice, does nothing', async () => {
    const child = await clone('/bin/true', quiet);
    await child.exited;
    await child[Symbol.asyncDispose]();
    const other = await sleeping({});
    await Promise.all([other[Symbol.asyncDispose](), other[Symbol.asyncDispose]()]);
    await other[Symbol.asyncDispose]();
    expect([child.exitCode, other.signalCode]).toEqual([0, 'SIGTERM']);
  });
  test('and dispose after it ends the grace', async () => {
    const child = await trapping('trap "" TERM', { killGrace: slow(60_000) });
    const disposed = child[Symbol.asyncDispose]();
    child[Symbol.dispose]();
    await disposed;
    expect(child.signalCode).toBe('SIGKILL');
  });
});

describe('nothing is left', () => {
  test('of timers and listeners, however the child ended', () => {
    const left = evaluate<unknown[]>(
      `const { clone, run } = nsclone;
       const { getEventListeners } = require('node:events');
       const timers = () => process.getActiveResourcesInfo().filter((name) => /Timeout|Immediate/.test(name)).length;
       const left = [];
       const note = async (name, start) => {
         const controller = new AbortController();
         const options = { stdio: 'ignore', signal: controller.signal, timeout: slow(60_000), killGrace: slow(60_000) };
         const listeners = () => getEventListeners(controller.signal, 'abort').length;
         await start(controller, options);
         await until(() => timers() + listeners() === 0).catch(() => {});
         left.push([name, timers(), listeners()]);
       };
       await note('exit', async (_, options) => (await clone('true', [], options)).exited);
       await note('failure', (_, options) => clone('/nowhere', [], options).catch(() => {}));
       await note('refusal', (_, options) => clone('true', [], { ...options, hostname: 'x' }).catch(() => {}));
       await note('abort', async (controller, options) => {
         const child = await clone('sleep', ['1000'], options);
         controller.abort();
         await child.exited;
       });
       await note('abort in set-up', async (controller, options) => {
         const started = clone('sleep', ['1000'], options);
         controller.abort();
         await started.catch(() => {});
       });
       await note('timeout', async (_, options) => {
         const child = await inTime((timeout) => clone('sleep', ['1000'], { ...options, timeout }));
         await child.exited;
       });
       await note('kill', async (_, options) => {
         const child = await clone('sleep', ['1000'], options);
         child.kill();
         await child.exited;
       });
       await note('held', async (_, options) => {
         const child = await clone('sleep', ['1000'], { ...options, hold: true });
         child.kill();
         await child.exited;
       });
       await note('dispose', async (_, options) => (await clone('sleep', ['1000'], options))[Symbol.asyncDispose]());
       await note('run', (_, options) => run('true', [], options));
       return left.filter(([, timers, listeners]) => timers > 0 || listeners > 0);`,
    );
    expect(left).toEqual([]);
  });
  test('that would keep Node running: an unreferenced child with a timeout', () => {
    const start = performance.now();
    const { stdout, status } = runScript(
      `const child = await nsclone.clone('sleep', ['1000'], { stdio: 'ignore', timeout: slow(20_000), signal: AbortSignal.timeout(slow(20_000)) });
       child.unref();
       console.log(child.pid);`,
    );
    expect(status).toBe(0);
    expect(performance.now() - start).toBeLessThan(slow(15_000));
    process.kill(Number(stdout), 'SIGKILL');
  });
  test('that Node would wait for: the timeout of a referenced child ends it', () => {
    const { stdout, status } = runScript(
      `const child = await inTime((timeout) => nsclone.clone('sleep', ['1000'], { stdio: 'ignore', timeout }));
       child.on('exit', (code, signal) => console.log(code, signal));`,
    );
    expect([stdout, status]).toEqual(['null SIGTERM\n', 0]);
  });
});
