// What the import and the first turns of the event loop do, so that the first clone has less to do while it holds that.
//
// The import takes from the outside all that is needed: the texts of our files (late-file.ts), the addon, and /proc. In its very next
// line a program may have another root, which is a stranger's. The rest takes longer than all of that: compiling what starts a command,
// and running it without a start. It waits for a turn of the event loop, and is never run where a program ends without one.
import { addon } from './addon';
import { hasStarted, rehearse } from './process/start';
import { isMainRealm } from './realm';
import { setTimeout } from './timers';

/** Called at import. */
export function warm(): void {
  if (process.platform !== 'linux') return;
  attempt(() => void addon().proc(true));
  // Jest takes its realm away when a test file is done, and whatever runs there afterwards is told as a fault of the tests.
  if (!isMainRealm) return attempt(rehearse);
  // One turn each, so that neither holds others up for long: hasStarted() is the first that needs the core. The first turn is left to
  // the program: an ES module is run within one, and a timer fires at the end of that though nothing keeps the event loop alive.
  soon(() => soon(() => hasStarted() || soon(() => hasStarted() || rehearse())));
}

/** What fails here fails again, and is told, when it is needed. */
function attempt(what: () => void): void {
  try {
    what();
  } catch {
    // Told by the first call.
  }
}

/** In a turn of the event loop, where something else keeps that alive. */
function soon(what: () => unknown): void {
  const timer: Partial<NodeJS.Timeout> = setTimeout(attempt, 1, what);
  // Fake ones may have none.
  timer.unref?.();
}
