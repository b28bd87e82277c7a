// What a command of `nsclone` is.
import type { ParseArgsConfig } from 'node:util';

/** Where a command writes to. */
export interface Output {
  write(text: string): void;
  /** Whether a person reads it who sees colours. */
  readonly hasColours: boolean;
}

/** The options as parseArgs() of node:util has them. */
export type Values = Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>;

interface Named {
  /** One line of the help. */
  readonly summary: string;
}

/** A command that reads its own arguments, and writes by itself. */
export interface RawCommand extends Named {
  /** @returns the exit code */
  run(argv: readonly string[], name: string): Promise<number>;
}

export interface Command extends Named {
  /** All of its own help. */
  readonly help: string;
  /** As parseArgs() of node:util takes them, beside --help. */
  readonly options: NonNullable<ParseArgsConfig['options']>;
  readonly allowPositionals: boolean;
  /** @returns the exit code */
  run(values: Values, positionals: readonly string[], output: Output): Promise<number>;
}
