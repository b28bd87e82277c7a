// What a step is: one option's check and its instructions, with its place in the order.
import type { Hint } from '../errors/hint';
import type { CloneOptions } from '../../types/options';
import type { Label, Writer } from '../program/writer';
import type { Request } from './request';

export type OptionName = keyof CloneOptions;

/** The options as they were given, copied. */
export type Given = Readonly<Partial<Record<OptionName, unknown>>>;

export interface Step {
  /** As the listing and errors name it. */
  readonly name: string;
  /** The options that it is the home of. */
  readonly options: readonly OptionName[];
  /**
   * Without its options, or without this one of another step, there is nothing to settle and nothing to emit: it is then not asked.
   */
  readonly onlyWhenGiven?: true | OptionName;
  /** The steps that must come before it, where both are part of a program, and why. */
  readonly after: Readonly<Record<string, string>>;
  /** Checks its options and leaves in the request what {@link emit} needs. Called only where one of them is given. */
  check?(given: Given, request: Request): void;
  /** Looks at the whole request once every option is checked: what contradicts what, what is missing. Called always, or {@link onlyWhenGiven}. */
  settle?(request: Request): void;
  /**
   * Writes its instructions; called always, or {@link onlyWhenGiven}. Must depend on nothing but the request: it is called again
   * to explain a failure.
   */
  emit?(writer: Writer, request: Request): void;
  /**
   * What we do while the stub waits in an instruction of this step.
   * @param whenEnded takes what to do when the set-up ends meanwhile: nobody waits for this any more
   * @throws SyscallError, which ends the child and is what the call rejects with
   */
  serve?(pid: number, request: Request, whenEnded: (stop: () => void) => void): void | Promise<void>;
  /** In the place of {@link serve}: what changes hands while the stub waits, between the child and us. */
  readonly gives?: 'terminal' | 'foreground';
  /**
   * What a person can do about the failure of one of its instructions.
   * @param syscall undefined where it is no system call
   */
  hint?(code: string, label: Label, request: Request, syscall: string | undefined): Hint | undefined;
}
