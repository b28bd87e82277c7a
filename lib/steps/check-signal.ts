// A signal among the options.
import { invalidArgType, unknownSignal } from '../errors/argument-error';
import { signalNames, signalNumber } from '../kernel/signals';

/** A signal by name or number. */
export function checkSignal(value: unknown, option: string): number {
  if (typeof value !== 'string' && typeof value !== 'number') {
    throw invalidArgType(option, 'the name or number of a signal', value);
  }
  const number = signalNumber(value);
  if (number === undefined) throw unknownSignal(option, value, signalNames());
  return number;
}
