// Whether processes live, sleep, or have ended, as /proc has it.
import { readFileSync } from 'node:fs';

import { slow } from './slow';

/** The letter of proc_pid_stat(5); undefined where there is none of that number. */
function stateOf(pid: number): string | undefined {
  try {
    return /^State:\t(\w)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1];
  } catch {
    return undefined;
  }
}

/** A zombie is dead. */
export const isAlive = (pid: number): boolean => !['Z', 'X', undefined].includes(stateOf(pid));
export const isAsleep = (pid: number): boolean => stateOf(pid) === 'S';
export const isZombie = (pid: number): boolean => stateOf(pid) === 'Z';

/** Holds the event loop until a child has ended, of which nobody here has heard then. */
export function untilZombie(pid: number): void {
  for (const end = performance.now() + slow(10_000); !isZombie(pid);)
    if (performance.now() > end) throw new Error(`waited in vain for the end of ${pid}`);
}

/** SIGKILL for those that still live. */
export function endAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
}
