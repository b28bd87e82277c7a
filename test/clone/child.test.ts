// A started child: its events, its end, its signals, its place among Node's own classes.
import type { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';

import { expectTypeOf } from 'expect-type';

import { clone, type ClonedProcess, type CloneOptions, Flags, type SignalName } from '../../lib';
import { untilZombie } from '../support/alive';
import { owned, read } from '../support/inside';
import { lasting } from '../support/lasting';
import { leavesNothing } from '../support/leftovers';
import { evaluate, runScript } from '../support/own-process';
import { refusal } from '../support/refusal';
import { until } from '../support/slow';

leavesNothing();

const quiet: CloneOptions = { stdio: 'ignore' };
const sh = (script: string, options: CloneOptions = quiet): Promise<ClonedProcess> =>
  clone('/bin/sh', ['-c', script], options);
/** Lives until its stdin ends. */
const cat = (): Promise<ClonedProcess> => clone('/bin/cat', [], { stdio: ['pipe', 'ignore', 'ignore'] });
/** 'T' for stopped, 'Z' for a zombie. */
const state = (pid: number): string => /^State:\t(.)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]!;
const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test('is shown by the name of its type', () => {
  const shown = evaluate(`const child = await nsclone.clone('true');
    await child.exited;
    return require('node:util').inspect(child, { depth: -1 });`);
  expect(shown).toBe('[ClonedProcess]');
});

describe('events', () => {
  test("are 'spawn', 'exit' and 'close', in this order", async () => {
    const child = await sh('exit 3');
    const events: unknown[] = [];
    for (const name of ['spawn', 'exit', 'close', 'error'])
      child.on(name, (...args: unknown[]) => events.push([name, ...args]));
    await new Promise((resolve) => child.once('close', resolve));
    expect(events).toEqual([['spawn'], ['exit', 3, null], ['close', 3, null]]);
  });
  test('are not told before the code after the await has run', async () => {
    for (let i = 0; i < 20; i++) {
      const child = await sh('exit 0');
      // It has ended by then, and the thread was not given up.
      untilZombie(child.pid);
      expect([child.exitCode, child.signalCode]).toEqual([null, null]);
      const events: string[] = [];
      for (const name of ['spawn', 'exit', 'close'] as const) child.on(name, () => events.push(name));
      await Promise.resolve();
      expect(events).toEqual([]);
      await new Promise((resolve) => child.once('close', resolve));
      expect(events).toEqual(['spawn', 'exit', 'close']);
    }
  });
  test("'exit' has a signal where one was the end", async () => {
    const child = await sh('kill -KILL $$');
    expect(await new Promise((resolve) => child.once('exit', (...args) => resolve(args)))).toEqual([null, 'SIGKILL']);
    expect([child.exitCode, child.signalCode]).toEqual([null, 'SIGKILL']);
  });
  test("'close' comes after the end of what a grandchild still writes", async () => {
    const told = lasting();
    const child = await sh(`(${told.wait}; echo late) & exit 0`, { stdio: ['ignore', 'pipe', 'inherit'] });
    const events: string[] = [];
    child.stdout!.on('data', (chunk) => events.push(`data ${String(chunk).trim()}`));
    child.on('exit', () => {
      events.push('exit');
      told.end();
    });
    await new Promise((resolve) => child.once('close', resolve));
    expect(events).toEqual(['exit', 'data late']);
  });
  test('a listener that throws takes nothing from the others', () => {
    const { stdout } = runScript(
      `process.on('uncaughtException', (error) => console.log('caught', error.message));
       const child = await nsclone.clone('true', { stdio: 'ignore' });
       child.on('spawn', () => { throw new Error('from spawn'); });
       child.on('exit', () => console.log('exit'));
       const { code } = await child.exited;
       console.log(code);`,
    );
    expect(stdout.split('\n').sort()).toEqual(['', '0', 'caught from spawn', 'exit']);
  });
});

