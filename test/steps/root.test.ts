// Step `root`: another root, which nothing leads out of.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

import { clone, type CloneOptions, Flags, type Mount, plan, run } from '../../lib';
import { asRoot } from '../support/attack';
import { rootOnly } from '../support/capability';
import { calls, failAt, fieldsOf } from '../support/fault';
import { inside, owned, read } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted } from '../support/listing';
import { evaluate } from '../support/own-process';
import { hostMounts } from '../support/mount-info';
import { planning, refusal } from '../support/refusal';
import { emptyFolder, proc, programs } from '../support/root-folder';

leavesNothing();

const base = owned(Flags.NEWNS | Flags.NEWPID);

let host = '';
let folder = '';
beforeEach(() => {
  host = mkdtempSync(join(tmpdir(), 'nsclone-'));
  chmodSync(host, 0o755);
  writeFileSync(join(host, 'secret'), 'of the host');
  folder = emptyFolder(host, 'root');
});
afterEach(() => rmSync(host, { recursive: true }));

/** A shell in that root, with the programs of the host and a proc. */
const rooted = (more: CloneOptions = {}, mounts: readonly Mount[] = []): CloneOptions => ({
  ...base,
  root: folder,
  ...more,
  mounts: [...programs, proc, ...mounts],
});

describe('root rejects', () => {
  test('a root without the namespace: the host would get it', () => {
    expect(planning({ root: '/' })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'root', 'needs Flags.NEWNS in flags: the host would get another root'),
    );
  });
  test.each([5, true, null, () => {}])('%p in the place of a folder or a mount', (value) => {
    expect(planning({ ...base, root: value })).toThrow(
      refusal('ERR_INVALID_ARG_TYPE', 'root', 'of type string or a mount without target'),
    );
  });
  test('an empty string, one with a NUL byte, an array, an instance', () => {
    expect(planning({ ...base, root: '' })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'root'));
    expect(planning({ ...base, root: '/a\0b' })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'root'));
    expect(planning({ ...base, root: ['/'] })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'root'));
    expect(planning({ ...base, root: new Map() })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'root'));
  });
  test('a type that is missing, unknown or no root', () => {
    const values = /must be one of: 'bind', 'tmpfs', 'overlay', 'filesystem'/;
    for (const root of [{}, { source: '/' }, { type: 'proc' }, { type: 'mask' }, { type: 'file', content: '' }]) {
      expect(planning({ ...base, root })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'root.type', values));
    }
    expect(planning({ ...base, root: { type: 'tmfs' } })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'root.type', 'did you mean "tmpfs"?'),
    );
  });
  test.each(['target', 'create', 'optional'])('%s, which is of a mount somewhere', (name) => {
    expect(planning({ ...base, root: { type: 'tmpfs', [name]: name === 'target' ? '/' : true } })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', `root.${name}`, 'is unknown'),
    );
  });
  test('an unknown field, with the nearest, and one of a wrong type', () => {
    expect(planning({ ...base, root: { type: 'bind', source: '/', readOnly: true } })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'root.readOnly', 'did you mean "readonly"?'),
    );
    expect(planning({ ...base, root: { type: 'bind', source: '/', readonly: 1 } })).toThrow(
      refusal('ERR_INVALID_ARG_TYPE', 'root.readonly'),
    );
    expect(planning({ ...base, root: { type: 'bind' } })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'root.source'));
  });
  test.each(['shared', 'unchanged'])("propagation '%s', which pivot_root(2) does not take", (propagation) => {
    const message = `cannot be '${propagation}' beside another root`;
    for (const options of [{ root: '/' }, { mounts: [{ type: 'tmpfs', target: '/' }] }]) {
      expect(planning({ ...base, propagation, ...options })).toThrow(
        refusal('ERR_INVALID_ARG_VALUE', 'propagation', message),
      );
    }
  });
});

