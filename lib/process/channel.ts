// The channel of fork(): messages to and from a child, of which nothing is believed.
//
// It reads and writes its socket by itself: a stream would take what has not been read yet with it when a write fails, and what a
// child has sent before its end is told.
import { AsyncResource } from 'node:async_hooks';
import type { EventEmitter } from 'node:events';

import { addon } from '../addon';
import { plainObject } from '../check';
import { invalidArgType, refusedOption } from '../errors/argument-error';
import { SyscallError } from '../errors/syscall-error';
import { errnoByName } from '../kernel/errno';
import { nextTick } from '../timers';
import { awaitDescriptor, forgetDescriptor, type Reader } from '../watch';
import type { Codec } from './messages';

const EAGAIN = errnoByName['EAGAIN']!;
/** Of a socket whose other end was closed with something of ours unread in it; all that was written has been read by then. */
const ECONNRESET = errnoByName['ECONNRESET']!;

/** Read at once, in bytes, for all channels: what is left of it is copied. */
const buffer = Buffer.allocUnsafeSlow(65_536);

/** More than this is waiting to be written: send() says false, as that of child_process. */
const muchToWrite = 131_072;

/** In bytes as they were read, what is kept while nobody listens for 'message'; then nothing more is read. */
const mostKept = 1024 * 1024;
/** What a message costs at least. */
const leastCost = 128;

/** How often is read after the child's end before that is told: more than a socket holds, and not for ever. */
const mostReadsAtEnd = 16;

/** What the child's Node is answered that sends a handle: it is told there, and goes on with its next message. */
const refusal = { cmd: 'NODE_HANDLE_NACK' };

type Callback = (error: Error | null) => void;

/** The child, as far as a channel is seen from outside. */
interface Owner extends EventEmitter {
  connected: boolean;
  channel?: object | null | undefined;
}

/** What is on its way to the child. */
interface Outgoing {
  readonly bytes: Buffer;
  written: number;
  /** In the async context of the send(). */
  callback: Callback | undefined;
}

interface Kept {
  readonly message: unknown;
  readonly cost: number;
}

/** A message between the two ends, which no user of either sees. */
function isInternal(message: unknown): message is { cmd: string } {
  const cmd = (message as { cmd?: unknown } | null)?.cmd;
  return typeof message === 'object' && typeof cmd === 'string' && cmd.length > 5 && cmd.startsWith('NODE_');
}

/** Closed when the other end is, by `disconnect()`, or by a child that breaks the rules. */
export class Channel implements Reader {
  readonly #owner: Owner;
  readonly #scope: AsyncResource;
  readonly #codec: Codec;
  #descriptor: number;
  /** Messages are told: the code after the call has run. */
  #isOpen = false;
  #isRef = true;
  /** The other end is closed, or is not listened to any more. */
  #atEnd = false;
  /** The child has ended: what nobody listens for is read, and what is too much of it is lost. */
  #childEnded = false;
  /** So much has been lost: what comes later is, too. */
  #isLosing = false;
  #outgoing: Outgoing[] = [];
  #waiting = 0;
  /** The last {@link refusal} that is on its way. */
  #refusal: Outgoing | undefined;
  #kept: Kept[] = [];
  #costOfKept = 0;
  readonly #whenClosed: (() => void)[] = [];

