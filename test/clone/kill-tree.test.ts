// `killTree`: what a command has started ends with it, wherever we end it.
import { once } from 'node:events';
import type { Readable } from 'node:stream';

import { clone, type ClonedProcess, type CloneOptions, Flags, type Plan, plan, record, run } from '../../lib';
import { isAlive, endAll } from '../support/alive';
import { longer, nextLine } from '../support/attack';
import { hierarchy, makeCgroup, membersOf } from '../support/cgroups';
import { owned, read } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { evaluate } from '../support/own-process';
import { planning, refusal } from '../support/refusal';
import { inTime, slow, until } from '../support/slow';

leavesNothing();

type Way = readonly [name: string, options: () => CloneOptions, needs?: string];

const ways: readonly Way[] = [
  ['a pid namespace', () => owned(Flags.NEWPID)],
  ['a pid namespace with a pid 1', () => ({ ...owned(Flags.NEWPID), init: true })],
  ['a process group', () => ({ processGroup: 0 })],
  ['a session', () => ({ detached: true })],
  ['a cgroup', () => ({ cgroup: makeCgroup(hierarchy('cgroup2')!) }), 'cgroup2'],
  ['a cgroup of the freezer', () => ({ cgroup: makeCgroup(hierarchy('freezer')!) }), 'freezer'],
];

/** As `test()`, once for each way. */
function each(name: string, body: (options: CloneOptions) => Promise<unknown>): void {
  for (const [way, options, needs] of ways) {
    const there = needs === undefined || hierarchy(needs) !== undefined;
    if (there) test(`${name}: in ${way}`, () => body({ ...options(), killTree: true }));
    else test.skip(`${name}: in ${way} (skipped: needs a hierarchy that we may write: ${needs})`, () => {});
  }
}

/** Children and grandchildren that hold stdout open as long as they live. */
const tree = `sleep ${longer} & (sleep ${longer} & sleep ${longer}) & sh -c 'sleep ${longer} & wait' & echo ready; wait`;

type Piped = ClonedProcess & { stdout: Readable };

async function start(options: CloneOptions, script = tree): Promise<Piped> {
  const child = (await clone('/bin/sh', ['-c', script], { ...options, stdio: ['ignore', 'pipe', 'ignore'] })) as Piped;
  expect(await nextLine(child.stdout)).toBe('ready');
  return child;
}

/** Its output is at its end when the last of them has ended. */
function allEnded(child: Piped): Promise<unknown> {
  return Promise.all([read(child.stdout), child.exited]);
}

describe('all end', () => {
  each('by `signal`', async (options) => {
    const control = new AbortController();
    const child = await start({ ...options, signal: control.signal });
    control.abort();
    await allEnded(child);
    expect(await child.exited).toMatchObject({ endedBy: 'abort' });
  });
  each('by `timeout`', async (options) => {
    const child = await inTime(async (timeout) => {
      const given: CloneOptions = { ...options, timeout, stdio: ['ignore', 'pipe', 'ignore'] };
      const started = (await clone('/bin/sh', ['-c', tree], given)) as Piped;
      if ((await nextLine(started.stdout).catch(() => '')) === 'ready') return started;
      await started.exited;
      return undefined;
    }, Boolean);
    await allEnded(child!);
    expect(await child!.exited).toMatchObject({ endedBy: 'timeout' });
  });
  each('by a disposal', async (options) => {
    const child = await start(options);
    child[Symbol.dispose]();
    await allEnded(child);
    expect(child.signalCode).toBe('SIGKILL');
  });
  each('by one that waits', async (options) => {
    const child = await start(options);
    await child[Symbol.asyncDispose]();
    await allEnded(child);
  });
  each('by more output than run() takes', async (options) => {
    const script = `sleep ${longer} & while :; do echo output; done`;
    await expect(run('/bin/sh', ['-c', script], { ...options, maxBuffer: 100 })).rejects.toMatchObject({
      code: 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER',
    });
  });
  each('who ignore the signal, when the grace is over', async (options) => {
    const script = `trap '' TERM; sleep ${longer} & echo ready; trap : TERM; wait`;
    const child = await start({ ...options, killSignal: 'SIGTERM', killGrace: slow(50) }, script);
    void child[Symbol.asyncDispose]();
    await allEnded(child);
  });
  each('where the plan says so, each time', async (options) => {
    const made = plan('/bin/sh', ['-c', tree], { ...options, stdio: ['ignore', 'pipe', 'ignore'] });
    for (let i = 0; i < 2; i++) {
      const child = (await clone(made as Plan)) as Piped;
      expect(await nextLine(child.stdout)).toBe('ready');
      child[Symbol.dispose]();
      await allEnded(child);
    }
  });
});

test('the others have the rest of the grace when the signal has ended the command', async () => {
  const script = `(trap 'echo polite; exit' TERM; echo ready; while :; do sleep 0.01; done) & wait`;
  const child = await start({ processGroup: 0, killTree: true, killGrace: slow(20_000) }, script);
  const output = read(child.stdout);
  await child[Symbol.asyncDispose]();
  expect(await output).toBe('polite\n');
  expect(child.signalCode).toBe('SIGTERM');
});

