// The system call numbers that filters are made of, against the system's headers and against libseccomp.
import { architectures } from '../../lib/seccomp/architectures';
import { numbersOf } from '../../lib/seccomp/numbers';
import { macroNames, testWithHeaders, valuesOf } from '../kernel/headers';
import { Reference, withLibseccomp } from './reference';

const reference = new Reference();
/** What headers do not have, or only new ones: 335 and 336 on x86-64. */
const probes = ['uretprobe', 'uprobe'];

for (const [table, header] of [
  ['x86', 'asm/unistd_32.h'],
  ['x86_64', 'asm/unistd_64.h'],
  ['x32', 'asm/unistd_x32.h'],
] as const) {
  testWithHeaders('x64', `those of ${table} are those of the headers`, (command) => {
    const macros = macroNames(command, [header]).filter((name) => /^__NR_(?!syscalls$)/.test(name));
    const values = valuesOf(command, ['asm/unistd.h', header], macros);
    const numbers = new Map(Array.from(values, ([name, value]) => [name.slice('__NR_'.length), Number(value)]));
    expect(numbers.size).toBeGreaterThan(300);
    const newest = Math.max(...[...numbers.values()].filter((number) => (number & 0xffff) < 512));
    const ours = [...numbersOf(table)].filter(
      ([name, number]) =>
        numbers.has(name) || (!probes.includes(name) && (number <= newest || (number & 0xffff) >= 512)),
    );
    expect(Object.fromEntries(ours)).toEqual(Object.fromEntries(numbers));
  });
}

test.each(architectures)('those of $name are of one call each', ({ table }) => {
  const numbers = [...numbersOf(table).values()];
  expect(new Set(numbers).size).toBe(numbers.length);
  expect(numbers.length).toBeGreaterThan(300);
});

for (const { name: architecture, table } of architectures) {
  withLibseccomp(`those of ${architecture} are libseccomp's, as far as it knows them`, () => {
    const all = [...new Set(architectures.flatMap((one) => [...numbersOf(one.table).keys()]))];
    const numbers = reference.numbersOf(architecture, all);
    const known = all.map((name, index) => [name, numbers[index]!] as const).filter(([, number]) => number >= 0);
    expect(known.length).toBeGreaterThan(290);
    for (const [name, number] of known) expect([name, numbersOf(table).get(name)]).toEqual([name, number]);
    // Linux 6.6 had map_shadow_stack(2) not on x32. Below -1 it knows the name from elsewhere, or by socketcall(2) and ipc(2).
    const foreign = all.filter((name, index) => numbers[index]! < -1000 && name !== 'map_shadow_stack');
    for (const name of foreign) expect([name, numbersOf(table).get(name)]).toEqual([name, undefined]);
  });
}
