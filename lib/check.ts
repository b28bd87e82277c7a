// The checks that options are made of: each returns the value as what it was checked to be, or throws.
//
// Names are those of options ('mounts[0].target'); 'flags argument' names an argument. All throw the TypeErrors and
// RangeErrors of errors/argument-error.ts.
import { fileURLToPath } from 'node:url';

import { bareName, invalidArgType, invalidArgValue, outOfRange, unknownOption } from './errors/argument-error';
import { didYouMean } from './errors/nearest';
import { formatFlags } from './flags';

/** An integer from `min` to `max`, both allowed. */
export function integer(
  value: unknown,
  option: string,
  min: number = Number.MIN_SAFE_INTEGER,
  max: number = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value !== 'number') throw invalidArgType(option, 'of type number', value);
  if (!Number.isInteger(value)) throw outOfRange(option, 'an integer', value);
  if (value < min || value > max) throw outOfRange(option, `>= ${min} && <= ${max}`, value);
  return value;
}

/** What a string must be beside having no NUL byte, which no system call can take. */
export interface StringRules {
  /** Refuse ''. */
  nonEmpty?: boolean;
  /** The most bytes it may have in UTF-8. */
  maxBytes?: number;
}

/** A string without NUL bytes. */
export function string(value: unknown, option: string, { nonEmpty, maxBytes }: StringRules = {}): string {
  if (typeof value !== 'string') throw invalidArgType(option, 'of type string', value);
  if (value.includes('\0')) throw invalidArgValue(option, value, 'must be a string without null bytes');
  if (nonEmpty === true && value === '') throw invalidArgValue(option, value, 'must not be empty');
  // A unit of UTF-16 is at most three bytes of UTF-8.
  if (maxBytes !== undefined && value.length * 3 > maxBytes && Buffer.byteLength(value) > maxBytes) {
    throw invalidArgValue(option, value, `must not be longer than ${maxBytes} bytes`);
  }
  return value;
}

/** `true` or `false`. */
export function boolean(value: unknown, option: string): boolean {
  if (typeof value !== 'boolean') throw invalidArgType(option, 'of type boolean', value);
  return value;
}

/** One of the given strings. */
export function oneOf<const T extends string>(value: unknown, option: string, values: readonly T[]): T {
  if (values.includes(value as T)) return value as T;
  const list = values.map((candidate) => `'${candidate}'`).join(', ');
  const nearest = typeof value === 'string' ? didYouMean(value, values) : '';
  throw invalidArgValue(option, value, `must be one of: ${list}${nearest}`);
}

/** An array, its elements unchecked. */
export function array(value: unknown, option: string): readonly unknown[] {
  if (!Array.isArray(value)) throw invalidArgType(option, 'an instance of Array', value);
  return value;
}

/**
 * A plain object, copied to one without a prototype: own enumerable keys, those that are `undefined` left out.
 * An instance of a class is refused, for what it inherits would be lost without a word.
 * @param knownKeys every other key is refused, with the nearest known name; all are allowed without it
 */
export function plainObject<K extends string = string>(
  value: unknown,
  option: string,
  knownKeys?: readonly K[],
): Partial<Record<K, unknown>> {
  const copy = copyObject<K>(value, option);
  for (const key of Object.keys(copy) as K[]) {
    if (copy[key] === undefined) delete copy[key];
    else if (knownKeys !== undefined && !knownKeys.includes(key)) {
      const name = bareName(option) === option ? `${option}.${key}` : key;
      throw unknownOption(name, key, knownKeys);
    }
  }
  return copy;
}

/** The same with keys that are `undefined` in it, for whoever looks at each key anyway. */
export function copyObject<K extends string = string>(value: unknown, option: string): Partial<Record<K, unknown>> {
  if (!isPlainObject(value)) throw invalidArgType(option, 'a plain object', value);
  // Every field is read once. The prototype goes afterwards: one key after the other into an object without would be slow.
  return Object.setPrototypeOf({ ...value }, null) as Partial<Record<K, unknown>>;
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // Object.prototype of any realm is the one that has no prototype itself.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/**
 * Flags as an unsigned number of 32 bits; a negative one (what `Flags.IO | …` is) is taken as unsigned.
 * @param allowedMask the flags that may be there
 */
export function flags(value: unknown, option: string, allowedMask = 0xffffffff): number {
  const unsigned = integer(value, option, -0x80000000, 0xffffffff) >>> 0;
  const refused = (unsigned & ~allowedMask) >>> 0;
  if (refused !== 0) throw invalidArgValue(option, formatFlags(unsigned), `must not have ${formatFlags(refused)}`);
  return unsigned;
}

/** A path: a non-empty string without NUL bytes, or a file: URL. */
export function path(value: unknown, option: string): string {
  if (typeof value === 'string') {
    return string(value, option, { nonEmpty: true });
  }
  if (!isURL(value)) throw invalidArgType(option, 'of type string or an instance of URL', value);
  return string(fromURL(value, option), option);
}

// As Node does: a URL of another realm is no instance of ours.
function isURL(value: unknown): value is URL {
  const candidate = value as Partial<URL> | null | undefined;
  return typeof candidate === 'object' && typeof candidate?.href === 'string' && typeof candidate.protocol === 'string';
}

function fromURL(url: URL, option: string): string {
  if (url.protocol !== 'file:') throw invalidArgValue(option, url.href, 'must be a path or a file: URL');
  try {
    return fileURLToPath(url.href);
  } catch (error) {
    throw invalidArgValue(option, url.href, `must be the URL of a local file (${(error as Error).message})`);
  }
}

/** A file descriptor: an integer from 0 to 2^31 - 1. */
export function fileDescriptor(value: unknown, option: string): number {
  return integer(value, option, 0, 0x7fffffff);
}
