// Mounts of type `bind`: the same files in a second place.
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { relative } from 'node:path';

import { clone, Flags, type Mount, plan, type RootMount } from '../../../lib';
import { asRoot } from '../../support/attack';
import { inside, owned } from '../../support/inside';
import { leavesNothing } from '../../support/leftovers';
import { emitted, type Line, linesOf } from '../../support/listing';
import { mountSeen } from '../../support/mount-info';
import { evaluate } from '../../support/own-process';
import { planning, refusal } from '../../support/refusal';
import { temporaryFolder } from '../../support/temporary-folder';

leavesNothing();

const folder = temporaryFolder();
const base = owned(Flags.NEWNS | Flags.NEWPID);
const bind = (source: string, target: string, more: Partial<Mount & { type: 'bind' }> = {}): Mount => ({
  type: 'bind',
  source,
  target,
  ...more,
});

describe('bind rejects', () => {
  const given = (fields: object): (() => unknown) =>
    planning({ ...base, mounts: [{ type: 'bind', source: '/a', target: '/b', ...fields }] });

  test('a source that is missing, empty, of a wrong type or with a NUL byte', () => {
    for (const source of [undefined, true, null, ['/a'], { fd: 3 }]) {
      expect(given({ source })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'mounts[0].source'));
    }
    for (const source of ['', '/a\0b']) {
      expect(given({ source })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].source'));
    }
  });
  test.each(['recursive', 'create', 'optional', 'readonly', 'nosuid'])('%s that is no boolean', (name) => {
    for (const value of [1, 'true', null]) {
      expect(given({ [name]: value })).toThrow(refusal('ERR_INVALID_ARG_TYPE', `mounts[0].${name}`));
    }
  });
  test('fields of other types, with the nearest of its own', () => {
    expect(given({ sorce: '/a' })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].sorce', 'did you mean "source"?'),
    );
    expect(given({ size: '1m' })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].size', 'is unknown'));
  });
  test('optional on /: there would be no root to go on with', () => {
    for (const target of ['/', '//', '/.', '/a/..']) {
      expect(given({ target, optional: true })).toThrow(
        refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].optional', 'says nothing of the root'),
      );
    }
  });
});

