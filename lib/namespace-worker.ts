// NamespaceWorker: a Worker whose thread is in other namespaces.
import type { Worker as NodeWorker } from 'node:worker_threads';

import type { NamespaceWorkerOptions } from '../types/worker';
import { workerThreads } from './builtin';
import { type Note, ofCall } from './errors/caller';
import { type Entry, prepareWorker } from './threads/worker';

/** In the place of Node's class until the first Worker: to load that would cost every import of the package 1.5 ms. */
const Worker = class {} as unknown as typeof NodeWorker;

const entries = new WeakMap<object, Entry>();

/**
 * A Worker of `node:worker_threads` whose thread is in other namespaces before its module is loaded: servers that it listens with,
 * and connections that it makes, are of its network. What is not done on its thread is not in there: `node:fs` without `Sync`,
 * `dns.lookup()`. Nobody else moves.
 *
 * Where a namespace is refused, its module does not run, and 'error' has a SyscallError.
 */
export class NamespaceWorker extends Worker {
  /**
   * @param filename as for a Worker: a path, a `file:` or `data:` URL, or source text with `eval`
   * @throws ArgumentError, SyscallError of a namespace that cannot be opened
   */
  constructor(filename: string | URL, options?: NamespaceWorkerOptions) {
    const entry = prepare(filename, options);
    try {
      super(entry.text, entry.options);
    } catch (error) {
      entry.close();
      throw error;
    }
    entries.set(this, entry);
  }

  /** As of every EventEmitter; what its thread was refused becomes the error that it is. */
  override emit(event: string | symbol, ...args: unknown[]): boolean {
    const entry = entries.get(this);
    if (event === 'exit') entry?.close();
    if (event === 'error' && entry !== undefined) args[0] = entry.translate(args[0]);
    return super.emit(event, ...args);
  }
}

function prepare(filename: unknown, options: unknown): Entry {
  const note: Note = {};
  Error.captureStackTrace(note, NamespaceWorker);
  try {
    const entry = prepareWorker(filename, options, note, prepare);
    extend(NamespaceWorker, workerThreads().Worker);
    return entry;
  } catch (error) {
    throw ofCall(error, NamespaceWorker as never);
  }
}

function extend(own: typeof NodeWorker, base: typeof NodeWorker): void {
  if (Object.getPrototypeOf(own) === base) return;
  Object.setPrototypeOf(own, base);
  Object.setPrototypeOf(own.prototype, base.prototype);
}
