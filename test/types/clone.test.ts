// The forms of clone(), plan() and run(): what is none does not compile, and streams are there where stdio and pty say so.
import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

import { expectTypeOf } from 'expect-type';

import {
  clone,
  type ClonedCommand,
  type ClonedProcess,
  type CloneOptions,
  Flags,
  Namespace,
  plan,
  type Plan,
  type Program,
  type PtyStream,
  record,
  run,
  type RunOptions,
  type RunResult,
  type Step,
  type Stdio,
} from '../../lib';
import { leavesNothing } from '../support/leftovers';

leavesNothing();

const rejected = (call: Promise<unknown>): Promise<void> =>
  expect(call).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });

test('what is no command, plan or program does not compile, and is refused', async () => {
  // @ts-expect-error -- a number
  await rejected(clone(42));
  // @ts-expect-error -- an object
  await rejected(clone({}));
  // @ts-expect-error -- a command line
  await rejected(clone(['ls', '-l']));
  // @ts-expect-error -- what looks like a plan
  await rejected(clone({ toString: () => '' }));
  // @ts-expect-error -- and with the name of its member
  await rejected(clone({ toString: () => '', streams: ['pipe', false] }));
  // @ts-expect-error -- arguments are strings
  await rejected(clone('sleep', [5]));
});

test('a plan is no program, and a program no plan', () => {
  expectTypeOf<Plan>().not.toExtend<Program<unknown>>();
  expectTypeOf<Program<undefined>>().not.toExtend<Plan>();
  expect(plan('/bin/true')).not.toBeInstanceOf(record(() => {}).constructor);
});

test('each form takes its own options', () => {
  const forms = (made: Plan<'pipe', false>, program: Program<{ sock: number }>, options: CloneOptions): void => {
    void clone('ls', options);
    void clone('ls', undefined, options);
    void clone(made, { stdio: 'inherit' });
    void clone(program, { flags: Flags.VM });
    void run(made, { timeout: 5, input: 'x', encoding: null });
    // @ts-expect-error -- of a command
    void run(made, { hostname: 'x' });
    // @ts-expect-error -- a plan has its arguments
    void run(made, [], {});
    // @ts-expect-error -- no such option
    void clone('ls', { hostnam: 'x' });
    // @ts-expect-error -- nor behind arguments
    void clone('ls', [], { hostnam: 'x' });
    // @ts-expect-error -- of a command
    void clone(made, { hostname: 'x' });
    // @ts-expect-error -- a plan has its arguments
    void clone(made, [], {});
    // @ts-expect-error -- nor in what is mounted
    void clone('ls', { mounts: [{ type: 'proc', targt: '/proc' }] });
    // @ts-expect-error -- nor of a terminal
    void clone('ls', { pty: { colums: 5 } });
    // @ts-expect-error -- no such word
    void clone('ls', { stdio: ['pipe', 'pip'] });
    // @ts-expect-error -- no such option of run()
    void run('ls', { maxBufer: 1 });
    // @ts-expect-error -- a terminal has no output of its own
    void run('ls', { pty: true });
  };
  expect(forms).toBeDefined();
});

test('what may be one or the other takes the options of both', () => {
  const either = (what: string | Plan, which: 'ls' | Program<number>): void => {
    expectTypeOf(clone(what, { timeout: 5 })).resolves.toEqualTypeOf<ClonedProcess>();
    expectTypeOf(clone(which)).resolves.toEqualTypeOf<ClonedProcess<number | undefined>>();
  };
  expect(either).toBeDefined();
});

type Streams<T extends ChildProcess & { pty: unknown }> = [T['stdin'], T['stdout'], T['stderr'], T['pty']];

test('pipes are there where nothing else is asked for', async () => {
  await using child = await clone('cat');
  expectTypeOf(child).toEqualTypeOf<ClonedCommand>();
  expectTypeOf<Streams<typeof child>>().toEqualTypeOf<[Writable, Readable, Readable, null]>();
  child.stdin.end();
  expect(child.stdout).not.toBeNull();
  const timed = clone('cat', [], { timeout: 5 });
  await timed.catch(() => {});
  expectTypeOf(timed).resolves.toEqualTypeOf<ClonedCommand>();
});

test('each entry of stdio tells what is there', async () => {
  await using child = await clone('true', { stdio: ['ignore', 'socket', 2, 'pipe'] });
  expectTypeOf<Streams<typeof child>>().toEqualTypeOf<[null, Readable, null, null]>();
  expect([child.stdin, child.stderr]).toEqual([null, null]);
  child.stdout.destroy();
  await using short = await clone('true', [], { stdio: ['ignore'] });
  expectTypeOf<Streams<typeof short>>().toEqualTypeOf<[null, Readable, Readable, null]>();
  expect(short.stderr.readable).toBe(true);
  await using usual = await clone('true', { stdio: [undefined, null, 'overlapped'] });
  expectTypeOf<Streams<typeof usual>>().toEqualTypeOf<[Writable, Readable, Readable, null]>();
  expect([usual.stdin, usual.stdout, usual.stderr]).not.toContain(null);
  await using none = await clone('true', { stdio: 'ignore' });
  expectTypeOf<Streams<typeof none>>().toEqualTypeOf<[null, null, null, null]>();
  expect([none.stdin, none.stdout, none.stderr]).toEqual([null, null, null]);
});

