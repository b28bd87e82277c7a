// What takes libuv's place in other runtimes, tried in Node: the thread that wakes, and streams over descriptors.
import '../support/foreign-runtime';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';

import { clone, Flags, record, run, setns, unshare } from '../../lib';
import { runtime } from '../../lib/runtime';
import { compiled, withCompiler } from '../support/compiled';
import { read } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { evaluate } from '../support/own-process';
import { until } from '../support/slow';

leavesNothing();

const reap = compiled('robustness/reap', ['-shared', '-fPIC', '-pthread', '-Wl,-z,nodelete']);
const out = ['ignore', 'pipe', 'inherit'] as const;
const large = 10 * 1024 * 1024;

/** The state, and what there is to know of it, of each thread of ours that wakes. */
function wakers(): string[] {
  return readdirSync('/proc/self/task').flatMap((thread) => {
    const folder = `/proc/self/task/${thread}`;
    try {
      return readFileSync(`${folder}/comm`, 'utf8') === 'nsclone\n' ? [readFileSync(`${folder}/status`, 'utf8')] : [];
    } catch {
      // It has ended meanwhile.
      return [];
    }
  });
}

/** The time that they have had on a processor, in ticks of 10 ms. */
function timeOfWakers(): number {
  const times = wakers().map((status) => {
    const stat = readFileSync(`/proc/self/task/${/^Pid:\t(\d+)$/m.exec(status)![1]}/stat`, 'utf8');
    const [user, system] = stat.slice(stat.lastIndexOf(')')).split(' ').slice(12, 14).map(Number);
    return user! + system!;
  });
  return times.reduce((sum, time) => sum + time, 0);
}

/** Those of other test files that were run in this process. */
const others = wakers().length;

test('this is no Node to the package', () => {
  expect(runtime).toBe('Bun');
});

