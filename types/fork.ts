// A Node module as a child, and the messages between it and us.
import type { Serializable } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

import type { ClonedProcess, PtyStream, TerminalOf } from './child';
import type { CloneOptions } from './options';
import type { PtyOption, StderrOf, StdinOf, Stdio, StdioEntry, StdoutOf } from './stdio';

/** All descriptors of a module, from 0 on, exactly one of them 'ipc', the channel; a single word stands for 0 to 2. */
export type ForkStdio = 'pipe' | 'overlapped' | 'inherit' | 'ignore' | readonly (StdioEntry | 'ipc')[];

/** Options of `fork()`: those of `clone()`, and how Node is started and spoken with. */
export interface ForkOptions<
  S extends ForkStdio | undefined = ForkStdio | undefined,
  P extends PtyOption = PtyOption,
  Silent extends boolean = boolean,
> extends Omit<CloneOptions<Stdio, P>, 'stdio'> {
  /** The Node to execute. Default: `process.execPath`. */
  execPath?: string | undefined;
  /** What stands before the module. Default: `process.execArgv`, without a script of the command line (`-e`, `-p`). */
  execArgv?: readonly string[] | undefined;
  /**
   * How messages are told: 'json', or 'advanced', by the structured clone algorithm of `node:v8`, which takes Map, Set, Date, RegExp,
   * BigInt, Buffer, TypedArray, Error and cycles; of the child no resizable ArrayBuffer, and few arrays of mostly empty places. Default
   * 'json'.
   */
  serialization?: 'json' | 'advanced' | undefined;
  /** Pipes for stdio 0 to 2; `stdio` overrides it, as in Node. Default false: they are ours. */
  silent?: Silent | undefined;
  /** What the child's descriptors are; an array has 'ipc' in it once. Default: stdio 0 to 2 are ours, and 3 is the channel. */
  stdio?: S;
  /**
   * The most bytes that a message of the child may have, or counts as: with 'advanced' each Map, Set, error, RegExp, buffer and view
   * counts as 32 more, n numbers as the keys of a Map or Set as n² / 32 (16 MiB: 23,000 of them), and a RegExp as what it takes to be
   * parsed. More closes the channel. Default 16 MiB.
   */
  maxMessageSize?: number | undefined;
}

/** A module started by `fork()`: a {@link ClonedProcess} that messages are sent to, and told of by its event 'message'. */
export interface ForkedProcess<
  In extends Writable | null = Writable | null,
  Out extends Readable | null = Readable | null,
  Err extends Readable | null = Readable | null,
  Terminal extends PtyStream | null = PtyStream | null,
> extends ClonedProcess<undefined, In, Out, Err, Terminal> {
  /**
   * Sends a message. False where the channel is closed, or more than 128 KiB wait to be read: `callback` says when this one has been
   * handed to the kernel. An error is told to `callback`, or by 'error' where there is none; what waits when the child goes, to
   * `callback` alone.
   * @throws ArgumentError for what is no message; what JSON.stringify() or v8 throws for what they cannot say
   */
  send(message: Serializable, callback?: (error: Error | null) => void): boolean;
  /** The same: no handle can be sent. */
  send(message: Serializable, sendHandle?: undefined, callback?: (error: Error | null) => void): boolean;
  /** The same. */
  send(
    message: Serializable,
    sendHandle?: undefined,
    options?: { keepOpen?: false | undefined },
    callback?: (error: Error | null) => void,
  ): boolean;
}

/** What stdio 0 to 2 are where only `silent` says so. */
type Given<S extends ForkStdio | undefined, Silent extends boolean> = S extends ForkStdio
  ? S
  : Silent extends true
    ? 'pipe'
    : 'inherit';

/** The child that a module becomes with these `stdio`, `pty` and `silent`. */
export type ForkedModule<
  S extends ForkStdio | undefined = undefined,
  P extends PtyOption = false,
  Silent extends boolean = false,
> = ForkedProcess<
  StdinOf<Given<S, Silent>, P>,
  StdoutOf<Given<S, Silent>, P>,
  StderrOf<Given<S, Silent>, P>,
  TerminalOf<P>
>;