test('with a terminal there is nothing else', async () => {
  await using child = await clone('true', { pty: { columns: 100 } });
  expectTypeOf<Streams<typeof child>>().toEqualTypeOf<[null, null, null, PtyStream]>();
  expect([child.stdin, child.stdout, child.stderr]).toEqual([null, null, null]);
  child.pty.resize(80, 24);
  child.pty.destroy();
});

test('a plan knows them, and what a start says instead', async () => {
  const made = plan('true', { stdio: ['ignore', 'pipe', 'ignore'] });
  await using child = await clone(made);
  expectTypeOf<Streams<typeof child>>().toEqualTypeOf<[null, Readable, null, null]>();
  child.stdout.destroy();
  await using other = await clone(made, { stdio: 'ignore' });
  expectTypeOf<Streams<typeof other>>().toEqualTypeOf<[null, null, null, null]>();
  expect(other.stdout).toBeNull();
  await using timed = await clone(made, { timeout: 60_000 });
  expectTypeOf<Streams<typeof timed>>().toEqualTypeOf<[null, Readable, null, null]>();
  expect(timed.stdout.readable).toBe(true);
});

test('where nobody knows, each may be null', () => {
  const unknown = (options: CloneOptions, stdio: Stdio, pty: boolean, or: 'pipe' | 'inherit'): void => {
    type All = [Writable | null, Readable | null, Readable | null, PtyStream | null];
    const ofOptions = clone('ls', options);
    expectTypeOf<Streams<Awaited<typeof ofOptions>>>().toEqualTypeOf<All>();
    const spread = clone('ls', [], { ...options, timeout: 5 });
    expectTypeOf<Streams<Awaited<typeof spread>>>().toEqualTypeOf<All>();
    const ofStdio = clone('ls', { stdio });
    expectTypeOf<Streams<Awaited<typeof ofStdio>>>().toEqualTypeOf<
      [Writable | null, Readable | null, Readable | null, null]
    >();
    const ofPty = clone('ls', { pty });
    expectTypeOf<Streams<Awaited<typeof ofPty>>>().toEqualTypeOf<All>();
    const ofWord = clone('ls', { stdio: ['ignore', or] });
    expectTypeOf<Awaited<typeof ofWord>['stdout']>().toEqualTypeOf<Readable | null>();
  };
  expect(unknown).toBeDefined();
});

test('what is known is of use where less is asked for', () => {
  expectTypeOf<ClonedCommand>().toExtend<ClonedProcess>();
  expectTypeOf<ClonedCommand<'inherit'>>().toExtend<ClonedProcess>();
  expectTypeOf<ClonedCommand<'pipe', true>>().toExtend<ClonedProcess>();
  expectTypeOf<ClonedCommand<readonly ['pipe', 'pipe', 'pipe']>>().toExtend<ClonedCommand>();
  expectTypeOf<ClonedProcess<unknown>>().toExtend<ChildProcess>();
  expectTypeOf<Plan<'pipe', false>>().toExtend<Plan>();
  const later = async (options: CloneOptions): Promise<void> => {
    let child = await clone('ls', options);
    child = await clone('ls');
    await child.exited;
  };
  expect(later).toBeDefined();
});

test('run() brings strings or Buffers, as its encoding says', async () => {
  const text = await run('echo', ['x'], { encoding: 'latin1' });
  expectTypeOf(text).toEqualTypeOf<RunResult<string>>();
  expect(text.stdout).toBe('x\n');
  const bytes = await run('echo', { encoding: null });
  expectTypeOf(bytes).toEqualTypeOf<RunResult<Buffer>>();
  expect(bytes.stdout).toEqual(Buffer.from('\n'));
  const unknown = (options: RunOptions, either: 'utf8' | 'buffer'): void => {
    expectTypeOf(run('ls')).resolves.toEqualTypeOf<RunResult<string>>();
    expectTypeOf(run('ls', options)).resolves.toEqualTypeOf<RunResult<string>>();
    expectTypeOf(run('ls', { encoding: either })).resolves.toEqualTypeOf<RunResult<string | Buffer>>();
    // @ts-expect-error -- of options that are said to be those of strings
    const wrong: RunOptions = { encoding: 'buffer' };
    void wrong;
  };
  expect(unknown).toBeDefined();
});

test('a line of its own is recorded at once: one that waits does not compile, and is refused', () => {
  const started =
    (run: Step['run']): (() => unknown) =>
    () =>
      plan('/bin/true', { steps: [{ at: 'exec', run }] });
  expect(started((c) => void c.umask(0))).not.toThrow();
  expect(started((c) => c.umask(0))).not.toThrow();
  // @ts-expect-error -- what is recorded after a wait would be lost
  expect(started(async (c) => void c.umask(0))).toThrow(/must not be async/);
});

test('namespace() of a child is a Namespace, and of that kind', async () => {
  const child = await clone('/bin/true', { hold: true, stdio: 'ignore' });
  const net: Namespace<'net'> = child.namespace('net');
  const owner: Namespace<'user'> | null = net.owner();
  // @ts-expect-error -- of another kind
  const uts: Namespace<'uts'> = net;
  expect(uts).toBeInstanceOf(Namespace);
  net.close();
  owner?.close();
  await child[Symbol.asyncDispose]();
});