  constructor(owner: Owner, scope: AsyncResource, descriptor: number, codec: Codec) {
    this.#owner = owner;
    this.#scope = scope;
    this.#codec = codec;
    this.#descriptor = descriptor;
    addon().setNonBlocking(descriptor);
    owner.connected = true;
    owner.channel = { ref: () => this.#setRef(true), unref: () => this.#setRef(false) };
    owner.on('newListener', (name) => {
      if (name === 'message') nextTick(this.#tellKept);
    });
  }

  #setRef(isRef: boolean): void {
    this.#isRef = isRef;
    this.#await();
  }

  /** From now on messages are told. */
  open(): void {
    this.#isOpen = true;
    this.#goOn();
  }

  /** The child has ended: reads what it has sent before that, and calls back when this has been told. */
  readRest(told: () => void): void {
    this.#isOpen = this.#childEnded = true;
    for (let count = 0; count < mostReadsAtEnd && this.#read(); count++);
    this.#goOn();
    nextTick(told);
  }

  whenClosed(callback: () => void): void {
    if (this.#descriptor < 0) callback();
    else this.#whenClosed.push(callback);
  }

  // ---- to the child

  /** @throws ArgumentError for what is no message, and what `encode()` throws */
  send(message?: unknown, handle?: unknown, options?: unknown, callback?: unknown): boolean {
    if (typeof handle === 'function') return this.send(message, undefined, undefined, handle);
    if (typeof options === 'function') return this.send(message, handle, undefined, options);
    checkMessage(message);
    refuseHandle(handle, options);
    const told = typeof callback === 'function' ? (callback as Callback) : undefined;
    this.#write(this.#codec.encode(message), told);
    return this.#waiting < muchToWrite;
  }

  #write(bytes: Buffer, callback: Callback | undefined): void {
    const outgoing: Outgoing = { bytes, written: 0, callback };
    this.#waiting += bytes.length;
    const result = this.#outgoing.length > 0 ? -EAGAIN : this.#writeOn(outgoing);
    if (result === -EAGAIN) {
      if (callback !== undefined) outgoing.callback = AsyncResource.bind(callback);
      this.#outgoing.push(outgoing);
      this.#await();
    } else if (result === 0) {
      if (callback !== undefined) nextTick(callback, null);
    } else {
      this.#waiting = 0;
      const error = new SyscallError({ errno: -result, syscall: 'write' });
      if (callback !== undefined) nextTick(callback, error);
      else nextTick(() => this.complain(error));
    }
  }

  /** @returns 0 when all of it is written, else -errno */
  #writeOn(outgoing: Outgoing): number {
    while (outgoing.written < outgoing.bytes.length) {
      const result = addon().write(this.#descriptor, outgoing.bytes, outgoing.written);
      if (result < 0) return result;
      outgoing.written += result;
      this.#waiting -= result;
    }
    return 0;
  }

  #writeAll(): void {
    for (let first = this.#outgoing[0]; first !== undefined; first = this.#outgoing[0]) {
      const result = this.#writeOn(first);
      if (result === -EAGAIN) return;
      if (result < 0) return this.#giveUpWriting(-result);
      this.#outgoing.shift();
      if (first.callback !== undefined) nextTick(first.callback, null);
    }
  }

  /** Its callback is told; without one nobody is, as in child_process: a child that goes is no error of who speaks to it. */
  #giveUpWriting(errno: number): void {
    for (const { callback } of this.#outgoing)
      if (callback !== undefined) nextTick(callback, new SyscallError({ errno, syscall: 'write' }));
    this.#outgoing = [];
    this.#waiting = 0;
  }

  /** One at a time, as its Node sends handles: whoever sends more of them and reads no answer gets no more. */
  #refuseSentHandle(): void {
    if (this.#refusal !== undefined && this.#outgoing.includes(this.#refusal)) return;
    this.#write(this.#codec.encode(refusal), () => {});
    this.#refusal = this.#outgoing.at(-1);
  }

  /** What has been sent is still written. */
  disconnect(): void {
    this.#leave();
    this.#kept = [];
    this.#costOfKept = 0;
    this.#goOn();
  }

  #leave(): void {
    this.#owner.connected = false;
    this.#owner.channel = null;
  }

  // ---- from the child

