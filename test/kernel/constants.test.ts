// The vendored constants against the system's headers.
import * as cloneConstants from '../../lib/kernel/clone-constants';
import { constants } from '../../lib/kernel/constants';
import { loadOn, macroNames, testWithHeaders, valuesOf } from './headers';

type Constants = Readonly<Record<string, number | bigint>>;

const words = (text: string): string[] => text.trim().split(/\s+/);

const kernel = words(`
  linux/sched.h linux/mount.h linux/fcntl.h linux/openat2.h linux/stat.h linux/prctl.h
  linux/resource.h linux/close_range.h linux/memfd.h asm/ioctls.h asm/termbits.h linux/poll.h
  linux/eventpoll.h linux/nsfs.h linux/securebits.h linux/seccomp.h linux/keyctl.h
  linux/personality.h linux/capability.h linux/pidfd.h linux/wait.h
`);
const network = [
  'sys/socket.h',
  'linux/if.h',
  'linux/in.h',
  'linux/if_tun.h',
  'linux/sockios.h',
  'linux/netlink.h',
  'linux/ioctl.h',
];
const mounting = ['sys/mount.h'];

// Of these the kernel's value is wanted, and libc has one of its own (O_LARGEFILE is 0 there).
const kernelOnly = /^(O_|F_|S_I|AT_|MS_|MOUNT_ATTR_|FS[A-Z]+_|MOVE_MOUNT_|OPEN_TREE_|P_|W[A-Z]+$)/;
const enumerators =
  /^(FSCONFIG_(?!CMD_CREATE_EXCL)|UNAME26|ADDR_|MMAP_PAGE|READ_IMPLIES|SHORT_INODE|WHOLE_|STICKY_|PER_)/;

// A C constant as the table has it: a bit written as (1 << 31) is negative in C.
const asUnsigned = (value: bigint): bigint => (value < -0x40000000n ? value + 0x100000000n : value);

function compare(command: string, table: Constants): void {
  const checked = new Set<string>();
  const differences: string[] = [];
  for (const headers of [kernel, network, mounting]) {
    const macros = new Set(macroNames(command, headers));
    const names = Object.keys(table).filter((name) =>
      headers === kernel
        ? macros.has(name) || enumerators.test(name)
        : macros.has(name) && !kernelOnly.test(name) && !checked.has(name),
    );
    for (const [name, value] of valuesOf(command, headers, names)) {
      checked.add(name);
      const ours = table[name];
      if (ours === undefined || BigInt(ours) !== asUnsigned(value)) differences.push(`${name}: ${ours} is ${value}`);
    }
  }
  expect(differences).toEqual([]);
  expect(checked.size).toBeGreaterThan(Object.keys(table).length * 0.97);
}

for (const arch of ['x64', 'arm64'] as const) {
  testWithHeaders(arch, `the constants of ${arch} are those of the headers`, (command) => {
    const module = loadOn(arch, () => jest.requireActual<{ constants: Constants }>('../../lib/kernel/constants'));
    compare(command, module.constants);
  });
}

test('the two architectures differ in what open(2) takes', () => {
  const load = (arch: 'x64' | 'arm64'): Constants =>
    loadOn(arch, () => jest.requireActual<{ constants: Constants }>('../../lib/kernel/constants')).constants;
  const [x64, arm64] = [load('x64'), load('arm64')];
  const different = Object.keys(x64).filter((name) => x64[name] !== arm64[name]);
  expect(different).toEqual(['O_DIRECT', 'O_DIRECTORY', 'O_LARGEFILE', 'O_NOFOLLOW', 'O_TMPFILE']);
});

test('every CLONE_ constant is a named export too', () => {
  const names = Object.keys(constants).filter((name) => name.startsWith('CLONE_'));
  expect(names).toHaveLength(27);
  expect({ ...cloneConstants }).toEqual(
    Object.fromEntries(names.map((name) => [name, constants[name as keyof typeof constants]])),
  );
});

test('only the two flags above 32 bits are bigint, and no flag is negative', () => {
  const entries = Object.entries(constants);
  const wide = entries.filter(([, value]) => typeof value === 'bigint').map(([name]) => name);
  expect(wide).toEqual(['CLONE_CLEAR_SIGHAND', 'CLONE_INTO_CGROUP']);
  const negative = entries.filter(([, value]) => value < 0).map(([name]) => name);
  expect(negative).toEqual(['AT_FDCWD', 'PRIO_MIN', 'PR_SET_PTRACER_ANY']);
});

test('what set-up needs is there', () => {
  expect(constants).toMatchObject({ TUNSETIFF: 0x400454ca, NS_GET_USERNS: 0xb701, MS_REC: 0x4000, RLIMIT_NOFILE: 7 });
});

test('the constants cannot be changed', () => {
  expect(Object.isFrozen(constants)).toBe(true);
});
