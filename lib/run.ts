// run(): a command whose output is collected.
import type { Collected, OutputEncoding, RunOptions, RunResult, RunStartOptions } from '../types/run';
import { startCollecting } from './collect';
import { type Note, noteCaller, ofCall } from './errors/caller';
import type { Plan } from './plan';

/**
 * Starts a command as {@link clone} does, waits for its end and collects what it writes.
 *
 * Resolves however the command ends: look at `code` and `signal`. Rejects where it could not be started, and with a
 * {@link MaxBufferError}, which has `stdout` and `stderr`, where it wrote more than `maxBuffer` bytes to one of them, and with the
 * error of an `input` stream that fails; it is then killed. Without `input` its stdin is at its end.
 * `signal` and `timeout` also end the waiting for output that children of the command hold open after its own end: `endedBy`
 * tells, and the output is what there was.
 *
 * A command that has become somebody else by itself, as sudo(8) does, may be one that we may not end: then the SyscallError of that
 * (`EPERM`, `pidfd_send_signal`), with `stdout` and `stderr` so far, is what run() rejects with at once, and the command runs on.
 * @throws ArgumentError, SyscallError, MaxBufferError
 */
export function run<E extends OutputEncoding = 'utf8'>(
  command: string,
  args: readonly string[] | undefined,
  options?: RunOptions<E>,
): Promise<RunResult<Collected<E>>>;
/**
 * Starts a command without arguments, waits for its end and collects what it writes.
 *
 * Resolves however the command ends: look at `code` and `signal`. Rejects where it could not be started, or wrote more than
 * `maxBuffer` bytes.
 * @throws ArgumentError, SyscallError, MaxBufferError
 */
export function run<E extends OutputEncoding = 'utf8'>(
  command: string,
  options?: RunOptions<E>,
): Promise<RunResult<Collected<E>>>;
/**
 * Starts a plan once more, waits for its end and collects what it writes. `options` are what differs this time.
 * @throws ArgumentError, SyscallError, MaxBufferError
 */
export function run<E extends OutputEncoding = 'utf8'>(
  plan: Plan,
  options?: RunStartOptions<E>,
): Promise<RunResult<Collected<E>>>;
/**
 * Runs what may be a command or a plan, with options that fit it.
 *
 * Declared last, so that the compiler names a wrong option in its words and not in those of another form.
 */
export function run<T extends string | Plan, E extends OutputEncoding = 'utf8'>(
  what: T,
  options?: T extends string ? RunOptions<E> : RunStartOptions<E>,
): Promise<RunResult<Collected<E>>>;
export async function run(command: unknown, args?: unknown, options?: unknown): Promise<RunResult<string | Buffer>> {
  let note: Note | undefined;
  try {
    const running = startCollecting(command, args, options);
    note = noteCaller(run);
    return await running;
  } catch (error) {
    throw ofCall(error, run, note);
  }
}
