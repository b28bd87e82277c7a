// perform(): a recorded line on the calling thread.
import type { Program } from './record';
import { ofCall } from './errors/caller';
import { performProgram } from './process/perform-recorded';

/**
 * Runs a recorded line on the **calling thread** of this process, and returns what it brings back: what a process does to itself, such
 * as `prctl(PR_SET_PDEATHSIG)`, record locks, or `setsid()`. No child is made. Nothing else happens on this thread until the line is
 * done.
 *
 * Refused is what would pull the thread, the memory or the process from under Node: an exec or an exit, changes of ids or capabilities
 * (which the kernel makes for one thread), of memory, of signal masks and handlers; and namespaces, roots and working directories,
 * for which there are `unshare()`, `setns()` and `process.chdir()`.
 * @param program what `record()` made
 * @throws ArgumentError for such a call; SyscallError for the call that failed: those before it have been made
 */
export function perform<R>(program: Program<R>): R {
  try {
    return performProgram(program) as R;
  } catch (error) {
    throw ofCall(error, perform);
  }
}
