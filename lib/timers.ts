// The timers of Node as they were at the import of this package: fake ones that a test puts in their place later never fire here.
import { clearTimeout as clearOne, setImmediate as setOneImmediate, setTimeout as setOne } from 'node:timers';

export const setTimeout = setOne;
export const clearTimeout = clearOne;
export const setImmediate = setOneImmediate;

export const nextTick = process.nextTick.bind(process);

// The first touch of the global `performance` costs an import a millisecond.
const { hrtime } = process;

/** Milliseconds, of a clock that nobody sets. */
export function now(): number {
  const [seconds, nanoseconds] = hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}
