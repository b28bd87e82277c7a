// What a recorder hands out in the place of values that are not known yet. A handle says nothing by itself: only the
// recording that made it knows where the value will be.
import type { BufferHandle, Result, Value } from '../../types/calls';

/** A word that the child's kernel writes: one end of a pipe. */
export class WordHandle implements Value {
  readonly kind = 'value';
}

/** What is to happen where a call fails. */
interface ErrorRules {
  accept(errors: readonly unknown[]): void;
  expect(errors: readonly unknown[]): void;
}

/** What a call will return. */
export class ResultHandle implements Result {
  readonly kind = 'value';
  readonly #rules: ErrorRules;

  constructor(rules: ErrorRules) {
    this.#rules = rules;
  }

  accept(...errors: readonly [string, ...string[]]): this {
    this.#rules.accept(errors);
    return this;
  }

  expect(...errors: readonly [string, ...string[]]): this {
    this.#rules.expect(errors);
    return this;
  }
}

/** Memory in the data of the program. */
export class MemoryHandle implements BufferHandle {
  readonly kind = 'buffer';
  readonly size: number;

  constructor(size: number) {
    this.size = size;
  }
}

export type Handle = WordHandle | ResultHandle | MemoryHandle;

export function isHandle(value: unknown): value is Handle {
  return value instanceof ResultHandle || value instanceof WordHandle || value instanceof MemoryHandle;
}
