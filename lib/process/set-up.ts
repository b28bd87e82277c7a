// The time between the clone and the exec: what the stub waits for, and what it is ended for.
import { addon } from '../addon';
import { Mail } from '../native-interface';
import { mailbox } from '../watch';
import type { Birth } from './birth';
import type { Cause } from './ending';

export class SetUp {
  readonly #id: number;
  readonly #birth: Birth<unknown>;
  #cause: Cause | undefined;
  /** What stops that which the stub waited for. */
  #stops: (() => void)[] | undefined;

  constructor(id: number, birth: Birth<unknown>) {
    this.#id = id;
    this.#birth = birth;
  }

  /** What it was ended for; undefined where it was not. */
  get cause(): Cause | undefined {
    return this.#cause;
  }

  /** SIGKILL for all of it. The first cause is the one that is told. */
  end(cause: Cause | undefined): void {
    this.#cause ??= cause;
    addon().end(this.#id);
  }

  /** The stub waits, for something else than start(). */
  serve(): void {
    try {
      const served = this.#birth.serve(mailbox[Mail.Pid]!, (stop) => (this.#stops ??= []).push(stop), this.#id);
      if (served === undefined) addon().go(this.#id, false);
      else
        served.then(
          () => addon().go(this.#id, false),
          (error: Error) => this.end(() => error),
        );
    } catch (error) {
      this.end(() => error as Error);
    }
  }

  /** It is over without an exec; returns why, from the mailbox. */
  failed(): Error {
    for (const stop of this.#stops ?? []) stop();
    const failure = this.#birth.failure(this.#id);
    return this.#cause?.(failure) ?? failure;
  }
}
