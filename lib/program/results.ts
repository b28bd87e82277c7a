// What a child brings back: from the handles that a callback returned to where their values lie, and to the values.
import { invalidArgType } from '../errors/argument-error';
import { type Handle, isHandle, MemoryHandle } from './handles';
import type { Recording } from './recorder';
import type { Place, Slot } from './writer';

/** Where the results of a program lie, in the shape that they come back in. */
export type Bring =
  | { readonly what: 'nothing' }
  | { readonly what: 'result'; readonly slot: Slot }
  | { readonly what: 'word'; readonly place: Place }
  | { readonly what: 'memory'; readonly place: Place; readonly size: number }
  | { readonly what: 'array'; readonly items: readonly Bring[] }
  | { readonly what: 'object'; readonly fields: readonly (readonly [name: string, bring: Bring])[] };

/** Reads what a child left. */
export interface Source {
  result(slot: Slot): number;
  bytes(place: Place, size: number): Buffer;
}

/** As deep as anybody nests results; an object that contains itself is deeper. */
const deepest = 16;

/** Checks what a callback returned. @throws ArgumentError */
export function bringOf(recording: Recording, returned: unknown): Bring {
  return returned === undefined ? { what: 'nothing' } : bring(recording, returned, 'returned', 0);
}

function bring(recording: Recording, value: unknown, name: string, depth: number): Bring {
  if (isHandle(value)) return bringHandle(recording, value, name);
  if (typeof value === 'object' && value !== null && depth < deepest) {
    if (Array.isArray(value)) {
      return {
        what: 'array',
        items: value.map((item, index) => bring(recording, item, `${name}[${index}]`, depth + 1)),
      };
    }
    if (isPlain(value)) {
      const fields = Object.entries(value).map(
        ([key, field]) => [key, bring(recording, field, `${name}.${key}`, depth + 1)] as const,
      );
      return { what: 'object', fields };
    }
  }
  throw invalidArgType(`${name} argument`, 'a handle of this recording, or an object or array of handles', value);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function bringHandle(recording: Recording, handle: Handle, name: string): Bring {
  const where = recording.locate(handle, `${name} argument`);
  if ('slot' in where) return { what: 'result', slot: where.slot };
  return handle instanceof MemoryHandle
    ? { what: 'memory', place: where.place, size: handle.size }
    : { what: 'word', place: where.place };
}

/** The values, once the child has run. */
export function fetch(bring: Bring, source: Source): unknown {
  switch (bring.what) {
    case 'nothing':
      return undefined;
    case 'result':
      return source.result(bring.slot);
    case 'word':
      return source.bytes(bring.place, 4).readInt32LE();
    case 'memory':
      return source.bytes(bring.place, bring.size);
    case 'array':
      return bring.items.map((item) => fetch(item, source));
    case 'object':
      return Object.fromEntries(bring.fields.map(([name, field]) => [name, fetch(field, source)]));
  }
}
