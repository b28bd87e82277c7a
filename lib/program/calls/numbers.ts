// Arguments that are numbers: integers, flags, signals, descriptors, or the results of earlier calls.
import { integer } from '../../check';
import { invalidArgType, invalidArgValue, outOfRange, unknownSignal } from '../../errors/argument-error';
import { signalNames, signalNumber } from '../../kernel/signals';
import { Kind } from '../format';
import { MemoryHandle, ResultHandle, WordHandle } from '../handles';
import type { Operand, Sink } from './operand';

export const number = (value: number | bigint, length = 0): Operand => ({ kind: Kind.Number, value, length });
export const data = (place: number, length: number): Operand => ({ kind: Kind.Data, value: place, length });

/** Whether this stands for a number that is known later. */
export function isValue(value: unknown): value is ResultHandle | WordHandle {
  return value instanceof ResultHandle || value instanceof WordHandle;
}

/** An integer of up to 53 bits, or a result. */
export function encodeInteger(sink: Sink, value: unknown, option: string): Operand {
  if (isValue(value)) return sink.valueOf(value, option);
  if (typeof value !== 'number') throw invalidArgType(option, 'a number or the result of a call', value);
  return number(integer(value, option));
}

/** Flags: what `|` made negative is meant as unsigned. */
export function encodeFlags(sink: Sink, value: unknown, option: string): Operand {
  const operand = encodeInteger(sink, value, option);
  if (operand.kind !== Kind.Number || operand.value >= 0) return operand;
  if (operand.value < -0x80000000) throw outOfRange(option, '>= -2147483648', value);
  return number(Number(operand.value) >>> 0);
}

/** A descriptor: a number, a result, or an object that has one. */
export function encodeDescriptor(sink: Sink, value: unknown, option: string): Operand {
  if (isValue(value)) return sink.valueOf(value, option);
  const isGiver = typeof value === 'object' && value !== null && !(value instanceof MemoryHandle);
  const given = isGiver ? descriptorOf(value) : value;
  if (typeof given === 'string') throw invalidArgType(option, 'a descriptor (open the path first, with openat)', value);
  if (typeof given !== 'number')
    throw invalidArgType(option, 'a descriptor, the result of a call, or an object with one', value);
  // Negative ones are AT_FDCWD, and what the kernel refuses itself.
  const descriptor = integer(given, option, -0x80000000, 0x7fffffff);
  if (descriptor >= 0) sink.uses(descriptor, option);
  if (isGiver) sink.holds(value);
  return number(descriptor);
}

export function descriptorOf(value: object): unknown {
  return (value as { fd?: unknown }).fd;
}

/** A signal's name or number, or 0. */
export function checkSignal(value: unknown, option: string): number {
  if (value === 0) return 0;
  if (typeof value !== 'string' && typeof value !== 'number')
    throw invalidArgType(option, "a signal's name or number", value);
  const found = signalNumber(value);
  if (found === undefined) throw unknownSignal(option, value, signalNames());
  return found;
}

/** A 64-bit integer. */
export function encodeBigint(value: bigint, option: string): Operand {
  if (value < -(2n ** 63n) || value >= 2n ** 64n) throw outOfRange(option, 'an integer of 64 bits', value);
  return number(BigInt.asIntN(64, value));
}

/** The length of an argument, where it is given. */
export function encodeLength(sink: Sink, value: unknown, whole: number, memory: unknown, option: string): Operand {
  if (value === undefined || value === null) return number(whole);
  if (!isValue(value)) return number(integer(value, option, 0, whole));
  // Any other result could be longer than the memory is.
  if (!(memory instanceof MemoryHandle) || !sink.isLengthOf(value, memory)) {
    throw invalidArgValue(option, value, 'must be a number, or what a call returned that wrote to this buffer');
  }
  return sink.valueOf(value, option);
}
