// What a child's descriptors are connected to.
import type { Readable, Stream, Writable } from 'node:stream';

/**
 * One descriptor of the child: 'pipe' (a pipe for 0 to 2, a duplex socket above), 'overlapped' (the same), 'socket' (a duplex
 * socket anywhere), 'inherit' (our descriptor of that number), 'ignore' (`/dev/null` for 0 to 2, closed above), a descriptor
 * of ours, or a stream that has one. `null` and `undefined` are 'pipe' for 0 to 2 and 'ignore' above.
 */
export type StdioEntry = 'pipe' | 'overlapped' | 'socket' | 'inherit' | 'ignore' | number | Stream | null | undefined;

/** All descriptors of the child, from 0 on; a single word stands for 0 to 2. */
export type Stdio = 'pipe' | 'overlapped' | 'inherit' | 'ignore' | readonly StdioEntry[];

/** A terminal in the place of stdio 0 to 2. */
export type PtyOption = boolean | PtyOptions;

/** What kind of terminal, see `pty` of `clone()`. */
export interface PtyOptions {
  /** The width of its window, 1 to 65,535. Default 80. */
  readonly columns?: number | undefined;
  /** The height of its window. Default 24. */
  readonly rows?: number | undefined;
  /**
   * 'container': it is one of the devpts on /dev/pts of the final root, so its path exists there (`tty` says /dev/pts/0). Needs `root`,
   * a mount of type 'dev' or 'devpts', or a mount namespace in `join`. With `hold`, `child.pty` is null at stops before 'exec'.
   * Default 'host'.
   */
  readonly from?: 'host' | 'container' | undefined;
  /**
   * A connected Unix stream socket of ours, by its descriptor, that the end of the terminal which is not the program's is sent to: one
   * message with the descriptor (SCM_RIGHTS) and '/dev/ptmx', as the console socket of an OCI runtime has it. It is sent during the
   * set-up; a socket that is full is an error. `child.pty` is then null.
   */
  readonly sendTo?: number | undefined;
  /** 'pipe': stderr is a pipe of its own, `child.stderr`, and not the terminal. */
  readonly stderr?: 'pipe' | undefined;
}

/** What `stdio` of `clone()` or `fork()` may be. */
type AnyStdio = Stdio | readonly (StdioEntry | 'ipc')[];

/** What `stdio` has for a descriptor. Of an array that is no tuple it may be any; what a tuple leaves out is a pipe. */
type EntryAt<S extends AnyStdio, Index extends 0 | 1 | 2> = S extends readonly (StdioEntry | 'ipc')[]
  ? number extends S['length']
    ? S[number]
    : S extends { readonly [At in Index]: infer Entry }
      ? Entry
      : 'pipe'
  : S;

/** The end of ours: a stream for a pipe, null for all else. A union says what it may be. */
type EndOf<Entry, End> = Entry extends 'pipe' | 'overlapped' | 'socket' | null | undefined ? End : null;

/** Our end of descriptor 0, where `stdio` and `pty` are these. */
export type StdinOf<S extends AnyStdio, P extends PtyOption> = P extends false ? EndOf<EntryAt<S, 0>, Writable> : null;
/** Our end of descriptor 1. */
export type StdoutOf<S extends AnyStdio, P extends PtyOption> = P extends false ? EndOf<EntryAt<S, 1>, Readable> : null;
/** Our end of descriptor 2. */
export type StderrOf<S extends AnyStdio, P extends PtyOption> = P extends false
  ? EndOf<EntryAt<S, 2>, Readable>
  : P extends { readonly stderr: 'pipe' }
    ? Readable
    : 'stderr' extends keyof P
      ? Readable | null
      : null;
