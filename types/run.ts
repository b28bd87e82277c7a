// What run() takes beside the options of clone(), and what it brings.
import type { Readable } from 'node:stream';

import type { ExitStatus } from './child';
import type { CloneOptions, StartOptions } from './options';

/** How output is told: as a string in one of Buffer's encodings, or for 'buffer' and null as a Buffer. */
export type OutputEncoding = BufferEncoding | 'buffer' | null;

/** Options of `run()`: those of `clone()` but `hold` and `pty`, and how output is collected. */
export interface RunOptions<E extends OutputEncoding = BufferEncoding> extends Omit<CloneOptions, 'hold' | 'pty'> {
  /** What the command reads from its stdin. Default: nothing, it is at its end. */
  input?: string | ArrayBufferView | Readable | undefined;
  /** Of `stdout` and `stderr`; 'buffer' or null for Buffers. Default 'utf8'. */
  encoding?: E | undefined;
  /** The most bytes that stdout, and stderr, may have. Default 1 MiB. */
  maxBuffer?: number | undefined;
}

/** What of a plan may differ from one run to the next, and how output is collected. */
export interface RunStartOptions<E extends OutputEncoding = BufferEncoding>
  extends StartOptions, Pick<RunOptions<E>, 'input' | 'encoding' | 'maxBuffer'> {}

/**
 * How a command ended and what it wrote: strings, or Buffers where `encoding` is 'buffer' or null. `endedBy` is also there
 * where the command has ended by itself, and children of its own held its output open until `signal` or `timeout`.
 */
export interface RunResult<T extends string | Buffer> extends ExitStatus {
  stdout: T;
  stderr: T;
}

/** What `stdout` and `stderr` are in an encoding. */
export type Collected<E extends OutputEncoding> = E extends 'buffer' | null ? Buffer : string;
