// The structs that programs hand to the kernel are those of its headers: their layout, and the bytes that steps write.
import { type CloneOptions, Flags, type Plan, plan } from '../../lib';
import { type SyscallName, syscalls } from '../../lib/kernel/syscalls';
import { Field, Kind } from '../../lib/program/format';
import { structs } from '../../lib/program/structs';
import { outputOf, valuesOf } from './compile';

/** Where the C library or the kernel declares a struct, and under which name. */
const declared: Readonly<Record<string, readonly [header: string, name: string]>> = {
  landlock_net_port_attr: ['linux/landlock.h', 'landlock_net_port_attr'],
  landlock_path_beneath_attr: ['linux/landlock.h', 'landlock_path_beneath_attr'],
  landlock_ruleset_attr: ['linux/landlock.h', 'landlock_ruleset_attr'],
  mount_attr: ['linux/mount.h', 'mount_attr'],
  open_how: ['linux/openat2.h', 'open_how'],
  rlimit64: ['sys/resource.h', 'rlimit64'],
  sched_attr: ['linux/sched/types.h', 'sched_attr'],
  timespec: ['linux/time_types.h', '__kernel_timespec'],
};

/** These have grown since, or came later: of what the headers do not have nothing can be said. */
const growing = ['landlock_net_port_attr', 'landlock_ruleset_attr'];

describe('the table of structs', () => {
  const isThere = (expression: string): boolean => {
    try {
      return valuesOf(['linux/landlock.h'], [expression]).length > 0;
    } catch {
      return false;
    }
  };
  test.each(growing)('%s begins as in the headers', (name) => {
    const expressions = Object.entries(structs[name]!.fields).map(
      ([field, { at }]) => [`offsetof(${name}, ${field})`, at] as const,
    );
    const there = expressions.filter(([expression]) => isThere(expression));
    for (const [expression, at] of there) expect(valuesOf(['linux/landlock.h'], [expression])).toEqual([at]);
    // Each field at the end of the one before.
    const ends = Object.values(structs[name]!.fields).map(({ at, size }) => at + size);
    expect([0, ...ends].slice(0, -1)).toEqual(Object.values(structs[name]!.fields).map(({ at }) => at));
    expect(ends.at(-1)).toBe(structs[name]!.size);
  });
  test.each(Object.keys(structs).filter((name) => !growing.includes(name)))(
    '%s has the layout of the headers',
    (name) => {
      const [header, type] = declared[name] ?? [];
      expect([name, header]).toEqual([name, expect.any(String)]);
      const { size, fields } = structs[name]!;
      const expressions = Object.keys(fields).flatMap((field) => [
        `offsetof(${type}, ${field})`,
        `sizeof(static_cast<${type}*>(nullptr)->${field})`,
      ]);
      const ours = Object.values(fields).flatMap((field) => [field.at, field.size]);
      expect([size, ...ours]).toEqual(valuesOf([header!], [`sizeof(${type})`, ...expressions]));
    },
  );
});

/** The bytes at the address that this argument of the first such call is. */
function argumentBytes({ writer }: Plan, call: SyscallName, argument: number, size: number): Buffer {
  const { words, count, data } = writer;
  for (let at = 0; at < count * Field.Size; at += Field.Size) {
    if ((words[at + Field.Call]! & 0xffff) !== syscalls[call] || (words[at + Field.Head]! & 0xff) !== 0) continue;
    const kind = (words[at + Field.Kinds + (argument >> 2)]! >> ((argument & 3) * 8)) & 0xff;
    expect(kind).toBe(Kind.Data);
    const place = words[at + Field.Arguments + argument * 2]!;
    return data.subarray(place, place + size);
  }
  throw new Error(`there is no ${call} in ${writer.count} instructions`);
}

/** What a C program makes of the same struct. */
function bytesInC(headers: readonly string[], declaration: string): Buffer {
  const source = `
    #include <cstdio>
    #include <cstring>
    ${headers.map((header) => `#include <${header}>`).join('\n')}
    int main() {
      ${declaration}
      for (size_t i = 0; i < sizeof(value); i++) printf("%02x", reinterpret_cast<unsigned char*>(&value)[i]);
    }`;
  return Buffer.from(outputOf(source), 'hex');
}

describe('what steps write', () => {
  const written = (options: CloneOptions): Plan => plan('/bin/true', [], options);

  test('loopback: struct ifreq', () => {
    const expected = bytesInC(
      ['net/if.h'],
      'ifreq value; memset(&value, 0, sizeof value); strcpy(value.ifr_name, "lo"); value.ifr_flags = IFF_UP;',
    );
    expect(argumentBytes(written({ flags: Flags.NEWNET, loopback: true }), 'ioctl', 2, expected.length)).toEqual(
      expected,
    );
  });

  test('propagation: struct mount_attr, and its size as argument', () => {
    const made = written({ flags: Flags.NEWNS, propagation: 'slave' });
    const expected = bytesInC(['linux/mount.h'], 'mount_attr value = {}; value.propagation = MS_SLAVE;');
    expect(argumentBytes(made, 'mount_setattr', 3, expected.length)).toEqual(expected);
    expect(made.toString()).toMatch(new RegExp(`mount_setattr\\(.*, ${expected.length}\\)`));
  });

  test('mounts: struct open_how, and its size as argument', () => {
    const made = written({ flags: Flags.NEWNS | Flags.NEWPID, mounts: [{ type: 'proc', target: '/proc' }] });
    const expected = bytesInC(
      ['fcntl.h', 'linux/openat2.h'],
      'open_how value = {}; value.flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC; value.resolve = RESOLVE_IN_ROOT;',
    );
    expect(argumentBytes(made, 'openat2', 2, expected.length)).toEqual(expected);
    expect(made.toString()).toMatch(new RegExp(`openat2\\(.*, ${expected.length}\\)`));
  });
});

test('root: where statx(2) says which mount a path leads to', () => {
  const made = plan('/bin/true', [], { flags: Flags.NEWNS, root: '/' });
  const [id, size, mask, whole] = valuesOf(
    ['linux/stat.h'],
    [
      'offsetof(struct statx, stx_mnt_id)',
      'sizeof(((struct statx*)nullptr)->stx_mnt_id)',
      'STATX_MNT_ID',
      'sizeof(struct statx)',
    ],
  );
  const places = Array.from(made.toString().matchAll(/statx\(.*, 0, (\d+), &data\[(\d+)\]\)/g), (match) =>
    match.slice(1).map(Number),
  );
  expect(places.map(([asked]) => asked)).toEqual([mask, mask]);
  const [first, second] = places.map(([, place]) => place! + id!);
  expect(made.toString()).toContain(`the ${size} bytes at &data[${first}] are those at &data[${second}]`);
  expect(second! - first!).toBeGreaterThanOrEqual(whole!);
});
