// Ends a child from here: by its AbortSignal, or when its time is over.
import { AbortError } from '../errors/abort-error';
import { SyscallError } from '../errors/syscall-error';
import type { ExitStatus } from '../../types/child';

/** What `signal`, `timeout`, `killSignal` and `killGrace` come to. */
export interface EndingOptions {
  readonly signal: AbortSignal | undefined;
  /** Milliseconds; 0 for none. */
  readonly timeout: number | undefined;
  readonly killSignal: number;
  /** Milliseconds. */
  readonly killGrace: number;
  /** Why set-up may be late, as the host shows it. */
  readonly whyLate?: () => string | undefined;
}

/** What a set-up that was ended rejects with, from the failure that it looks like. */
export type Cause = (failure: SyscallError) => Error;

/** The child, as far as it can be ended. */
export interface Mortal {
  /** Whether the command has been executed. */
  readonly started: boolean;
  /** SIGKILL for all of it, before the exec; what the call then rejects with. */
  endSetUp(cause: Cause): void;
  signal(signal: number): void;
}

const SIGKILL = 9;

/** Whoever waits for an AbortSignal. */
export interface Abortable {
  abort(signal: AbortSignal): void;
}

/** All who wait for one signal, with its one listener: many of them would make Node warn. */
class Watched {
  readonly endings = new Set<Abortable>();
  readonly #signal: AbortSignal;
  readonly #listener = (): void => {
    for (const ending of this.endings) ending.abort(this.#signal);
  };

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', this.#listener);
  }

  stop(): void {
    this.#signal.removeEventListener('abort', this.#listener);
  }
}

const watched = new WeakMap<AbortSignal, Watched>();

export function watch(signal: AbortSignal, ending: Abortable): void {
  let found = watched.get(signal);
  if (found === undefined) watched.set(signal, (found = new Watched(signal)));
  found.endings.add(ending);
}

/** The last one takes the listener with it: a signal may live as long as Node. */
export function unwatch(signal: AbortSignal, ending: Abortable): void {
  const found = watched.get(signal);
  if (found?.endings.delete(ending) !== true || found.endings.size > 0) return;
  found.stop();
  watched.delete(signal);
}

export class Ending {
  /** What ended it; undefined while nothing has. */
  by: ExitStatus['endedBy'];

  readonly #options: EndingOptions;
  readonly #child: Mortal;
  readonly #timer: NodeJS.Timeout | undefined;
  #grace: NodeJS.Timeout | undefined;

  constructor(options: EndingOptions, child: Mortal) {
    this.#options = options;
    this.#child = child;
    const { signal, timeout } = options;
    if (signal !== undefined) watch(signal, this);
    // The child keeps the event loop alive, or has been told not to.
    // 0 is none, as in child_process.
    if (timeout !== undefined && timeout > 0) this.#timer = setTimeout(() => this.#timeOut(timeout), timeout).unref();
  }

  abort(signal: AbortSignal): void {
    this.#end('abort', () => new AbortError(signal.reason));
  }

  #timeOut(timeout: number): void {
    this.#end('timeout', ({ step, syscall }) => {
      const reached = step === undefined ? '' : `; it was in step ${step}`;
      const reason = `set-up was not done within ${timeout} ms${reached}`;
      return new SyscallError({
        code: 'ETIMEDOUT',
        option: 'timeout',
        reason,
        step,
        syscall,
        hint: this.#options.whyLate?.(),
      });
    });
  }

  #end(by: 'abort' | 'timeout', cause: Cause): void {
    if (this.by !== undefined) return;
    this.by = by;
    if (!this.#child.started) return this.#child.endSetUp(cause);
    this.endRunning();
  }

  /** The polite signal, and SIGKILL when the grace is over. */
  endRunning(): void {
    const { killSignal, killGrace } = this.#options;
    this.#child.signal(killSignal);
    if (killSignal !== SIGKILL) this.#grace ??= setTimeout(() => this.#child.signal(SIGKILL), killGrace).unref();
  }

  /** The child has ended. */
  done(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#grace);
    const { signal } = this.#options;
    if (signal !== undefined) unwatch(signal, this);
  }
}
