// What the command was started with and Node has changed before its first line: the launcher in front of it has written it down.
import { readFileSync } from 'node:fs';

import type { CloneOptions, Step } from '../../lib/index';

/** As the launcher hands it over: `PID PARENT LIMIT IGNORED:FD FD:NODE_OPTIONS`. */
const variable = 'NSCLONE_LAUNCHED';

export interface Inherited {
  /** The descriptors above 2 that were open; undefined where nobody knows. */
  readonly descriptors: readonly number[] | undefined;
  /** The soft limit of descriptors, which Node raises. */
  readonly limit: string | undefined;
  /** Whose child it was then. */
  readonly parent: number;
  /** The signals that were ignored, which Node no longer does, as bits. */
  readonly ignored: bigint;
}

/** Reads it, and leaves the environment as it was. Without the launcher nothing is known. */
export function takeInherited(): Inherited {
  const [facts = '', descriptors = '', options] = (process.env[variable] ?? '').split(/:(.*?):([^]*)/);
  const [pid, parent, limit, ignored] = facts.split(' ');
  delete process.env[variable];
  // What somebody else's launcher has left says nothing.
  if (Number(pid) !== process.pid)
    return { descriptors: undefined, limit: undefined, parent: process.ppid, ignored: 0n };
  if (options !== undefined && options !== '') process.env['NODE_OPTIONS'] = options.slice(1);
  const numbers = descriptors.split(' ').filter((text) => text !== '');
  return { descriptors: numbers.map(Number), limit, parent: Number(parent), ignored: BigInt(`0x${ignored}`) };
}

function nofile({ limit }: Inherited): CloneOptions['rlimits'] {
  const [, soft, hard] = /^Max open files +(\S+) +(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  if (limit === undefined || limit === soft) return undefined;
  const value = (text: string): number | 'unlimited' => (text === 'unlimited' ? text : Number(text));
  return { nofile: { soft: value(limit), hard: value(hard!) } };
}

/** What gives it back to the command. @param used what that does not get */
export function restoring(inherited: Inherited, used: ReadonlySet<number>): CloneOptions {
  const stdio: ('inherit' | 'ignore')[] = ['inherit', 'inherit', 'inherit'];
  for (const descriptor of inherited.descriptors ?? []) {
    if (used.has(descriptor)) continue;
    while (stdio.length < descriptor) stdio.push('ignore');
    stdio[descriptor] = 'inherit';
  }
  const steps: Step[] = [];
  const closed = [0, 1, 2].filter((one) => used.has(one));
  if (closed.length > 0) steps.push({ at: 'exec', run: (c) => closed.forEach((one) => c.close({ fd: one })) });
  const signals = Array.from({ length: 64 }, (_, index) => index + 1).filter(
    (signal) => ((inherited.ignored >> BigInt(signal - 1)) & 1n) === 1n,
  );
  if (signals.length > 0) {
    const ignore = { handler: 'ignore' } as const;
    steps.push({ at: 'exec', run: (c) => signals.forEach((signal) => c.rt_sigaction(signal, ignore)) });
  }
  const rlimits = nofile(inherited);
  return { stdio, ...(rlimits !== undefined && { rlimits }), ...(steps.length > 0 && { steps }) };
}