describe('exited', () => {
  test('tells every exit code', async () => {
    for (let from = 0; from < 256; from += 32) {
      const codes = Array.from({ length: 32 }, (_, index) => from + index);
      const found = await Promise.all(codes.map(async (code) => (await (await sh(`exit ${code}`)).exited).code));
      expect(found).toEqual(codes);
    }
  });
  test.each([
    'SIGHUP',
    'SIGINT',
    'SIGKILL',
    'SIGUSR1',
    'SIGUSR2',
    'SIGPIPE',
    'SIGALRM',
    'SIGTERM',
    'SIGVTALRM',
    'SIGPROF',
    'SIGIO',
    'SIGPWR',
  ] as const)('tells %s', async (signal) => {
    const child = await cat();
    expect(child.kill(signal)).toBe(true);
    expect(await child.exited).toMatchObject({ code: null, signal, coreDumped: false });
    expect(child.signalCode).toBe(signal);
  });
  test.each([
    ['SIGRTMIN', 34],
    ['SIGRTMIN+1', 35],
    ['SIGRTMIN+29', 63],
    ['SIGRTMAX', 64],
  ])('tells the real-time signal %s', async (name, number) => {
    for (const signal of [name, number]) {
      const child = await cat();
      expect(child.kill(signal as NodeJS.Signals)).toBe(true);
      expect(await child.exited).toMatchObject({ code: null, signal: name });
    }
  });
  test.each([null, {}, true, [], Symbol('SIGTERM'), 'TERM', -1])('refuses the signal %p', async (signal) => {
    const child = await cat();
    expect(() => child.kill(signal as never)).toThrow(
      expect.objectContaining({ code: 'ERR_UNKNOWN_SIGNAL', option: 'signal' }),
    );
    child.kill('SIGKILL');
    await child.exited;
  });
  test('an exit code over 128 is no signal', async () => {
    expect(await (await sh('exit 137')).exited).toMatchObject({ code: 137, signal: null });
  });
  test('can be asked for late, and again', async () => {
    const child = await sh('exit 4');
    await new Promise((resolve) => child.once('close', resolve));
    expect(await child.exited).toMatchObject({ code: 4 });
    expect(await child.exited).toBe(await child.exited);
    expect(child.exitCode).toBe(4);
  });
  test('has the resources that were used', async () => {
    const { resourceUsage } = await (await sh('i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done')).exited;
    const names = Object.keys(process.resourceUsage()).sort();
    expect(Object.keys({ maxRSS: 0, ...resourceUsage }).sort()).toEqual(names);
    for (const value of Object.values(resourceUsage!)) expect(Number.isInteger(value) && value >= 0).toBe(true);
    expect(resourceUsage!.userCPUTime! + resourceUsage!.systemCPUTime!).toBeGreaterThan(0);
    expect(resourceUsage!.minorPageFault).toBeGreaterThan(0);
  });
  test('has the peak memory only where it is the own one', async () => {
    const alone = await (await sh('true', { ...quiet, ...owned(Flags.NEWPID) })).exited;
    expect(alone.resourceUsage!.maxRSS).toBeGreaterThan(0);
    // Less than a Node needs.
    expect(alone.resourceUsage!.maxRSS).toBeLessThan(30_000);
  });
  test('tells of a core file where the host writes one', async () => {
    const pattern = readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trim();
    const folder = mkdtempSync(join(tmpdir(), 'nsclone-'));
    const limits = await sh(`ulimit -c unlimited && cd ${folder} && kill -SEGV $$; exit 1`);
    const { code, signal, coreDumped } = await limits.exited;
    // Exit code 1: our hard limit forbids core files.
    if (code === null) {
      expect(signal).toBe('SIGSEGV');
      if (/^[^/|]+$/.test(pattern)) expect(coreDumped).toBe(readdirSync(folder).length > 0);
    }
    rmSync(folder, { recursive: true });
    const without = await (await sh('ulimit -c 0; kill -SEGV $$')).exited;
    // A pipe in core_pattern gets its core whatever the limit is.
    if (!pattern.startsWith('|')) expect(without.coreDumped).toBe(false);
  });
});

