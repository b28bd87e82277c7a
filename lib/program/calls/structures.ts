// Arguments that are structs of the kernel, from objects.
import { isUint8Array } from 'node:util/types';

import { array, integer, oneOf, plainObject, string } from '../../check';
import { invalidArgType, invalidArgValue } from '../../errors/argument-error';
import { Kind } from '../format';
import { MemoryHandle } from '../handles';
import { type Field, type Struct, structs } from '../structs';
import type { Place } from '../writer';
import { encodeAny } from './memory';
import { checkSignal, data, encodeDescriptor, encodeInteger, isValue, number } from './numbers';
import type { Operand, Sink } from './operand';
import { part } from './option';
import { socketAddress } from './socket-address';

/** A struct of structs.ts, from an object with its fields' names; what is not given is 0. */
export function encodeStruct(sink: Sink, value: unknown, option: string, name: string): Operand {
  const struct: Struct = structs[name]!;
  const given = plainObject(value, option, Object.keys(struct.fields));
  const place = sink.writer.reserve(struct.size);
  for (const [field, what] of Object.entries(given)) {
    encodeField(sink, what, part(option, `.${field}`), struct.fields[field]!, place);
  }
  return data(place, struct.size);
}

function encodeField(sink: Sink, value: unknown, option: string, field: Field, place: Place): void {
  const at = place + field.at;
  const encode = field.kind === 'fd' ? encodeDescriptor : encodeInteger;
  const operand = field.kind === 'limit' && value === 'unlimited' ? number(-1) : encode(sink, value, option);
  const width = field.size === 8 ? 8 : 4;
  if (operand.kind !== Kind.Number) sink.store(operand, at, width);
  else if (width === 8) sink.writer.setInt64(at, Number(operand.value));
  else sink.writer.setInt32(at, Number(operand.value));
}

export function encodeSocketAddress(sink: Sink, value: unknown, option: string): Operand {
  const bytes = socketAddress(value, option);
  return data(sink.writer.addBytes(bytes), bytes.length);
}

/** A set of signals, a bit each. */
export function encodeSignalSet(sink: Sink, value: unknown, option: string): Operand {
  const place = sink.writer.reserve(8);
  let mask = 0n;
  for (const [index, signal] of array(value, option).entries()) {
    const number = checkSignal(signal, part(option, `[${index}]`));
    if (number === 0) throw invalidArgValue(part(option, `[${index}]`), signal, 'must be a signal');
    mask |= 1n << BigInt(number - 1);
  }
  sink.writer.data.writeBigUInt64LE(mask, place);
  return data(place, 8);
}

/** `struct sigaction` as the kernel has it: handler, flags, restorer and mask, 8 bytes each on both architectures. */
export function encodeSignalAction(sink: Sink, value: unknown, option: string): Operand {
  const given = plainObject(value, option, ['handler', 'flags']);
  const handler = oneOf(given.handler, part(option, '.handler'), ['default', 'ignore']);
  const flags = integer(given.flags ?? 0, part(option, '.flags'), -0x80000000, 0xffffffff) >>> 0;
  const place = sink.writer.reserve(32);
  sink.writer.setInt64(place, handler === 'ignore' ? 1 : 0);
  sink.writer.setInt64(place + 8, flags);
  return data(place, 32);
}

/** `struct sock_fprog` around a compiled filter. */
export function encodeFilter(sink: Sink, value: unknown, option: string): Operand {
  if (!isUint8Array(value)) throw invalidArgType(option, 'an instance of Uint8Array', value);
  if (value.length === 0 || value.length % 8 !== 0 || value.length > 4096 * 8) {
    throw invalidArgValue(option, value.length, 'must have 1 to 4096 instructions of 8 bytes');
  }
  const instructions = sink.writer.addBytes(value);
  const place = sink.writer.reserve(16);
  sink.writer.setInt32(place, value.length / 8);
  sink.writer.point(place + 8, instructions);
  return data(place, 16);
}

