// A running child, and how it ended.
import type { ChildProcess } from 'node:child_process';
import type { Duplex, Readable, Writable } from 'node:stream';

import type { NamespaceKind } from './flags';
import type { NamespaceHandle } from './namespace';
import type { Signal, SignalName } from './signals';
import type { PtyOption, StderrOf, StdinOf, Stdio, StdoutOf } from './stdio';

/** How a child ended. Both `code` and `signal` are null only where the kernel would not tell. */
export interface ExitStatus {
  /** The exit code, 0 to 255; null where a signal ended it. */
  code: number | null;
  /** The signal that ended it; real-time ones are 'SIGRTMIN', 'SIGRTMIN+1', … */
  signal: SignalName | 'SIG32' | 'SIG33' | null;
  /** What ended it from here: the `signal` or the `timeout` of `clone()`, whose signal was sent while it had not ended. */
  endedBy?: 'abort' | 'timeout';
  /** Whether it left a core file, see core(5). */
  coreDumped: boolean;
  /**
   * What it used, as in `process.resourceUsage()`; undefined where it is not the child's own. Without `maxRSS` where the kernel counts the
   * peak of Node, in whose memory the child is born.
   */
  resourceUsage: Partial<NodeJS.ResourceUsage> | undefined;
}

/** What ChildProcess has above 2. */
type Above = ChildProcess['stdio'][3];

/** Our end of the terminal of a child: what it writes is read here, what is written here is typed into it. */
export interface PtyStream extends Duplex {
  /** Changes the size of its window; the program gets SIGWINCH. */
  resize(columns: number, rows: number): void;
}

/**
 * A child started by `clone()`: all of `ChildProcess`, and what the kernel knows beyond that.
 *
 * What it writes can be read after its end too, whether or not its streams were touched before. From its end on they are read into
 * memory, and where nobody reads, 1 MiB of each is kept: what children of its own write beyond that is lost. 'close' comes when all
 * of them are at their end and whoever listens for 'data' or 'readable' has had all of it; it waits for nobody to come. A terminal
 * that nobody has touched hangs up.
 *
 * Its events, and those of its streams, are told in the async context of the call that started it. 'error' comes only of `kill()` and
 * `send()`: a `timeout`, a `signal` or a disposal that may not end a program which has become somebody else leaves it running.
 *
 * `R` is what a recorded child brings back; the others are the streams that `stdio` and `pty` leave. Of what was started with options
 * that are not known, each stream may be null.
 */
export interface ClonedProcess<
  R = undefined,
  In extends Writable | null = Writable | null,
  Out extends Readable | null = Readable | null,
  Err extends Readable | null = Readable | null,
  Terminal extends PtyStream | null = PtyStream | null,
> extends ChildProcess {
  /** The process id, as we see it. */
  readonly pid: number;
  /** A descriptor of the process, see pidfd_open(2): it never means another one. -1 once it has ended. nsclone closes it. */
  readonly pidfd: number;
  /** Our end of its stdin; null where that is no pipe. */
  readonly stdin: In;
  /** Our end of its stdout; null where that is no pipe. */
  readonly stdout: Out;
  /** Our end of its stderr; null where that is no pipe. */
  readonly stderr: Err;
  /** Our ends of all its descriptors. Those above 2 are duplex sockets. */
  readonly stdio: [In, Out, Err, Above, Above];
  /** Our end of its terminal; null without `pty`. `stdin`, `stdout` and, unless it is a pipe of its own, `stderr` are null with it. */
  readonly pty: Terminal;
  /** How it ended. Never rejects. */
  readonly exited: Promise<ExitStatus>;
  /**
   * Sends a signal through the pidfd, 'SIGTERM' by default; before the exec any signal is SIGKILL. False once it is gone.
   * @throws ArgumentError ERR_UNKNOWN_SIGNAL
   */
  kill(signal?: Signal): boolean;
  /**
   * Lets a child that was started with `hold` go on to its filter and exec. With `hold: { fd }` it writes the byte, where that is a
   * FIFO that is still open and can be written to; when somebody else has started it, there is nothing to start any more.
   * @throws SyscallError for what the kernel refuses of these two; with it `exited` tells how the child ended
   */
  start(): Promise<void>;
  /** Opens one of its namespaces. It must be alive. */
  namespace<K extends NamespaceKind>(kind: K): NamespaceHandle<K>;
  /**
   * `killSignal`, SIGKILL after `killGrace`, with `killTree` for all that the command has started, too; resolves when it is reaped, also
   * where it may not be sent a signal and ends by itself.
   */
  [Symbol.asyncDispose](): Promise<void>;
  /** What a recorded child brought back. */
  readonly results: R;
}

/** Our end of the terminal; null without one, and where it is sent to somebody else. */
export type TerminalOf<P extends PtyOption> = P extends false
  ? null
  : P extends { readonly sendTo: number }
    ? null
    : 'sendTo' extends keyof P
      ? PtyStream | null
      : PtyStream;

/** The child that a command becomes with these `stdio` and `pty`: `ClonedCommand<'inherit'>` has no streams. */
export type ClonedCommand<S extends Stdio = 'pipe', P extends PtyOption = false> = ClonedProcess<
  undefined,
  StdinOf<S, P>,
  StdoutOf<S, P>,
  StderrOf<S, P>,
  TerminalOf<P>
>;
