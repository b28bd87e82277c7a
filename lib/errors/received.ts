// 'Received …': what was given, in the words of Node's own errors.
import { inspect } from 'node:util';

/** What kind of value was given: 'Received type number (5)', 'Received an instance of Map', 'Received undefined'. */
export function receivedType(value: unknown): string {
  if (value === null || value === undefined) return `Received ${value}`;
  if (typeof value === 'function') return `Received function ${value.name}`;
  if (typeof value === 'object') {
    const name: unknown = value.constructor?.name;
    return typeof name === 'string' && name !== ''
      ? `Received an instance of ${name}`
      : `Received ${inspect(value, { depth: -1 })}`;
  }
  return `Received type ${typeof value} (${inspect(typeof value === 'string' ? cut(value, 28, 25) : value)})`;
}

/** The value that was given: "Received 'foo'". */
export function receivedValue(value: unknown): string {
  return `Received ${cut(inspect(value), 128, 128)}`;
}

/** The number that was given, large ones with digits in groups: 'Received 4_294_967_296'. */
export function receivedNumber(value: unknown): string {
  const large = typeof value === 'bigint' || (Number.isInteger(value) && Math.abs(value as number) > 2 ** 32);
  return large ? `Received ${inspect(value, { numericSeparator: true })}` : receivedValue(value);
}

function cut(text: string, longest: number, kept: number): string {
  return text.length > longest ? `${text.slice(0, kept)}...` : text;
}
