// What a start costs: how long the call holds this process, and when the command runs, first prints, and has ended.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { clone, type CloneOptions } from 'nsclone';

/** Milliseconds from the call on. */
export interface Cost {
  /** The call is back. Until then nothing else could happen in this process. */
  held: number;
  /** The command is known to run; NaN where nobody tells. */
  running: number;
  /** The first byte of its output is here. */
  printed: number;
  /** It has ended. */
  ended: number;
}

const command = ['/bin/sh', '-c', 'echo'] as const;
const stdio = ['ignore', 'pipe', 'ignore'] as const;
/** The same namespaces and maps, and a new /proc; unshare(1) sets no host name and leaves the loopback interface down. */
const unshareOptions = '--user --map-root-user --pid --fork --mount --mount-proc --uts --ipc --net --cgroup'.split(' ');

function stopwatch(): () => number {
  const begin = performance.now();
  return () => performance.now() - begin;
}

export async function costOfClone(options: CloneOptions): Promise<Cost> {
  const [file, ...args] = command;
  const since = stopwatch();
  const started = clone(file, args, { ...options, stdio });
  const held = since();
  const child = await started;
  const running = since();
  const printed = once(child.stdout!, 'data').then(since);
  const ended = child.exited.then(since);
  return { held, running, printed: await printed, ended: await ended };
}

/** @throws where unshare(1) is not installed, or is refused what it asks for */
export async function costOfUnshare(): Promise<Cost> {
  const since = stopwatch();
  const child = spawn('unshare', [...unshareOptions, ...command], { stdio: [...stdio] });
  const held = since();
  const printed = once(child.stdout, 'data').then(since);
  const [code] = (await once(child, 'exit')) as [code: number | null];
  const ended = since();
  if (code !== 0) throw new Error(`unshare ended with ${code}`);
  return { held, running: Number.NaN, printed: await printed, ended };
}

/** The median of each number over `runs` starts, after a few that warm things up. */
export async function medianOf(cost: () => Promise<Cost>, runs: number): Promise<Cost> {
  const costs: Cost[] = [];
  for (let run = -3; run < runs; run++) {
    const one = await cost();
    if (run >= 0) costs.push(one);
  }
  const middle = (name: keyof Cost): number => costs.map((one) => one[name]).toSorted((a, b) => a - b)[runs >> 1]!;
  return { held: middle('held'), running: middle('running'), printed: middle('printed'), ended: middle('ended') };
}