describe('bind emits', () => {
  const lines = (mount: Mount): string[] =>
    emitted('mounts', { flags: Flags.NEWNS, mounts: [mount] }).filter((line) => line.startsWith('mounts[0]'));

  test('a copy of all, read-only with all below it before it is put into its place', () => {
    const calls = lines(bind('/a', '/b', { readonly: true })).map((line) => line.replace('mounts[0]: ', ''));
    expect(calls.map((line) => line.split('(')[0])).toEqual([
      'open_tree',
      'mount_setattr',
      'openat2',
      'move_mount',
      'close',
      'close',
    ]);
    expect(calls[0]).toContain('AT_RECURSIVE|');
    expect(calls[1]).toMatch(/AT_EMPTY_PATH\|AT_RECURSIVE, \{attr_set=MOUNT_ATTR_RDONLY/);
  });
  test('what is asked for of one mount alone', () => {
    const calls = lines(bind('/a', '/b', { recursive: false, readonly: true }));
    expect(calls.slice(0, 2).join()).not.toContain('AT_RECURSIVE');
    expect(calls[1]).toContain('attr_set=MOUNT_ATTR_RDONLY');
  });
  test('a source as an absolute path, which our working directory does not change', () => {
    expect(lines(bind(relative(process.cwd(), '/srv'), '/b'))[0]).toContain('open_tree(AT_FDCWD, "/srv"');
  });
});

describe('bind, seen from inside', () => {
  test('a folder', async () => {
    folder.file('source/file', 'content');
    const mounts = [bind(folder.at('source'), folder.folder('target'))];
    expect(await inside(`cat ${folder.path}/target/file; : > ${folder.path}/target/new`, { ...base, mounts })).toBe(
      'content',
    );
    expect(existsSync(folder.at('source/new'))).toBe(true);
    expect(existsSync(folder.at('target/new'))).toBe(false);
  });
  test('a file', async () => {
    const mounts = [bind(folder.file('source', 'content'), folder.file('target', ''))];
    expect(await inside(`cat ${folder.path}/target`, { ...base, mounts })).toBe('content');
  });
  test('a source that starts at our working directory', async () => {
    const source = relative(process.cwd(), folder.file('source', 'content'));
    const mounts = [bind(source, folder.file('target', ''))];
    expect(await inside(`cat ${folder.path}/target`, { ...base, mounts, cwd: '/' })).toBe('content');
  });

  /** A folder with a file system in it, and a second place for both. */
  const nested = (more: object): Mount[] => {
    const [source, target] = [folder.folder('source/below'), folder.folder('target')];
    return [
      { type: 'tmpfs', target: source },
      { type: 'file', target: `${source}/file`, content: 'below', place: true },
      bind(folder.at('source'), target, more),
    ];
  };
  const writes = (): string =>
    `cd ${folder.path}/target; for file in here below/here; do (: > $file) 2>/dev/null && echo $file; done; cat below/file; true`;

  test('comes with what is mounted below', async () => {
    expect(await inside(writes(), { ...base, mounts: nested({}) })).toBe('here\nbelow/here\nbelow');
  });
  test('recursive: false leaves it out', async () => {
    expect(await inside(writes(), { ...base, mounts: nested({ recursive: false }) })).toBe('here\nbelow/here');
    expect(existsSync(folder.at('source/below/here'))).toBe(true);
  });
  test('readonly is true of what is mounted below as well', async () => {
    expect(await inside(writes(), { ...base, mounts: nested({ readonly: true }) })).toBe('below');
  });
  test('ro of OCI is about the mount alone, and rro about all', async () => {
    expect(await inside(writes(), { ...base, mounts: nested({ attributes: ['ro'] }) })).toBe('below/here\nbelow');
    expect(await inside(writes(), { ...base, mounts: nested({ attributes: ['rro'] }) })).toBe('below');
  });
  test('its source is as it was', async () => {
    const options = { ...base, mounts: nested({ readonly: true, noexec: true }) };
    expect(await inside(`cd ${folder.path}/source; : > here; : > below/here; echo written`, options)).toBe('written');
  });

  test('create makes a folder for a folder and a file for a file, with parents, whatever the umask is', async () => {
    const mounts = [
      bind(folder.folder('source'), folder.at('a/b/folder'), { create: true }),
      bind(folder.file('file', 'content'), folder.at('c/d/file'), { create: true }),
    ];
    const before = process.umask(0o077);
    try {
      expect(
        await inside(`ls ${folder.path}/a/b/folder; cat ${folder.path}/c/d/file; umask`, { ...base, mounts }),
      ).toBe('content0077');
    } finally {
      process.umask(before);
    }
    const modes = ['a', 'a/b', 'a/b/folder', 'c', 'c/d', 'c/d/file'].map((name) => statSync(folder.at(name)).mode);
    expect(modes.map((mode) => mode.toString(8))).toEqual(['40755', '40755', '40755', '40755', '40755', '100444']);
    expect(readFileSync(folder.at('c/d/file'), 'utf8')).toBe('');
  });
  test('create leaves what is there as it is', async () => {
    mkdirSync(folder.at('there'), 0o700);
    chmodSync(folder.file('there/file', 'before'), 0o600);
    const mounts = [
      bind(folder.folder('source'), folder.at('there/folder'), { create: true }),
      bind(folder.file('file', 'content'), folder.at('there/file'), { create: true }),
    ];
    await inside('true', { ...base, mounts });
    expect(statSync(folder.at('there')).mode & 0o777).toBe(0o700);
    expect(readFileSync(folder.at('there/file'), 'utf8')).toBe('before');
  });
  test('a folder that we may not enter is bound all the same, where a target is made for it', async () => {
    const source = folder.folder('source');
    chmodSync(source, 0);
    const mounts: Mount[] = [
      { type: 'tmpfs', target: folder.folder('target') },
      bind(source, folder.at('target/closed'), { create: true }),
    ];
    expect(await inside(`stat -c %a ${folder.path}/target/closed`, { ...base, mounts })).toBe('0');
  });

  test('is private beside what follows the host, unless it is to follow it', () => {
    const seen = (more: Partial<RootMount>): string[] =>
      evaluate<string[]>(
        `const mount = { type: 'bind', source: '/usr', target: '/mnt', ...${JSON.stringify(more)} };
         const options = { flags: nsclone.Flags.NEWNS, propagation: 'slave', mounts: [mount] };
         const { stdout } = await nsclone.run('/bin/cat', ['/proc/self/mountinfo'], options);
         return stdout.split('\\n').find((line) => line.split(' ')[4] === '/mnt').split(' - ')[0].split(' ').slice(6);`,
        ['unshare', ...asRoot.slice(1), '--mount', '--propagation', 'shared'],
      );
    expect(seen({})).toEqual([]);
    expect(seen({ propagation: 'private' })).toEqual([]);
    expect(seen({ propagation: 'slave' })).toEqual([expect.stringMatching(/^master:/)]);
  });
  test.each([
    ['shared', /^shared:\d+$/],
    ['unbindable', /^unbindable$/],
  ] as const)('propagation: %s', async (propagation, expected) => {
    const target = folder.folder('target');
    const mounts = [bind(folder.folder('source'), target, { propagation })];
    expect((await mountSeen(target, { ...base, mounts })).propagation).toEqual([expect.stringMatching(expected)]);
  });
  test('with r before it, it is that of what is mounted below as well', async () => {
    const below = folder.folder('source/below');
    const mounts = (propagation: 'shared' | 'rshared'): Mount[] => [
      { type: 'tmpfs', target: below },
      bind(folder.at('source'), folder.folder('target'), { propagation }),
    ];
    const point = folder.at('target/below');
    expect((await mountSeen(point, { ...base, mounts: mounts('shared') })).propagation).toEqual([]);
    expect((await mountSeen(point, { ...base, mounts: mounts('rshared') })).propagation).toHaveLength(1);
  });
});

describe('optional', () => {
  test('a source that is missing is nothing to do, and nothing is made for it', async () => {
    const mounts = [
      bind(folder.at('missing'), folder.at('made'), { optional: true, create: true }),
      bind(folder.file('file', ''), '/mnt/file/below', { optional: true }),
      bind(`${folder.at('file')}/below`, '/mnt', { optional: true }),
      bind(folder.folder('source'), '/mnt'),
    ];
    folder.file('source/here', '');
    expect(await inside('ls /mnt', { ...base, mounts })).toBe('here');
    expect(existsSync(folder.at('made'))).toBe(false);
  });
  test('a target that is missing is nothing to do', async () => {
    const mounts = [
      bind(folder.folder('source'), folder.at('missing'), { optional: true }),
      bind(folder.at('source'), '/mnt'),
    ];
    expect(await inside(`ls ${folder.path}`, { ...base, mounts })).toBe('source');
  });
  test('what was made by then is closed before anything else happens', () => {
    const missing = { optional: true, target: '/missing' } as const;
    const entries: Mount[] = [
      { type: 'bind', source: '/usr', ...missing },
      { type: 'tmpfs', ...missing },
      { type: 'overlay', lower: ['/usr', '/missing'], upper: 'tmpfs', ...missing },
      { type: 'file', content: '', ...missing },
      { type: 'readonly', ...missing },
      { type: 'chmod', mode: 0, ...missing },
      { type: 'mask', ...missing },
    ];
    for (const entry of entries) {
      const lines = linesOf(plan('/bin/true', [], { flags: Flags.NEWNS, mounts: [entry] }));
      const own = lines.filter(({ option }) => option === 'mounts[0]');
      const places = own.filter(({ call }) => call.includes('ENOENT'));
      expect(places.length).toBeGreaterThan(0);
      for (const place of [undefined, ...places]) {
        expect([entry.type, place?.call, openAfter(own, place)]).toEqual([entry.type, place?.call, []]);
      }
    }
  });
});

/** The descriptors that are open once the instructions of an entry have run, of which this one finds something missing. */
function openAfter(lines: readonly Line[], missing: Line | undefined): string[] {
  const open = new Set<string>();
  let next = lines[0]!.number;
  for (const line of lines) {
    if (line.number < next) continue;
    const { call } = line;
    const closed = /^close\((r\d+)\)/.exec(call)?.[1];
    if (closed !== undefined) expect(open.delete(closed)).toBe(true);
    if (line === missing || call.startsWith('close(-1)')) {
      next = Number(/(?:ENOENT|EBADF)[^;]*: go to (\d+)/.exec(call)![1]);
      continue;
    }
    const kept = / = (r\d+)/.exec(call)?.[1];
    // The working directory is kept for all entries.
    if (kept !== undefined && !call.startsWith('openat(AT_FDCWD, ".",')) open.add(kept);
  }
  return [...open];
}

describe('bind, when the kernel refuses', () => {
  const refused = (...mounts: Mount[]): Promise<unknown> =>
    clone('/bin/true', { ...base, mounts }).then(
      () => 'started',
      (error: unknown) => error,
    );

  test('a source that is missing, in its own words', async () => {
    expect(await refused(bind(folder.at('missing'), '/mnt'))).toMatchObject({
      code: 'ENOENT',
      syscall: 'open_tree',
      option: 'mounts[0]',
      path: folder.at('missing'),
      dest: '/mnt',
      hint: 'the source is missing',
    });
  });
  test('a target that is missing', async () => {
    expect(await refused(bind('/usr', folder.at('missing')))).toMatchObject({
      code: 'ENOENT',
      syscall: 'openat2',
      hint: 'the target is missing; create: true makes it',
    });
  });
  test('a file on a folder, and a folder on a file', async () => {
    const mismatch = {
      code: 'EINVAL',
      syscall: 'move_mount',
      hint: 'a directory is mounted on a directory only, and a file on a file',
    };
    expect(await refused(bind(folder.file('file', ''), folder.folder('folder')))).toMatchObject(mismatch);
    expect(await refused(bind(folder.at('folder'), folder.at('file')))).toMatchObject(mismatch);
  });
  test('a folder without what is mounted below it, in a user namespace', async () => {
    expect(await refused(bind('/', '/mnt', { recursive: false }))).toMatchObject({
      code: 'EINVAL',
      syscall: 'open_tree',
      hint: 'in a user namespace a folder with mounts below it comes with them: recursive must not be false',
    });
  });
});
