// The signals that a child is sent. What we send on our own account is never told by an event: of a child that run() has, nobody hears.
import { addon } from '../addon';
import type { SyscallError } from '../errors/syscall-error';
import { errnoName } from '../kernel/errno-texts';
import type { ExitStatus } from '../../types/child';
import { type Cause, Ending, type EndingOptions, type Mortal, refusedKill, refusedTree } from './ending';
import type { SetUp } from './set-up';

const SIGKILL = 9;

export class Killing implements Mortal {
  /** A signal was sent. */
  killed = false;
  /** It is about to be ended, unless its command runs: what the stub waits for is not done any more. */
  isLooking = false;
  /** Takes why a signal of ours could not be sent to a child that runs on. */
  tellRefused: (error: SyscallError) => void = () => {};

  readonly #id: number;
  readonly #setUp: SetUp;
  readonly #options: EndingOptions | undefined;
  readonly #isRunning: () => boolean;
  #ending: Ending | undefined;

  constructor(id: number, setUp: SetUp, options: EndingOptions | undefined, isRunning: () => boolean) {
    this.#id = id;
    this.#setUp = setUp;
    this.#options = options;
    this.#isRunning = isRunning;
  }

  /** The command has been executed. Where the event loop was busy, that may not have been told yet. */
  get started(): boolean {
    if (this.#isRunning()) return true;
    this.isLooking = true;
    addon().look(this.#id);
    this.isLooking = false;
    return this.#isRunning();
  }

  /** Waits for the signal and the timeout. */
  watch(): void {
    if (this.#options !== undefined) this.#ending = new Ending(this.#options, this);
  }

  get endedBy(): ExitStatus['endedBy'] {
    return this.#ending?.by;
  }

  /** SIGKILL for all of it, before the exec. Signals are blocked until then, so that only this one does anything. */
  endSetUp(cause: Cause | undefined): void {
    this.#setUp.end(cause);
    this.killed = true;
  }

  /** Where we end it: with all that ends together with it. */
  end(signal: number): number {
    if (this.#options?.killTree !== true) return this.signal(signal);
    const result = addon().killTree(this.#id, signal);
    if (result === 0) this.killed = true;
    return result;
  }

  /** Whether its end is told only when it is let go of, or all that ends together with it has been ended. */
  hold(isHeld: boolean): void {
    if (this.#options?.killTree === true) addon().holdTree(this.#id, isHeld);
  }

  /** Sends it through the pidfd. Returns 0, or -errno. */
  signal(signal: number): number {
    const result = addon().kill(this.#id, signal);
    if (result === 0 && signal !== 0) this.killed = true;
    return result;
  }

  refused(error: SyscallError): void {
    this.tellRefused(error);
  }

  /** SIGKILL at once; `option` and `cause` tell what for. */
  kill(option?: string, cause?: Error): void {
    if (!this.started) return this.endSetUp(undefined);
    const result = this.end(SIGKILL);
    if (result < 0 && errnoName(result) !== 'ESRCH') this.refused(refusedKill(result, option, cause));
  }

  /** `killSignal`, and SIGKILL when the grace is over. */
  endGently(): void {
    if (this.#options === undefined || !this.started) return this.kill();
    this.#ending ??= new Ending(this.#options, this);
    this.#ending.endRunning();
  }

  /** The child has ended; `errno` tells why something that was to end with it runs on. */
  done(errno = 0): void {
    this.#ending?.done();
    if (errno !== 0) this.refused(refusedTree(errno));
  }
}
