// Arguments that are memory: strings, bytes, arrays of strings, and buffers that the kernel fills.
import { isUint8Array } from 'node:util/types';

import { array, integer, plainObject, string } from '../../check';
import { invalidArgType, invalidArgValue, outOfRange } from '../../errors/argument-error';
import { Kind } from '../format';
import { MemoryHandle } from '../handles';
import type { Place } from '../writer';
import { data, encodeBigint, encodeDescriptor, encodeInteger, isValue, number } from './numbers';
import type { Operand, Sink } from './operand';
import { part } from './option';

/** The value of a socket option: a number is an `int`. */
export function encodeSocketOption(sink: Sink, value: unknown, option: string): Operand {
  if (typeof value !== 'number') return encodeBytes(sink, value, option);
  const place = sink.writer.reserve(4);
  sink.writer.setInt32(place, integer(value, option, -0x80000000, 0xffffffff));
  return data(place, 4);
}

/** A string, NUL-terminated. Its length is without the NUL. */
export function encodeText(sink: Sink, value: unknown, option: string): Operand {
  const text = string(value, option);
  return data(sink.writer.addText(text), Buffer.byteLength(text));
}

/** Bytes that the kernel reads. */
export function encodeBytes(sink: Sink, value: unknown, option: string): Operand {
  if (value instanceof MemoryHandle) return data(sink.placeOf(value, option), value.size);
  if (typeof value === 'string') return encodeText(sink, value, option);
  if (!isUint8Array(value)) throw invalidArgType(option, 'a string, an instance of Uint8Array or a buffer', value);
  return data(sink.writer.addBytes(value), value.length);
}

/** Memory that the kernel writes: a buffer of this recording, of at least `smallest` bytes. */
export function encodeOut(sink: Sink, value: unknown, option: string, smallest: number): Operand {
  if (!(value instanceof MemoryHandle))
    throw invalidArgType(option, 'a buffer of this recording, see c.buffer()', value);
  const place = sink.placeOf(value, option);
  if (value.size < smallest) throw outOfRange(option, `a buffer of at least ${smallest} bytes`, value.size);
  return data(place, value.size);
}

function encodeStrings(sink: Sink, texts: readonly string[]): Operand {
  const { writer } = sink;
  const places = texts.map((text) => writer.addText(text));
  const pointers: Place = writer.reservePointers(places.length);
  places.forEach((place, index) => writer.point(pointers + index * 8, place));
  return data(pointers, texts.length);
}

export function encodeArguments(sink: Sink, value: unknown, option: string): Operand {
  return encodeStrings(
    sink,
    array(value, option).map((text, index) => string(text, part(option, `[${index}]`))),
  );
}

/** The environment: ours where none is given. */
export function encodeEnvironment(sink: Sink, value: unknown, option: string): Operand {
  if (Array.isArray(value)) return encodeArguments(sink, value, option);
  const variables = value === undefined ? { ...process.env } : plainObject(value, option);
  return encodeStrings(
    sink,
    Object.entries(variables).map(([name, text]) => {
      if (name === '' || name.includes('=')) {
        throw invalidArgValue(option, name, "must have names that are not empty and have no '='");
      }
      return `${string(name, option)}=${string(String(text), part(option, `.${name}`))}`;
    }),
  );
}

/** Anything: a number, or the address of a string, of bytes or of a buffer. */
export function encodeAny(sink: Sink, value: unknown, option: string): Operand {
  if (typeof value === 'number' || isValue(value)) return encodeInteger(sink, value, option);
  if (typeof value === 'bigint') return encodeBigint(value, option);
  if (value === null || value === undefined) return number(0);
  if (typeof value === 'string' || isUint8Array(value) || value instanceof MemoryHandle) {
    return encodeBytes(sink, value, option);
  }
  return encodeDescriptor(sink, value, option);
}

/** The address of a word that holds the length of `before`; the kernel writes the true length into it. */
export function encodeLengthWord(sink: Sink, before: Operand): Operand {
  const place = sink.writer.reserve(8);
  sink.writer.setInt32(place, before.length);
  return data(place, 4);
}

/** Two words that the kernel writes descriptors into. */
export function encodePair(sink: Sink): Operand {
  return { kind: Kind.Data, value: sink.writer.reserve(8), length: 8 };
}
