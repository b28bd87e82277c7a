// The vendored system call numbers against the system's headers.
import { syscallName, syscallNumber, syscalls } from '../../lib/kernel/syscalls';
import { syscallsArm64 } from '../../lib/kernel/syscalls-arm64';
import { syscallsX64 } from '../../lib/kernel/syscalls-x64';
import { loadOn, macroNames, testWithHeaders, valuesOf } from './headers';

const tables: Readonly<Record<'x64' | 'arm64', Readonly<Record<string, number>>>> = {
  x64: syscallsX64,
  arm64: syscallsArm64,
};
const newest = 462;
const notCalls = /^__NR_(3264_.*|syscalls|arch_specific_syscall)$/;

for (const arch of ['x64', 'arm64'] as const) {
  testWithHeaders(arch, `the system calls of ${arch} are those of the headers`, (command) => {
    const headers = ['asm/unistd.h'];
    const names = macroNames(command, headers).filter((name) => name.startsWith('__NR_') && !notCalls.test(name));
    const numbers = [...valuesOf(command, headers, names)].map(
      ([name, value]) => [name.slice(5), Number(value)] as const,
    );
    // Below 424 an architecture may still get calls of its own (335 and 336 on x64).
    const old = numbers.filter(([, number]) => number <= newest && (number < 335 || number >= 424));
    expect(old.length).toBeGreaterThan(300);
    expect(Object.fromEntries(old)).toEqual(
      Object.fromEntries(Object.entries(tables[arch]).filter(([name]) => old.some(([known]) => known === name))),
    );
  });

  test(`no two system calls of ${arch} share a number`, () => {
    const numbers = Object.values(tables[arch]);
    expect(new Set(numbers).size).toBe(numbers.length);
  });
}

test('calls from 424 on have the same number everywhere', () => {
  const recent = (table: Readonly<Record<string, number>>): [string, number][] =>
    Object.entries(table).filter(([, number]) => number >= 424);
  expect(recent(syscallsX64)).toEqual(recent(syscallsArm64));
  expect(recent(syscallsX64).at(-1)).toEqual(['mseal', newest]);
});

test('a number leads back to its name', () => {
  for (const [name, number] of Object.entries(syscalls)) expect(syscallName(number)).toBe(name);
  expect(syscallName(100_000)).toBeUndefined();
});

test('the architecture decides about the number', () => {
  type Module = typeof import('../../lib/kernel/syscalls');
  const load = (arch: 'x64' | 'arm64'): Module =>
    loadOn(arch, () => jest.requireActual<Module>('../../lib/kernel/syscalls'));
  expect(load('x64').syscalls.mount).toBe(165);
  expect(load('arm64').syscalls.mount).toBe(40);
  expect(load('x64').syscallNumber('open')).toBe(2);
  expect(load('arm64').syscallNumber('open')).toBeUndefined();
});

test('a name that is no system call has no number', () => {
  expect(syscallNumber('toString')).toBeUndefined();
  expect(syscallNumber('frobnicate')).toBeUndefined();
});
