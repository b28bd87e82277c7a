// Entries that make something: `file`, `symlink`, `dir`, `chmod`.
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { inspect } from 'node:util';

import { clone, type CloneOptions, Flags, type Mount, plan } from '../../../lib';
import { rootOnly } from '../../support/capability';
import { calls, failAt } from '../../support/fault';
import { inside, owned } from '../../support/inside';
import { leavesNothing } from '../../support/leftovers';
import { emitted } from '../../support/listing';
import { mountSeen, mountsSeen } from '../../support/mount-info';
import { planning, refusal } from '../../support/refusal';
import { temporaryFolder } from '../../support/temporary-folder';

leavesNothing();

const folder = temporaryFolder();
const base = owned(Flags.NEWNS | Flags.NEWPID);

const refused = (...mounts: Mount[]): Promise<unknown> =>
  clone('/bin/true', { ...base, mounts }).then(
    () => 'started',
    (error: unknown) => error,
  );

async function withUmask<T>(mask: number, body: () => Promise<T>): Promise<T> {
  const before = process.umask(mask);
  try {
    return await body();
  } finally {
    process.umask(before);
  }
}

describe('what is made rejects', () => {
  const given = (mount: object): (() => unknown) => planning({ ...base, mounts: [{ target: '/a', ...mount }] });

  test('a content that is none', () => {
    for (const content of [undefined, null, 5, ['a'], {}, new ArrayBuffer(1)]) {
      expect(given({ type: 'file', content })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'mounts[0].content'));
    }
  });
  test.each(['writable', 'place', 'create', 'optional'])('%s that is no boolean', (name) => {
    expect(given({ type: 'file', content: '', [name]: 1 })).toThrow(
      refusal('ERR_INVALID_ARG_TYPE', `mounts[0].${name}`),
    );
  });
  test('writable beside place', () => {
    expect(given({ type: 'file', content: '', writable: true, place: true })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].writable', 'says nothing beside place'),
    );
  });
  test('a mode that is none', () => {
    for (const entry of [{ type: 'file', content: '' }, { type: 'dir' }, { type: 'chmod' }]) {
      expect(given({ ...entry, mode: '644' })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'mounts[0].mode'));
      for (const mode of [-1, 0o10000, 0.5]) {
        expect(given({ ...entry, mode })).toThrow(refusal('ERR_OUT_OF_RANGE', 'mounts[0].mode'));
      }
    }
    expect(given({ type: 'chmod' })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'mounts[0].mode'));
  });
  test('a link that says nothing', () => {
    expect(given({ type: 'symlink' })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'mounts[0].to'));
    expect(given({ type: 'symlink', to: '' })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].to'));
    expect(given({ type: 'symlink', to: 'a\0b' })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].to'));
  });
  test('unknown fields, with the nearest', () => {
    expect(given({ type: 'file', contents: '' })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].contents', 'did you mean "content"?'),
    );
    expect(given({ type: 'symlink', target: '/a', source: '/b', to: '/b' })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].source', 'is unknown'),
    );
  });
});

describe('file emits', () => {
  test('a file that is read-only before it is put into its place, and is nowhere else by then', () => {
    const lines = emitted('mounts', { flags: Flags.NEWNS, mounts: [{ type: 'file', target: '/a', content: 'x' }] });
    const places = ['write(', 'fchmod(', 'open_tree(', 'umount2(', 'mount_setattr(', 'openat2('].map((name) =>
      lines.findIndex((line) => line.includes(name)),
    );
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places[0]).toBeGreaterThan(0);
    expect(lines.findLastIndex((line) => line.includes('move_mount('))).toBeGreaterThan(places.at(-1)!);
  });
  test('how many bytes of content, and none of them: secrets are handed over so', () => {
    for (const more of [{}, { writable: true }, { place: true }, { create: true }]) {
      for (const content of ['swordfish', Buffer.from('swordfish')]) {
        const made = plan('/bin/true', [], {
          flags: Flags.NEWNS,
          mounts: [{ type: 'file', target: '/a', content, ...more }],
        });
        expect(String(made)).toMatch(/write\(r\d, \[9 bytes\], 9\)/);
        for (const shown of [String(made), JSON.stringify(made), inspect(made, { customInspect: false, depth: 9 })])
          expect(shown).not.toMatch(/swordfish|115, *119/);
      }
    }
  });
});