test('`exited` waits for them, as what is told of it is told of all', async () => {
  const script = `(trap '' TERM; echo ready; sleep ${longer}) & wait`;
  const child = await start({ processGroup: 0, killTree: true, killGrace: slow(200) }, script);
  const ended = once(child.stdout, 'end');
  child.stdout.resume();
  await child[Symbol.asyncDispose]();
  await ended;
});

describe('what is not ended from here', () => {
  const leaves = `sleep ${longer} >/dev/null 2>&1 & echo $!`;

  test('a command that ends by itself ends alone', async () => {
    const { stdout, code } = await run('/bin/sh', ['-c', `${leaves}; exit 3`], { processGroup: 0, killTree: true });
    expect(code).toBe(3);
    expect(isAlive(Number(stdout))).toBe(true);
    endAll([Number(stdout)]);
  });
  test('kill() is for the command', async () => {
    const options: CloneOptions = { processGroup: 0, killTree: true, stdio: ['ignore', 'pipe', 'ignore'] };
    const child = (await clone('/bin/sh', ['-c', `${leaves}; wait`], options)) as Piped;
    const other = Number(await nextLine(child.stdout));
    child.kill('SIGKILL');
    expect(await child.exited).toMatchObject({ signal: 'SIGKILL' });
    expect(isAlive(other)).toBe(true);
    endAll([other]);
  });
  test('without it they live on, as with child_process', async () => {
    const { stdout } = await inTime(
      (timeout) => run('/bin/sh', ['-c', `${leaves}; wait`], { processGroup: 0, timeout }),
      (result) => result.stdout !== '',
    );
    expect(isAlive(Number(stdout))).toBe(true);
    endAll([Number(stdout)]);
  });
});

each('whoever holds the output of a command that has ended is ended by the time of run()', async (options) => {
  // The end of a pid namespace is that of its pid 1.
  const script = `sleep ${longer} & echo $!; exit 3`;
  const result = await inTime(
    (timeout) => run('/bin/sh', ['-c', script], { ...options, timeout }),
    ({ stdout, code }) => stdout !== '' && code !== null,
  );
  expect(result.code).toBe(3);
  if (((options.flags ?? 0) & Flags.NEWPID) !== 0) return;
  expect(result.endedBy).toBe('timeout');
  expect(isAlive(Number(result.stdout))).toBe(false);
});

test('a Worker that ends takes them with it', () => {
  const members = evaluate<boolean>(`
    const { Worker } = require('node:worker_threads');
    const worker = new Worker(\`
      const { clone } = require(\${JSON.stringify(require.resolve(${JSON.stringify(require.resolve('../../package.json'))}).replace('/package.json', ''))});
      const { parentPort } = require('node:worker_threads');
      clone('/bin/sh', ['-c', 'sleep ${longer} >/dev/null 2>&1 & echo $!; wait'], { processGroup: 0, killTree: true, stdio: ['ignore', 'pipe', 'ignore'] })
        .then((child) => child.stdout.once('data', (pid) => parentPort.postMessage(Number(pid))));
    \`, { eval: true });
    const pid = await new Promise((resolve) => worker.once('message', resolve));
    await worker.terminate();
    await until(() => { try { return /^State:\\t[ZX]/m.test(fs.readFileSync('/proc/' + pid + '/status', 'utf8')); } catch { return true; } });
    return true;`);
  expect(members).toBe(true);
});

describe('killTree rejects', () => {
  const reason = /Flags\.NEWPID in flags, a cgroup of its own, processGroup 0, detached or pty/;
  const refused = refusal('ERR_INVALID_ARG_VALUE', 'killTree', reason);

  test('what gives nothing to tell its processes by', () => {
    for (const options of [{}, { flags: Flags.NEWUTS }, { processGroup: 5 }, { init: false }, { timeout: 5 }])
      expect(planning({ ...options, killTree: true })).toThrow(refused);
  });
  test('a pid namespace that is only joined: others are in it', () => {
    expect(planning({ join: { pid: process.pid, flags: Flags.NEWPID }, killTree: true })).toThrow(refused);
  });
  test('a recorded program, which starts nobody', async () => {
    const program = record(() => {});
    await expect(clone(program, { killTree: true } as never)).rejects.toThrow(/"killTree"/);
  });
  test('nothing where it is false, or not given', () => {
    for (const killTree of [false, undefined]) expect(planning({ killTree })).not.toThrow();
  });
  test('another name', () => {
    expect(planning({ killtree: true })).toThrow(/killTree/);
  });
});

test('an aborted set-up leaves nobody', async () => {
  const signal = AbortSignal.abort();
  await expect(clone('/bin/true', { processGroup: 0, killTree: true, signal })).rejects.toMatchObject({
    code: 'ABORT_ERR',
  });
});

test('what is held is ended, too', async () => {
  const parent = hierarchy('cgroup2');
  const cgroup = parent === undefined ? {} : { cgroup: makeCgroup(parent) };
  for (const options of [{ processGroup: 0 }, owned(Flags.NEWPID), { ...cgroup, detached: true }]) {
    const child = await clone('/bin/true', { ...options, killTree: true, hold: true, stdio: 'ignore' });
    await child[Symbol.asyncDispose]();
    expect(child.signalCode).toBe('SIGKILL');
  }
  if (cgroup.cgroup !== undefined) await until(() => membersOf(cgroup.cgroup).length === 0);
});
