// The vendored error numbers against the system's headers and against Node.
import { getSystemErrorMap } from 'node:util';

import { errnoByName } from '../../lib/kernel/errno';
import { errnoMessage, errnoName } from '../../lib/kernel/errno-texts';
import { macroNames, testWithHeaders, valuesOf } from './headers';

for (const arch of ['x64', 'arm64'] as const) {
  testWithHeaders(arch, `the error numbers are those of the headers of ${arch}`, (command) => {
    const names = macroNames(command, ['errno.h']).filter((name) => /^E[A-Z0-9]+$/.test(name));
    const values = [...valuesOf(command, ['errno.h'], names)].map(([name, value]) => [name, Number(value)]);
    expect(values.length).toBeGreaterThan(130);
    expect(Object.fromEntries(values)).toEqual({ ...errnoByName });
  });
}

test('names are those of Node where Node has one', () => {
  for (const [number, [name]] of getSystemErrorMap()) {
    if (errnoByName[name] === -number) expect(errnoName(number)).toBe(name);
  }
  expect(errnoName(11)).toBe('EAGAIN');
  expect(errnoName(35)).toBe('EDEADLK');
  expect(errnoName(95)).toBe('ENOTSUP');
});

test('messages are in the words of Node, or of libc with a small first letter', () => {
  expect(errnoMessage(1)).toBe('operation not permitted');
  expect(errnoMessage(87)).toBe('too many users');
  expect(errnoMessage(73)).toBe('RFS specific error');
});

test('a number may be negative, as in Node', () => {
  expect(errnoName(-2)).toBe('ENOENT');
  expect(errnoMessage(-2)).toBe('no such file or directory');
});

test('every number has a name that leads back to it', () => {
  for (const number of Object.values(errnoByName)) expect(errnoByName[errnoName(number)]).toBe(number);
});

test('an unknown number is UNKNOWN, with the number in its message', () => {
  expect(errnoName(4000)).toBe('UNKNOWN');
  expect(errnoMessage(-4000)).toBe('unknown error 4000');
});

test('a name is looked up among errors only', () => {
  expect(errnoByName['toString']).toBeUndefined();
});