test('what a file may not be used for is nothing to say where a real one is written', () => {
  for (const name of ['nosuid', 'nodev', 'noexec']) {
    expect(
      planning({ ...base, mounts: [{ type: 'file', target: '/a', content: '', place: true, [name]: true }] }),
    ).toThrow(refusal('ERR_INVALID_ARG_VALUE', `mounts[0].${name}`, 'says nothing beside place'));
  }
});

describe('file, seen from inside', () => {
  const file = (fields: Partial<Mount & { type: 'file' }> = {}): Mount => ({
    type: 'file',
    target: folder.at('target'),
    content: 'content',
    ...fields,
  });
  const target = (): string => folder.at('target');

  test('is mounted, and read-only', async () => {
    folder.file('target', 'before');
    const script = `cat ${target()}; (echo > ${target()}) 2>&1 || echo no; chmod 777 ${target()} 2>&1 || echo no`;
    expect(await inside(script, { ...base, mounts: [file()] })).toMatch(
      /^content.*Read-only file system\nno\n.*Read-only file system\nno$/,
    );
    expect((await mountSeen(target(), { ...base, mounts: [file()] })).attributes).toContain('ro');
    expect(readFileSync(target(), 'utf8')).toBe('before');
  });
  test('writable: true, a copy of its own', async () => {
    folder.file('target', 'before');
    const script = `cat ${target()}; echo changed > ${target()}; cat ${target()}`;
    for (let round = 0; round < 2; round++) {
      expect(await inside(script, { ...base, mounts: [file({ writable: true })] })).toBe('contentchanged');
    }
    expect(readFileSync(target(), 'utf8')).toBe('before');
  });
  test('place: true, a real one', async () => {
    expect(await inside(`cat ${target()}`, { ...base, mounts: [file({ place: true })] })).toBe('content');
    expect(readFileSync(target(), 'utf8')).toBe('content');
    expect((await mountsSeen({ ...base, mounts: [file({ place: true })] })).map(({ point }) => point)).not.toContain(
      target(),
    );
  });
  test('place: true, in the place of what is there, with other names of it as before', async () => {
    chmodSync(folder.file('target', 'a longer one, from before'), 0o600);
    await inside('true', { ...base, mounts: [file({ place: true, mode: 0o640 })] });
    expect(readFileSync(target(), 'utf8')).toBe('content');
    expect(statSync(target()).mode & 0o7777).toBe(0o640);
  });
  test('place: true, into a mount of the list alone', async () => {
    mkdirSync(folder.at('tmp'));
    const mounts: Mount[] = [
      { type: 'tmpfs', target: folder.at('tmp') },
      file({ place: true, target: folder.at('tmp/a/b') }),
    ];
    expect(await inside(`cat ${folder.path}/tmp/a/b; stat -c %a ${folder.path}/tmp/a`, { ...base, mounts })).toBe(
      'content755',
    );
    expect(readdirSync(folder.at('tmp'))).toEqual([]);
  });
  test('its mode is what is asked for, whatever the umask is', async () => {
    folder.file('target', '');
    await withUmask(0o077, async () => {
      const modes: [object, string][] = [
        [{}, '644'],
        [{ mode: 0o600 }, '600'],
        [{ mode: 0o777 }, '777'],
        [{ mode: 0 }, '0'],
        [{ mode: 0o4755 }, '4755'],
      ];
      for (const [fields, expected] of modes) {
        for (const more of [{}, { writable: true }, { place: true }]) {
          const options: CloneOptions = { ...base, mounts: [file({ ...fields, ...more })] };
          expect(await inside(`stat -c %a ${target()}; umask`, options)).toBe(`${expected}\n0077`);
        }
      }
    });
  });
  test('nothing, a megabyte, bytes of all kinds', async () => {
    folder.file('target', 'before');
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    for (const more of [{}, { writable: true }, { place: true }]) {
      const sum = async (content: string | Uint8Array): Promise<string> =>
        inside(`cksum < ${target()}`, { ...base, mounts: [file({ content, ...more })] });
      expect(await sum('')).toBe('4294967295 0');
      expect(await sum('x'.repeat(1 << 20))).toMatch(/ 1048576$/);
      expect(await sum(bytes)).toBe('1313719201 256');
      expect(await sum('ä€😀')).toMatch(/ 9$/);
    }
  });
  test('what the caller does to its bytes afterwards does not matter', async () => {
    folder.file('target', '');
    const content = Buffer.from('before');
    const made = plan('/bin/cat', [target()], {
      ...base,
      stdio: ['ignore', 'pipe', 'inherit'],
      mounts: [file({ content })],
    });
    content.fill('x');
    const child = await clone(made);
    expect((await child.stdout!.toArray()).join('')).toBe('before');
    await child.exited;
  });
  test('create makes what is missing, with parents', async () => {
    await withUmask(0o077, async () => {
      const mounts = [file({ target: folder.at('a/b/file'), create: true })];
      expect(await inside(`cat ${folder.path}/a/b/file`, { ...base, mounts })).toBe('content');
    });
    expect(readFileSync(folder.at('a/b/file'), 'utf8')).toBe('');
    expect(statSync(folder.at('a')).mode & 0o777).toBe(0o755);
    expect(statSync(folder.at('a/b/file')).mode & 0o777).toBe(0o444);
  });
  test('nosuid, nodev and noexec are of its mount', async () => {
    const target = folder.file('target', '');
    const mounts: Mount[] = [{ type: 'file', target, content: '', nosuid: true, nodev: true, noexec: true }];
    const look = `grep " ${target} " /proc/self/mountinfo | cut -d" " -f6`;
    expect(await inside(look, { ...base, mounts })).toMatch(/^ro,nosuid,nodev,noexec\b/);
  });
  test('the working directory stays as it is', async () => {
    folder.file('target', '');
    for (const more of [{}, { writable: true }]) {
      expect(await inside('pwd -P', { ...base, mounts: [file(more)] })).toBe(process.cwd());
      expect(await inside('pwd -P', { ...base, mounts: [file(more)], cwd: folder.path })).toBe(folder.path);
    }
  });
  test('nothing of what it was made in is left, and no descriptor', async () => {
    folder.file('target', '');
    const points = async (...mounts: Mount[]): Promise<string[]> =>
      (await mountsSeen({ ...base, mounts })).map(({ point }) => point);
    expect(await points(file(), file({ writable: true }))).toEqual([...(await points()), target(), target()]);
    const list = (mounts: Mount[]): Promise<string> => inside('ls /proc/self/fd', { ...base, mounts, closeFds: false });
    expect(await list([file(), file({ place: true, target: folder.at('placed') })])).toBe(await list([]));
    expect(await inside('ls -d /../[0-9]* /../file 2>/dev/null; true', { ...base, mounts: [file()] })).toBe('');
  });
  test('a target by a link with more dots than folders is found, however many files there are', async () => {
    folder.file('target', '');
    mkdirSync(folder.at('there'));
    symlinkSync(`${'../'.repeat(30)}${folder.path.slice(1)}/there`, folder.at('link'));
    const mounts = [file(), file({ writable: true }), { type: 'tmpfs', target: folder.at('link') } as const, file()];
    expect(await inside(`stat -f -c %T ${folder.at('there')}`, { ...base, mounts })).toBe('tmpfs');
  });

  describe('place: true writes to nothing but files', () => {
    const placed = (): Promise<unknown> => refused(file({ place: true }));

    test('no link is followed', async () => {
      folder.file('other', 'before');
      symlinkSync('other', target());
      expect(await placed()).toMatchObject({ code: 'ELOOP', syscall: 'openat', option: 'mounts[0]' });
      expect(readFileSync(folder.at('other'), 'utf8')).toBe('before');
    });
    test('no folder', async () => {
      mkdirSync(target());
      expect(await placed()).toMatchObject({ code: 'EISDIR', syscall: 'openat' });
    });
    test('no pipe, which is not waited for', async () => {
      await inside(`mkfifo ${target()}`);
      expect(await placed()).toMatchObject({ code: 'ENXIO', syscall: 'openat' });
    });
    rootOnly('no device', async () => {
      await inside(`mknod ${target()} c 1 3`);
      expect(await placed()).toMatchObject({ code: 'EACCES', syscall: 'openat' });
      const mounts = [file({ place: true })];
      await expect(clone('/bin/true', { flags: Flags.NEWNS, mounts })).rejects.toMatchObject({ code: 'EACCES' });
    });
  });
});

