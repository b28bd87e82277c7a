// What the first clone would otherwise do while it holds the event loop: loading the addon, and compiling the functions that
// write a program. Opens no descriptor and starts nothing.
import { addon } from './addon';
import { rehearse } from './process/start';

/** Called at import. What fails here fails again, and is told, when it is needed. */
export function warm(): void {
  if (process.platform !== 'linux') return;
  try {
    addon();
    rehearse();
  } catch {
    // Told by the first call.
  }
}
