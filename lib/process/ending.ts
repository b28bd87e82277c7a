// Ends a child from here: by its AbortSignal, or when its time is over.
import { AbortError } from '../errors/abort-error';
import type { Hint } from '../errors/hint';
import { SyscallError } from '../errors/syscall-error';
import { errnoName } from '../kernel/errno-texts';
import { clearTimeout, setTimeout } from '../timers';
import type { ExitStatus } from '../../types/child';

/** What `signal`, `timeout`, `killSignal` and `killGrace` come to. */
export interface EndingOptions {
  readonly signal: AbortSignal | undefined;
  /** Milliseconds; 0 for none. */
  readonly timeout: number | undefined;
  readonly killSignal: number;
  /** Milliseconds. */
  readonly killGrace: number;
  /** What it has started ends with it. */
  readonly killTree?: boolean;
  /** Why set-up may be late, as the host shows it. */
  readonly whyLate?: () => Hint | undefined;
}

/** What a set-up that was ended rejects with, from the failure that it looks like. */
export type Cause = (failure: SyscallError) => Error;

/** The child, as far as it can be ended. */
export interface Mortal {
  /** Whether the command has been executed. */
  readonly started: boolean;
  /** SIGKILL for all of it, before the exec; what the call then rejects with. */
  endSetUp(cause: Cause): void;
  /** Sends a signal that is to end it; -errno where it could not be sent, ESRCH for a process that has ended. */
  end(signal: number): number;
  /** It runs on, as it may not be sent a signal. */
  refused(error: SyscallError): void;
}

/** What a signal of ours could not be sent for: where a program has become somebody else by itself, as sudo(8) does, that is EPERM. */
export function refusedKill(result: number, option?: string, cause?: Error): SyscallError {
  const code = errnoName(result);
  const hint = code === 'EPERM' ? 'the program runs on: it has other ids than it was started with' : undefined;
  return new SyscallError({ code, errno: -result, syscall: 'pidfd_send_signal', option, hint, cause });
}

/** Of what has ended together with the command as far as it could be ended. */
export function refusedTree(errno: number): SyscallError {
  const hint = 'what the command has started runs on: it has other ids, or a cgroup above is frozen';
  return new SyscallError({ errno, syscall: 'kill', option: 'killTree', hint });
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
  /** What ended it: its signal was sent while the child had not ended. */
  by: ExitStatus['endedBy'];

  readonly #options: EndingOptions;
  readonly #child: Mortal;
  readonly #timer: NodeJS.Timeout | undefined;
  /** What was to end it. */
  #reason: ExitStatus['endedBy'];
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
      const reached = step === undefined ? 'none of its steps had begun' : `it was in step ${step}`;
      const reason = `set-up was not done within ${timeout} ms; ${reached}`;
      const hint = this.#options.whyLate?.();
      return new SyscallError({ code: 'ETIMEDOUT', option: 'timeout', reason, step, syscall, hint });
    });
  }

  #end(by: 'abort' | 'timeout', cause: Cause): void {
    if (this.#reason !== undefined) return;
    this.#reason = by;
    if (this.#child.started) return this.endRunning();
    this.by = by;
    this.#child.endSetUp(cause);
  }

  /** The polite signal, and SIGKILL when the grace is over. */
  endRunning(): void {
    const { killSignal, killGrace } = this.#options;
    this.#send(killSignal);
    if (killSignal !== SIGKILL) this.#grace ??= setTimeout(() => this.#send(SIGKILL), killGrace).unref();
  }

  #send(signal: number): void {
    const result = this.#child.end(signal);
    if (result === 0) this.by = this.#reason;
    else if (errnoName(result) !== 'ESRCH') {
      this.#child.refused(refusedKill(result, this.#reason === 'abort' ? 'signal' : this.#reason));
    }
  }

  /** The child has ended. */
  done(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#grace);
    const { signal } = this.#options;
    if (signal !== undefined) unwatch(signal, this);
  }
}
