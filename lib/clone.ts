// clone(): a command or a plan, in new namespaces; or a recorded program.
import type { ClonedProcess } from '../types/child';
import type { CloneOptions, StartOptions } from '../types/options';
import type { RecordedOptions } from '../types/record';
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
export function clone(
  command: string,
  args: readonly string[] | undefined,
  options?: CloneOptions,
): Promise<ClonedProcess>;
/** Starts a plan once more. */
export function clone(plan: Plan, options?: StartOptions): Promise<ClonedProcess>;
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
/** The short form, last so that the compiler names an option that is wrong. */
export function clone<T extends string | Plan | Program<unknown>>(
  what: T,
  options?: OptionsFor<T>,
): Promise<ClonedProcess<ResultsOf<T>>>;
export async function clone(what: unknown, args?: unknown, options?: unknown): Promise<ClonedProcess<unknown>> {
  if (what instanceof Program) return startRecorded(what as Program<unknown>, args);
  if (what instanceof Plan) return startPlan(what, args);
  return takesArguments(args, options) ? startCommand(what, args, options) : startCommand(what, undefined, args);
}
