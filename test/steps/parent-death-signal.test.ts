// Step `parentDeathSignal`: what the program gets when the thread that started it ends.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

import { type CloneOptions, Flags, plan, type Signal, type SignalName } from '../../lib';
import { syscalls } from '../../lib/kernel/syscalls';
import { endAll } from '../support/alive';
import { rootOnly } from '../support/capability';
import { calls, failAt } from '../support/fault';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted, linesOf } from '../support/listing';
import { evaluate, root } from '../support/own-process';
import { planning, refusal } from '../support/refusal';
import { until } from '../support/slow';

leavesNothing();

/** Prints what prctl(PR_GET_PDEATHSIG = 2) tells. */
const program = `my $n = pack("i", -1); syscall(${syscalls.prctl}, 2, $n, 0, 0, 0); print unpack("i", $n)`;
const hasPerl = spawnSync('perl', ['-e', program]).status === 0;
const withPerl = hasPerl
  ? test
  : (name: string, body: () => Promise<void>) => test.skip(`${name} (skipped: needs perl)`, body);
const signalWith = (options: CloneOptions): Promise<string> => inside(`exec perl -e '${program}'`, options);

describe('parentDeathSignal rejects', () => {
  test('a signal that nobody knows, with the nearest', () => {
    expect(planning({ parentDeathSignal: 'SIGKIL' })).toThrow(
      refusal('ERR_UNKNOWN_SIGNAL', 'parentDeathSignal', 'Unknown signal: SIGKIL; did you mean "SIGKILL"?'),
    );
    for (const parentDeathSignal of ['', 'KILL', 0, 65, -1, 1.5, NaN]) {
      expect(planning({ parentDeathSignal })).toThrow(refusal('ERR_UNKNOWN_SIGNAL', 'parentDeathSignal'));
    }
  });
  test.each([null, true, {}, [], 9n])('%p', (parentDeathSignal) => {
    expect(planning({ parentDeathSignal })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'parentDeathSignal'));
  });
});

