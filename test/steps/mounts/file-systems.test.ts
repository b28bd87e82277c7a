// Mounts that are fresh file systems: `sysfs`, `tmpfs`, `devpts`, `mqueue`, `cgroup2`, and any by its name.
import { clone, Flags, type Mount } from '../../../lib';
import { inside, owned } from '../../support/inside';
import { isLinux, rootOnly } from '../../support/capability';
import { calls, failAt } from '../../support/fault';
import { leavesNothing } from '../../support/leftovers';
import { emitted } from '../../support/listing';
import { mountSeen } from '../../support/mount-info';
import { planning, refusal } from '../../support/refusal';
import { proc, programs } from '../../support/root-folder';
import { temporaryFolder } from '../../support/temporary-folder';

leavesNothing();

const folder = temporaryFolder();
const { NEWCGROUP, NEWIPC, NEWNET, NEWNS, NEWPID } = Flags;
const base = owned(NEWNS | NEWPID);

const kinds = {
  proc: NEWPID,
  sysfs: NEWNET,
  tmpfs: 0,
  devpts: 0,
  mqueue: NEWIPC,
  cgroup2: NEWCGROUP,
} as const;
type Kind = keyof typeof kinds;
const names = Object.keys(kinds) as Kind[];

describe('a file system rejects', () => {
  const given = (mount: object): (() => unknown) => planning({ ...base, mounts: [mount] });

  test.each(['proc', 'sysfs', 'devpts', 'mqueue', 'cgroup2'])('%s on /, and fields that it has not', (type) => {
    for (const target of ['/', '//', '/.', '/a/..']) {
      expect(given({ type, target })).toThrow(
        refusal(
          'ERR_INVALID_ARG_VALUE',
          'mounts[0].target',
          'cannot be the root: only types bind, tmpfs, overlay, filesystem can',
        ),
      );
    }
    for (const [name, value] of [
      ['source', '/a'],
      ['size', 1],
      ['mode', 0o755],
    ] as const) {
      expect(given({ type, target: '/mnt', [name]: value })).toThrow(
        refusal('ERR_INVALID_ARG_VALUE', `mounts[0].${name}`, 'is unknown'),
      );
    }
  });
  test.each(['64M ', '1.5m', '-1', '0', '0m', '', 'm', '1t', '64 m', '0x10', '50%'])('the size %p', (size) => {
    expect(given({ type: 'tmpfs', target: '/mnt', size })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].size', "must be bytes, or such as '64m'"),
    );
  });
  // The kernel would take what is left of these beyond 64 bits: no limit at all, 1 GiB, and 4 KiB.
  test.each(['17179869184g', '17179869185G', '18014398509481985k', '9007199254740992'])('the size %p', (size) => {
    for (const copyUp of [false, true]) {
      expect(given({ type: 'tmpfs', target: '/mnt', size, copyUp })).toThrow(
        refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].size', 'must be less than 2^53 bytes'),
      );
    }
  });
  test.each([0, -1, 1.5, NaN, Infinity, 2 ** 53])('the size %p', (size) => {
    expect(given({ type: 'tmpfs', target: '/mnt', size })).toThrow(refusal('ERR_OUT_OF_RANGE', 'mounts[0].size'));
  });
  test('a size or a mode of another type', () => {
    for (const value of [null, true, {}, 5n]) {
      expect(given({ type: 'tmpfs', target: '/mnt', size: value })).toThrow(
        refusal('ERR_INVALID_ARG_TYPE', 'mounts[0].size'),
      );
      expect(given({ type: 'tmpfs', target: '/mnt', mode: value })).toThrow(
        refusal('ERR_INVALID_ARG_TYPE', 'mounts[0].mode'),
      );
    }
    expect(given({ type: 'tmpfs', target: '/mnt', mode: '755' })).toThrow(
      refusal('ERR_INVALID_ARG_TYPE', 'mounts[0].mode'),
    );
  });
  test.each([-1, 0o10000, 1.5])('the mode %p', (mode) => {
    expect(given({ type: 'tmpfs', target: '/mnt', mode })).toThrow(refusal('ERR_OUT_OF_RANGE', 'mounts[0].mode'));
  });
  test('a filesystem without its name, or with options that are none', () => {
    const filesystem = (fields: object): (() => unknown) => given({ type: 'filesystem', target: '/mnt', ...fields });
    expect(filesystem({})).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'mounts[0].fstype'));
    expect(filesystem({ fstype: '' })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].fstype'));
    expect(filesystem({ fstype: 'ext4', source: 5 })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'mounts[0].source'));
    expect(filesystem({ fstype: 'ext4', options: 'sync' })).toThrow(
      refusal('ERR_INVALID_ARG_TYPE', 'mounts[0].options'),
    );
    for (const value of [null, {}, ['a'], 1n]) {
      expect(filesystem({ fstype: 'ext4', options: { data: value } })).toThrow(
        refusal('ERR_INVALID_ARG_TYPE', 'mounts[0].options.data'),
      );
    }
    expect(filesystem({ fstype: 'ext4', options: { data: 1.5 } })).toThrow(
      refusal('ERR_OUT_OF_RANGE', 'mounts[0].options.data'),
    );
    expect(filesystem({ fstype: 'ext4', options: { data: 'a\0b' } })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].options.data'),
    );
  });
});

