// Our own environment.
import { addon } from './addon';

let onMainThread: boolean | undefined;
const original = process.env;

/**
 * Whether `process.env` is the environment of the process, which the addon can copy: in a Worker it is an object of its own, and
 * anybody may have put another object into its place.
 */
export function isOfProcess(): boolean {
  // Reading `process.env` costs half a microsecond a variable.
  return process.env === original && (onMainThread ??= addon().isMainThread() === 1);
}

/** A copy of it, `NAME=value` each. */
export function ownVariables(): string[] {
  return Object.entries(process.env).map(([name, value]) => `${name}=${value}`);
}