describe('symlink, seen from inside', () => {
  const link = (to: string, name = 'link'): Mount => ({ type: 'symlink', target: folder.at(name), to });

  test('says what it is to say, with parents', async () => {
    const to = 'not/there at all\n';
    await inside('true', { ...base, mounts: [link(to, 'a/b/link')] });
    expect(readlinkSync(folder.at('a/b/link'))).toBe(to);
  });
  test('one that is there and says the same is nothing to do', async () => {
    symlinkSync('/somewhere', folder.at('link'));
    for (let round = 0; round < 2; round++) {
      expect(
        await inside(`readlink ${folder.at('link')}`, { ...base, mounts: [link('/somewhere'), link('/somewhere')] }),
      ).toBe('/somewhere');
    }
  });
  test('in what is read-only too', async () => {
    symlinkSync('/somewhere', folder.at('link'));
    const mounts: Mount[] = [{ type: 'readonly', target: folder.path }, link('/somewhere')];
    expect(await inside(`readlink ${folder.at('link')}`, { ...base, mounts })).toBe('/somewhere');
  });
  test('at the very end, after others of the same plan', async () => {
    const mounts = Array.from({ length: 20 }, (_, index) => link(`/to/${'x'.repeat(index)}`, `${index}`));
    const made = plan('/bin/true', [], { ...base, mounts });
    for (let round = 0; round < 2; round++) expect(await (await clone(made)).exited).toMatchObject({ code: 0 });
    expect(readlinkSync(folder.at('19'))).toBe(`/to/${'x'.repeat(19)}`);
  });

  const already = {
    code: 'EEXIST',
    step: 'mounts',
    option: 'mounts[0]',
    path: '/somewhere',
    hint: 'something else is there already',
    message: expect.stringContaining('EEXIST: file already exists, symlink /somewhere -> '),
  };
  test.each(['/somewhere/else', '/somewher', '/Somewhere', '/elsewhere', 'x'])(
    'one that is there and says %p is an error',
    async (other) => {
      symlinkSync(other, folder.at('link'));
      expect(await refused(link('/somewhere'))).toMatchObject(already);
      expect(readlinkSync(folder.at('link'))).toBe(other);
    },
  );
  test('a file or a folder that is there is an error', async () => {
    folder.file('link', 'before');
    expect(await refused(link('/somewhere'))).toMatchObject(already);
    expect(readFileSync(folder.at('link'), 'utf8')).toBe('before');
    expect(await refused({ ...link('/somewhere'), target: folder.folder('folder') })).toMatchObject(already);
    expect(await refused({ ...link('/somewhere'), target: '/' })).toMatchObject(already);
  });
  test('as long as the kernel allows, and no longer', async () => {
    const longest = `/${'x'.repeat(4094)}`;
    for (let round = 0; round < 2; round++) {
      await inside('true', { ...base, mounts: [link(longest)] });
      expect(readlinkSync(folder.at('link'))).toBe(longest);
    }
    expect(await refused(link(`${longest}x`))).toMatchObject({ code: 'ENAMETOOLONG', syscall: 'symlinkat' });
  });
});

