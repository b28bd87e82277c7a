// A process of ours that has made the next one and is stopped before its end: nobody waits for it, and nothing of it is left.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

import { clone, createNamespaces, Flags, plan, type CloneOptions } from '../../lib';
import { checkNamespaces } from '../../lib/assembly/assemble';
import { makePlan } from '../../lib/plan';
import { addon } from '../support/addon';
import { withCapability } from '../support/capability';
import { compiled, compiler } from '../support/compiled';
import { stopped, heldBefore } from '../support/fault';
import { owned } from '../support/inside';
import { leavesNothing, ourChildren } from '../support/leftovers';
import { type Line, linesOf } from '../support/listing';
import { inTime, slow } from '../support/slow';

leavesNothing();

const { NEWNET, NEWPID, NEWTIME, NEWUSER } = Flags;
const clones = ({ call }: Line): boolean => /^clone\(.*go on in the new process/.test(call);
const stopAt = ({ number }: Line): void => void addon().setFault!(number, stopped);

/** A command for each process that is on its way to make it. */
async function eachBetween(
  options: CloneOptions,
  command: readonly [string, ...string[]],
  then: (starting: ReturnType<typeof clone>) => Promise<void>,
): Promise<number> {
  const [file, ...args] = command;
  const made = plan(file, args, options);
  const lines = linesOf(made).filter(clones);
  for (const line of lines) await then(heldBefore(made, line.number, stopped));
  return lines.length;
}

async function isToldOf(options: CloneOptions, count: number): Promise<void> {
  const ended = async (starting: ReturnType<typeof clone>): Promise<void> => {
    await expect((await starting).exited).resolves.toMatchObject({ code: 3, signal: null });
  };
  expect(await eachBetween(options, ['/bin/sh', '-c', 'exit 3'], ended)).toBe(count);
  const missing = async (starting: ReturnType<typeof clone>): Promise<void> => {
    await expect(starting).rejects.toMatchObject({ code: 'ENOENT', path: '/no/such', step: 'command' });
  };
  expect(await eachBetween(options, ['/no/such'], missing)).toBe(count);
}

test.each([
  ['a pid namespace', owned(NEWUSER | NEWPID)],
  ['a time namespace', owned(NEWUSER | NEWTIME)],
])('%s: the end of the command is told, and that there is none', async (_, options) => {
  await isToldOf(options, 1);
});
test('a pid namespace below one that is joined: so it is of both', async () => {
  const home = await clone('/bin/cat', [], { ...owned(NEWUSER | NEWPID), stdio: ['pipe', 'ignore', 'inherit'] });
  try {
    await isToldOf({ ...owned(NEWUSER | NEWPID), join: home }, 2);
  } finally {
    home.kill('SIGKILL');
    await home.exited;
  }
});
test('namespaces without a process: they are made', async () => {
  const kinds = NEWUSER | NEWNET | NEWTIME;
  const [line, ...more] = linesOf(makePlan(checkNamespaces(kinds, undefined))).filter(clones);
  expect(more).toEqual([]);
  stopAt(line!);
  using set = await createNamespaces(kinds, { timeout: 0 });
  expect(set.net).toBeDefined();
});
test('one that is aborted meanwhile, or is out of time, ends like any other', async () => {
  const made = plan('/bin/sleep', ['1000'], { ...owned(NEWUSER | NEWPID), killSignal: 'SIGKILL' });
  const controller = new AbortController();
  stopAt(linesOf(made).find(clones)!);
  const child = await clone(made, { signal: controller.signal });
  controller.abort();
  await expect(child.exited).resolves.toMatchObject({ signal: 'SIGKILL', endedBy: 'abort' });
  const late = inTime(async (timeout) => {
    stopAt(linesOf(made).find(clones)!);
    return (await clone(made, { timeout })).exited;
  });
  await expect(late).resolves.toMatchObject({ signal: 'SIGKILL', endedBy: 'timeout' });
});

describe('one that SIGKILL does not end, as a tracer keeps it', () => {
  const hold = compiled('robustness/hold-zombie');
  /** Without a turn of the event loop. */
  const waitUntil = (look: () => boolean): void => {
    for (const end = performance.now() + slow(5000); !look();)
      if (performance.now() > end) throw new Error(`waited in vain until ${String(look)}`);
  };

  withCapability('CAP_SYS_PTRACE', 'keeps nobody waiting for ever, and is reaped when it is let go of', async () => {
    if (compiler === undefined) return;
    // Nothing of it waits for us.
    const options = { ...owned(NEWUSER | NEWPID), setgroups: 'deny', stdio: 'ignore' } as const;
    const made = plan('/bin/sh', ['-c', 'exit 3'], options);
    stopAt(linesOf(made).find(clones)!);
    const before = new Set(ourChildren());
    const starting = clone(made);
    const between = ourChildren().find((pid) => !before.has(pid));
    const status = (): string => readFileSync(`/proc/${between}/status`, 'utf8');
    // Nothing of this is heard before it is held: the event loop waits, too.
    waitUntil(() => /^State:\tT/m.test(status()));
    const tracer = spawn(hold.path, [String(between)], { stdio: ['pipe', 'ignore', 'ignore'] });
    waitUntil(() => !/^TracerPid:\t0$/m.test(status()));
    try {
      await expect((await starting).exited).resolves.toMatchObject({ code: 3 });
      waitUntil(() => /^State:\tZ/m.test(status()));
    } finally {
      tracer.stdin.end();
      await once(tracer, 'exit');
    }
  });
});
