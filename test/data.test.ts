// Plain data: what copies and compares by value, and what does not.
import { runInNewContext } from 'node:vm';

import { copyData, isSameData } from '../lib/data';

const some = {
  text: 'a',
  number: 1,
  big: 5n,
  yes: true,
  nothing: null,
  missing: undefined,
  list: [1, 'b', undefined, [2]],
  record: { a: { b: 'c' } },
  bytes: Uint8Array.of(1, 2),
};

describe('copyData()', () => {
  test('copies all levels', () => {
    const copy = copyData(some) as typeof some;
    expect(copy).toEqual(some);
    expect(copy).not.toBe(some);
    for (const key of ['list', 'record', 'bytes'] as const) expect(copy[key]).not.toBe(some[key]);
    expect(copy.list[3]).not.toBe(some.list[3]);
  });

  test('keeps an object without a prototype as it is', () => {
    const bare = Object.assign(Object.create(null) as object, { a: 1 });
    expect(Object.getPrototypeOf(copyData(bare))).toBeNull();
    expect(copyData(bare)).toEqual(bare);
  });

  test('reads each field once', () => {
    let reads = 0;
    const record = {
      get a() {
        return ++reads;
      },
    };
    expect(copyData(record)).toEqual({ a: 1 });
  });

  const cyclic: { self?: object } = {};
  cyclic.self = cyclic;
  test.each<[string, unknown]>([
    ['a function', () => {}],
    ['a symbol', Symbol('a')],
    ['a Date', new Date()],
    ['a Map', new Map()],
    ['a URL', new URL('file:///tmp')],
    ['a signal', new AbortController().signal],
    ['an object that inherits', Object.create({ a: 1 })],
    ['an object of another realm', runInNewContext('({})')],
    ['another kind of typed array', new Int32Array(2)],
    ['a cycle', cyclic],
    ['too many levels', { a: { b: { c: { d: { e: 1 } } } } }],
    ['too many elements', Array(257).fill(0)],
    ['too many fields', Object.fromEntries(Array.from({ length: 257 }, (_, index) => [`k${index}`, 1]))],
    ['too many bytes', new Uint8Array(4097)],
  ])('does not copy %s, wherever it is', (_, value) => {
    expect(copyData(value)).toBeUndefined();
    expect(copyData({ a: value })).toBeUndefined();
    expect(copyData([value])).toBeUndefined();
  });
});

describe('isSameData()', () => {
  test('tells the same from a copy', () => {
    expect(isSameData(some, copyData(some))).toBe(true);
    expect(isSameData({ ...some }, copyData(some))).toBe(true);
  });

  test.each<[string, unknown, unknown]>([
    ['another value', { a: 1 }, { a: 2 }],
    ['a field more', { a: 1, b: undefined }, { a: 1 }],
    ['a field less', { a: 1 }, { a: 1, b: undefined }],
    ['another field that is undefined', { b: undefined }, { a: undefined }],
    ['an inherited name', { toString: undefined }, { a: undefined }],
    ['an element more', [1, 2], [1]],
    ['another order', [1, 2], [2, 1]],
    ['another order of fields', { a: 1, b: 2 }, { b: 2, a: 1 }],
    ['a list for a record', [], {}],
    ['a record for a list', {}, []],
    ['bytes for a list', Uint8Array.of(1), [1]],
    ['a list for bytes', [1], Uint8Array.of(1)],
    ['other bytes', Uint8Array.of(1), Uint8Array.of(2)],
    ['a text for a number', '1', 1],
    ['null for a record', null, {}],
    ['a record for null', {}, null],
    ['NaN', Number.NaN, Number.NaN],
    ['what only looks the same', Object.create({ a: 1 }), {}],
    ['a Date', new Date(), {}],
  ])('tells %s', (_, value, copy) => {
    expect(isSameData(value, copy)).toBe(false);
    expect(isSameData({ a: [value] }, { a: [copy] })).toBe(false);
  });
});
