// Children that somebody kills at random moments of their set-up: every promise settles, and tells the truth.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { needing } from '../support/capability';
import { evaluate } from '../support/own-process';

interface Run {
  /** The pid that a call resolved with; 0 where it rejected. */
  readonly started: number;
  readonly code?: string;
  readonly signal?: string | null;
  readonly end?: { code: number | null; signal: string | null };
  /** Those that were there when it was killed. */
  readonly killed: number[];
  /** The program has come so far as to make its marker. */
  readonly marker: boolean;
}

/** Starts `count` children one after the other and kills each at a random moment of its start, or soon after it. */
function runs(count: number, folder: string, wrapper: readonly string[] = []): Run[] {
  return evaluate<Run[]>(
    `const { clone, Flags } = nsclone;
    const { children, settled, sleep } = require(${JSON.stringify(join(__dirname, 'left.js'))});
    const sorts = [
      {},
      { flags: Flags.NEWUSER | Flags.NEWUTS | Flags.NEWIPC, uidMap: 'root', gidMap: 'root' },
      { flags: Flags.NEWUSER | Flags.NEWPID | Flags.NEWNS, uidMap: 'root', mounts: [{ type: 'proc', target: '/proc' }] },
    ];
    const pids = () => children().map((child) => Number(child.split(' ')[0]));
    const busy = (milliseconds) => { for (const end = performance.now() + milliseconds; performance.now() < end; ); };
    // How long a start takes here.
    const durations = [];
    for (const options of sorts) {
      const times = [];
      for (let i = 0; i < 9; i++) {
        const from = performance.now();
        const child = await clone('/bin/sleep', ['100'], { ...options, stdio: 'ignore' });
        times.push(performance.now() - from);
        child.kill('SIGKILL');
        await child.exited;
      }
      durations.push(times.sort((a, b) => a - b)[4]);
    }
    const runs = [];
    for (let i = 0; i < ${count}; i++) {
      const marker = ${JSON.stringify(folder)} + '/' + i;
      const killed = [];
      const promise = clone('/bin/sh', ['-c', 'echo > ' + marker + '; exec sleep 100'], { ...sorts[i % 3], stdio: 'ignore' });
      const outcome = promise.then(
        async (child) => {
          const { pid } = child;
          child.kill('SIGKILL');
          const { code, signal } = await child.exited;
          return { started: pid, end: { code, signal } };
        },
        ({ code, signal }) => {
          return { started: 0, code, signal };
        },
      );
      busy(Math.random() * 2 * durations[i % 3]);
      if (i % 2 === 0) await new Promise(setImmediate);
      for (const pid of pids()) {
        try { process.kill(pid, 'SIGKILL'); killed.push(pid); } catch {}
      }
      const late = new AbortController();
      const run = await Promise.race([outcome, sleep(slow(20_000), undefined, { signal: late.signal }).then(() => { throw new Error('a promise has not settled'); })]);
      late.abort();
      runs.push({ ...run, killed, marker: fs.existsSync(marker) });
    }
    const left = await settled(1e6);
    if (left.children.length > 0) throw new Error('children are left: ' + left.children);
    return runs;`,
    wrapper,
  );
}

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nsclone-kill-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('every promise settles, and one that rejects is of a program that never ran', () => {
  const all = runs(450, folder);
  expect(all).toHaveLength(450);
  const failed = all.filter(({ started }) => started === 0);
  for (const run of failed) expect(run).toMatchObject({ code: 'ECHILD', signal: 'SIGKILL', marker: false });
  for (const run of all) {
    if (run.started !== 0) expect(run.end).toEqual({ code: null, signal: 'SIGKILL' });
  }
  // Neither all too early nor all too late: with one slow processor it is few that are met before.
  expect(failed.length).toBeGreaterThan(0);
  expect(failed.length).toBeLessThan(450);
});

const traced = needing(spawnSync('strace', ['-f', 'true']).status === 0, 'strace, and leave to trace');

traced('what the kernel saw is what is told, under a tracer that sees the zombies first', () => {
  const log = join(folder, 'log');
  const all = runs(90, folder, ['strace', '-f', '-qq', '-e', 'trace=execve', '-e', 'signal=none', '-o', log]);
  expect(existsSync(log)).toBe(true);
  const lines = readFileSync(log, 'utf8').split('\n');
  const executed = new Set<number>();
  const unclear = new Set<number>();
  for (const line of lines) {
    const pid = Number.parseInt(line, 10);
    // The line of one that is interrupted by another's is split in two. Of one that is killed in between the second half is missing,
    // or has "= ?", "<detached ...>" or what was left in a register: all but 0 and an errno with a name.
    if (/execve(\(.*| resumed>.*)\) += 0$/.test(line)) executed.add(pid);
    else if (line.includes('execve') && !/= -1 E[A-Z]/.test(line)) unclear.add(pid);
  }
  const started = all.map((run) => run.started).filter((pid) => pid !== 0);
  const lied = started.filter((pid) => !executed.has(pid) && !unclear.has(pid));
  // With what the kernel saw of each.
  expect(lied.map((pid) => [pid, ...lines.filter((line) => Number.parseInt(line, 10) === pid)])).toEqual([]);
  const failed = all.filter((run) => run.started === 0).flatMap((run) => run.killed);
  expect(failed.filter((pid) => executed.has(pid))).toEqual([]);
});

traced('an end that the tracer sees first is told all the same', () => {
  const codes = evaluate<unknown>(
    `const { clone, Flags } = nsclone;
    const codes = [];
    for (let i = 0; i < 60; i++) {
      const child = await clone('/bin/sh', ['-c', 'exit ' + i], i % 2 ? { flags: Flags.NEWUSER | Flags.NEWPID } : {});
      codes.push((await child.exited).code);
    }
    return codes;`,
    ['strace', '-f', '-qq', '-e', 'trace=none', '-o', '/dev/null'],
  );
  expect(codes).toEqual(Array.from({ length: 60 }, (_, i) => i));
});
