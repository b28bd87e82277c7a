// Step `mounts`: what is mounted, in the given order.
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { clone, Flags, type Mount, plan, type SyscallError } from '../../lib';
import { rootOnly } from '../support/capability';
import { calls, failAt, fieldsOf } from '../support/fault';
import { hosts, onHost } from '../support/host';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted } from '../support/listing';
import { hostMounts } from '../support/mount-info';
import { planning, refusal } from '../support/refusal';

leavesNothing();

const base = owned(Flags.NEWNS | Flags.NEWPID);
const proc = { type: 'proc', target: '/proc' } as const satisfies Mount;
const options = { ...base, mounts: [proc] };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nsclone-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('mounts rejects', () => {
  test('mounts without the namespace: the host would get them', () => {
    expect(planning({ mounts: [proc] })).toThrow(
      refusal(
        'ERR_INVALID_ARG_VALUE',
        'mounts',
        'needs Flags.NEWNS in flags: without it the host would get the mounts',
      ),
    );
  });
  test('but no empty list', () => {
    expect(planning({ mounts: [] })).not.toThrow();
  });
  test.each([proc, '/proc', null, 5])('%p in the place of an array', (value) => {
    expect(planning({ ...base, mounts: value })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'mounts'));
  });
  test.each([['/proc'], [null], [[]], [undefined]])('%p in the place of a mount', (value) => {
    expect(planning({ ...base, mounts: [proc, value] })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'mounts[1]'));
  });
  test('an unknown or missing type, with the nearest', () => {
    expect(planning({ ...base, mounts: [{ type: 'prco', target: '/proc' }] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].type', 'did you mean "proc"?'),
    );
    expect(planning({ ...base, mounts: [{ target: '/proc' }] })).toThrow(
      expect.objectContaining({ option: 'mounts[0].type' }),
    );
  });
  test('a type that there is not before the fields that only it would have', () => {
    expect(planning({ ...base, mounts: [{ source: '/a', type: 'nowhere', target: '/b' }] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].type', "must be one of: 'bind', 'proc'"),
    );
  });
  test('an unknown field, with the nearest', () => {
    expect(planning({ ...base, mounts: [{ ...proc, readOnly: true }] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].readOnly', 'did you mean "readonly"?'),
    );
  });
  test('a target that is missing, empty, relative, or has a NUL byte', () => {
    const target = (value: unknown): (() => unknown) =>
      planning({ ...base, mounts: [{ type: 'proc', target: value }] });
    expect(target(undefined)).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'mounts[0].target'));
    expect(target('')).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].target'));
    expect(target('proc')).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].target', 'absolute'));
    expect(target('/pr\0oc')).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].target'));
  });
  test.each(['create', 'readonly', 'nosuid', 'nodev', 'noexec', 'noatime'])('%s that is no boolean', (name) => {
    for (const value of [1, 'true', null]) {
      expect(planning({ ...base, mounts: [{ ...proc, [name]: value }] })).toThrow(
        refusal('ERR_INVALID_ARG_TYPE', `mounts[0].${name}`),
      );
    }
  });
});