  hearReady(): void {
    this.#scope.runInAsyncScope(() => {
      this.#writeAll();
      if (this.#isReading) this.#read();
      this.#goOn();
    });
  }

  get #isReading(): boolean {
    return this.#isOpen && !this.#atEnd && (this.#childEnded || this.#costOfKept <= mostKept);
  }

  /** After anything that changes what is waited for. */
  #goOn(): void {
    // Not before 'spawn'.
    if (this.#isOpen && !this.#owner.connected && this.#outgoing.length === 0) nextTick(this.#close);
    this.#await();
  }

  #await(): void {
    const descriptor = this.#descriptor;
    if (descriptor < 0) return;
    const reads = this.#isReading;
    const writes = this.#outgoing.length > 0;
    if (!reads && !writes) return forgetDescriptor(descriptor);
    const result = awaitDescriptor(descriptor, this, { reads, writes, ref: this.#isRef });
    if (result < 0) this.#end(new SyscallError({ errno: -result, syscall: 'epoll_ctl' }));
  }

  /** @returns whether there may be more */
  #read(): boolean {
    if (this.#atEnd || this.#descriptor < 0) return false;
    const size = addon().read(this.#descriptor, buffer);
    if (size === -EAGAIN) return false;
    if (size === 0 || size === -ECONNRESET) this.#end(undefined);
    else if (size < 0) this.#end(new SyscallError({ errno: -size, syscall: 'read' }));
    else this.#take(buffer.subarray(0, size));
    return !this.#atEnd;
  }

  #take(bytes: Buffer): void {
    // After disconnect() it is read so that a child which waits to be heard goes on to read what was sent to it.
    if (!this.#owner.connected || this.#isLosing) return;
    try {
      this.#codec.decode(bytes, (message, size) => {
        if (!isInternal(message)) nextTick(this.#tell, message, size);
        else if (message.cmd === 'NODE_HANDLE') this.#refuseSentHandle();
      });
    } catch (error) {
      this.#end(error as Error);
    }
  }

  /** The other end has nothing more to say, or broke the rules with this error. */
  #end(error: Error | undefined): void {
    this.#atEnd = true;
    this.#giveUpWriting(errnoByName['EPIPE']!);
    this.#leave();
    if (error !== undefined) nextTick(() => this.complain(error));
    nextTick(this.#close);
  }

  /** An 'error' that nobody listens for would end the whole process, which is not for a child to say. */
  complain(error: Error): void {
    if (this.#owner.listenerCount('error') > 0) this.#emit('error', error);
    else process.emitWarning(error.message, 'ChannelWarning');
  }

  readonly #tell = (message: unknown, size: number): void => {
    if (this.#kept.length === 0 && this.#owner.listenerCount('message') > 0) this.#emit('message', message, undefined);
    else this.#keep({ message, cost: Math.max(size, leastCost) });
  };

  #keep(kept: Kept): void {
    if (this.#isLosing) return;
    this.#kept.push(kept);
    this.#costOfKept += kept.cost;
    this.#isLosing = this.#childEnded && this.#costOfKept > mostKept;
    if (!this.#isReading) this.#await();
  }

  /** One at a time: the listener may have been for one only, or throw. */
  readonly #tellKept = (): void => {
    if (this.#owner.listenerCount('message') === 0) return;
    const first = this.#kept.shift();
    if (first === undefined) return;
    this.#costOfKept -= first.cost;
    try {
      this.#emit('message', first.message, undefined);
    } finally {
      if (this.#kept.length > 0) nextTick(this.#tellKept);
      else this.#await();
    }
  };

  #emit(event: string, ...args: unknown[]): void {
    this.#scope.runInAsyncScope(() => this.#owner.emit(event, ...args));
  }

  readonly #close = (): void => {
    const descriptor = this.#descriptor;
    if (descriptor < 0) return;
    this.#descriptor = -1;
    forgetDescriptor(descriptor);
    addon().close(descriptor);
    try {
      this.#emit('disconnect');
    } finally {
      for (const callback of this.#whenClosed) callback();
    }
  };
}

function checkMessage(message: unknown): void {
  if (message === undefined) {
    const error = new TypeError('The "message" argument must be specified');
    throw Object.assign(error, { code: 'ERR_MISSING_ARGS' });
  }
  if (!['string', 'object', 'number', 'boolean'].includes(typeof message))
    throw invalidArgType('message argument', 'one of type string, object, number, or boolean', message);
}

function refuseHandle(handle: unknown, options: unknown): void {
  if (handle !== undefined && handle !== null) {
    throw refusedOption(
      'sendHandle argument',
      'cannot be sent: the channel of fork() takes no handles. Give the child a descriptor by stdio, or have it listen by itself',
    );
  }
  if (options === undefined) return;
  if (typeof options !== 'object' || options === null)
    throw invalidArgType('options argument', 'of type object', options);
  const { keepOpen } = plainObject(options, 'options argument', ['keepOpen']);
  if (keepOpen === true) throw refusedOption('keepOpen', 'is of a handle, and the channel of fork() takes none');
}

/** Over our end, which becomes the channel's to close. */
export function channelOver(...args: ConstructorParameters<typeof Channel>): Channel {
  return new Channel(...args);
}
