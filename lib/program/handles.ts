// What a recorder hands out in the place of values that are not known yet. A handle says nothing by itself: only the
// recording that made it knows where the value will be.
import type { BufferHandle, Result, Value } from '../../types/calls';

/** A word that the child's kernel writes: one end of a pipe. */
export class WordHandle implements Value {
  readonly kind = 'value';
}

/** What a call will return. */
export class ResultHandle implements Result {
  readonly kind = 'value';
  readonly #accept: (errors: readonly unknown[]) => void;

  constructor(accept: (errors: readonly unknown[]) => void) {
    this.#accept = accept;
  }

  accept(...errors: readonly [string, ...string[]]): this {
    this.#accept(errors);
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
