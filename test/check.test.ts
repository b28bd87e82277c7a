// The checks of options.
import { pathToFileURL } from 'node:url';

import * as check from '../lib/check';
import { Flags } from '../lib/flags';

const type = expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE', option: 'x' });
const value = expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE', option: 'x' });
const range = expect.objectContaining({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE', option: 'x' });

describe('integer', () => {
  test('takes both ends', () => {
    expect([-20, 0, 19].map((number) => check.integer(number, 'x', -20, 19))).toEqual([-20, 0, 19]);
  });
  test.each([-21, 20, 1.5, NaN, Infinity])('refuses %p', (number) => {
    expect(() => check.integer(number, 'x', -20, 19)).toThrow(range);
  });
  test.each(['5', 5n, null, undefined, {}])('refuses the type of %p', (other) => {
    expect(() => check.integer(other, 'x', -20, 19)).toThrow(type);
  });
  test('says what is allowed', () => {
    expect(() => check.integer(20, 'nice', -20, 19)).toThrow(
      'The value of the "nice" option is out of range. It must be >= -20 && <= 19. Received 20',
    );
  });
});

describe('string', () => {
  test('takes text', () => {
    expect(check.string('', 'x')).toBe('');
    expect(check.string('ü', 'x', { nonEmpty: true, maxBytes: 2 })).toBe('ü');
  });
  test('refuses null bytes, and by rule what is empty or too long in bytes', () => {
    expect(() => check.string('a\0b', 'x')).toThrow(value);
    expect(() => check.string('', 'x', { nonEmpty: true })).toThrow(value);
    expect(() => check.string('ü', 'x', { maxBytes: 1 })).toThrow(value);
  });
  test('refuses other types', () => {
    expect(() => check.string(5, 'x')).toThrow(type);
    expect(() => check.string(Buffer.from('a'), 'x')).toThrow(type);
  });
});

test('boolean takes true and false only', () => {
  expect([check.boolean(true, 'x'), check.boolean(false, 'x')]).toEqual([true, false]);
  for (const other of [0, 'true', null]) expect(() => check.boolean(other, 'x')).toThrow(type);
});

describe('oneOf', () => {
  const values = ['private', 'slave'] as const;
  test('takes what is listed', () => {
    const found: 'private' | 'slave' = check.oneOf('slave', 'x', values);
    expect(found).toBe('slave');
  });
  test('refuses all else, with the nearest', () => {
    expect(() => check.oneOf('privat', 'x', values)).toThrow(value);
    expect(() => check.oneOf('privat', 'propagation', values)).toThrow(
      "The \"propagation\" option must be one of: 'private', 'slave'; did you mean \"private\"? Received 'privat'",
    );
    expect(() => check.oneOf(5, 'x', values)).toThrow(value);
  });
});

test('array takes arrays only', () => {
  const given = [1, 'a'] as const;
  expect(check.array(given, 'x')).toBe(given);
  for (const other of [{ length: 0 }, 'a', new Uint8Array(1)]) expect(() => check.array(other, 'x')).toThrow(type);
});

describe('plainObject', () => {
  test('copies to an object without a prototype and drops what is undefined', () => {
    const copy = check.plainObject({ a: 1, b: undefined, c: null }, 'x', ['a', 'b', 'c']);
    expect(Object.getPrototypeOf(copy)).toBeNull();
    expect(Object.entries(copy)).toEqual([
      ['a', 1],
      ['c', null],
    ]);
  });
  test('reads nothing that a polluted prototype has', () => {
    const prototype = Object.prototype as Record<string, unknown>;
    prototype['uid'] = 0;
    try {
      expect(check.plainObject({}, 'x', ['uid']).uid).toBeUndefined();
    } finally {
      delete prototype['uid'];
    }
  });
  test('keeps __proto__ a key like others', () => {
    const copy = check.plainObject(JSON.parse('{"__proto__": {"uid": 0}}'), 'x') as Record<string, unknown>;
    expect(Object.keys(copy)).toEqual(['__proto__']);
    expect(copy['uid']).toBeUndefined();
  });
  test('refuses unknown keys with the nearest known one', () => {
    expect(() => check.plainObject({ hostnme: 'a' }, 'options argument', ['hostname'])).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_ARG_VALUE',
        option: 'hostnme',
        message: 'The "hostnme" option is unknown; did you mean "hostname"?',
      }),
    );
    expect(() => check.plainObject({ nofiles: 1 }, 'rlimits', ['nofile'])).toThrow(
      expect.objectContaining({ option: 'rlimits.nofiles' }),
    );
  });
  test('takes any key where none are listed', () => {
    expect({ ...check.plainObject({ any: 1 }, 'x') }).toEqual({ any: 1 });
  });
  test('does not mind an unknown key that is undefined', () => {
    expect({ ...check.plainObject({ other: undefined }, 'x', ['a']) }).toEqual({});
  });
  test.each([[null], ['a'], [[]], [new Map()], [Buffer.alloc(1)], [Object.create({ a: 1 })], [() => {}]])(
    'refuses %p',
    (other) => {
      expect(() => check.plainObject(other, 'x')).toThrow(type);
    },
  );
});

describe('flags', () => {
  test('takes 32 bits, a negative number as unsigned', () => {
    expect(check.flags(Flags.IO | Flags.VM, 'x')).toBe(0x80000100);
    expect(check.flags(0xffffffff, 'x')).toBe(0xffffffff);
    expect(check.flags(0, 'x')).toBe(0);
    expect(Object.is(check.flags(-0, 'x'), 0)).toBe(true);
  });
  test.each([2 ** 32, -(2 ** 31) - 1, NaN, 1.5, Infinity])('refuses %p', (number) => {
    expect(() => check.flags(number, 'x')).toThrow(range);
  });
  test.each([0x20000n, '0x20000', undefined])('refuses the type of %p', (other) => {
    expect(() => check.flags(other, 'x')).toThrow(type);
  });
  test('refuses what is outside the mask, by name', () => {
    expect(check.flags(Flags.NEWNS, 'x', Flags.NEWNS)).toBe(Flags.NEWNS);
    expect(() => check.flags(Flags.NEWNS | Flags.IO | Flags.VM, 'x', Flags.NEWNS)).toThrow(value);
    expect(() => check.flags(Flags.NEWNS | Flags.VM, 'flags argument', Flags.NEWNS)).toThrow(
      'The "flags" argument must not have CLONE_VM. Received \'CLONE_VM|CLONE_NEWNS\'',
    );
  });
});

describe('path', () => {
  test('takes strings and file: URLs', () => {
    expect(check.path('a/b', 'x')).toBe('a/b');
    expect(check.path(pathToFileURL('/a b/ü'), 'x')).toBe('/a b/ü');
  });
  test.each([['a\0b'], [''], [new URL('http://localhost/a')], [new URL('file:///a%00b')], [new URL('file:///a%2Fb')]])(
    'refuses %p',
    (other) => {
      expect(() => check.path(other, 'x')).toThrow(value);
    },
  );
  test.each([[Buffer.from('/a')], [5], [null], [{}]])('refuses the type of %p', (other) => {
    expect(() => check.path(other, 'x')).toThrow(type);
  });
});

test('fileDescriptor takes 0 to 2^31 - 1', () => {
  expect([0, 2 ** 31 - 1].map((fd) => check.fileDescriptor(fd, 'x'))).toEqual([0, 2 ** 31 - 1]);
  for (const fd of [-1, 2 ** 31, 0.5]) expect(() => check.fileDescriptor(fd, 'x')).toThrow(range);
});
