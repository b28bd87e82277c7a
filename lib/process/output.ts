// A stream of what a child writes. Once the child has ended it is read on into memory, so that its end waits for no reader.
import type { AsyncResource } from 'node:async_hooks';
import { Duplex, type DuplexOptions } from 'node:stream';

import { SyscallError } from '../errors/syscall-error';
import { nextTick } from '../timers';
import type { Source } from './source';

/** The most that is kept once the child has ended and nobody reads: children of its own may write on for ever. */
const most = 1024 * 1024;

/** What a chunk costs at least, in bytes: a million of one byte each would take hundreds of megabytes. */
const least = 128;

/**
 * What reading says at the end: EIO of a terminal whose other end is closed by all, see pty(7); ECONNRESET of a socket whose other
 * end was closed with something of ours unread in it. All that was written has been read by then.
 */
const ends: readonly unknown[] = ['EIO', 'ECONNRESET'];

export class Output extends Duplex {
  readonly #scope: AsyncResource;
  readonly #source: Source | undefined;
  /** Somebody else reads from the descriptor: another child. */
  #lent = false;
  #atEnd = false;
  #closed = false;
  /** What is kept costs more than its length by so much. */
  #overhead = 0;
  /** Called once, when the child's 'close' need not wait for this any more; undefined while the child lives. */
  #over: (() => void) | undefined;

  /**
   * @param scope of the child, which all events are told in
   * @param source has the descriptor; none where that is closed already
   * @param writable whether it takes what is written, too
   * @param rest what was read before
   */
  constructor(scope: AsyncResource, source: Source | undefined, writable: boolean, rest: readonly Buffer[] = []) {
    super({ writable: writable && source !== undefined, allowHalfOpen: false } as DuplexOptions);
    this.#scope = scope;
    this.#source = source;
    for (const chunk of rest) this.push(chunk);
    if (source === undefined) {
      this.push(null);
      return;
    }
    source.pause();
    source.on('data', (chunk: Buffer) => this.#take(chunk));
    source.on('end', () => this.#finish());
    source.on('error', (error: NodeJS.ErrnoException) => {
      if (!ends.includes(error.code)) return void this.destroy(error);
      // What the source has not handed on yet.
      for (let chunk = source.read() as Buffer | null; chunk !== null; chunk = source.read() as Buffer | null) {
        this.push(chunk);
      }
      this.#finish();
    });
    source.on('close', () => {
      this.#closed = true;
      this.#look();
    });
  }

  // Whoever reads late would be told in the context of his own call.
  override emit(event: string | symbol, ...args: unknown[]): boolean {
    return this.#scope.runInAsyncScope(() => super.emit(event, ...args));
  }

  /** For child_process and our own `stdio`, which know a stream by it: whoever takes it reads by himself from then on. */
  get _handle(): object | null {
    const handle = (this.#source as { _handle?: object | null } | undefined)?._handle ?? null;
    if (handle !== null) this.#lent = true;
    return handle;
  }

  /** For node:http, which takes whatever has a handle for a net.Socket; it would start the timeout of one anew. */
  _unrefTimer(): void {}

  /** The descriptor is at its end: the last moment to read from it. */
  protected beforeEnd(): void {}

  #finish(): void {
    if (this.#atEnd) return;
    this.#atEnd = true;
    this.beforeEnd();
    this.push(null);
    this.#look();
  }

  /** As child_process has it, a reader is whoever listens, though it may pause. */
  #isRead(): boolean {
    return this.readableFlowing === true || this.listenerCount('data') + this.listenerCount('readable') > 0;
  }

  #take(chunk: Buffer): void {
    if (this.#over !== undefined && !this.#isRead()) return this.#keep(chunk);
    if (!this.push(chunk)) this.#source!.pause();
  }

  #keep(chunk: Buffer): void {
    if (this.readableLength === 0) this.#overhead = 0;
    const room = most - this.readableLength - this.#overhead;
    if (room <= 0) return;
    this.#overhead += Math.max(0, least - chunk.length);
    this.push(chunk.length > room ? chunk.subarray(0, room) : chunk);
  }

  /**
   * The child has ended: what is in the pipe is taken in, whether or not somebody reads. `over` is called when it is at its end, and
   * whoever reads has had all of it.
   */
  readOn(over: () => void): void {
    this.#over = over;
    this.on('removeListener', () => this.#look());
    this.#look();
  }

  /** After anything that changes who waits for what. */
  #look(): void {
    const over = this.#over;
    if (over === undefined) return;
    if (this.#atEnd && this.writable) this.end();
    if (!this.#lent && !this.#isRead()) this.#source?.resume();
    const isOver = this.destroyed || this.#lent || (this.#closed && !this.#isRead());
    if (!isOver) return;
    this.#over = () => {};
    over();
  }

  override pause(): this {
    super.pause();
    this.#look();
    return this;
  }

  override _read(): void {
    this.#source?.resume();
  }

  // As a net.Socket has it, whose other end is closed.
  override write(...args: unknown[]): boolean {
    if (!this.#atEnd || !this.writableEnded || this.destroyed) return super.write(...(args as [unknown]));
    const error = new SyscallError({ code: 'EPIPE', syscall: 'write' });
    const callback = args.at(-1);
    if (typeof callback === 'function') nextTick(() => (callback as (error: Error) => void)(error));
    this.destroy(error);
    return false;
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    const source = this.#source;
    if (source?.writable === true) source.write(chunk, encoding, callback);
    else callback(new SyscallError({ code: 'EPIPE', syscall: 'write' }));
  }

  override _final(callback: (error?: Error | null) => void): void {
    if (this.#source?.writable === true) this.#source.end(() => callback());
    else callback();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#source?.destroy();
    callback(error);
    // After its own 'close'.
    nextTick(() => this.#look());
  }

  ref(): this {
    this.#source?.ref();
    return this;
  }

  unref(): this {
    this.#source?.unref();
    return this;
  }
}

/** Makes one. */
export function outputOver(...args: ConstructorParameters<typeof Output>): Output {
  return new Output(...args);
}