describe('dir, seen from inside', () => {
  const dir = (fields: object = {}): Mount => ({ type: 'dir', target: folder.at('a/b'), ...fields });

  test('is there, with parents, whatever the umask is', async () => {
    await withUmask(0o077, () => inside('true', { ...base, mounts: [dir()] }));
    expect([statSync(folder.at('a')).mode & 0o7777, statSync(folder.at('a/b')).mode & 0o7777]).toEqual([0o755, 0o755]);
  });
  test.each([0, 0o700, 0o1777, 0o2770])('has mode %p', async (mode) => {
    await withUmask(0o077, () => inside('true', { ...base, mounts: [dir({ mode })] }));
    expect(lstatSync(folder.at('a/b')).mode & 0o7777).toBe(mode);
    chmodSync(folder.at('a/b'), 0o700);
  });
  test('one that is there is left as it is, also by a link, and in what is read-only', async () => {
    mkdirSync(folder.at('a/b'), { recursive: true });
    chmodSync(folder.at('a/b'), 0o700);
    symlinkSync('a/b', folder.at('link'));
    const readonly = { type: 'readonly', target: folder.path } as const;
    await inside('true', {
      ...base,
      mounts: [dir({ mode: 0o755 }), readonly, dir(), dir({ target: folder.at('link') })],
    });
    expect(statSync(folder.at('a/b')).mode & 0o7777).toBe(0o700);
  });
  test('the root is there', async () => {
    expect(await inside('echo ok', { ...base, mounts: [dir({ target: '/' })] })).toBe('ok');
  });
  test('something else that is there is an error', async () => {
    folder.file('a/b', '');
    expect(await refused(dir())).toMatchObject({ code: 'ENOTDIR', option: 'mounts[0]', dest: folder.at('a/b') });
    expect(await refused(dir({ target: folder.at('a/b/c') }))).toMatchObject({ code: 'ENOTDIR' });
    symlinkSync('nowhere', folder.at('dangling'));
    expect(await refused(dir({ target: folder.at('dangling') }))).toMatchObject({
      code: 'ENOENT',
      hint: 'a link on the way to the target leads to nothing',
    });
  });
});

