// A plan, or a recorded program, as data: what `JSON.stringify()` makes of it.

/**
 * An argument of a call: a number; a string (a path, a name); an array of strings (`argv`); null for `NULL`; and an object for
 * all else.
 */
export type ListedArgument =
  | number
  | string
  | null
  | readonly string[]
  /** A number that has a name: 'CLONE_NEWNET', '0755', 'ENOENT'. */
  | { readonly value: number; readonly name: string }
  /** What an earlier call returned: the `result` of that one. */
  | { readonly result: number }
  /** A number that is known when the child is started, by its name: 'channel', 'proc', 'source[0]'. */
  | { readonly word: string }
  /** Memory of the program at this offset, which a call writes to, or that nothing more is known of. */
  | { readonly place: number }
  /** How many variables the environment has: what they are is never shown. */
  | { readonly variables: number }
  /** A struct, an address, bytes, a filter: as the listing has it. */
  | { readonly text: string };

/** One instruction. */
export interface ListedCall {
  /** Its number, as in errors and in the listing. */
  readonly number: number;
  /** The step of the set-up that it belongs to; 'program' for what was recorded. */
  readonly step: string;
  /** The option, or the recorded call, that asked for it: 'mounts[0]', 'program[3]'. */
  readonly option?: string;
  /** The system call; or 'store', 'wait', 'exit', 'fail', 'compare', 'tell', which are the loop's own. */
  readonly call: string;
  readonly arguments: readonly ListedArgument[];
  /** Its result is kept under this number. */
  readonly result?: number;
  /** What is not plain about it: 'EEXIST: go on', 'at least 5'. */
  readonly policies?: readonly string[];
  /** What we do meanwhile: 'which writes uid_map "0 0 65536"'. */
  readonly remark?: string;
}

/** What `JSON.stringify(program)` has. */
export interface ListedProgram {
  readonly calls: readonly ListedCall[];
}

/** What `JSON.stringify(plan)` has. */
export interface ListedPlan extends ListedProgram {
  readonly command: string;
  readonly args: readonly string[];
  /** What is not done, and why. */
  readonly notes: readonly string[];
}
