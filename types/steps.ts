// Lines of the caller's own in the set-up of a command.
import type { Recorder, Returned } from './record';

/**
 * When a line runs. All of them run in the command's own process, which is not a thread of Node's and does not share its memory.
 * - `'start'`: first of all, with our namespaces, root, ids and capabilities; `stdio` is in place.
 * - `'namespaces'`: in the new and the joined namespaces, which are configured; no mount has been made yet.
 * - `'mounts'`: all mounts are made, below the new root (which the line cannot see as such) or in place; the old root is still there.
 * - `'root'`: in the new root.
 * - `'exec'`: all is set up but the filters: as the final user, with the final capabilities, in `cwd`.
 * - `'filtered'`: after the filters, right before the exec.
 *
 * With `init` the first four run in what becomes pid 1, the last two in the program.
 */
export type StepPlace = 'start' | 'namespaces' | 'mounts' | 'root' | 'exec' | 'filtered';

/** A line of system calls of your own that becomes part of the set-up, see the guide "Lines of your own". */
export interface Step {
  /** When it runs; of several with the same place, in the given order. */
  readonly at: StepPlace;
  /**
   * Records the line, as the callback of `record()` does: it is called once, now, and must not be async. What a call returned is an
   * argument of later calls of the same line. A call that fails fails the start: `clone()` rejects with `step` 'steps at exec',
   * `option` 'steps[0]', the call, and where it was recorded. Nothing is brought back.
   *
   * Descriptors are numbers of this process; 0, 1 and 2 are those of the child. At 'exec' and 'filtered' all others are closed, unless
   * `closeFds` is false. To `c.syscall()` and the like hand `{ fd }`, so that it is known to be one.
   */
  readonly run: (c: Recorder) => Returned | void;
}