describe('chmod, seen from inside', () => {
  const chmod = (mode: number, name = 'file', more: object = {}): Mount => ({
    type: 'chmod',
    target: folder.at(name),
    mode,
    ...more,
  });

  test('other permissions of files, folders, pipes', async () => {
    folder.file('file', '');
    folder.folder('folder');
    await inside(`mkfifo ${folder.at('pipe')}`);
    for (const mode of [0o600, 0, 0o7777]) {
      await inside('true', { ...base, mounts: ['file', 'folder', 'pipe'].map((name) => chmod(mode, name)) });
      const found = ['file', 'folder', 'pipe'].map((name) => lstatSync(folder.at(name)).mode & 0o7777);
      expect(found).toEqual([mode, mode, mode]);
    }
    chmodSync(folder.at('folder'), 0o755);
  });
  test('of what a link leads to', async () => {
    folder.file('file', '');
    symlinkSync('file', folder.at('link'));
    await inside('true', { ...base, mounts: [chmod(0o600, 'link')] });
    expect(statSync(folder.at('file')).mode & 0o777).toBe(0o600);
  });
  test('of the root', async () => {
    const mounts: Mount[] = [
      { type: 'tmpfs', target: '/mnt' },
      { type: 'chmod', target: '/mnt', mode: 0o711 },
    ];
    expect(await inside('stat -c %a /mnt', { ...base, mounts })).toBe('711');
  });
  test('by opening it, where the kernel has no fchmodat2', () => {
    const lines = emitted('mounts', { flags: Flags.NEWNS, mounts: [{ type: 'chmod', target: '/a', mode: 0o600 }] });
    const call = lines.find((line) => line.includes('fchmodat2('))!;
    expect(call).toMatch(/ENOSYS, EPERM: go to \d+/);
    expect(lines.find((line) => line.includes('fchmod('))).toMatch(/fchmod\(r\d, 0?600\)/);
  });
  test('optional: what is missing is nothing to do', async () => {
    expect(await inside('echo ok', { ...base, mounts: [chmod(0o600, 'missing', { optional: true })] })).toBe('ok');
    expect(await refused(chmod(0o600, 'missing'))).toMatchObject({
      code: 'ENOENT',
      message: expect.stringContaining(`, chmod 600 ${folder.at('missing')} (mounts[0])`),
    });
  });
});

