// A running child, and how it ended.
import type { ChildProcess } from 'node:child_process';

/** How a child ended. Both `code` and `signal` are null only where the kernel would not tell. */
export interface ExitStatus {
  /** The exit code, 0 to 255; null where a signal ended it. */
  code: number | null;
  /** The signal that ended it; real-time ones are 'SIGRTMIN', 'SIGRTMIN+1', … */
  signal: string | null;
  /** Whether it left a core file, see core(5). */
  coreDumped: boolean;
  /** What it used, as in `process.resourceUsage()`; undefined where it is not the child's own. */
  resourceUsage: Partial<NodeJS.ResourceUsage> | undefined;
}

/** A child started by `clone()`: all of `ChildProcess`, and what the kernel knows beyond that. */
export interface ClonedProcess<R = undefined> extends ChildProcess {
  /** The process id, as we see it. */
  readonly pid: number;
  /** A descriptor of the process, see pidfd_open(2): it never means another one. -1 once it has ended. Ours to close. */
  readonly pidfd: number;
  /** How it ended. Never rejects. */
  readonly exited: Promise<ExitStatus>;
  /** What a recorded child brought back. */
  readonly results: R;
}
