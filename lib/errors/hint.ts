// What an error can tell to help: words, or why the host refuses, which probe() tells in the same words.
import type { Refusal } from '../../types/probe';

export type Hint = string | Refusal;

const causes = new WeakMap<Error, Refusal>();

/** As a part of a message: what was found, then what to do. */
export function wordsOf(hint: Hint | undefined): string | undefined {
  if (hint === undefined || typeof hint === 'string') return hint;
  const words = [hint.detail, hint.hint].filter((part) => part !== undefined);
  return words.length === 0 ? undefined : words.join(': ');
}

/** Notes why the host refused, where that is known. */
export function noteRefusal(error: Error, hint: Hint | undefined): void {
  if (typeof hint === 'object') causes.set(error, hint);
}

/** Why the host refused what an error is of; undefined where nobody knows more than the error. */
export function refusalOf(error: Error): Refusal | undefined {
  return causes.get(error);
}
