// A stream over a non-blocking descriptor that the watch tells of, for runtimes whose net.Socket takes none: what Output and the
// pipes need of a net.Socket, and no more.
import type { AsyncResource } from 'node:async_hooks';
import { Duplex, type DuplexOptions } from 'node:stream';

import { addon } from '../addon';
import { SyscallError } from '../errors/syscall-error';
import { errnoByName } from '../kernel/errno';
import { awaitDescriptor, forgetDescriptor } from '../watch';

const EAGAIN = errnoByName['EAGAIN']!;

/** Read at once, in bytes: what a pipe holds. */
const atOnce = 65_536;

export interface Ways {
  readonly readable: boolean;
  readonly writable: boolean;
}

export interface Referable {
  ref(): unknown;
  unref(): unknown;
}

/** What is left of a write that the descriptor would not take. */
interface Pending {
  readonly chunk: Uint8Array;
  offset: number;
  readonly callback: (error?: Error | null) => void;
}

class DescriptorStream extends Duplex {
  /** As of a net.Socket, for whoever hands it on as the `stdio` of a child. */
  readonly _handle: { readonly fd: number; reading: boolean; readStop(): void } | null;

  readonly #scope: AsyncResource;
  readonly #both: boolean;
  #descriptor: number;
  #wantsToRead = false;
  #pending: Pending | undefined;
  #isRef = true;
  /** A wake-up is being heard: at its end is said what is to be told next. */
  #isHearing = false;
  /** Where there is room for the next read. */
  #buffer: Buffer | undefined;

  /** @param scope which all that comes of a wake-up is told in */
  constructor(descriptor: number, scope: AsyncResource, { readable, writable }: Ways) {
    super({ readable, writable, allowHalfOpen: true } as DuplexOptions);
    this.#scope = scope;
    this.#both = readable && writable;
    this.#descriptor = descriptor;
    this._handle = { fd: descriptor, reading: true, readStop: () => this.#readStop() };
    if (descriptor >= 0) addon().setNonBlocking(descriptor);
  }

  hearReady(): void {
    this.#isHearing = true;
    try {
      this.#scope.runInAsyncScope(() => this.#hear());
    } finally {
      this.#isHearing = false;
      this.#await();
    }
  }

  #hear(): void {
    if (this.#pending !== undefined) this.#writeOn(this.#pending);
    if (this.#wantsToRead) this.#readOn();
  }

  #readStop(): void {
    this.#wantsToRead = false;
    this.#await();
  }

  /** Says what is to be told next; nothing where nobody waits. */
  #await(): void {
    if (this.#descriptor < 0 || this.#isHearing) return;
    const result = awaitDescriptor(this.#descriptor, this, {
      reads: this.#wantsToRead,
      writes: this.#pending !== undefined,
      ref: this.#isRef,
    });
    if (result < 0) this.destroy(new SyscallError({ errno: -result, syscall: 'epoll_ctl' }));
  }

  override _read(): void {
    if (this.#wantsToRead) return;
    this.#wantsToRead = true;
    this.#await();
  }

  /** Once a wake-up: whoever awaits a chunk goes on before the next one comes, and may not want it. */
  #readOn(): void {
    const buffer = (this.#buffer ??= Buffer.allocUnsafeSlow(atOnce));
    const size = addon().read(this.#descriptor, buffer);
    if (size < 0) return this.#readFailed(size);
    this.#wantsToRead = false;
    if (size === 0) return void this.push(null);
    // A small piece is copied out: it would keep all of the buffer.
    const isLarge = size > atOnce / 2;
    if (isLarge) this.#buffer = undefined;
    const chunk = buffer.subarray(0, size);
    // It calls _read() where there is room for more.
    if (this.push(isLarge ? chunk : Buffer.from(chunk))) this.#wantsToRead = true;
  }

  #readFailed(result: number): void {
    if (result === -EAGAIN) return;
    this.#wantsToRead = false;
    this.destroy(new SyscallError({ errno: -result, syscall: 'read' }));
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#writeOn({ chunk, offset: 0, callback });
    if (this.#pending !== undefined) this.#await();
  }

  #writeOn(pending: Pending): void {
    const { chunk, callback } = pending;
    this.#pending = undefined;
    while (pending.offset < chunk.length) {
      const written = addon().write(this.#descriptor, chunk, pending.offset);
      if (written >= 0) {
        pending.offset += written;
        continue;
      }
      if (written !== -EAGAIN) return callback(new SyscallError({ errno: -written, syscall: 'write' }));
      this.#pending = pending;
      return;
    }
    callback();
  }

  override _final(callback: (error?: Error | null) => void): void {
    // What can only be written to is closed next.
    if (this.#both && this.#descriptor >= 0) addon().shutdown(this.#descriptor);
    callback();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const pending = this.#pending;
    const descriptor = this.#descriptor;
    this.#pending = undefined;
    this.#wantsToRead = false;
    this.#descriptor = -1;
    if (descriptor >= 0) {
      forgetDescriptor(descriptor);
      addon().close(descriptor);
    }
    pending?.callback(error ?? new SyscallError({ code: 'ECANCELED', syscall: 'write' }));
    callback(error);
  }

  ref(): this {
    this.#isRef = true;
    this.#await();
    return this;
  }

  unref(): this {
    this.#isRef = false;
    this.#await();
    return this;
  }
}

/** A stream over a descriptor, which becomes the stream's to close; -1 for none. */
export function streamOverDescriptor(...args: ConstructorParameters<typeof DescriptorStream>): Duplex & Referable {
  return new DescriptorStream(...args);
}