describe('options of a file system reject', () => {
  const given = (mount: object): (() => unknown) => planning({ ...base, mounts: [{ target: '/mnt', ...mount }] });

  test.each(names)('of %s, what is no object of words', (type) => {
    for (const options of [null, 'sync', ['sync']]) {
      expect(given({ type, options })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'mounts[0].options'));
    }
    expect(given({ type, options: { gid: {} } })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'mounts[0].options.gid'));
  });
  test('what the type says itself', () => {
    for (const [mount, name, own] of [
      [{ type: 'tmpfs' }, 'size', 'size'],
      [{ type: 'tmpfs' }, 'mode', 'mode'],
      [{ type: 'overlay', lower: ['/usr'] }, 'lowerdir', 'lower'],
      [{ type: 'overlay', lower: ['/usr'] }, 'lowerdir+', 'lower'],
      [{ type: 'overlay', lower: ['/usr'] }, 'upperdir', 'upper'],
      [{ type: 'overlay', lower: ['/usr'] }, 'workdir', 'work'],
      [{ type: 'filesystem', fstype: 'ext4' }, 'source', 'source'],
    ] as const) {
      expect(given({ ...mount, options: { [name]: '1' } })).toThrow(
        refusal('ERR_INVALID_ARG_VALUE', `mounts[0].options.${name}`, `is said by ${own}`),
      );
    }
  });
  test('permissions as a number: the kernel reads octal ones', () => {
    for (const name of ['mode', 'ptmxmode', 'umask', 'fmask', 'dmask']) {
      expect(given({ type: 'filesystem', fstype: 'vfat', options: { [name]: 0o700 } })).toThrow(
        refusal('ERR_INVALID_ARG_VALUE', `mounts[0].options.${name}`, "must be a string such as '0700'"),
      );
    }
  });
  test('those of a copy, which is an overlay', () => {
    expect(given({ type: 'tmpfs', copyUp: true, options: { nr_inodes: 5 } })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].options', 'cannot be given beside copyUp'),
    );
  });
});

