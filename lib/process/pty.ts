// Our end of a child's terminal, as a Duplex.
import { readSync, writeSync } from 'node:fs';
import type * as TTY from 'node:tty';
import { Duplex } from 'node:stream';

import { addon } from '../addon';
import { tty } from '../builtin';
import { integer } from '../check';
import { SyscallError } from '../errors/syscall-error';
import type { PtyStream } from '../../types/child';

/** How long to wait when the terminal takes no more, in milliseconds. */
const pause = 5;
const largest = 0xffff;
/** What a terminal gives at once, in bytes. */
const atOnce = 4096;

/** libuv leaves the descriptor of a terminal's other end as it was opened. */
interface Handled {
  readonly _handle: { setBlocking(blocking: boolean): void };
}

export class Pty extends Duplex implements PtyStream {
  readonly #descriptor: number;
  readonly #source: TTY.ReadStream;
  #closed = false;
  /** The program has closed its end; it may still be running, and be killed by the SIGHUP of ours. */
  #hungUp = false;
  #keeper: number;

  /**
   * @param keeper the same terminal once more. A program that closes its stdio just before it exits has hung up as far as we can
   * see, but it must not get the SIGHUP of a terminal that goes away: that comes with the last descriptor of our end.
   */
  constructor(descriptor: number, keeper: number) {
    super({ allowHalfOpen: false });
    this.#descriptor = descriptor;
    this.#keeper = keeper;
    this.#source = new (tty().ReadStream)(descriptor);
    (this.#source as unknown as Handled)._handle.setBlocking(false);
    this.#source.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) this.#source.pause();
    });
    // A terminal whose other end is closed by all answers EIO, see pty(7): that is its end-of-file.
    this.#source.on('error', () => this.#end());
    this.#source.on('end', () => {
      this.#readRest();
      this.#end();
    });
    this.#source.pause();
  }

  /** libuv takes a hang-up for the end, though more may be left than its last read has brought. */
  #readRest(): void {
    try {
      for (;;) {
        const chunk = Buffer.allocUnsafe(atOnce);
        const size = readSync(this.#descriptor, chunk);
        if (size === 0) return;
        this.push(chunk.subarray(0, size));
      }
    } catch {
      // EIO: that was all.
    }
  }

  /** The child has ended: nobody is left to be spared. */
  release(): void {
    if (this.#keeper >= 0) addon().close(this.#keeper);
    this.#keeper = -1;
  }

  #end(): void {
    this.#hungUp = true;
    this.push(null);
    this.#source.destroy();
    this.#closed = true;
  }

  override _read(): void {
    if (!this.#closed) this.#source.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#writeAll(chunk, callback);
  }

  // Not by the stream of node:tty, which would wait, nor in the thread pool: the number may be another file's by then. The
  // descriptor is non-blocking, so this takes what fits.
  #writeAll(chunk: Buffer, callback: (error?: Error | null) => void): void {
    if (this.#closed) return callback(new SyscallError({ code: 'EIO', syscall: 'write', option: 'pty' }));
    let written = 0;
    try {
      while (written < chunk.length) written += writeSync(this.#descriptor, chunk, written);
      callback();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return callback(error as Error);
      setTimeout(() => this.#writeAll(chunk.subarray(written), callback), pause);
    }
  }

  /** Ends the program's input: what Ctrl-D does. */
  override _final(callback: (error?: Error | null) => void): void {
    if (this.#closed) return callback();
    this.#writeAll(Buffer.from([4]), callback);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#closed = true;
    this.#source.destroy();
    if (!this.#hungUp) this.release();
    callback(error);
  }

  resize(columns: number, rows: number): void {
    integer(columns, 'columns argument', 1, largest);
    integer(rows, 'rows argument', 1, largest);
    if (this.#closed) return;
    const result = addon().resizePty(this.#descriptor, columns, rows);
    if (result < 0) throw new SyscallError({ errno: -result, syscall: 'ioctl', option: 'pty' });
  }
}