describe('what is made, when the kernel refuses', () => {
  test('a disk that is full', async () => {
    const mounts: Mount[] = [
      { type: 'tmpfs', target: '/mnt', size: '16k' },
      { type: 'file', target: '/mnt/file', content: 'x'.repeat(1 << 20), place: true },
    ];
    expect(await refused(...mounts)).toMatchObject({
      code: expect.stringMatching(/^E(?:IO|NOSPC)$/),
      syscall: 'write',
    });
  });
  test.each(['fsopen(', 'write(', 'fchmod(', 'open_tree(', 'umount2(', 'mount_setattr(r', 'move_mount('])(
    '%s of a file',
    async (call) => {
      folder.file('target', '');
      const mounts: Mount[] = [{ type: 'file', target: folder.at('target'), content: 'x' }];
      expect(
        await failAt(
          { ...base, mounts },
          ({ option, call: line }) => option === 'mounts[0]' && line.startsWith(call),
          'EBUSY',
        ),
      ).toMatchObject({
        code: 'EBUSY',
        syscall: call.split('(')[0],
        option: 'mounts[0]',
        path: folder.at('target'),
        dest: folder.at('target'),
      });
    },
  );
  test('a link on the way that leads to nothing', async () => {
    symlinkSync('nowhere', folder.at('dangling'));
    const mounts: Mount[] = [{ type: 'file', target: folder.at('dangling'), content: '', create: true }];
    expect(await refused(...mounts)).toMatchObject({
      code: 'ENOENT',
      hint: 'a link on the way to the target leads to nothing',
    });
    expect(existsSync(folder.at('nowhere'))).toBe(false);
  });
  test('a link on the way to what is made leads to nothing, whatever optional says', async () => {
    symlinkSync('nowhere', folder.at('dangling'));
    const target = folder.at('dangling/made');
    for (const optional of [false, true]) {
      for (const mount of [
        { type: 'dir', target, optional },
        { type: 'symlink', target, to: 'x', optional },
        { type: 'file', target, content: '', place: true, optional },
        { type: 'device', kind: 'p', target, optional },
      ] satisfies Mount[]) {
        expect(await refused(mount)).toMatchObject({
          code: 'ENOENT',
          hint: 'a link on the way to the target leads to nothing',
        });
      }
    }
  });
  test('a file on a folder, and a way through a link of /proc', async () => {
    expect(await refused({ type: 'file', target: folder.folder('folder'), content: '' })).toMatchObject({
      code: 'EINVAL',
      hint: 'a directory is mounted on a directory only, and a file on a file',
    });
    expect(await refused({ type: 'tmpfs', target: '/proc/self/cwd' })).toMatchObject({
      code: 'EXDEV',
      hint: 'a link of /proc on the way to the target leads to an open file, and not along a path',
    });
  });
  test('more of it than a program has room for', async () => {
    folder.file('target', '');
    const content = Buffer.alloc(64 << 20);
    const error = await refused({ type: 'file', target: folder.at('target'), content });
    expect(error).toMatchObject({
      code: 'E2BIG',
      message: expect.stringContaining('its arguments, environment, files'),
    });
    expect(error).not.toHaveProperty('option');
  });
  test('the comparison of a link', async () => {
    symlinkSync('/to', folder.at('link'));
    const mounts: Mount[] = [{ type: 'symlink', target: folder.at('link'), to: '/to' }];
    expect(await failAt({ ...base, mounts }, calls('readlinkat('), 'EIO')).toMatchObject({
      code: 'EIO',
      syscall: 'readlinkat',
      option: 'mounts[0]',
    });
  });
  test('other names of a file are left alone by a mount', async () => {
    folder.file('target', 'before');
    linkSync(folder.at('target'), folder.at('other'));
    await inside('true', {
      ...base,
      mounts: [{ type: 'file', target: folder.at('target'), content: 'x', writable: true }],
    });
    expect(readFileSync(folder.at('other'), 'utf8')).toBe('before');
  });
});