describe('mounts emits', () => {
  test('nothing without mounts', () => {
    expect(emitted('mounts', base)).toEqual([]);
    expect(emitted('mounts', { ...base, mounts: [] })).toEqual([]);
  });
  test('a mount that is made first and moved to its place last', () => {
    expect(
      emitted('mounts', { ...base, flags: Flags.NEWNS, uidMap: undefined, gidMap: undefined, mounts: [proc] }),
    ).toEqual([
      'mounts: openat(AT_FDCWD, "/", O_RDONLY|O_CLOEXEC|O_DIRECTORY|O_PATH, 0) = r0',
      expect.stringMatching(/^mounts\[0\]: fsopen\("proc", /),
      'mounts[0]: fsconfig(r1, FSCONFIG_CMD_CREATE, NULL, NULL, 0)  # failure: read(r1)',
      expect.stringMatching(/^mounts\[0\]: fsmount\(r1, FSMOUNT_CLOEXEC, .*\) = r2  # failure: read\(r1\)$/),
      'mounts[0]: close(r1)',
      expect.stringMatching(/^mounts\[0\]: openat2\(r0, "\/proc", .*resolve=RESOLVE_IN_ROOT.*\) = r1/),
      expect.stringMatching(/^mounts\[0\]: move_mount\(r2, "", r1, "", /),
      'mounts[0]: close(r2)',
      'mounts[0]: close(r1)',
      'mounts: close(r0)',
    ]);
  });
  test('them in the given order', () => {
    const targets = ['/proc', '/tmp', '/mnt'];
    const lines = emitted('mounts', { ...base, mounts: targets.map((target) => ({ type: 'proc', target })) });
    expect(lines.filter((line) => line.includes('openat2('))).toEqual(
      targets.map((target, index) =>
        expect.stringMatching(new RegExp(`^mounts\\[${index}\\]: openat2\\(r\\d, "${target}"`)),
      ),
    );
  });
  test('every directory of a target that is to be made, from the top', () => {
    const lines = emitted('mounts', { ...base, mounts: [{ type: 'proc', target: '/a//b/c/', create: true }] });
    const made = lines.filter((line) => line.includes('mkdirat(') || /openat2\(.*"\/a/.test(line));
    // Each in its parent, which has been opened inside the root.
    expect(made).toEqual(
      ['a', '/a', 'b', '/a/b', 'c', '/a/b/c', '/a/b/c'].map((path) =>
        expect.stringMatching(
          path.startsWith('/') ? `openat2\\(r\\d, "${path}"` : `mkdirat\\(r\\d, "${path}", 0755\\)`,
        ),
      ),
    );
  });
});

describe('mounts, seen from inside', () => {
  const mounted = async (mount: Mount): Promise<string[]> => {
    const output = await inside(`grep -F " ${mount.target} " /proc/self/mountinfo | tail -n 1`, {
      ...base,
      mounts: [mount],
    });
    return output.split(' ');
  };

  test('a fresh proc shows the processes of its namespace only', async () => {
    expect(await inside("ls /proc | grep '^[0-9]' | head -n 1; cat /proc/1/cmdline | tr '\\0' ' '", options)).toMatch(
      /^1\n\/bin\/sh -c/,
    );
    expect(await inside('readlink /proc/self/ns/pid; readlink /proc/1/ns/pid', options)).toMatch(/^(pid:\[\d+\])\n\1$/);
  });
  test('without it /proc is that of the host', async () => {
    expect(await inside('test -d /proc/$$ && readlink /proc/self/exe || echo none', base)).not.toBe('/bin/sh');
  });
  test('proc is nosuid, nodev and noexec', async () => {
    expect((await mounted({ type: 'proc', target: '/tmp' }))[5]!.split(',')).toEqual(
      expect.arrayContaining(['rw', 'nosuid', 'nodev', 'noexec']),
    );
  });
  test('attributes as they are asked for', async () => {
    const attributes = { readonly: true, nosuid: false, noexec: false };
    const found = (await mounted({ type: 'proc', target: '/tmp', ...attributes }))[5]!.split(',');
    expect(found).toEqual(expect.arrayContaining(['ro', 'nodev']));
    expect(found).not.toContain('nosuid');
    expect(found).not.toContain('noexec');
  });
  // In a new user namespace the access times of a proc must be those of the host's.
  rootOnly('noatime', async () => {
    const mounts: Mount[] = [{ ...proc, noatime: true }];
    const output = await inside('grep " /proc " /proc/self/mountinfo', { flags: Flags.NEWNS | Flags.NEWPID, mounts });
    expect(output).toMatch(/\bnoatime\b/);
  });
  test('several at once', async () => {
    const mounts: Mount[] = [proc, { type: 'proc', target: '/tmp' }, { type: 'proc', target: '/mnt' }];
    expect(await inside('cat /tmp/self/comm /mnt/1/comm', { ...base, mounts })).toBe('cat\nsh');
  });
  test('a mount upon what an earlier one has brought', async () => {
    const mounts: Mount[] = [proc, { type: 'proc', target: '/proc/sys/fs/binfmt_misc' }];
    expect(await inside('test -d /proc/sys/fs/binfmt_misc/1 && echo there', { ...base, mounts })).toBe('there');
  });
  test('a missing target that is made', async () => {
    const target = join(folder, 'a/b');
    expect(await inside(`cat ${target}/1/comm`, { ...base, mounts: [{ type: 'proc', target, create: true }] })).toBe(
      'sh',
    );
    expect(existsSync(target)).toBe(true);
  });
  test('a target that is a link leads to where it points inside the root', async () => {
    mkdirSync(join(folder, 'real'));
    symlinkSync(join(folder, 'real'), join(folder, 'link'));
    const mounts: Mount[] = [{ type: 'tmpfs', target: join(folder, 'link') }];
    expect(await inside(`stat -f -c %T ${folder}/real`, { ...base, mounts })).toBe('tmpfs');
  });
  test('hundreds at once, with a handful of kept results', async () => {
    const many = Array.from({ length: 200 }, (_, index): Mount => {
      const target = `/mnt/${index}`;
      if (index % 4 === 0) return { type: 'tmpfs', target, create: true, optional: true };
      if (index % 4 === 1) return { type: 'bind', source: '/usr', target, create: true, readonly: true };
      if (index % 4 === 2) return { type: 'file', target, content: String(index), create: true };
      return { type: 'overlay', lower: ['/usr', '/etc'], target, create: true, optional: true };
    });
    const mounts: Mount[] = [{ type: 'tmpfs', target: '/mnt' }, ...many];
    expect(await inside('grep -c " /mnt/[0-9]* " /proc/self/mountinfo; cat /mnt/198', { ...base, mounts })).toBe(
      '200\n198',
    );
    const slots = (list: Mount[]): number => plan('/bin/true', [], { ...base, mounts: list }).writer.slots;
    expect(slots(mounts)).toBe(slots(mounts.slice(0, 5)));
  });
  test('a target that is written in another way is the same', async () => {
    const mounts: Mount[] = [{ type: 'tmpfs', target: '/usr/..//mnt/./' }];
    expect((await mounted({ ...mounts[0]!, target: '/mnt' }))[4]).toBe('/mnt');
    expect(await inside('stat -f -c %T /mnt', { ...base, mounts })).toBe('tmpfs');
  });
  test('a proc is mounted on no link, whether the target ends with a slash or not', async () => {
    mkdirSync(join(folder, 'real'));
    symlinkSync('real', join(folder, 'link'));
    for (const target of [join(folder, 'link'), `${join(folder, 'link')}/`, `${join(folder, 'link')}/.`]) {
      await expect(clone('/bin/true', { ...base, mounts: [{ type: 'proc', target }] })).rejects.toMatchObject({
        code: 'ENOTDIR',
        hint: 'a file system of the kernel is mounted on a directory, and on no link to one',
      });
    }
  });
  test('no descriptor of the mounts is left', async () => {
    expect((await inside('ls /proc/self/fd', options)).split('\n')).toEqual(['0', '1', '2', '3']);
  });
  test('our own mounts stay as they are', async () => {
    const before = hostMounts();
    await inside('true', options);
    expect(hostMounts()).toEqual(before);
  });
});

describe('mounts, when the kernel refuses', () => {
  test('a fresh proc without an own pid namespace: add it', async () => {
    const error: unknown = await clone('/bin/true', { ...owned(Flags.NEWNS), mounts: [proc] }).catch(
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({
      code: 'EPERM',
      step: 'mounts',
      option: 'mounts[0]',
      path: 'proc',
      dest: '/proc',
      message:
        'EPERM: operation not permitted, mount proc -> /proc (mounts[0]): a fresh proc needs an own pid namespace; ' +
        'add Flags.NEWPID',
    });
  });
  test('a fresh proc inside a container that masks it', async () => {
    const refused = (files: Record<string, string>): Promise<SyscallError> =>
      onHost({ files }, () => failAt(options, calls('fsmount'), 'EPERM'));
    expect((await refused(hosts.docker)).hint).toBe(
      'a fresh proc needs a fully visible /proc outside, and /proc/kcore is covered by another mount: ' +
        'a container has to be started with systempaths=unconfined (docker) or unmask=ALL (podman)',
    );
    expect((await refused(hosts.free)).hint).toBeUndefined();
  });
  test.each(['fsopen', 'fsconfig', 'fsmount', 'openat2', 'move_mount'])(
    '%s, with both ends of the mount',
    async (syscall) => {
      expect(
        fieldsOf(await failAt(options, calls(syscall === 'openat2' ? 'openat2(r' : `${syscall}(`), 'EBUSY')),
      ).toEqual({
        code: 'EBUSY',
        errno: -16,
        step: 'mounts',
        option: 'mounts[0]',
        syscall,
        path: 'proc',
        dest: '/proc',
        message: 'EBUSY: resource busy or locked, mount proc -> /proc (mounts[0])',
      });
    },
  );
  test('the second of two', async () => {
    const mounts: Mount[] = [proc, { type: 'proc', target: '/tmp' }];
    const error = await failAt(
      { ...base, mounts },
      ({ option, call }) => option === 'mounts[1]' && call.startsWith('fsopen'),
      'ENODEV',
    );
    expect(error).toMatchObject({ option: 'mounts[1]', dest: '/tmp' });
  });
  test('an id without a place, by what is made with it', async () => {
    const mounts: Mount[] = [
      { type: 'tmpfs', target: '/mnt' },
      { type: 'file', target: '/mnt/file', content: '', create: true, place: true },
    ];
    await expect(clone('/bin/true', { flags: Flags.NEWUSER | Flags.NEWNS, mounts })).rejects.toMatchObject({
      code: 'EOVERFLOW',
      option: 'mounts[1]',
      hint: 'who makes it has an id that has no place in the user namespace; see uidMap and gidMap',
    });
  });
  test('a missing target: create makes it', async () => {
    const mounts: Mount[] = [{ type: 'proc', target: join(folder, 'missing') }];
    await expect(clone('/bin/true', { ...base, mounts })).rejects.toMatchObject({
      code: 'ENOENT',
      syscall: 'openat2',
      hint: 'the target is missing; create: true makes it',
    });
  });
  test('a target that is no directory', async () => {
    await expect(
      clone('/bin/true', { ...base, mounts: [{ type: 'proc', target: '/etc/passwd' }] }),
    ).rejects.toMatchObject({
      code: 'ENOTDIR',
      option: 'mounts[0]',
      dest: '/etc/passwd',
    });
  });
});

test('a target that would have to be made in what is read-only: what makes it so afterwards', async () => {
  const root = { type: 'bind', source: folder, readonly: true } as const;
  const mounts = [{ type: 'tmpfs', target: '/nope/x', create: true }] as const;
  const error = await clone('/bin/true', { ...base, root, mounts }).catch((reason: SyscallError) => reason);
  expect(error).toMatchObject({
    code: 'EROFS',
    option: 'mounts[0]',
    hint: expect.stringContaining("{ type: 'readonly', recursive: false }"),
  });
  // As it says.
  const inOrder = [mounts[0], { type: 'readonly', target: '/' }] as const;
  const missing = await clone('/bin/true', { ...base, root: folder, mounts: inOrder }).catch(
    (reason: SyscallError) => reason,
  );
  expect(missing).toMatchObject({ code: 'ENOENT', step: 'command' });
});
