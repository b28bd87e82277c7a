// Plain data: what copies by value, and compares by value.

/** More than this is not worth it: whoever gives so much waits for other things. */
const mostEntries = 256;
const mostBytes = 4096;
const mostLevels = 4;

/** Whether it is an object literal, or what JSON.parse() makes; in `copyData()` and `isSameData()` nothing else is looked into. */
function isRecord(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Whether it is its own copy; a symbol is not taken for data. */
export function isPrimitive(value: unknown): boolean {
  return value === null || (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol');
}

/**
 * A copy of primitives, arrays, plain objects and bytes. Every field is read once.
 * @returns undefined for anything else, and where there is too much of it
 */
export function copyData(value: unknown, levels = mostLevels): unknown {
  if (isPrimitive(value)) return value;
  if (typeof value !== 'object' || value === null || levels === 0) return undefined;
  if (Array.isArray(value)) return copyList(value, levels);
  if (value instanceof Uint8Array) return value.length > mostBytes ? undefined : Uint8Array.from(value);
  return isRecord(value) ? copyRecord(value, levels) : undefined;
}

function copyList(list: readonly unknown[], levels: number): unknown[] | undefined {
  if (list.length > mostEntries) return undefined;
  const copy: unknown[] = [];
  for (let index = 0; index < list.length; index++) {
    const value = list[index];
    const copied = copyData(value, levels - 1);
    if (copied === undefined && value !== undefined) return undefined;
    copy.push(copied);
  }
  return copy;
}

/** It keeps the prototype, which messages name. */
function copyRecord(record: Record<string, unknown>, levels: number): Record<string, unknown> | undefined {
  const copy = { ...record };
  const names = Object.keys(copy);
  if (names.length > mostEntries || areNamesInherited()) return undefined;
  for (const name of names) {
    if (isPrimitive(copy[name])) continue;
    copy[name] = copyData(copy[name], levels - 1);
    if (copy[name] === undefined) return undefined;
  }
  return Object.getPrototypeOf(record) === null ? (Object.setPrototypeOf(copy, null) as typeof copy) : copy;
}

const empty = {};

/** Whether somebody has given names to every object there is: who reads them finds something else once they are gone. */
function areNamesInherited(): boolean {
  for (const _ in empty) return true;
  return false;
}

/** Whether `value` is the same, by value, as a copy that `copyData()` made. */
export function isSameData(value: unknown, copy: unknown): boolean {
  if (value === copy) return true;
  if (typeof value !== 'object' || typeof copy !== 'object' || value === null || copy === null) return false;
  if (Array.isArray(copy)) return Array.isArray(value) && isSameList(value, copy);
  if (copy instanceof Uint8Array) return value instanceof Uint8Array && Buffer.compare(value, copy) === 0;
  return !Array.isArray(value) && isRecord(value) && isRecord(copy) && isSameRecord(value, copy);
}

function isSameList(list: readonly unknown[], copy: readonly unknown[]): boolean {
  if (list.length !== copy.length) return false;
  for (let index = 0; index < copy.length; index++) if (!isSameData(list[index], copy[index])) return false;
  return true;
}

/** In the same order, too: it is that of a child's variables and of kernel parameters. What is inherited is never the same. */
function isSameRecord(record: Record<string, unknown>, copy: Record<string, unknown>): boolean {
  const names = Object.keys(copy);
  let count = 0;
  for (const name in record) {
    if (names[count++] !== name || !isSameData(record[name], copy[name])) return false;
  }
  return count === names.length;
}
