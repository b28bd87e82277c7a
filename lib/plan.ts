// A plan: a command's program, checked and written once, printable, and started as often as wanted.
import { inspect } from 'node:util';

import { ofCall } from './errors/caller';
import { checkOurs, ours } from './errors/illegal-constructor';
import { list } from './program/listing';
import { structure } from './program/structure';
import type { Writer } from './program/writer';
import { checkRequest, labelled } from './assembly/assemble';
import type { Request } from './assembly/request';
import type { ListedPlan } from '../types/listing';
import type { CloneOptions } from '../types/options';
import type { PtyOption, Stdio } from '../types/stdio';

/** @internal The plan of what was checked. */
export let makePlan: (request: Request) => Plan;

/** What `plan()` makes. Nothing has been cloned yet. */
export class Plan<S extends Stdio = Stdio, P extends PtyOption = PtyOption> {
  /** @internal */
  declare readonly request: Request;
  /** @internal */
  declare readonly writer: Writer;
  /** Only a type: nothing else is a plan, and the streams of what it starts, see `ClonedProcess`. */
  declare protected readonly streams: [stdio: S, pty: P];

  private constructor(given: symbol, request: Request) {
    checkOurs(given, 'a Plan is made by plan()');
    // Whoever shows all fields of an object does not show the environment.
    Object.defineProperties(this, { request: { value: request }, writer: { value: labelled(request) } });
  }

  static {
    makePlan = (request) => new this(ours, request);
  }

  /**
   * Every call that the child will make, one a line: its number, its step, the option that asked for it, and the call with
   * its arguments in the kernel's names. Read back from the bytes that run. Control characters are escaped, the environment is
   * counted and not shown. Lines before them that begin with '#' tell what is not done, and why.
   */
  toString(): string {
    return [...this.request.notes.map((note) => `# ${note}`), list(this.writer)].join('\n');
  }

  /** The same as data, for `JSON.stringify()`: every instruction, with its arguments; of the environment, how large it is. */
  toJSON(): ListedPlan {
    const { command, args, notes } = this.request;
    return { command, args: [...args], notes: [...notes], calls: structure(this.writer) };
  }

  /** @internal `console.log()` shows the listing. */
  [inspect.custom](depth: number): string {
    return depth < 0 ? '[Plan]' : this.toString();
  }
}

/**
 * Checks a command and its options and writes its program, without cloning anything; needs no privilege.
 *
 * The environment is copied now. Start it with `clone(plan)`, as often as wanted.
 * @param command the file to execute, looked up along PATH where it has no slash, see execvp(3)
 * @throws ArgumentError for what cannot be, SyscallError E2BIG for a program that is too large
 */
export function plan<const S extends Stdio = 'pipe', const P extends PtyOption = false>(
  command: string,
  args: readonly string[] | undefined,
  options?: CloneOptions<S, P>,
): Plan<S, P>;
/**
 * Checks a command without arguments and writes its program, without cloning anything; needs no privilege.
 * @throws ArgumentError for what cannot be, SyscallError E2BIG for a program that is too large
 */
export function plan<const S extends Stdio = 'pipe', const P extends PtyOption = false>(
  command: string,
  options?: CloneOptions<S, P>,
): Plan<S, P>;
export function plan(command: string, args?: readonly string[] | CloneOptions, options?: CloneOptions): Plan {
  try {
    return makePlan(
      takesArguments(args, options) ? checkRequest(command, args, options) : checkRequest(command, undefined, args),
    );
  } catch (error) {
    throw ofCall(error, plan);
  }
}

/** Whether these are args and options, and not options alone, as child_process sorts them out. */
export function takesArguments(args: unknown, options: unknown): boolean {
  return args === undefined || args === null || Array.isArray(args) || options !== undefined;
}
