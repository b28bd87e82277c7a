// Our end of a child's terminal, as a Duplex.
import type { AsyncResource } from 'node:async_hooks';

import { addon } from '../addon';
import { integer } from '../check';
import { asCall } from '../errors/caller';
import { SyscallError } from '../errors/syscall-error';
import { errnoByName } from '../kernel/errno';
import { setTimeout } from '../timers';
import type { PtyStream } from '../../types/child';
import { Output } from './output';
import { type Source, terminalReader } from './source';

/** How long to wait when the terminal takes no more, in milliseconds. */
const pause = 5;
const largest = 0xffff;
/** What a terminal gives at once, in bytes. */
const atOnce = 4096;

/** All that a terminal holds. Its descriptor is non-blocking. */
export function readRest(descriptor: number): Buffer[] {
  const chunks: Buffer[] = [];
  for (;;) {
    const chunk = Buffer.allocUnsafe(atOnce);
    const size = addon().read(descriptor, chunk);
    // EIO where its other end is closed by all, EAGAIN where it is not: that was all.
    if (size <= 0) return chunks;
    chunks.push(chunk.subarray(0, size));
  }
}

export class Pty extends Output implements PtyStream {
  readonly #descriptor: number;
  readonly #source: Source | undefined;
  #closed = false;
  /** The program has closed its end; it may still be running, and be killed by the SIGHUP of ours. */
  #hungUp = false;
  #keeper: number;

  /**
   * @param descriptor -1 where it is closed already, and `rest` is what was read from it
   * @param keeper the same terminal once more. A program that closes its stdio just before it exits has hung up as far as we can
   * see, but it must not get the SIGHUP of a terminal that goes away: that comes with the last descriptor of our end.
   */
  constructor(scope: AsyncResource, descriptor: number, keeper: number, rest: readonly Buffer[] = []) {
    const source = descriptor < 0 ? undefined : terminalReader(descriptor, scope);
    super(scope, source, true, rest);
    this.#descriptor = descriptor;
    this.#keeper = keeper;
    this.#source = source;
    this.#closed = source === undefined;
  }

  protected override beforeEnd(): void {
    const source = this.#source;
    // libuv takes a hang-up for the end, though more may be left than its last read has brought. After an error the number may be
    // another file's.
    if (source?.destroyed === false) for (const chunk of readRest(this.#descriptor)) this.push(chunk);
    this.#hungUp = true;
    this.#closed = true;
    source?.destroy();
  }

  /** The child has ended: nobody is left to be spared. */
  override readOn(over: () => void): void {
    this.#release();
    super.readOn(over);
  }

  #release(): void {
    if (this.#keeper >= 0) addon().close(this.#keeper);
    this.#keeper = -1;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#writeAll(chunk, callback);
  }

  // Not by the stream of node:tty, which would wait, nor in the thread pool: the number may be another file's by then. The
  // descriptor is non-blocking, so this takes what fits.
  #writeAll(chunk: Buffer, callback: (error?: Error | null) => void): void {
    if (this.#closed) return callback(new SyscallError({ code: 'EIO', syscall: 'write', option: 'pty' }));
    let written = 0;
    while (written < chunk.length) {
      const size = addon().write(this.#descriptor, chunk, written);
      if (size < 0) return this.#writeLater(-size, chunk.subarray(written), callback);
      written += size;
    }
    callback();
  }

  #writeLater(errno: number, rest: Buffer, callback: (error?: Error | null) => void): void {
    if (errno !== errnoByName['EAGAIN']) return callback(new SyscallError({ errno, syscall: 'write', option: 'pty' }));
    setTimeout(() => this.#writeAll(rest, callback), pause);
  }

  /** Ends the program's input: what Ctrl-D does. */
  override _final(callback: (error?: Error | null) => void): void {
    if (this.#closed) return callback();
    this.#writeAll(Buffer.from([4]), callback);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#closed = true;
    if (!this.#hungUp) this.#release();
    super._destroy(error, callback);
  }

  resize(columns: number, rows: number): void {
    // oxlint-disable-next-line typescript/unbound-method -- only named
    asCall(this.resize, () => this.#resize(columns, rows));
  }

  #resize(columns: number, rows: number): void {
    integer(columns, 'columns argument', 1, largest);
    integer(rows, 'rows argument', 1, largest);
    if (this.#closed) return;
    const result = addon().resizePty(this.#descriptor, columns, rows);
    if (result < 0) throw new SyscallError({ errno: -result, syscall: 'ioctl', option: 'pty' });
  }
}