describe('the thread that wakes', () => {
  test('is one, asleep, and takes no signal', async () => {
    await using _child = await clone('sleep', ['100'], { stdio: 'ignore' });
    await until(() => wakers().every((status) => /^State:\tS/m.test(status)));
    expect(wakers()).toHaveLength(others + 1);
    // All but SIGKILL and SIGSTOP, and the two that the C library keeps for itself.
    expect(/^SigBlk:\t(\w+)/m.exec(wakers()[0]!)![1]).toBe('fffffffe7ffbfeff');
  });

  test('costs nothing while nothing comes', async () => {
    const child = await clone('sleep', ['0.5'], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdout.on('data', () => {});
    const before = timeOfWakers();
    await child.exited;
    expect(timeOfWakers() - before).toBeLessThan(20);
  });

  test('lets the code after an await run before the end is looked at', async () => {
    const program = record((c) => ({ pid: c.getpid() }));
    for (let i = 0; i < 100; i++) {
      const child = await clone('true', { stdio: 'ignore' });
      expect([child.exitCode, readFileSync(`/proc/${child.pid}/stat`, 'utf8').length > 0]).toEqual([null, true]);
      await child.exited;
      for (const flags of [Flags.VM, Flags.VM | Flags.FILES | Flags.FS | Flags.SIGHAND | Flags.THREAD]) {
        const recorded = await clone(program, { flags });
        expect(recorded.exitCode).toBeNull();
        await recorded.exited;
      }
    }
  });

  test('tells of many at a time', async () => {
    const all = await Promise.all(Array.from({ length: 100 }, (_, i) => run('echo', [String(i)])));
    expect(all.map(({ stdout }) => Number(stdout))).toEqual([...all.keys()]);
  });

  const own = ['env', `NODE_OPTIONS=--require=${join(__dirname, '../support/foreign-runtime.js')}`];
  const left = JSON.stringify(join(__dirname, '../robustness/left.js'));
  const common = `const { Worker } = require('node:worker_threads');
    const { settled, sleep } = require(${left});
    const start = (source) => new Worker(\`const { clone, Flags } = require(\${JSON.stringify(require.resolve(${JSON.stringify(join(__dirname, '../..'))}))});
      const sleep = require('node:timers/promises').setTimeout;
      (async () => { \${source} })();\`, { eval: true });
    const ended = (worker) => new Promise((resolve) => worker.once('exit', resolve));
    const wakers = () => fs.readdirSync('/proc/self/task').filter((thread) => {
      try { return fs.readFileSync('/proc/self/task/' + thread + '/comm', 'utf8') === 'nsclone\\n'; } catch { return false; }
    }).length;
    await (await nsclone.clone('true')).exited;
    await ended(start('await (await clone("true")).exited'));
    const before = (await settled(0, 100)).descriptors;`;

  test('ends with its Worker, at any moment', () => {
    const source = `for (;;) {
      const all = await Promise.all([0, Flags.NEWUSER | Flags.NEWPID].map((flags) => clone('/bin/echo', ['x'], { flags })));
      for (const child of all) child.stdout.resume();
      for (const child of all) await child.exited;
    }`;
    const result = evaluate(
      `${common}
      for (let round = 0; round < 12; round++) {
        const worker = start(${JSON.stringify(source)});
        await new Promise((resolve) => worker.once('online', resolve));
        await sleep(Math.random() * 100);
        await worker.terminate();
      }
      // Who joins a thread may still see it for a moment.
      await until(() => wakers() === 1).catch(() => {});
      return [wakers(), await settled(before)];`,
      own,
    );
    expect(result).toEqual([1, { children: [], descriptors: 0 }]);
  });

  withCompiler('tells of children that somebody else has reaped', () => {
    const count = evaluate(
      `process.env.REAP = 'wait';
      try { process.dlopen({ exports: {} }, ${JSON.stringify(reap.path)}); } catch {}
      let ended = 0;
      for (; ended < 60; ended++) await (await nsclone.clone('/bin/sh', ['-c', 'exit 1'])).exited;
      return ended;`,
      own,
    );
    expect(count).toBe(60);
  });

  test('keeps nobody alive by itself, and with a child whoever has it', () => {
    const ended = evaluate<string[]>(
      `const told = [];
      const child = await nsclone.clone('sh', ['-c', 'sleep 0.2']);
      child.on('close', () => told.push('close'));
      await new Promise((resolve) => process.once('beforeExit', resolve));
      const last = await nsclone.clone('sleep', ['1000'], { stdio: 'ignore' });
      last.unref();
      process.once('exit', () => process.kill(last.pid, 'SIGKILL'));
      return told;`,
      own,
    );
    expect(ended).toEqual(['close']);
  });
});

describe('a stream over a descriptor', () => {
  test('brings ten megabytes there and back', async () => {
    const child = await clone('cat', [], { stdio: ['pipe', 'pipe', 'inherit'] });
    const data = Buffer.alloc(large, 'abcdefg');
    const back: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => back.push(chunk));
    child.stdin.end(data);
    await once(child, 'close');
    expect(Buffer.concat(back).equals(data)).toBe(true);
  });

  test('reads no more than its reader takes', async () => {
    const child = await clone('sh', ['-c', `head -c ${large} /dev/zero`], { stdio: out });
    child.stdout.once('readable', () => {});
    await until(() => child.stdout.readableLength > 0);
    expect(child.stdout.readableLength).toBeLessThan(1024 * 1024);
    expect((await text(child.stdout)).length).toBe(large);
    await child.exited;
  });

  test('brings one chunk before whoever awaits it goes on', async () => {
    const child = await clone('sh', ['-c', 'head -c 300000 /dev/zero'], { stdio: out });
    const [{ length }] = (await once(child.stdout, 'data')) as [Buffer];
    child.stdout.pause();
    expect(length + (await text(child.stdout)).length).toBe(300_000);
  });

  test('takes no more than the command reads', async () => {
    const child = await clone('wc', ['-c'], { hold: true, stdio: ['pipe', 'pipe', 'inherit'] });
    let isDrained = false;
    child.stdin.once('drain', () => (isDrained = true));
    expect(child.stdin.write(Buffer.alloc(1024 * 1024))).toBe(false);
    // Time for a stream that does not wait.
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(isDrained).toBe(false);
    await child.start();
    await until(() => isDrained);
    child.stdin.end();
    expect(await read(child.stdout)).toBe('1048576\n');
    await child.exited;
  });

  test('goes both ways through a socket, one of them ended', async () => {
    const child = await clone('sh', ['-c', 'cat <&3 >&3'], { stdio: ['ignore', 'ignore', 'inherit', 'socket'] });
    (child.stdio[3] as Duplex).end('there and back');
    expect(await read(child.stdio[3] as Duplex)).toBe('there and back');
    await child.exited;
  });

  test('says EPIPE where nobody reads', async () => {
    const child = await clone('sh', ['-c', 'exec <&-; echo closed; exec sleep 100'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    const failed = once(child.stdin, 'error');
    child.stdin.write('x');
    expect((await failed)[0]).toMatchObject({ code: 'EPIPE', syscall: 'write' });
    child.kill();
    await once(child, 'close');
  });

  test('lets go of its descriptor when destroyed, with what it had to write', async () => {
    const child = await clone('sleep', ['100'], { stdio: ['pipe', 'pipe', 'inherit'] });
    const failed = new Promise((resolve) => child.stdin.write(Buffer.alloc(1024 * 1024), resolve));
    child.stdout.on('data', () => {});
    child.stdin.destroy();
    child.stdout.destroy();
    expect(await failed).toMatchObject({ code: 'ECANCELED' });
    child.kill();
    await child.exited;
  });

  test('is what another child may be given', async () => {
    const first = await clone('sh', ['-c', 'sleep 0.1; echo two; echo one'], { stdio: out });
    const second = await clone('sort', [], { stdio: [first.stdout, 'pipe', 'inherit'] });
    expect(await read(second.stdout)).toBe('one\ntwo\n');
    await Promise.all([first.exited, second.exited]);
    first.stdout.destroy();
  });

  test('reads a terminal to its end', async () => {
    const child = await clone('sh', ['-c', 'stty -opost; head -c 100000 /dev/zero | tr "\\\\0" x'], { pty: true });
    expect((await text(child.pty)).length).toBe(100_000);
    await child.exited;
  });
});

describe('what cannot work', () => {
  const refused = { code: 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM', name: 'TypeError' };
  test('is refused, and why', async () => {
    await expect(unshare(Flags.NEWPID | Flags.NEWUTS)).rejects.toMatchObject({
      ...refused,
      message: expect.stringMatching(/^unshare\(\) of a pid namespace is unavailable in Bun: .*use clone\(\)$/),
    });
    await expect(setns('/proc/self/ns/pid')).rejects.toMatchObject(refused);
  });
});
