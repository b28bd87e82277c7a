// What run() does: the output of a command is collected until its end.
import type { Readable, Writable } from 'node:stream';
import { isUint8Array } from 'node:util/types';

import type { ClonedProcess, ExitStatus } from '../types/child';
import type { RunOptions, RunResult } from '../types/run';
import { streams } from './builtin';
import { integer, plainObject } from './check';
import { start } from './clone';
import { invalidArgType, invalidArgValue, refusedOption } from './errors/argument-error';
import { MaxBufferError } from './errors/max-buffer-error';
import { SyscallError } from './errors/syscall-error';
import { Child } from './process/child';
import { unwatch, watch } from './process/ending';
import { Plan, takesArguments } from './plan';
import { clearTimeout, now, setImmediate, setTimeout } from './timers';

/** As in execFile(). */
const defaultMaxBuffer = 1024 * 1024;

interface Collecting {
  readonly input: string | Uint8Array | Readable | undefined;
  readonly encoding: BufferEncoding | 'buffer';
  readonly maxBuffer: number;
}

/** @throws what is refused before there is a child */
export function startCollecting(
  command: unknown,
  args: unknown,
  options: unknown,
): Promise<RunResult<string | Buffer>> {
  const plan = command instanceof Plan ? (command as Plan) : undefined;
  // A plan has no arguments, and its options in their place.
  const hasArgs = plan === undefined ? takesArguments(args, options) : args === undefined || args === null;
  const given = (hasArgs ? options : args) ?? {};
  if (typeof given !== 'object') throw invalidArgType('options argument', 'of type object', given);
  const { input, encoding, maxBuffer, ...rest } = plainObject(given, 'options argument') as RunOptions;
  const stream = input instanceof streams().Readable ? input : undefined;
  // It may break before there is somebody to read it: that is told when there is.
  stream?.on('error', () => {});
  // Who would have read it to its end, or destroyed it, never came.
  const letGo = (error: unknown): never => {
    stream?.destroy();
    throw error;
  };
  try {
    refuseUncollectable(plan === undefined ? given : planned(plan));
    const collecting = checkCollecting(input, encoding, maxBuffer);
    if (input !== undefined && !hasStdinPipe(rest.stdio, plan))
      throw refusedOption('input', "needs 'pipe' for stdio[0]");
    const began = now();
    const starting = (
      plan === undefined ? start(command, hasArgs ? args : undefined, rest) : start(plan, rest, undefined)
    ) as Promise<ClonedProcess>;
    const { signal = plan?.request.signal, timeout = plan?.request.timeout } = rest;
    return starting.then((child) => collect(child, collecting, new Patience({ signal, timeout }, began)), letGo);
  } catch (error) {
    return letGo(error);
  }
}

/** What a plan has of that. */
function planned({ request: { isHeld, pty } }: Plan): object {
  return { hold: isHeld, pty };
}

/** What leaves nothing to collect, or never ends by itself. */
function refuseUncollectable(given: object): void {
  const { hold, pty } = given as { hold?: unknown; pty?: unknown };
  if (hold !== undefined && hold !== false)
    throw refusedOption('hold', 'cannot be given to run(): nobody could start() the child');
  if (pty !== undefined && pty !== false) {
    throw refusedOption(
      'pty',
      'cannot be given to run(): a terminal has no stdout of its own; use clone() and child.pty',
    );
  }
}

function checkCollecting(input: unknown, encoding: unknown, maxBuffer: unknown): Collecting {
  const isInput = typeof input === 'string' || ArrayBuffer.isView(input) || input instanceof streams().Readable;
  if (input !== undefined && !isInput)
    throw invalidArgType('input', 'of type string, or an instance of Buffer, TypedArray, DataView or Readable', input);
  if (encoding !== undefined && encoding !== null && encoding !== 'buffer' && !Buffer.isEncoding(encoding as string)) {
    throw invalidArgValue('encoding', encoding, "must be an encoding of Buffer, or 'buffer'");
  }
  return {
    input: isInput ? asBytes(input) : undefined,
    // null is that of execFile().
    encoding: (encoding === null ? 'buffer' : (encoding ?? 'utf8')) as BufferEncoding | 'buffer',
    maxBuffer: maxBuffer === Infinity ? Infinity : integer(maxBuffer ?? defaultMaxBuffer, 'maxBuffer', 0),
  };
}

/** Of a view the bytes that it shows. */
function asBytes<T>(input: T | ArrayBufferView): T | Uint8Array {
  if (!ArrayBuffer.isView(input) || isUint8Array(input)) return input;
  return new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
}

function hasStdinPipe(stdio: RunOptions['stdio'], plan: Plan | undefined): boolean {
  if (stdio === undefined && plan !== undefined) return plan.request.stdio[0]?.kind === 'pipe';
  const first: unknown = Array.isArray(stdio) ? stdio[0] : stdio;
  return first === undefined || first === null || first === 'pipe' || first === 'overlapped' || first === 'socket';
}

/** After the next look for what there is to read. */
const nextTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** What a stream brings, up to a size. */
class Gathered {
  readonly #chunks: Buffer[] = [];
  readonly #stream: Readable | null;
  #size = 0;
  /** At the end of the stream. */
  readonly done: Promise<void>;

