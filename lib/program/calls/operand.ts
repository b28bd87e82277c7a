// An argument on its way into an instruction, and what its encoder may ask of the recording.
import type { Kind } from '../format';
import type { MemoryHandle } from '../handles';
import type { Place, Writer } from '../writer';

/** One argument of a system call as the loop takes it. */
export interface Operand {
  readonly kind: Kind.Number | Kind.Data | Kind.Result | Kind.Word;
  /** The number, the place in the data, or the slot. */
  readonly value: number | bigint;
  /** How long it is, in its own unit: bytes, or elements of a list. */
  readonly length: number;
}

/** What encoders need to know of the recording that they encode for. */
export interface Sink {
  readonly writer: Writer;
  /** Where a handle's value will be. @throws ArgumentError for a handle of another recording */
  valueOf(handle: object, option: string): Operand;
  /** @throws ArgumentError for memory of another recording */
  placeOf(memory: MemoryHandle, option: string): Place;
  /** Writes a value into the data before the call that is being recorded. */
  store(value: Operand, place: Place, width: 4 | 8): void;
  /** A descriptor of ours is an argument. */
  uses(descriptor: number, option: string): void;
  /** It is that of an object, which may be closed before the line runs. */
  holds(giver: object): void;
  /** Whether `length` is what a call returned that wrote to `memory`, so that it is never longer. */
  isLengthOf(length: object, memory: object): boolean;
}