describe('a file system emits', () => {
  test('its options one by one, its attributes as it is made, and its place last', () => {
    const options = { uid: 5, sync: true, quota: false, context: 'a,b=c' };
    const mount: Mount = {
      type: 'filesystem',
      target: '/mnt',
      fstype: 'ext4',
      source: '/dev/sda1',
      readonly: true,
      options,
    };
    const lines = emitted('mounts', { flags: NEWNS, mounts: [mount] }).filter((line) => line.startsWith('mounts[0]'));
    expect(lines.map((line) => line.replace(/^mounts\[0\]: /, '').replace(/r\d/g, 'r'))).toEqual([
      'fsopen("ext4", FSOPEN_CLOEXEC) = r',
      'fsconfig(r, FSCONFIG_SET_STRING, "source", "/dev/sda1", 0)  # failure: read(r)',
      'fsconfig(r, FSCONFIG_SET_STRING, "uid", "5", 0)  # failure: read(r)',
      'fsconfig(r, FSCONFIG_SET_FLAG, "sync", NULL, 0)  # failure: read(r)',
      'fsconfig(r, FSCONFIG_SET_STRING, "context", "a,b=c", 0)  # failure: read(r)',
      'fsconfig(r, FSCONFIG_CMD_CREATE, NULL, NULL, 0)  # failure: read(r)',
      'fsmount(r, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY) = r  # failure: read(r)',
      'close(r)',
      expect.stringMatching(/^openat2\(r, "\/mnt", /),
      expect.stringMatching(/^move_mount\(/),
      'close(r)',
      'close(r)',
    ]);
  });
  test('O_NOFOLLOW for those that are believed, also where the target ends with a slash', () => {
    for (const type of ['proc', 'sysfs', 'devpts', 'mqueue', 'cgroup2'] as const) {
      for (const target of ['/proc', '/proc/', '/proc/.', '//proc//']) {
        const lines = emitted('mounts', { flags: NEWNS, mounts: [{ type, target }] });
        expect(lines.filter((line) => line.includes('openat2('))).toEqual([
          expect.stringMatching(/openat2\(r\d, "\/proc", \{flags=[^}]*O_DIRECTORY\|O_NOFOLLOW/),
        ]);
      }
    }
  });
});

describe('a file system, seen from inside', () => {
  const presets: Record<Kind, string[]> = {
    proc: ['nosuid', 'nodev', 'noexec'],
    sysfs: ['nosuid', 'nodev', 'noexec'],
    tmpfs: ['nosuid', 'nodev'],
    devpts: ['nosuid', 'noexec'],
    mqueue: ['nosuid', 'nodev', 'noexec'],
    cgroup2: ['nosuid', 'nodev', 'noexec'],
  };

  test.each(names)('%s, with what it sets by itself', async (type) => {
    const options = { ...owned(NEWNS | NEWPID | kinds[type]), mounts: [{ type, target: '/mnt' }] as Mount[] };
    const seen = await mountSeen('/mnt', options);
    const closed = seen.attributes.filter((name) => /^no(?:suid|dev|exec)$/.test(name));
    expect({ type: seen.type, closed: closed.sort() }).toEqual({ type, closed: [...presets[type]].sort() });
    expect(seen.attributes).toContain('rw');
  });
  test('sysfs has the devices of the network namespace', async () => {
    const mounts: Mount[] = [{ type: 'sysfs', target: '/mnt' }];
    expect(await inside('ls /mnt/class/net', { ...owned(NEWNS | NEWNET), mounts })).toMatch(/^lo(\n(?!eth|en).*)*$/);
  });
  test('devpts has terminals of its own', async () => {
    const mounts: Mount[] = [{ type: 'devpts', target: '/mnt' }];
    expect(await inside('ls /mnt; stat -c %a /mnt/ptmx', { ...base, mounts })).toBe('ptmx\n666');
  });
  test('tmpfs has a size', async () => {
    for (const size of ['64k', '64K', 65536]) {
      const mounts: Mount[] = [{ type: 'tmpfs', target: '/mnt', size }];
      const script =
        'head -c 60000 /dev/zero > /mnt/a && echo fits; head -c 60000 /dev/zero 2>&1 > /mnt/b || stat -f -c "%S %b" /mnt';
      expect(await inside(`${script} 2>/dev/null`, { ...base, mounts })).toMatch(/^fits\n(?:.*No space.*\n)?4096 16$/);
    }
    expect(
      await inside('stat -f -c "%S %b" /mnt', { ...base, mounts: [{ type: 'tmpfs', target: '/mnt', size: '2m' }] }),
    ).toBe('4096 512');
  });
  test('tmpfs has a mode, 0755 by default, whatever the umask is', async () => {
    const before = process.umask(0o077);
    try {
      for (const [mode, expected] of [
        [undefined, '755'],
        [0o1777, '1777'],
        [0, '0'],
        [0o4711, '4711'],
      ] as const) {
        const mounts: Mount[] = [{ type: 'tmpfs', target: '/mnt', mode }];
        expect(await inside('stat -c %a /mnt', { ...base, mounts })).toBe(expected);
      }
    } finally {
      process.umask(before);
    }
  });
  test('any other one, with its own options', async () => {
    const options = { size: '1m', mode: '0711', nr_inodes: 100 };
    const mounts: Mount[] = [{ type: 'filesystem', fstype: 'tmpfs', source: 'named', target: '/mnt', options }];
    expect(
      await inside('stat -c %a /mnt; grep -c "^named /mnt tmpfs .*nr_inodes=100" /proc/mounts', { ...base, mounts }),
    ).toBe('711\n1');
  });
  test('proc, tmpfs and devpts with options of their own', async () => {
    const options = async (mount: Mount): Promise<readonly string[]> =>
      (await mountSeen(mount.target, { ...base, mounts: [mount] })).options;
    expect(await options({ type: 'proc', target: '/proc', options: { hidepid: 'invisible' } })).toContain(
      'hidepid=invisible',
    );
    expect(await options({ type: 'tmpfs', target: '/mnt', size: '1m', options: { nr_inodes: 100 } })).toEqual(
      expect.arrayContaining(['size=1024k', 'nr_inodes=100']),
    );
    // In the place of what is so by default.
    expect(await options({ type: 'devpts', target: '/mnt', options: { mode: '0600', max: 5 } })).toEqual(
      expect.arrayContaining(['mode=600', 'ptmxmode=666', 'max=5']),
    );
    const root = { type: 'tmpfs', options: { nr_inodes: 50 } } as const;
    const mounts = [...programs, proc];
    expect((await mountSeen('/', { ...base, root, mounts })).options).toContain('nr_inodes=50');
  });
  test('the host has none of them afterwards', async () => {
    const target = folder.folder('target');
    await inside(`: > ${target}/file`, { ...base, mounts: [{ type: 'tmpfs', target }] });
    expect(await inside(`ls ${target}`)).toBe('');
  });
});

describe('a file system, when the kernel refuses', () => {
  const refused = (flags: number, ...mounts: Mount[]): Promise<unknown> =>
    clone('/bin/true', { ...owned(flags), mounts }).then(
      () => 'started',
      (error: unknown) => error,
    );

  test.each([
    ['sysfs', 'NEWNET', 'network'],
    ['mqueue', 'NEWIPC', 'ipc'],
  ] as const)('a %s of somebody else in a user namespace: add Flags.%s', async (type, flag, name) => {
    expect(await refused(NEWNS, { type, target: '/mnt' })).toMatchObject({
      code: 'EPERM',
      option: 'mounts[0]',
      hint: `a fresh ${type} in a user namespace needs an own ${name} namespace; add Flags.${flag}, or bind that of the host`,
    });
  });
  test('a name that the kernel does not know', async () => {
    expect(await refused(NEWNS, { type: 'filesystem', fstype: 'nowherefs', target: '/mnt' })).toMatchObject({
      code: 'ENODEV',
      syscall: 'fsopen',
      path: 'nowherefs',
      hint: "this kernel has no file system 'nowherefs'",
    });
  });
  test('an option that it does not know', async () => {
    const options = { nonsense: true };
    expect(await refused(NEWNS, { type: 'filesystem', fstype: 'tmpfs', target: '/mnt', options })).toMatchObject({
      code: 'EINVAL',
      syscall: 'fsconfig',
      message:
        "EINVAL: invalid argument, mount tmpfs -> /mnt (mounts[0]): the kernel says: tmpfs: Unknown parameter 'nonsense'",
    });
  });
  test.each(['sysfs', 'mqueue', 'cgroup2', 'proc', 'devpts'] as const)('an option that %s has not', async (type) => {
    const mount: Mount = { type, target: '/mnt', options: { nonsense: 1 } };
    expect(await refused(NEWNS | NEWPID | kinds[type], mount)).toMatchObject({
      code: 'EINVAL',
      syscall: 'fsconfig',
      option: 'mounts[0]',
      // The devpts of Linux 6.1 says nothing.
      message: expect.stringMatching(type === 'devpts' ? /nonsense|\(mounts\[0\]\)$/ : /nonsense/) as string,
    });
  });
  test('a value that it does not take', async () => {
    const mount: Mount = { type: 'filesystem', fstype: 'tmpfs', target: '/mnt', options: { size: 'nonsense' } };
    expect(await refused(NEWNS, mount)).toMatchObject({
      syscall: 'fsconfig',
      message: expect.stringMatching(/ \(mounts\[0\]\): the kernel says: tmpfs: Bad value for 'size'$/),
    });
  });
  test('in words of the kernel that are made safe to print, and have an end', async () => {
    const mount = (name: string): Mount => ({
      type: 'filesystem',
      fstype: 'tmpfs',
      target: '/mnt',
      options: { [name]: 'x' },
    });
    expect(await refused(NEWNS, mount('a\u001b[31m\u202eb'))).toMatchObject({
      message: expect.stringMatching(/the kernel says: tmpfs: Unknown parameter 'a\\x1b\[31m\\u202eb'$/),
    });
    // The kernel takes names of up to 255 bytes, and writes each of them as it is.
    expect(await refused(NEWNS, mount('a\nb'))).toMatchObject({
      message: expect.stringMatching(/the kernel says: tmpfs: Unknown parameter 'a$/),
    });
    const long = String(await refused(NEWNS, mount('\u001b'.repeat(200))));
    expect(long).toMatch(/Unknown parameter '(?:\\x1b){200}'$/);
  });
  test('for want of a device', async () => {
    const mount: Mount = { type: 'filesystem', fstype: 'squashfs', target: '/mnt' };
    const seen = String(await refused(NEWNS, mount));
    // Who may mount it at all is asked first.
    expect(seen).toMatch(
      /^SyscallError: (?:EPERM: |EINVAL: .*: the kernel says: squashfs: No source specified$|ENODEV)/,
    );
  });
  test('without words where the kernel says none, whatever was said before', async () => {
    const mount: Mount = { type: 'filesystem', fstype: 'tmpfs', target: '/mnt', options: { size: '1m' } };
    const error = await failAt({ ...owned(NEWNS), mounts: [mount] }, calls('fsmount'), 'EIO');
    expect(error.message).toBe('EIO: i/o error, mount tmpfs -> /mnt (mounts[0])');
  });
  rootOnly('a device that is missing', async () => {
    const mounts: Mount[] = [{ type: 'filesystem', fstype: 'ext4', source: folder.at('missing'), target: '/mnt' }];
    const path = folder.at('missing');
    await expect(clone('/bin/true', { flags: NEWNS, mounts })).rejects.toMatchObject({
      code: 'ENOENT',
      // Of ext4 it says so since 5.17; which of the two depends on the kernel.
      message: expect.stringMatching(
        new RegExp(
          String.raw`^ENOENT: no such file or directory, mount ${path} -> /mnt \(mounts\[0\]\)(: the kernel says: ${path}: Can't (?:lookup|open) blockdev)${isLinux('5.17') ? '' : '?'}$`,
        ),
      ) as string,
    });
  });
  test('a source that is no device', async () => {
    expect(
      await refused(NEWNS, { type: 'filesystem', fstype: 'ext4', source: '/dev/null', target: '/mnt' }),
    ).toMatchObject({
      code: expect.stringMatching(/^E(?:PERM|NOTBLK)$/),
    });
  });
  rootOnly('a source that is missing is nothing to do where the mount is optional', async () => {
    const mounts: Mount[] = [
      { type: 'filesystem', fstype: 'ext4', source: folder.at('missing'), target: '/mnt', optional: true },
      { type: 'tmpfs', target: '/mnt' },
    ];
    expect(await inside('stat -f -c %T /mnt', { flags: NEWNS, mounts })).toBe('tmpfs');
    await expect(
      clone('/bin/true', { flags: NEWNS, mounts: [{ ...mounts[0]!, optional: false }] }),
    ).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });
});
