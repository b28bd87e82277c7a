// Flags as numbers, as text and as kinds of namespace.
import { inspect } from 'node:util';

import { Flags, flagOfKind, formatFlags, kindsOf, namespaceKinds, namespaceMask, parseFlags } from '../lib/flags';
import { CLONE_CLEAR_SIGHAND, CLONE_INTO_CGROUP } from '../lib/kernel/clone-constants';
import { constants } from '../lib/kernel/constants';
import { refusal } from './support/refusal';

const names = Object.keys(Flags).filter((name) => Number.isNaN(Number(name)));

test('every flag has the value of the kernel', () => {
  expect(names).toHaveLength(26);
  for (const name of names.filter((candidate) => candidate !== 'NONE')) {
    const table: Readonly<Record<string, number | bigint>> = constants;
    expect([name, Flags[name as keyof typeof Flags]]).toEqual([name, table[`CLONE_${name}`]]);
  }
});

test('flags are told by name in the order of their bits', () => {
  expect(formatFlags(Flags.NEWPID | Flags.NEWNS)).toBe('CLONE_NEWNS|CLONE_NEWPID');
});

test('no flags are 0', () => {
  expect(formatFlags(Flags.NONE)).toBe('0');
  expect(parseFlags('0')).toBe(0);
  expect(parseFlags('NONE')).toBe(0);
});

test('a negative number is taken as unsigned', () => {
  expect(Flags.IO | Flags.VM).toBeLessThan(0);
  expect(formatFlags(Flags.IO | Flags.VM)).toBe('CLONE_VM|CLONE_IO');
  expect(formatFlags(BigInt(Flags.IO | Flags.VM))).toBe('CLONE_VM|CLONE_IO');
});

test('bits without a name come last, as hexadecimal', () => {
  expect(formatFlags(Flags.VM | 17)).toBe('CLONE_VM|0x11');
  expect(formatFlags(2n ** 40n)).toBe('0x10000000000');
});

test('0x80 is the time namespace, though it lies in the byte of the exit signal', () => {
  expect(formatFlags(0x80 | 17)).toBe('CLONE_NEWTIME|0x11');
});

test('the two flags above 32 bits have names', () => {
  expect(formatFlags(CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP | 0x100n)).toBe(
    'CLONE_VM|CLONE_CLEAR_SIGHAND|CLONE_INTO_CGROUP',
  );
  expect(formatFlags(2 ** 32)).toBe('CLONE_CLEAR_SIGHAND');
});

test('every single bit and all together survive the way to text and back', () => {
  for (let bit = 0; bit < 32; bit++) expect(parseFlags(formatFlags(2 ** bit))).toBe(2 ** bit);
  expect(parseFlags(formatFlags(0xffffffff))).toBe(0xffffffff);
});

test('names are read with and without CLONE_, with spaces, beside hexadecimal numbers', () => {
  expect(parseFlags(' NEWNS | CLONE_NEWPID|0x11 ')).toBe(Flags.NEWNS + Flags.NEWPID + 17);
});

test('the result of parseFlags is unsigned', () => {
  expect(parseFlags('CLONE_IO|VM')).toBe(0x80000100);
});

test('an unknown name is refused with the nearest one', () => {
  expect(() => parseFlags('NEWNS|CLONE_NEWPDI')).toThrow(
    expect.objectContaining({
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_VALUE',
      option: 'text',
      message:
        'The "text" argument has the unknown flag "CLONE_NEWPDI"; did you mean "NEWPID"? ' +
        "Received 'NEWNS|CLONE_NEWPDI'",
    }),
  );
});

test.each(['', 'NEWNS|', '|', '12', '0x', '-1', 'newns', 'toString'])('%p is refused', (text) => {
  expect(() => parseFlags(text)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }));
});

test.each(['0x100000000', 'CLONE_CLEAR_SIGHAND', 'INTO_CGROUP'])('%s does not fit into flags', (text) => {
  expect(() => parseFlags(text)).toThrow(expect.objectContaining({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }));
});

test('what is no text or no number is refused', () => {
  expect(() => parseFlags(5 as unknown as string)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
  expect(() => formatFlags('5' as unknown as number)).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
  );
  for (const value of [NaN, 1.5, Infinity, 2 ** 53, 2n ** 64n, -(2n ** 63n) - 1n]) {
    expect(() => formatFlags(value)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
  }
});

test('every kind of namespace has its flag', () => {
  expect(namespaceKinds.map(({ kind }) => kind)).toEqual(['mnt', 'uts', 'ipc', 'net', 'pid', 'user', 'cgroup', 'time']);
  for (const { kind, flag, name } of namespaceKinds) {
    expect(flagOfKind[kind]).toBe(flag);
    expect(Flags[name]).toBe(flag);
  }
  expect(formatFlags(namespaceMask).split('|')).toHaveLength(8);
});

test('flags tell their kinds of namespace', () => {
  expect(kindsOf(Flags.NEWNET | Flags.NEWNS | Flags.VM | Flags.IO)).toEqual(['mnt', 'net']);
});

describe('a flag that there is not', () => {
  const untyped = Flags as unknown as Record<string, number>;

  test('is refused where it is written: it would be none', () => {
    expect(() => Flags.NEWUSER | untyped['NEWNETT']!).toThrow(
      refusal(
        'ERR_INVALID_ARG_VALUE',
        'flags',
        'The "flags" argument has the unknown flag "NEWNETT"; did you mean "NEWNET"?',
      ),
    );
  });

  test('and that is all: it is an object as any other', () => {
    expect('NEWNETT' in Flags).toBe(false);
    expect(Object.hasOwn(Flags, 'NEWNET')).toBe(true);
    expect([untyped['then'], { ...Flags }['NEWNET']]).toEqual([undefined, Flags.NEWNET]);
    expect(inspect(Flags)).toMatch(/^\{\n.*NEWNET: 1073741824,/s);
    expect(structuredClone(Flags)).toEqual({ ...Flags });
  });
});