/** Group ids. Its length is their number. */
export function encodeGroups(sink: Sink, value: unknown, option: string): Operand {
  const ids = array(value, option).map((id, index) => integer(id, part(option, `[${index}]`), 0, 0xfffffffe));
  const place = sink.writer.reserve(ids.length * 4);
  ids.forEach((id, index) => sink.writer.setInt32(place + index * 4, id));
  return data(place, ids.length);
}

/** The argument of a fcntl(2): `struct flock` from an object, or a number. */
export function encodeLock(sink: Sink, value: unknown, option: string): Operand {
  if (typeof value !== 'object' || value === null || isValue(value)) return encodeInteger(sink, value, option);
  const given = plainObject(value, option, ['type', 'whence', 'start', 'len']);
  const place = sink.writer.reserve(32);
  const type = integer(given.type, part(option, '.type'), 0, 2);
  const whence = integer(given.whence ?? 0, part(option, '.whence'), 0, 2);
  sink.writer.setInt32(place, type | (whence << 16));
  sink.writer.setInt64(place + 8, integer(given.start ?? 0, part(option, '.start')));
  sink.writer.setInt64(place + 16, integer(given.len ?? 0, part(option, '.len')));
  return data(place, 32);
}

/** A mask of CPUs. */
export function encodeCpus(sink: Sink, value: unknown, option: string): Operand {
  const size = 128;
  const place = sink.writer.reserve(size);
  for (const [index, given] of array(value, option).entries()) {
    const cpu = integer(given, part(option, `[${index}]`), 0, size * 8 - 1);
    sink.writer.data[place + (cpu >> 3)]! |= 1 << (cpu & 7);
  }
  return data(place, size);
}

/** `struct __user_cap_header_struct`: version 3, the caller. */
export function encodeCapabilityHeader(sink: Sink): Operand {
  const place = sink.writer.reserve(8);
  sink.writer.setInt32(place, 0x20080522);
  return data(place, 8);
}

/** `struct __user_cap_data_struct[2]`: the three sets interleaved, first their lower 32 bits. */
export function encodeCapabilities(sink: Sink, value: unknown, option: string): Operand {
  const sets = ['effective', 'permitted', 'inheritable'] as const;
  const given = plainObject(value, option, sets);
  const place = sink.writer.reserve(24);
  for (const [set, name] of sets.entries()) {
    for (const [index, capability] of array(given[name] ?? [], part(option, `.${name}`)).entries()) {
      const bit = integer(capability, part(option, `.${name}[${index}]`), 0, 63);
      sink.writer.data[place + (bit >= 32 ? 12 : 0) + set * 4 + ((bit & 31) >> 3)]! |= 1 << (bit & 7);
    }
  }
  return data(place, 24);
}

/** The argument of an ioctl(2): `struct ifreq` from an object, or a number, bytes, or a buffer. */
export function encodeInterfaceRequest(sink: Sink, value: unknown, option: string): Operand {
  // What the kernel writes back must not run over what follows: _IOC_SIZE has 14 bits, the old requests need less than
  // 256.
  if (isUint8Array(value)) {
    const place = sink.writer.reserve(Math.max(value.length, 256));
    sink.writer.data.set(value, place);
    return data(place, value.length);
  }
  if (typeof value !== 'object' || value === null || isValue(value) || value instanceof MemoryHandle) {
    return encodeAny(sink, value, option);
  }
  const given = plainObject(value, option, ['name', 'flags', 'value', 'address']);
  if (Object.keys(given).length > 2)
    throw invalidArgValue(option, value, "must have only one of 'flags', 'value' and 'address'");
  const name = string(given.name, part(option, '.name'), { maxBytes: 15 });
  const place = sink.writer.reserve(40);
  const { writer } = sink;
  writer.data.write(name, place);
  if (given.address !== undefined)
    writer.data.set(socketAddress(given.address, part(option, '.address')).subarray(0, 16), place + 16);
  // `ifr_flags` is a short, the others are an int: little-endian, the same place.
  const number = given.flags ?? given.value ?? 0;
  if (given.address === undefined) writer.setInt32(place + 16, integer(number, option, -0x80000000, 0x7fffffff));
  return data(place, 40);
}
