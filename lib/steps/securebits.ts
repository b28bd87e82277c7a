// Secure bits by name, see capabilities(7).
import { integer } from '../check';
import { invalidArgType, invalidArgValue } from '../errors/argument-error';
import { constants } from '../kernel/constants';

const securebitNames: Readonly<Record<string, number>> = Object.fromEntries(
  Object.entries(constants).flatMap(([name, value]) =>
    name.startsWith('SECBIT_') && typeof value === 'number'
      ? [
          [name, value],
          [name.slice('SECBIT_'.length), value],
        ]
      : [],
  ),
);

/** A number, or names with or without 'SECBIT_'. @throws ArgumentError */
export function checkSecurebits(value: unknown): number {
  if (typeof value === 'number') return integer(value, 'securebits', 0, 0xff);
  if (!Array.isArray(value)) throw invalidArgType('securebits', 'of type number or an instance of Array', value);
  return value.reduce<number>((bits, name: unknown, index) => {
    const bit = typeof name === 'string' && Object.hasOwn(securebitNames, name) ? securebitNames[name] : undefined;
    if (bit === undefined) {
      const names = Object.keys(securebitNames).filter((known) => !known.startsWith('SECBIT_'));
      throw invalidArgValue(`securebits[${index}]`, name, `must be one of: ${names.join(', ')}`);
    }
    return bits | bit;
  }, 0);
}