describe('kill', () => {
  test('is SIGTERM by default, and says that it was sent', async () => {
    const child = await cat();
    expect(child.killed).toBe(false);
    expect(child.kill()).toBe(true);
    expect(child.killed).toBe(true);
    expect(await child.exited).toMatchObject({ signal: 'SIGTERM' });
  });
  test('0 asks only whether it is there', async () => {
    const child = await cat();
    expect([child.kill(0), child.killed]).toEqual([true, false]);
    child.kill('SIGKILL');
    await child.exited;
    expect([child.kill(0), child.kill(), child.kill('SIGKILL')]).toEqual([false, false, false]);
  });
  test('takes numbers and names in any case', async () => {
    for (const signal of [9, 'SIGKILL', 'sigkill', constants.signals.SIGKILL]) {
      const child = await cat();
      expect(child.kill(signal as NodeJS.Signals)).toBe(true);
      expect(await child.exited).toMatchObject({ signal: 'SIGKILL' });
    }
  });
  test('knows no other signals, gone or not', async () => {
    const child = await cat();
    for (const unknown of ['SIGKIL', 'TERM', 'SIGRTMIN+31', 65, -1, 1.5, NaN, '']) {
      expect(() => child.kill(unknown as NodeJS.Signals)).toThrow(
        expect.objectContaining({ code: 'ERR_UNKNOWN_SIGNAL' }),
      );
    }
    expect(() => child.kill('SIGKIL' as SignalName)).toThrow(
      refusal('ERR_UNKNOWN_SIGNAL', 'signal', 'Unknown signal: SIGKIL; did you mean "SIGKILL"?'),
    );
    child.kill('SIGKILL');
    await child.exited;
    expect(() => child.kill('SIGKIL' as SignalName)).toThrow(/Unknown signal/);
  });
  test('can be caught by the child', async () => {
    const child = await sh('trap "echo got; exit 5" TERM; echo ready; while :; do sleep 0.01; done', {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => child.stdout!.once('data', resolve));
    child.kill();
    expect(await child.exited).toMatchObject({ code: 5, signal: null });
  });
  test('stops and continues', async () => {
    const child = await cat();
    child.kill('SIGSTOP');
    await until(() => state(child.pid) === 'T');
    // A child that is only stopped has not ended.
    expect(child.exitCode).toBeNull();
    child.kill('SIGCONT');
    child.stdin!.end();
    expect(await child.exited).toMatchObject({ code: 0, signal: null });
  });
});

describe('pid and pidfd', () => {
  test('mean the program', async () => {
    const child = await sh('echo $$', { stdio: ['ignore', 'pipe', 'inherit'] });
    expect(await read(child.stdout)).toBe(`${child.pid}\n`);
    await child.exited;
  });
  test.each([
    ['without namespaces', {}],
    ['in a pid namespace', owned(Flags.NEWPID)],
  ])('%s: a descriptor of the process until its end, -1 after', async (_name, options) => {
    const child = await clone('/bin/cat', [], { ...options, stdio: ['pipe', 'ignore', 'ignore'] });
    expect(child.pidfd).toBeGreaterThan(2);
    expect(readFileSync(`/proc/self/fdinfo/${child.pidfd}`, 'utf8')).toMatch(new RegExp(`^Pid:\\t${child.pid}$`, 'm'));
    child.stdin!.end();
    await child.exited;
    expect(child.pidfd).toBe(-1);
    expect(alive(child.pid)).toBe(false);
  });
});

describe('ref and unref', () => {
  test('a child keeps Node running', () => {
    expect(runScript(`await nsclone.clone('sh', ['-c', 'sleep 0.2; echo end'], { stdio: 'inherit' });`).stdout).toBe(
      'end\n',
    );
  });
  test('not one that is unreferenced, which goes on alone', async () => {
    const { pid } = evaluate<{ pid: number }>(
      `const child = await nsclone.clone('sleep', ['1000'], { stdio: 'ignore' });
       child.unref();
       return { pid: child.pid };`,
    );
    expect(alive(pid)).toBe(true);
    process.kill(pid, 'SIGKILL');
    await until(() => !alive(pid));
  });
  test('ref takes it back', () => {
    const { stdout, status } = runScript(
      `const child = await nsclone.clone('sh', ['-c', 'sleep 0.2'], { stdio: 'ignore' });
       child.unref(); child.unref(); child.ref();
       child.on('exit', () => console.log('exit'));`,
    );
    expect([stdout, status]).toEqual(['exit\n', 0]);
  });
  test('after the end they do nothing', async () => {
    const child = await sh('true');
    await child.exited;
    expect(() => {
      child.unref();
      child.ref();
      child.unref();
    }).not.toThrow();
  });
  test('an unreferenced child among referenced ones', () => {
    expect(
      evaluate<number>(
        `const quiet = { stdio: 'ignore' };
         const long = await nsclone.clone('sleep', ['1000'], quiet);
         long.unref();
         const short = await nsclone.clone('true', [], quiet);
         const { code } = await short.exited;
         long.kill('SIGKILL');
         return code;`,
      ),
    ).toBe(0);
  });
});

describe('among the classes of Node', () => {
  test('is an EventEmitter', async () => {
    const child = await sh('true');
    expect(child).toBeInstanceOf(EventEmitter);
    await child.exited;
  });
  test('has every member of ChildProcess', async () => {
    const child = await clone('/bin/sh', ['-c', 'true'], { ...quiet, argv0: 'other' });
    expect(child).toMatchObject({
      spawnfile: '/bin/sh',
      spawnargs: ['other', '-c', 'true'],
      stdin: null,
      stdout: null,
      stderr: null,
      stdio: [null, null, null],
      connected: false,
      killed: false,
    });
    for (const name of ['kill', 'ref', 'unref', 'send', 'disconnect', Symbol.dispose] as const) {
      expect(typeof child[name]).toBe('function');
    }
    await child.exited;
  });
  test('is assignable to it', async () => {
    const child: ChildProcess = await sh('true');
    expect(await (child as ClonedProcess).exited).toMatchObject({ code: 0 });
    expectTypeOf<ClonedProcess>().toExtend<ChildProcess>();
    expectTypeOf<ClonedProcess['pid']>().toEqualTypeOf<number>();
    expectTypeOf<ClonedProcess['exited']>().resolves.toHaveProperty('code').toEqualTypeOf<number | null>();
  });
  test('send without a channel is an error that is told, as there', async () => {
    const child = await sh('true');
    const error = await new Promise<NodeJS.ErrnoException>((resolve) => {
      child.once('error', resolve);
      expect(child.send({})).toBe(false);
    });
    expect(error.code).toBe('ERR_IPC_CHANNEL_CLOSED');
    const given = await new Promise<Error | null>((resolve) => child.send({}, (problem) => resolve(problem)));
    expect(given).toMatchObject({ code: 'ERR_IPC_CHANNEL_CLOSED' });
    await child.exited;
  });
});

describe('dispose', () => {
  test('kills at once', async () => {
    let exited: ClonedProcess['exited'];
    {
      const child = await cat();
      exited = child.exited;
      child[Symbol.dispose]();
    }
    expect(await exited).toMatchObject({ signal: 'SIGKILL' });
  });
  test('of a child that has ended does nothing', async () => {
    const child = await sh('true');
    await child.exited;
    expect(() => child[Symbol.dispose]()).not.toThrow();
  });
});

test('two hundred children at once', async () => {
  const children = await Promise.all(Array.from({ length: 200 }, (_, index) => sh(`exit ${index}`)));
  expect(new Set(children.map(({ pid }) => pid)).size).toBe(200);
  const codes = await Promise.all(children.map(async ({ exited }) => (await exited).code));
  expect(codes).toEqual(Array.from({ length: 200 }, (_, index) => index));
});

test('a Node that is killed in the middle of set-ups leaves none half made, and nothing hangs', () => {
  const { stdout, signal } = runScript(
    `for (let i = 0; i < 20; i++) nsclone.clone('sh', ['-c', 'sleep 0.05; echo started'], { stdio: 'inherit' }).catch(() => {});
     process.kill(process.pid, 'SIGKILL');`,
  );
  // Some may have got past their exec before the kill: those print.
  expect([signal, stdout.replaceAll('started\n', '')]).toEqual(['SIGKILL', '']);
});
