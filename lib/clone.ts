// clone(): a command or a plan, in new namespaces; or a recorded program.
import type { ClonedProcess, ClonedCommand } from '../types/child';
import type { CloneOptions, StartOptions } from '../types/options';
import type { RecordedOptions } from '../types/record';
import type { PtyOption, Stdio } from '../types/stdio';
import { type Note, noteCaller, ofCall } from './errors/caller';
import { Plan, takesArguments } from './plan';
import { startCommand, startPlan } from './process/start';
import { startRecorded } from './process/start-recorded';
import { Program } from './record';

type OptionsFor<T> = T extends string ? CloneOptions : T extends Plan ? StartOptions : RecordedOptions;
type ResultsOf<T> = T extends Program<infer R> ? R : undefined;

/**
 * Starts a command, with namespaces and all else of its own that `options` ask for.
 *
 * Resolves once the command has been **executed**: from then on what happens is the command's own. Rejects otherwise,
 * naming the option and the system call, with the child reaped and nothing left. Never throws synchronously.
 * @param command the file to execute, looked up along PATH where it has no slash, see execvp(3)
 * @throws ArgumentError for what cannot be; SyscallError for what the kernel refused
 */
export function clone<const S extends Stdio = 'pipe', const P extends PtyOption = false>(
  command: string,
  args: readonly string[] | undefined,
  options?: CloneOptions<S, P>,
): Promise<ClonedCommand<S, P>>;
/**
 * Starts a command without arguments, with namespaces and all else of its own that `options` ask for.
 *
 * Resolves once the command has been **executed**. Rejects otherwise, naming the option and the system call, with the child reaped
 * and nothing left. Never throws synchronously.
 * @param command the file to execute, looked up along PATH where it has no slash, see execvp(3)
 * @throws ArgumentError for what cannot be; SyscallError for what the kernel refused
 */
export function clone<const S extends Stdio = 'pipe', const P extends PtyOption = false>(
  command: string,
  options?: CloneOptions<S, P>,
): Promise<ClonedCommand<S, P>>;
/**
 * Starts a plan once more. `options` are what differs this time.
 * @throws ArgumentError for what cannot be; SyscallError for what the kernel refused
 */
export function clone<S extends Stdio, P extends PtyOption, const Other extends Stdio = S>(
  plan: Plan<S, P>,
  options?: StartOptions<Other>,
): Promise<ClonedCommand<Other, P>>;
/**
 * Runs a recorded program in a child that shares with Node what `options.flags` say.
 *
 * Resolves when its line is done, or has executed a program, with what it brought back in `results`. Rejects with the
 * call that failed (`option` is 'program[3]' for the fourth one recorded), the child reaped. Never throws
 * synchronously.
 * @throws ArgumentError for flags that the kernel refuses together, and for calls that would take Node's process or
 *   memory from under it; SyscallError for what the kernel refused
 */
export function clone<R>(program: Program<R>, options?: RecordedOptions): Promise<ClonedProcess<R>>;
/**
 * Starts what may be one or the other: a command, a plan or a recorded program, with options that fit all of these.
 *
 * Declared last, so that the compiler names a wrong option in its words and not in those of another form.
 */
export function clone<T extends string | Plan | Program<unknown>>(
  what: T,
  options?: OptionsFor<T>,
): Promise<ClonedProcess<ResultsOf<T>>>;
export async function clone(what: unknown, args?: unknown, options?: unknown): Promise<ClonedProcess<unknown>> {
  let note: Note | undefined;
  try {
    const starting = start(what, args, options);
    // The child is on its way: this does not make it wait.
    note = noteCaller(clone);
    return await starting;
  } catch (error) {
    throw ofCall(error, clone, note);
  }
}

/** What `clone()` does, for functions of the API that are the caller's call themselves. */
export function start(what: unknown, args: unknown, options: unknown): Promise<ClonedProcess<unknown>> {
  if (what instanceof Program) return startRecorded(what as Program<unknown>, args);
  if (what instanceof Plan) return startPlan(what as Plan, args);
  return takesArguments(args, options) ? startCommand(what, args, options) : startCommand(what, undefined, args);
}