  /** `full` is called when there is more than `most`. */
  constructor(stream: Readable | null, most: number, full: () => void) {
    this.#stream = stream;
    this.done = new Promise((resolve) => {
      if (stream === null) return resolve();
      // Also one that breaks: what it brought until then is what there is.
      streams().finished(stream, { writable: false }, () => resolve());
      stream.on('data', (chunk: Buffer) => {
        const room = most - this.#size;
        this.#size += chunk.length;
        if (chunk.length <= room) return void this.#chunks.push(chunk);
        if (room > 0) this.#chunks.push(chunk.subarray(0, room));
        stream.destroy();
        full();
      });
    });
  }

  stop(): void {
    this.#stream?.destroy();
  }

  bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

/** Writes the input; `fail` is called where a stream of the caller's breaks. */
function feed(stdin: Writable | null, input: Collecting['input'], fail: (error: Error) => void): void {
  if (stdin === null) return;
  // A command that does not read all of it is no error of ours.
  stdin.on('error', () => {});
  if (!(input instanceof streams().Readable)) return void stdin.end(input);
  const source = input.readableObjectMode ? onlyText(input) : input;
  let wanted = true;
  stdin.once('close', () => {
    wanted = false;
    source.destroy();
  });
  streams().finished(source, { writable: false }, (error) => {
    if (error === undefined || error === null) stdin.end();
    else if (wanted) fail(error);
  });
  source.pipe(stdin);
}

/** Of a stream of anything, which fails at what a pipe does not take: it would throw where nobody can catch it. */
function onlyText(input: Readable): Readable {
  const text = new (streams().Transform)({
    writableObjectMode: true,
    transform(chunk: unknown, _, done) {
      if (typeof chunk === 'string') done(null, chunk);
      // A copy: at one that is transferred meanwhile the pipe would throw.
      else if (isUint8Array(chunk)) done(null, Buffer.from(chunk));
      else done(invalidArgType('input', 'a stream of strings or of instances of Uint8Array', chunk));
    },
  });
  return streams().pipeline(input, text, () => {});
}

/** How long the output is waited for once the command has ended: children of its own may hold it open for ever. */
class Patience {
  readonly #signal: AbortSignal | undefined;
  readonly #until: number;

  /** Of options that clone() has checked. `timeout` in milliseconds from `began`; 0 and none are for ever. */
  constructor({ signal, timeout }: Pick<RunOptions, 'signal' | 'timeout'>, began: number) {
    this.#signal = signal;
    this.#until = timeout === undefined || timeout === 0 ? Infinity : began + timeout;
  }

  /** Waits for `done`, and tells what ended the waiting before that. */
  wait(done: Promise<unknown>): Promise<ExitStatus['endedBy']> {
    const signal = this.#signal;
    const left = this.#until - now();
    return new Promise((resolve) => {
      const waiting = { abort: () => end('abort') };
      const timer = left < Infinity ? setTimeout(() => end('timeout'), Math.max(0, left)) : undefined;
      const end = (by: ExitStatus['endedBy']): void => {
        clearTimeout(timer);
        if (signal !== undefined) unwatch(signal, waiting);
        resolve(by);
      };
      if (signal !== undefined) watch(signal, waiting);
      if (signal?.aborted === true) return end('abort');
      void done.then(() => end(undefined));
    });
  }
}

async function collect(
  child: ClonedProcess,
  { input, encoding, maxBuffer }: Collecting,
  patience: Patience,
): Promise<RunResult<string | Buffer>> {
  const killing = Child.killingOf(child);
  let failure: Error | undefined;
  let tellFailed!: () => void;
  const failed = new Promise<void>((resolve) => (tellFailed = resolve));
  const refused = new Promise<SyscallError>((resolve) => (killing.tellRefused = resolve));
  const fail = (option: string, error: Error): void => {
    failure ??= error;
    killing.kill(option, error);
    tellFailed();
  };
  const [out, err] = (['stdout', 'stderr'] as const).map(
    (name) => new Gathered(child[name], maxBuffer, () => fail('maxBuffer', new MaxBufferError(name))),
  ) as [Gathered, Gathered];
  try {
    feed(child.stdin, input, (error) => fail('input', error));
  } catch (error) {
    // What a stream is, is the caller's code.
    fail('input', error as Error);
  }
  const done = Promise.all([out.done, err.done]);
  // Whoever holds the output open can be ended by the same `timeout` until then.
  killing.hold(true);
  void Promise.race([done, failed, refused]).then(() => killing.hold(false));
  const status = await Promise.race([child.exited, refused]);
  const isLeft = status instanceof SyscallError;
  const endedBy = isLeft ? undefined : (status.endedBy ?? (await patience.wait(Promise.race([done, failed]))));
  if (isLeft || failure !== undefined || endedBy !== undefined) {
    // What is in the pipes still is read in these turns; children of its own may hold them open for ever.
    await nextTurn();
    await nextTurn();
    out.stop();
    err.stop();
  }
  await done;
  const [stdout, stderr] = [out, err].map((output) =>
    encoding === 'buffer' ? output.bytes() : output.bytes().toString(encoding),
  );
  if (isLeft) {
    // Nobody waits for it any more.
    child.stdin?.destroy();
    child.unref();
    throw Object.assign(status, { stdout, stderr });
  }
  const ended: ExitStatus = endedBy === undefined ? status : { ...status, endedBy };
  const result = { ...ended, stdout: stdout!, stderr: stderr! };
  if (failure === undefined) return result;
  throw failure instanceof MaxBufferError ? Object.assign(failure, { ...result, code: failure.code }) : failure;
}