describe('root emits', () => {
  const lines = (root: CloneOptions['root']): string[] => emitted('root', { flags: Flags.NEWNS, root });

  test('a bind that has its attributes before anybody can see it', () => {
    expect(lines({ type: 'bind', source: '/srv', readonly: true })).toEqual([
      'root: openat(AT_FDCWD, "/", O_RDONLY|O_CLOEXEC|O_DIRECTORY|O_PATH, 0) = r0',
      'root: open_tree(AT_FDCWD, "/srv", AT_RECURSIVE|OPEN_TREE_CLOEXEC|OPEN_TREE_CLONE) = r1',
      expect.stringMatching(/^root: mount_setattr\(r1, "", AT_EMPTY_PATH\|AT_RECURSIVE, \{attr_set=MOUNT_ATTR_RDONLY/),
      'root: move_mount(r1, "", r0, "", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH)',
      'root: close(r0)',
    ]);
  });
  test('the way into it last, after the mounts, with no descriptor left', () => {
    const options = { flags: Flags.NEWNS, root: '/srv', mounts: [{ type: 'tmpfs', target: '/tmp' }] } as const;
    expect(emitted('root switch', options)).toEqual([
      'root: fchdir(r1)',
      'root: close(r1)',
      'root: pivot_root(".", ".")',
      'root: umount2(".", MNT_DETACH)',
      expect.stringMatching(/^root: statx\(AT_FDCWD, "\/\.\.", 0, 4096, &data\[\d+\]\)$/),
      expect.stringMatching(/^root: statx\(AT_FDCWD, "\/", 0, 4096, &data\[\d+\]\)$/),
      expect.stringMatching(/^root: EBUSY unless the 8 bytes at &data\[\d+\] are those at &data\[\d+\]$/),
    ]);
    const listing = plan('/bin/true', [], options).toString();
    expect(listing.indexOf('pivot_root')).toBeGreaterThan(listing.lastIndexOf('move_mount'));
  });
  test('a string as the bind of that folder, from our working directory on', () => {
    expect(lines(relative(process.cwd(), '/srv'))).toEqual(lines({ type: 'bind', source: '/srv' }));
  });
  test('nothing without one', () => {
    expect(emitted('root', { flags: Flags.NEWNS })).toEqual([]);
    expect(emitted('root switch', { flags: Flags.NEWNS, mounts: [proc] })).toEqual([]);
  });
});

/** In shell: the ways that lead to a file of the host, which is at `path` there. */
const waysOut = (path: string): string => `
  for way in "" /.. /proc/self/root /proc/self/cwd /proc/1/root /proc/1/cwd /proc/1/exe/.. /proc/*/root /proc/*/cwd \\
    /proc/self/fd/* /proc/1/fd/* /dev/fd/*; do
    for up in "" /../../../../../../../..; do [ -e "$way$up${path}" ] && echo "way: $way$up"; done
  done; true`;

describe('root, seen from inside', () => {
  test('is the folder', async () => {
    writeFileSync(join(folder, 'here'), 'here');
    expect(await inside('cat /here; ls -d /etc /home 2>&1 | grep -c "No such"', rooted())).toBe('here2');
  });
  test('is a mount of its own, and there is no other one than those that were made', async () => {
    const points = await inside('while read -r _ _ _ _ point _; do echo $point; done < /proc/self/mountinfo', rooted());
    const made = programs.filter(({ type }) => type === 'bind').map(({ target }) => target);
    expect(points.split('\n').sort()).toEqual(['/', '/proc', ...made].sort());
  });

  const secret = (): string => join(host, 'secret');
  test('nothing leads out of it', async () => {
    // Where there is no other root, the same ways do.
    expect(await inside(waysOut(secret()), { ...base, mounts: [proc] })).toMatch(/^way: \n(.*\n)*way: \/proc\/1\/root/);
    expect(await inside(waysOut(secret()), rooted())).toBe('');
    expect(await inside(waysOut(secret()), rooted({ closeFds: false }))).toBe('');
  });
  test('nothing leads out of it by a pid 1 of ours', async () => {
    expect(await inside(waysOut(secret()), rooted({ init: true }))).toBe('');
    expect(await inside(waysOut(secret()), rooted({ init: true, closeFds: false }))).toBe('');
  });
  rootOnly('nothing leads out of it for the root of the host', async () => {
    const flags = { flags: Flags.NEWNS | Flags.NEWPID, uidMap: undefined, gidMap: undefined };
    expect(await inside(`readlink /proc/1/root; ${waysOut(secret())}`, rooted(flags))).toBe('/');
    expect(await inside(`readlink /proc/1/root; ${waysOut(secret())}`, rooted({ ...flags, init: true }))).toBe('/');
  });

  test('the working directory is its top', async () => {
    expect(await inside('pwd -P; readlink /proc/self/cwd; cd ..; pwd -P', rooted())).toBe('/\n/\n/');
  });
  test('cwd is a folder in it', async () => {
    mkdirSync(join(folder, 'a/b'), { recursive: true });
    expect(await inside('pwd -P', rooted({ cwd: '/a/b' }))).toBe('/a/b');
    await expect(clone('/bin/true', rooted({ cwd: host }))).rejects.toMatchObject({ code: 'ENOENT', step: 'cwd' });
  });
  test('the command is one of it', async () => {
    await expect(clone(process.execPath, ['-v'], { ...base, root: folder })).rejects.toMatchObject({
      code: 'ENOENT',
      step: 'command',
    });
  });
  test('may be ours', async () => {
    expect(await inside(`cat ${secret()}`, { ...base, root: '/' })).toBe('of the host');
  });
  test('is read-only where that is asked for, and what is mounted in it afterwards is not', async () => {
    mkdirSync(join(folder, 'tmp'));
    const folders = programs.map(({ target }) => target);
    for (const name of [...folders, '/proc']) mkdirSync(join(folder, name));
    const binds: Mount[] = folders.map((target) => ({ type: 'bind', source: target, target }));
    const root = { type: 'bind', source: folder, readonly: true } as const;
    const mounts: Mount[] = [...binds, { type: 'tmpfs', target: '/tmp' }];
    const script = '(: > /here) 2>&1 || echo no; : > /tmp/there && echo yes';
    expect(await inside(script, { ...base, root, mounts })).toMatch(/Read-only file system\nno\nyes$/);
    expect(existsSync(join(folder, 'here'))).toBe(false);
  });
  test('a tmpfs', async () => {
    const options = rooted({ root: { type: 'tmpfs', size: '1m', mode: 0o711, nodev: false } });
    expect(await inside('stat -f -c %T /; stat -c %a /; : > /file; ls /file', options)).toBe('tmpfs\n711\n/file');
  });
  test('an overlay, whose changes nobody sees outside', async () => {
    writeFileSync(join(folder, 'file'), 'before');
    const options = rooted({ root: { type: 'overlay', lower: [folder], upper: 'tmpfs' } });
    expect(await inside('cat /file; echo after > /file; cat /file; pwd -P', options)).toBe('beforeafter\n/');
    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('before');
    expect(readdirSync(folder)).toEqual(['file']);
  });
  test('any other file system', async () => {
    const root = { type: 'filesystem', fstype: 'tmpfs', options: { mode: '0700' } } as const;
    expect(await inside('stat -c %a /', rooted({ root }))).toBe('700');
  });
  test('is private, also where the mounts of the child follow the host', () => {
    const mountinfo = (root: object): string => `
      const root = { ...${JSON.stringify(root)}, source: ${JSON.stringify(folder)} };
      const mounts = ${JSON.stringify([...programs, proc])};
      const { stdout } = await nsclone.run('/bin/cat', ['/proc/self/mountinfo'],
        { flags: nsclone.Flags.NEWNS | nsclone.Flags.NEWPID, propagation: 'slave', root, mounts });
      return stdout.split('\\n').find((line) => line.split(' ')[4] === '/').split(' - ')[0].split(' ').slice(6);`;
    const shared = ['unshare', ...asRoot.slice(1), '--mount', '--propagation', 'shared'];
    expect(evaluate(mountinfo({ type: 'bind' }), shared)).toEqual([]);
    expect(evaluate(mountinfo({ type: 'bind', propagation: 'slave' }), shared)).toEqual([
      expect.stringMatching(/^master:\d+$/),
    ]);
  });
  test('a plan is started again and again, with other variables too', async () => {
    for (const options of [
      rooted(),
      { ...rooted(), root: undefined, mounts: [{ type: 'bind', source: folder, target: '/' }, ...programs] },
    ] satisfies CloneOptions[]) {
      const made = plan('/bin/sh', ['-c', 'ls -d /u*; echo $A'], options);
      for (const env of [undefined, { A: 'a', PATH: '/usr/bin:/bin' }, { A: 'b', PATH: '/usr/bin:/bin' }]) {
        const child = await clone(made, { stdio: ['ignore', 'pipe', 'inherit'], ...(env && { env }) });
        const [text] = await Promise.all([read(child.stdout), child.exited]);
        expect(text).toBe(`/usr\n${env?.A ?? ''}\n`);
      }
    }
  });
  test('a mount on / is the root of all that follows', async () => {
    const [first, second] = [emptyFolder(host, 'first'), emptyFolder(host, 'second')];
    const mounts: Mount[] = [
      { type: 'dir', target: '/of-first' },
      { type: 'bind', source: second, target: '//.', nosuid: true },
      { type: 'dir', target: '/of-second' },
      ...programs,
      proc,
    ];
    const script = `ls -d /of*; pwd -P; ${waysOut(secret())}`;
    for (const root of [first, undefined]) {
      const list = root === undefined ? mounts.slice(1) : mounts;
      expect(await inside(script, { ...base, root, mounts: list })).toBe('/of-second\n/');
      // Many of them, too.
      const binds = Array.from({ length: 5 }, () => list.find(({ type }) => type === 'bind')!);
      expect(await inside(script, { ...base, root, mounts: [...binds, ...mounts.slice(1)] })).toBe('/of-second\n/');
    }
    expect(readdirSync(first)).toEqual(['of-first']);
    expect(readdirSync(second)).toContain('of-second');
  });
  test('sources are those of our view, also where the root has the same names', async () => {
    mkdirSync(join(folder, host), { recursive: true });
    writeFileSync(join(folder, host, 'secret'), 'of the root');
    const mounts: Mount[] = [{ type: 'bind', source: secret(), target: '/bound', create: true }];
    expect(await inside(`cat /bound; echo; cat ${secret()}`, rooted({}, mounts))).toBe('of the host\nof the root');
  });
  test('no descriptor is left, whether they are closed or not', async () => {
    const list = 'ls /proc/self/fd';
    const before = await inside(list, { ...base, mounts: [proc], closeFds: false });
    expect(await inside(list, rooted({ closeFds: false }))).toBe(before);
    expect((await inside(list, rooted())).split('\n')).toEqual(['0', '1', '2', '3']);
  });
  test('our own mounts stay as they are', async () => {
    const before = hostMounts();
    await inside('true', rooted());
    await run('/bin/sh', ['-c', 'mount -t tmpfs none /proc'], rooted());
    expect(hostMounts()).toEqual(before);
  });
});

describe('root, when the kernel refuses', () => {
  const refused = (options: CloneOptions): Promise<unknown> =>
    clone('/bin/true', { ...base, ...options }).then(
      () => 'started',
      (error: unknown) => error,
    );

  test('a folder that is missing', async () => {
    const root = join(host, 'missing');
    expect(await refused({ root })).toMatchObject({
      code: 'ENOENT',
      syscall: 'open_tree',
      step: 'root',
      option: 'root',
      path: root,
      dest: '/',
      message: `ENOENT: no such file or directory, mount ${root} -> / (root): the source is missing`,
    });
  });
  test('a file', async () => {
    expect(await refused({ root: join(host, 'secret') })).toMatchObject({
      code: 'EINVAL',
      syscall: 'move_mount',
      hint: 'a directory is mounted on a directory only, and a file on a file',
    });
  });
  test('a bind of mounts that are not to be bound', async () => {
    expect(await refused({ root: folder, propagation: 'unbindable' })).toMatchObject({
      code: 'EINVAL',
      hint: "nothing is bound where propagation is 'unbindable'",
    });
  });
  test('part of our mounts without those below, in a user namespace', async () => {
    expect(await refused({ root: { type: 'bind', source: '/', recursive: false } })).toMatchObject({
      code: 'EINVAL',
      hint: 'in a user namespace a folder with mounts below it comes with them: recursive must not be false',
    });
  });
  test('a file system that there is not', async () => {
    expect(await refused({ root: { type: 'filesystem', fstype: 'nowherefs' } })).toMatchObject({
      code: 'ENODEV',
      hint: "this kernel has no file system 'nowherefs'",
    });
  });
  test('pivot_root, with its own name', async () => {
    expect(fieldsOf(await failAt({ ...base, root: folder }, calls('pivot_root'), 'EINVAL'))).toEqual({
      code: 'EINVAL',
      errno: -22,
      syscall: 'pivot_root',
      step: 'root switch',
      option: 'root',
      path: '.',
      hint: 'our own root is no mount point (inside chroot?); bind-mount it to itself first',
      message: expect.stringContaining('EINVAL: invalid argument, pivot_root'),
    });
  });
  test('a mount that lies upon the root as its target is a link to it', async () => {
    symlinkSync('/', join(folder, 'tmp'));
    for (const root of [folder, { type: 'bind', source: folder, nosuid: true }] as const) {
      const mounts: Mount[] = [...programs, { type: 'tmpfs', target: '/tmp' }];
      expect(await refused({ root, mounts })).toMatchObject({
        code: 'EBUSY',
        step: 'root switch',
        option: 'root',
        path: '/',
        hint: 'a mount lies upon a root, where nobody can see it; its target may be a link to /',
        message: expect.stringContaining('EBUSY: resource busy or locked, leave the old root / (root): a mount lies'),
      });
      mounts.push({ type: 'bind', source: emptyFolder(host, 'second'), target: '/' }, ...programs);
      expect(await refused({ root, mounts })).toMatchObject({ code: 'EBUSY', step: 'root switch' });
    }
  });
  test('the instruction that failed, of a root that is a mount', async () => {
    const mounts: Mount[] = [
      { type: 'tmpfs', target: '/' },
      { type: 'tmpfs', target: '/missing' },
    ];
    expect(await refused({ mounts })).toMatchObject({ code: 'ENOENT', syscall: 'openat2', option: 'mounts[1]' });
  });
});
