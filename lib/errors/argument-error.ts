// Refused arguments: TypeErrors and RangeErrors with Node's codes and the name of the option.
import { isNativeError } from 'node:util/types';

import type { ArgumentError, ArgumentErrorCode } from '../../types/errors';
import { isOurs } from './caller';
import { didYouMean } from './nearest';
import { printable } from './printable';
import { receivedNumber, receivedType, receivedValue } from './received';

export type { ArgumentError } from '../../types/errors';

type Maker = (...args: never[]) => ArgumentError;

const codes: ReadonlySet<unknown> = new Set<ArgumentErrorCode>([
  'ERR_INVALID_ARG_TYPE',
  'ERR_INVALID_ARG_VALUE',
  'ERR_OUT_OF_RANGE',
  'ERR_UNKNOWN_SIGNAL',
  'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM',
]);

/** @internal The name without the ' argument' that tells it from an option: 'flags argument' → 'flags'. */
export function bareName(option: string): string {
  return option.endsWith(' argument') ? option.slice(0, -' argument'.length) : option;
}

/** '"hostname" option', and '"flags" argument' where the name is given as 'flags argument'. */
function quoted(option: string): string {
  const name = bareName(option);
  return `"${name}" ${name === option ? 'option' : 'argument'}`;
}

function make(
  Base: typeof TypeError | typeof RangeError,
  code: ArgumentErrorCode,
  option: string | undefined,
  message: string,
  maker: Maker,
): ArgumentError {
  const error = new Base(printable(message)) as ArgumentError;
  // As Node does: the stack, written down when first read, shows the code; the name stays that of the class.
  Object.defineProperty(error, 'name', { value: `${error.name} [${code}]`, configurable: true });
  Error.captureStackTrace(error, maker);
  void error.stack;
  Reflect.deleteProperty(error, 'name');
  error.code = code;
  if (option !== undefined) error.option = bareName(option);
  isOurs(error);
  return error;
}

/**
 * @internal A value of the wrong type.
 * @param option the option's name; 'flags argument' for an argument
 * @param expected what it must be: 'of type string', 'an instance of Stream'
 */
export function invalidArgType(option: string, expected: string, value: unknown): ArgumentError {
  const message = `The ${quoted(option)} must be ${expected}. ${receivedType(value)}`;
  return make(TypeError, 'ERR_INVALID_ARG_TYPE', option, message, invalidArgType);
}

/**
 * @internal A value of the right type that cannot be.
 * @param option the option's name; 'flags argument' for an argument
 * @param reason the rest of the sentence: "must be one of: 'a', 'b'"
 */
export function invalidArgValue(option: string, value: unknown, reason = 'is invalid'): ArgumentError {
  const message = `The ${quoted(option)} ${reason}${reason.endsWith('?') ? '' : '.'} ${receivedValue(value)}`;
  return make(TypeError, 'ERR_INVALID_ARG_VALUE', option, message, invalidArgValue);
}

/**
 * @internal An option that cannot be used here (code `ERR_INVALID_ARG_VALUE`), whatever its value.
 * @param reason the rest of the sentence: 'needs Flags.NEWUTS, or a joined uts namespace'
 */
export function refusedOption(option: string, reason: string): ArgumentError {
  return make(TypeError, 'ERR_INVALID_ARG_VALUE', option, `The ${quoted(option)} ${reason}`, refusedOption);
}

const mostNames = 24;

/**
 * @internal An option that nobody knows (code `ERR_INVALID_ARG_VALUE`), with the nearest known name, or with all of a few.
 * @param option its full name: 'rlimits.nofiles'
 * @param key the part of it that is not known: 'nofiles'
 */
export function unknownOption(option: string, key: string, known: Iterable<string>): ArgumentError {
  const names = [...known];
  const found = didYouMean(key, names);
  // A list that is read at a glance.
  const all = found === '' && names.length > 0 && names.length <= mostNames ? `; there are ${names.join(', ')}` : found;
  const message = `The ${quoted(option)} is unknown${all}`;
  return make(TypeError, 'ERR_INVALID_ARG_VALUE', option, message, unknownOption);
}

/**
 * @internal A number outside what is allowed.
 * @param range the rest of 'It must be …': '>= 0 && <= 7', 'an integer'
 */
export function outOfRange(option: string, range: string, value: unknown): ArgumentError {
  const message = `The value of the ${quoted(option)} is out of range. It must be ${range}. ${receivedNumber(value)}`;
  return make(RangeError, 'ERR_OUT_OF_RANGE', option, message, outOfRange);
}

/** @internal A signal that does not exist; `known`: the names to find the nearest in. */
export function unknownSignal(option: string, signal: unknown, known: Iterable<string> = []): ArgumentError {
  const text = String(signal);
  return make(
    TypeError,
    'ERR_UNKNOWN_SIGNAL',
    option,
    `Unknown signal: ${text}${didYouMean(text, known)}`,
    unknownSignal,
  );
}

/** @internal A call on a platform that has no namespaces. */
export function featureUnavailable(feature: string): ArgumentError {
  const message = `The feature ${feature} is unavailable on the current platform, which is being used to run Node.js`;
  return make(TypeError, 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM', undefined, message, featureUnavailable);
}

/**
 * @internal A call that the runtime that we are in cannot do.
 * @param feature what is not available: 'unshare() with Flags.NEWPID'
 * @param reason why, and what to do
 */
export function unavailableIn(runtime: string, feature: string, reason: string): ArgumentError {
  const message = `${feature} is unavailable in ${runtime}: ${reason}`;
  return make(TypeError, 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM', undefined, message, unavailableIn);
}

/** Whether `value` is a refused argument: an error with one of Node's codes for these. */
export function isArgumentError(value: unknown): value is ArgumentError {
  return isNativeError(value) && codes.has((value as Partial<ArgumentError>).code);
}