describe('parentDeathSignal emits', () => {
  const look = expect.stringMatching(/recvfrom\(channel, .*MSG_DONTWAIT\|MSG_PEEK.* {2}# at least 1; EAGAIN: go on$/);

  test('none by default, which ends the death with Node, and a last look for Node', () => {
    expect(emitted('parentDeathSignal', {})).toEqual(['prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0)', look]);
  });
  test.each<[Signal, number]>([
    ['SIGKILL', 9],
    ['sigterm' as SignalName, 15],
    [12, 12],
    ['SIGRTMIN+1', 35],
  ])('%p', (parentDeathSignal, number) => {
    expect(emitted('parentDeathSignal', { parentDeathSignal })).toEqual([
      `parentDeathSignal: prctl(PR_SET_PDEATHSIG, ${number}, 0, 0, 0)`,
      look,
    ]);
  });
  test('after every change of credentials, which clears it, and after a hold', () => {
    const options = { ...owned(Flags.NEWPID), uid: 0, gid: 0, capabilities: [], hold: true };
    const steps = linesOf(plan('/bin/true', [], { ...options, parentDeathSignal: 9 })).map(({ step }) => step);
    const at = steps.indexOf('parentDeathSignal');
    for (const step of ['identity', 'hold']) expect(at).toBeGreaterThan(steps.lastIndexOf(step));
  });
  test('none for the program beside a pid 1 of ours, whose it is', () => {
    const options: CloneOptions = { flags: Flags.NEWPID, init: true, parentDeathSignal: 'SIGTERM' };
    expect(emitted('parentDeathSignal', options)[0]).toContain('prctl(PR_SET_PDEATHSIG, 0, ');
    expect(emitted('init', options)[1]).toMatch(/^init: clone\(.*, 15\)/);
  });
});

describe('parentDeathSignal, seen from inside', () => {
  withPerl('none by default', async () => {
    expect(await signalWith({})).toBe('0');
    expect(await signalWith(owned(Flags.NEWPID))).toBe('0');
  });
  withPerl('the signal', async () => {
    expect(await signalWith({ parentDeathSignal: 'SIGUSR1' })).toBe('10');
    expect(await signalWith({ ...owned(Flags.NEWPID), parentDeathSignal: 'SIGUSR1' })).toBe('10');
    expect(await signalWith({ ...owned(0), uid: 0, capabilities: [], parentDeathSignal: 'SIGUSR1' })).toBe('10');
  });
  if (hasPerl) {
    rootOnly('the signal after a change of ids', async () => {
      expect(await signalWith({ uid: 1234, gid: 1234, parentDeathSignal: 'SIGUSR1' })).toBe('10');
    });
  }

  /** 'S' for asleep, 'Z' for a zombie, 'gone'. */
  const state = (pid: number): string => {
    try {
      return /^State:\t(.)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]!;
    } catch {
      return 'gone';
    }
  };
  /** A child whose Node has been killed. Its death signal, if there is one, has been sent by then. */
  const leftBy = async (options: string): Promise<number> => {
    const script = `const { clone, Flags } = require(${JSON.stringify(root)});
      clone('/bin/sleep', ['100'], { stdio: 'ignore', ${options} }).then((child) => require('node:fs').writeSync(1, String(child.pid)));`;
    const node = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [pid] = (await once(node.stdout, 'data')) as [Buffer];
    node.kill('SIGKILL');
    await once(node, 'exit');
    return Number(pid);
  };

  test('by default the program lives on when Node is killed', async () => {
    for (const options of ['', 'flags: Flags.NEWUSER | Flags.NEWPID']) {
      const pid = await leftBy(options);
      try {
        await until(() => state(pid) === 'S');
      } finally {
        endAll([pid]);
      }
    }
  });
  test('with a signal it does not', async () => {
    for (const options of [
      "parentDeathSignal: 'SIGTERM'",
      "parentDeathSignal: 'SIGKILL', flags: Flags.NEWUSER | Flags.NEWPID",
    ]) {
      const pid = await leftBy(options);
      try {
        await until(() => ['Z', 'gone'].includes(state(pid)));
      } finally {
        endAll([pid]);
      }
    }
  });
  test('it follows the Worker that started it', () => {
    const ended = evaluate(
      `const { Worker } = require('node:worker_threads');
       const source = \`const { clone } = require(${JSON.stringify(root)});
         const { parentPort, workerData } = require('node:worker_threads');
         clone('/bin/sleep', ['100'], { stdio: 'ignore', detached: true, ...workerData })
           .then((child) => { child.unref(); parentPort.postMessage(child.pid); });\`;
       const there = (pid) => { try { return !/^State:\\tZ/m.test(fs.readFileSync('/proc/' + pid + '/status', 'utf8')); } catch { return false; } };
       const results = [];
       for (const workerData of [{}, { parentDeathSignal: 'SIGKILL' }]) {
         const worker = new Worker(source, { eval: true, workerData });
         // The message may come together with the end.
         const ended = new Promise((resolve) => worker.once('exit', resolve));
         const pid = await new Promise((resolve) => worker.once('message', resolve));
         await ended;
         if ('parentDeathSignal' in workerData) await until(() => !there(pid));
         results.push(there(pid));
         if (there(pid)) process.kill(pid, 'SIGKILL');
       }
       return results;`,
    );
    expect(ended).toEqual([true, false]);
  });
});

describe('parentDeathSignal, when the kernel refuses', () => {
  const own =
    (call: string) =>
    (line: { step: string; call: string }): boolean =>
      line.step === 'parentDeathSignal' && line.call.startsWith(call);

  test('the signal', async () => {
    const error = await failAt({ parentDeathSignal: 'SIGTERM' }, own('prctl'), 'EINVAL');
    expect(error).toMatchObject({
      code: 'EINVAL',
      step: 'parentDeathSignal',
      option: 'parentDeathSignal',
      syscall: 'prctl',
    });
  });
  test('the look for Node, which nobody asked for', async () => {
    const error = await failAt({}, calls('recvfrom'), 'EIO');
    expect(error).toMatchObject({ code: 'EIO', step: 'parentDeathSignal', syscall: 'recvfrom' });
    expect(error.option).toBeUndefined();
  });
});
