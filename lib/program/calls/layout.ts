// c.memory(): a struct of the caller's own, field by field as C lays it out.
import { isUint8Array } from 'node:util/types';

import { array, integer, plainObject } from '../../check';
import { invalidArgType, invalidArgValue, outOfRange } from '../../errors/argument-error';
import { MemoryHandle } from '../handles';
import type { Place } from '../writer';
import { encodeBytes } from './memory';
import { encodeBigint, isValue } from './numbers';
import type { Sink } from './operand';
import { part } from './option';

const widths = { u8: 1, u16: 2, u32: 4, u64: 8, bytes: 1, pointer: 8 } as const;
type FieldName = keyof typeof widths;

interface Field {
  readonly name: FieldName;
  readonly value: unknown;
  readonly at: number;
  readonly size: number;
  readonly option: string;
}

const largest = 64 * 1024;

function nameOf(value: object, option: string): FieldName {
  const given = plainObject(value, option, [...Object.keys(widths), 'size']);
  const names = (Object.keys(widths) as FieldName[]).filter((name) => Object.hasOwn(given, name));
  if (names.length !== 1)
    throw invalidArgValue(option, value, `must have exactly one of ${Object.keys(widths).join(', ')}`);
  const [name] = names as [FieldName];
  if (given.size !== undefined && name !== 'bytes')
    throw invalidArgValue(option, value, "must have size beside 'bytes' alone");
  return name;
}

/** How many bytes `bytes` take. */
function sizeOf(name: FieldName, given: { bytes?: unknown; size?: unknown }, option: string): number {
  if (name !== 'bytes') return widths[name];
  const { bytes, size } = given;
  if (typeof bytes !== 'string' && !isUint8Array(bytes))
    throw invalidArgType(part(option, '.bytes'), 'a string or an instance of Uint8Array', bytes);
  const own = Buffer.byteLength(bytes);
  if (size === undefined) return own;
  const room = integer(size, part(option, '.size'), 0, largest);
  if (own > room) throw outOfRange(part(option, '.size'), `at least ${own}, which bytes has`, size);
  return room;
}

/** Each at a multiple of its width. */
function layOut(fields: readonly unknown[], option: string): { fields: Field[]; size: number } {
  let at = 0;
  let widest = 1;
  const laid = fields.map((value, index) => {
    const own = part(option, `[${index}]`);
    if (value instanceof MemoryHandle) value = { pointer: value };
    if (typeof value !== 'object' || value === null) throw invalidArgType(own, 'of type object', value);
    const name = nameOf(value, own);
    const width = widths[name];
    const size = sizeOf(name, value, own);
    at = Math.ceil(at / width) * width;
    const field = { name, value: (value as Record<string, unknown>)[name], at, size, option: part(own, `.${name}`) };
    at += size;
    widest = Math.max(widest, width);
    return field;
  });
  return { fields: laid, size: Math.ceil(at / widest) * widest };
}

/** Makes room, and fills it; of what is known later, before the call that is recorded next. */
export function encodeLayout(sink: Sink, value: unknown, option: string): { place: Place; size: number } {
  const { fields, size } = layOut(array(value, option), option);
  if (size === 0) throw invalidArgValue(option, value, 'must have a field');
  if (size > largest) throw outOfRange(option, `at most ${largest} bytes`, size);
  const place = sink.writer.reserve(size);
  for (const field of fields) encodeField(sink, place + field.at, field);
  return { place, size };
}

function encodeField(sink: Sink, place: Place, { name, value, size, option }: Field): void {
  const { writer } = sink;
  if (name === 'bytes') {
    writer.data.set(typeof value === 'string' ? Buffer.from(value) : (value as Uint8Array), place);
  } else if (name === 'pointer') {
    if (value === null) return;
    const { value: target } = encodeBytes(sink, value, option);
    writer.point(place, Number(target));
  } else if (isValue(value)) {
    if (size < 4) throw invalidArgType(option, 'a number: what a call returns has 32 bits or 64', value);
    sink.store(sink.valueOf(value, option), place, size as 4 | 8);
  } else {
    const bits = typeof value === 'bigint' ? encodeBigint(value, option).value : integer(value, option);
    const limit = 2n ** BigInt(size * 8);
    const number = BigInt(bits);
    if (number < -limit / 2n || number >= limit) throw outOfRange(option, `an integer of ${size * 8} bits`, value);
    const unsigned = BigInt.asUintN(size * 8, number);
    for (let byte = 0; byte < size; byte++) writer.data[place + byte] = Number((unsigned >> BigInt(byte * 8)) & 0xffn);
  }
}
