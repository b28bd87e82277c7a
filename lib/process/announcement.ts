// What a child tells its users, and when: nothing before the code after `await clone()` has run once, and its end after its beginning.
import type { AsyncResource } from 'node:async_hooks';
import type { EventEmitter } from 'node:events';

import type { ExitStatus } from '../../types/child';
import { setImmediate } from '../timers';
import type { Channel } from './channel';
import type { Pipes } from './pipes';

export class Announcement {
  readonly #child: EventEmitter;
  readonly #scope: AsyncResource;
  readonly #pipes: Pipes | undefined;
  /** For messages: from 'spawn' on, and what has come before the end is told before it. */
  channel: Channel | undefined;
  #begun = false;
  #status: ExitStatus | undefined;
  #exited: Promise<ExitStatus> | undefined;
  #tellExited: ((status: ExitStatus) => void) | undefined;

  constructor(child: EventEmitter, scope: AsyncResource, pipes: Pipes | undefined) {
    this.#child = child;
    this.#scope = scope;
    this.#pipes = pipes;
  }

  /** How it ended; undefined while it has not. */
  get status(): ExitStatus | undefined {
    return this.#status;
  }

  get exited(): Promise<ExitStatus> {
    return (this.#exited ??= new Promise((resolve) => {
      if (this.#status !== undefined && this.#begun) resolve(this.#status);
      else this.#tellExited = resolve;
    }));
  }

  /** The command has been executed, and the call resolves now. */
  started(): void {
    setImmediate(() => {
      this.#begun = true;
      try {
        this.#child.emit('spawn');
      } finally {
        this.channel?.open();
        if (this.#status !== undefined) this.#end(this.#status);
      }
    });
  }

  /** It never started, and has been given away all the same: its end is told as that of any other. */
  neverStarted(): void {
    this.#begun = true;
  }

  ended(status: ExitStatus): void {
    this.#status = status;
    if (this.#begun) this.#end(status);
  }

  #end(status: ExitStatus): void {
    if (this.channel === undefined) this.#tellEnd(status);
    else this.channel.readRest(() => this.#tellEnd(status));
  }

  #tellEnd(status: ExitStatus): void {
    const { code, signal } = status;
    const tellClose = (): void => void this.#scope.runInAsyncScope(() => this.#child.emit('close', code, signal));
    const close = (): void => (this.channel === undefined ? tellClose() : this.channel.whenClosed(tellClose));
    this.#tellExited?.(status);
    // After the code that waits for the end has run: it may still touch the streams.
    setImmediate(() => {
      if (this.#pipes === undefined) close();
      else this.#pipes.finish(this.#scope, close);
    });
    this.#child.emit('exit', code, signal);
  }
}
