// What a refused option throws, for toThrow() and toEqual().
import { type CloneOptions, plan } from '../../lib';

type Code = 'ERR_INVALID_ARG_TYPE' | 'ERR_INVALID_ARG_VALUE' | 'ERR_OUT_OF_RANGE' | 'ERR_UNKNOWN_SIGNAL';

const names: Record<Code, string> = {
  ERR_INVALID_ARG_TYPE: 'TypeError',
  ERR_INVALID_ARG_VALUE: 'TypeError',
  ERR_OUT_OF_RANGE: 'RangeError',
  ERR_UNKNOWN_SIGNAL: 'TypeError',
};

/** An ArgumentError with this code, about this option, whose message has this text. */
export function refusal(code: Code, option: string, message: string | RegExp = ''): Error {
  return expect.objectContaining({
    name: names[code],
    code,
    option,
    message: typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message),
  }) as Error;
}

/** A call that makes a plan with these options, whatever they are. */
export function planning(options: unknown): () => unknown {
  return () => plan('/bin/true', [], options as CloneOptions);
}
