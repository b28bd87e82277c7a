// Messages as bytes, as Node's own end of the channel has them: a line of JSON each, or 4 bytes of length and what v8 serializes.
import type V8 from 'node:v8';

import { v8 } from '../builtin';
import { refusedOption } from '../errors/argument-error';
import { SyscallError } from '../errors/syscall-error';
import { Host, weightOf } from './serialized-bytes';

export type Serialization = 'json' | 'advanced';

/** Called with each message that is whole, and how large it was, in bytes or what takes as much. */
type Each = (message: unknown, size: number) => void;

/** Of one channel: it keeps what of a message has come so far. */
export interface Codec {
  /** @throws what of a message cannot be said */
  encode(message: unknown): Buffer;
  /** Takes what has come. @throws SyscallError EBADMSG, EMSGSIZE */
  decode(bytes: Buffer, each: Each): void;
}

const lineFeed = 10;
/** Of the length before a message. */
const headerSize = 4;

function tooLarge(most: number): SyscallError {
  const hint = `the child has sent a message that counts as more than ${most} bytes, and its channel is closed`;
  return new SyscallError({ code: 'EMSGSIZE', syscall: 'read', option: 'maxMessageSize', hint });
}

function broken(serialization: Serialization, cause: unknown): SyscallError {
  const hint = `the child has sent what is no message in this serialization ('${serialization}'), and its channel is closed`;
  return new SyscallError({ code: 'EBADMSG', syscall: 'read', option: 'serialization', hint, cause });
}

/** Bytes of a message that is not whole, in a buffer that doubles: a sender of single bytes pays for them, not we. */
class Rest {
  #buffer = Buffer.alloc(0);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** All there is, until the next call. */
  add(bytes: Buffer): Buffer {
    if (this.#size === 0) return bytes;
    this.#append(bytes);
    return this.#buffer.subarray(0, this.#size);
  }

  /** What is left of it, from `at` on. */
  keep(all: Buffer, at: number): void {
    const rest = all.subarray(at);
    if (rest.length === 0) {
      this.#buffer = Buffer.alloc(0);
      this.#size = 0;
    } else if (this.#size === 0 || at > 0) {
      const before = this.#buffer;
      this.#size = 0;
      // One that was large is not kept for a few bytes.
      if (before.length > 4 * rest.length) this.#buffer = Buffer.alloc(0);
      this.#append(rest);
    }
  }

  #append(bytes: Buffer): void {
    const size = this.#size + bytes.length;
    if (size > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(2 * size);
      this.#buffer.copy(larger, 0, 0, this.#size);
      this.#buffer = larger;
    }
    bytes.copy(this.#buffer, this.#size);
    this.#size = size;
  }
}

class JSONLines implements Codec {
  readonly #rest = new Rest();
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  encode(message: unknown): Buffer {
    const text = JSON.stringify(message) as string | undefined;
    if (text === undefined) throw refusedOption('message argument', 'is nothing in JSON: its toJSON() says undefined');
    return Buffer.from(`${text}\n`);
  }

  decode(bytes: Buffer, each: Each): void {
    let from = this.#rest.size;
    let at = 0;
    const all = this.#rest.add(bytes);
    for (;;) {
      const end = all.indexOf(lineFeed, from);
      const size = (end < 0 ? all.length : end) - at;
      if (size > this.#most) throw tooLarge(this.#most);
      if (end < 0) break;
      each(this.#parse(all, at, end), size);
      at = from = end + 1;
    }
    this.#rest.keep(all, at);
  }

  #parse(all: Buffer, at: number, end: number): unknown {
    try {
      return JSON.parse(all.toString('utf8', at, end));
    } catch (error) {
      throw broken('json', error);
    }
  }
}

/** What subclasses override and call, see the documentation of node:v8. */
interface Defaults {
  readonly DefaultSerializer: new () => V8.Serializer & { _writeHostObject(object: object): void };
  readonly DefaultDeserializer: new (bytes: Uint8Array) => V8.Deserializer & { _readHostObject(): unknown };
}

function makeClasses() {
  const { DefaultSerializer, DefaultDeserializer } = v8() as unknown as Defaults;
  class Serializer extends DefaultSerializer {
    override _writeHostObject(object: object): void {
      const isView = ArrayBuffer.isView(object);
      this.writeUint32(isView ? Host.View : Host.Other);
      if (isView) super._writeHostObject(object);
      else this.writeValue({ ...object });
    }
  }
  class Deserializer extends DefaultDeserializer {
    override _readHostObject(): unknown {
      const kind = this.readUint32();
      if (kind === Host.View) return super._readHostObject();
      if (kind === Host.Other) return this.readValue();
      throw new RangeError(`no object of the host has the number ${kind}`);
    }
  }
  return { Serializer, Deserializer };
}

let classes: ReturnType<typeof makeClasses> | undefined;

class Serialized implements Codec {
  readonly #rest = new Rest();
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
    classes ??= makeClasses();
  }

  encode(message: unknown): Buffer {
    const serializer = new classes!.Serializer();
    serializer.writeRawBytes(Buffer.alloc(headerSize));
    serializer.writeHeader();
    serializer.writeValue(message);
    const bytes = serializer.releaseBuffer();
    bytes.writeUInt32BE(bytes.length - headerSize);
    return bytes;
  }

  decode(bytes: Buffer, each: Each): void {
    let at = 0;
    const all = this.#rest.add(bytes);
    while (all.length - at >= headerSize) {
      const size = all.readUInt32BE(at);
      if (size > this.#most) throw tooLarge(this.#most);
      const begin = at + headerSize;
      if (all.length - begin < size) break;
      at = begin + size;
      this.#parse(all.subarray(begin, at), each);
    }
    this.#rest.keep(all, at);
  }

  #parse(bytes: Buffer, each: Each): void {
    const size = this.#attempt(() => weightOf(bytes));
    if (size > this.#most) throw tooLarge(this.#most);
    const message = this.#attempt(() => {
      // The bytes in a message are views of the memory that it is read from: they get one of their own.
      const deserializer = new classes!.Deserializer(new Uint8Array(bytes));
      deserializer.readHeader();
      return deserializer.readValue() as unknown;
    });
    each(message, size);
  }

  #attempt<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw broken('advanced', error);
    }
  }
}

/** @param most how many bytes a message may have that is read */
export function codecOf(serialization: Serialization, most: number): Codec {
  return serialization === 'json' ? new JSONLines(most) : new Serialized(most);
}
