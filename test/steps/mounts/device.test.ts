// Type `device`: a device or a named pipe.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { clone, type CloneOptions, Flags, type Mount, plan } from '../../../lib';
import { deviceNumber, pathOfDevice } from '../../../lib/host/devices';
import { withCapability } from '../../support/capability';
import { inside, owned } from '../../support/inside';
import { leavesNothing } from '../../support/leftovers';
import { emitted, notesOf } from '../../support/listing';
import { evaluate } from '../../support/own-process';
import { planning, refusal } from '../../support/refusal';

leavesNothing();

const inUser = owned(Flags.NEWNS);
const inOurs = { flags: Flags.NEWNS } satisfies CloneOptions;
const zero = { type: 'device', target: '/mnt/a/zero', kind: 'c', major: 1, minor: 5 } as const satisfies Mount;
const pipe = { type: 'device', target: '/mnt/a/pipe', kind: 'p' } as const satisfies Mount;
/** Where nodes may be made and opened. */
const space: Mount = { type: 'tmpfs', target: '/mnt', nodev: false };
const withMounts = (options: CloneOptions, ...mounts: Mount[]): CloneOptions => ({
  ...options,
  mounts: [space, ...mounts],
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nsclone-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('device rejects', () => {
  const refused = (fields: object): (() => unknown) => planning({ ...inUser, mounts: [{ ...zero, ...fields }] });

  test('a kind that there is not', () => {
    expect(refused({ kind: 'u' })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].kind', "must be one of: 'c', 'b', 'p'"),
    );
    expect(refused({ kind: undefined })).toThrow(expect.objectContaining({ option: 'mounts[0].kind' }));
  });
  test.each(['major', 'minor'])('a device without %s, and a pipe with it', (name) => {
    expect(refused({ [name]: undefined })).toThrow(refusal('ERR_INVALID_ARG_TYPE', `mounts[0].${name}`));
    expect(planning({ ...inUser, mounts: [{ ...pipe, [name]: 1 }] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', `mounts[0].${name}`, 'says nothing of a named pipe'),
    );
  });
  test.each([
    ['major', 0x1000],
    ['minor', 0x100000],
    ['mode', 0o4666],
    ['uid', 0xffffffff],
    ['gid', -1],
  ])('%s of %p', (name, value) => {
    expect(refused({ [name]: value })).toThrow(refusal('ERR_OUT_OF_RANGE', `mounts[0].${name}`));
  });
  test('in a user namespace what the host has no node of', () => {
    expect(refused({ major: 0xffe, minor: 77 })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'mounts[0]', 'in a user namespace that is mounted, as none can be made'),
    );
    expect(refused({ major: 0xffe, minor: 77, optional: true })).not.toThrow();
    // A node of these numbers, but of the other kind.
    expect(refused({ kind: 'b' })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'mounts[0]'));
  });
});

describe('device emits', () => {
  test("a clone of the host's node in a user namespace, and looks at it", () => {
    const lines = emitted('mounts', { ...inUser, mounts: [{ ...zero, target: '/dev/full' }] });
    expect(lines.find((line) => line.startsWith('mounts[0]'))).toMatch(
      /^mounts\[0\]: open_tree\(AT_FDCWD, "\/dev\/zero", OPEN_TREE_CLOEXEC\|OPEN_TREE_CLONE\) = r\d$/,
    );
    expect(lines).toContainEqual(expect.stringMatching(/ENXIO unless .* <0100000005000000>$/));
  });
  test('a note where owner or permissions are asked for that are those of the host', () => {
    const notes = (mount: Mount): string[] => notesOf(plan('/bin/true', [], { ...inUser, mounts: [mount] }));
    const note = "mounts[0]: /mnt/a/zero has the owner and the permissions of the host's /dev/zero";
    expect(notes({ ...zero, mode: 0o600 })).toEqual([note]);
    expect(notes({ ...zero, uid: 0 })).toEqual([note]);
    expect(notes(zero)).toEqual([]);
  });
  withCapability('CAP_MKNOD', 'the call itself elsewhere, with no umask', () => {
    const lines = emitted('mounts', { ...inOurs, mounts: [zero] });
    const made = lines.findIndex((line) => line.includes('"zero", 020666, 261)'));
    expect(lines[made - 1]).toMatch(/umask\(0\) = r(\d)$/);
    expect(lines[made + 1]).toMatch(/umask\(r\d\)$/);
    expect(lines.some((line) => line.includes('open_tree('))).toBe(false);
  });
});

test('the number of a device is that of stat(2)', () => {
  expect(deviceNumber(1, 5)).toBe(statSync('/dev/zero').rdev);
  expect(deviceNumber(0xfff, 0xfffff)).toBe(0xffffffff);
  expect(deviceNumber(10, 0x12345)).toBe(0x12300a45);
});

test('a node of the host is found by its numbers, in folders too', () => {
  expect(pathOfDevice('c', 1, 3)).toBe('/dev/null');
  expect(pathOfDevice('b', 1, 3)).toBeUndefined();
});

type Test = (name: string, body: () => Promise<unknown>) => void;
const sorts: [string, CloneOptions, Test][] = [
  ['in a user namespace', inUser, (name, body) => test(name, body)],
  ['in ours', inOurs, (name, body) => withCapability('CAP_MKNOD', name, body)],
];
describe.each(sorts)('device, seen from inside, %s', (_, options, seen) => {
  seen('a device that works, with its parents made', async () => {
    const script = 'head -c 3 /mnt/a/zero | wc -c; stat -c "%F %t:%T" /mnt/a/zero';
    expect(await inside(script, withMounts(options, zero))).toBe('3\ncharacter special file 1:5');
  });
  seen('a named pipe that works, with the permissions asked for, whatever the umask is', async () => {
    const script = 'stat -c "%F %a %u:%g" /mnt/a/pipe; echo through > /mnt/a/pipe & cat /mnt/a/pipe';
    const before = process.umask(0o077);
    try {
      const mount: Mount = { ...pipe, mode: 0o646, uid: 0, gid: 0 };
      expect(await inside(script, withMounts(options, mount))).toBe('fifo 646 0:0\nthrough');
      expect(await inside('umask', withMounts(options, mount))).toBe('0077');
    } finally {
      process.umask(before);
    }
  });
  seen('one that is there and is the same is nothing to do', async () => {
    expect(await inside('head -c 3 /mnt/a/zero | wc -c', withMounts(options, zero, zero))).toBe('3');
    expect(await inside('stat -c %F /mnt/a/pipe', withMounts(options, pipe, pipe))).toBe('fifo');
  });
  seen('something else that is there stays', async () => {
    const other = join(folder, 'other');
    writeFileSync(other, 'other');
    chmodSync(other, 0o600);
    symlinkSync('other', join(folder, 'link'));
    for (const target of [other, join(folder, 'link')]) {
      await expect(clone('/bin/true', withMounts(options, { ...pipe, target }))).rejects.toMatchObject({
        code: 'EEXIST',
        option: 'mounts[1]',
        dest: target,
        hint: 'something else is there already',
      });
    }
    expect(statSync(other).mode & 0o777).toBe(0o600);
  });
  seen('in a /dev of its own, too', async () => {
    const mounts: Mount[] = [
      { type: 'dev', target: '/dev' },
      { ...zero, target: '/dev/x/zero' },
    ];
    expect(await inside('head -c 3 /dev/x/zero | wc -c', { ...options, mounts })).toBe('3');
  });
  seen('what is optional and cannot be is left out', async () => {
    const missing: Mount = { ...zero, major: 0xffe, minor: 77, optional: true };
    expect(await inside('echo went on', withMounts(options, missing))).toBe('went on');
  });
});

describe('device, where we may make one', () => {
  withCapability('CAP_MKNOD', 'has the owner and the permissions asked for', async () => {
    const mount: Mount = { ...zero, mode: 0o640, uid: 12, gid: 34 };
    expect(await inside('stat -c "%a %u:%g %h" /mnt/a/zero', withMounts(inOurs, mount))).toBe('640 12:34 1');
  });
  withCapability('CAP_MKNOD', 'is a block device', async () => {
    const mount: Mount = { ...zero, kind: 'b', major: 7, minor: 200 };
    expect(await inside('stat -c "%F %t:%T" /mnt/a/zero', withMounts(inOurs, mount))).toBe('block special file 7:c8');
  });
  withCapability('CAP_MKNOD', 'another device of that name stays', async () => {
    const full: Mount = { ...zero, minor: 7 };
    await expect(clone('/bin/true', withMounts(inOurs, zero, full))).rejects.toMatchObject({ code: 'EEXIST' });
  });
  withCapability('CAP_MKNOD', 'no link on the way leads out of the root', async () => {
    mkdirSync(join(folder, 'root/mnt'), { recursive: true });
    mkdirSync(join(folder, 'outside'));
    symlinkSync(join(folder, 'outside'), join(folder, 'root/mnt/a'));
    const options = { ...inOurs, root: join(folder, 'root'), mounts: [zero] } satisfies CloneOptions;
    await expect(clone('/bin/true', options)).rejects.toMatchObject({ step: 'mounts' });
    expect(() => statSync(join(folder, 'outside/zero'))).toThrow('ENOENT');
  });
});

describe('device, of a host that gets one, and another place for it', () => {
  withCapability('CAP_MKNOD', 'each start has it from where it is, and a plan from where it was', () => {
    const script = `
      const { execFileSync } = require('node:child_process');
      const { clone, Flags, plan, run } = nsclone;
      execFileSync('mount', ['-t', 'tmpfs', 'none', '/dev/shm']);
      const options = {
        flags: Flags.NEWUSER | Flags.NEWNS,
        uidMap: 'root',
        gidMap: 'root',
        mounts: [
          { type: 'tmpfs', target: '/mnt' },
          { type: 'device', target: '/mnt/node', kind: 'c', major: 240, minor: 77, optional: true },
        ],
      };
      const list = async () => (await run('ls', ['/mnt'], options)).stdout;
      const told = (promise) => promise.then((child) => child.exited).then(({ code }) => code, ({ code, option, path }) => [code, option, path]);
      const found = [await list()];
      execFileSync('mknod', ['/dev/shm/a', 'c', '240', '77']);
      found.push(await list());
      const made = plan('/bin/true', [], options);
      fs.renameSync('/dev/shm/a', '/dev/shm/b');
      found.push(await list());
      const starts = [];
      for (const own of [undefined, {}, { timeout: 60_000 }, { stdio: 'ignore' }, undefined])
        starts.push(await told(own === undefined ? clone(made) : clone(made, own)));
      return [found, starts];`;
    const was = ['ENOENT', 'mounts[1]', '/dev/shm/a'];
    // Only what makes it another program looks again.
    expect(evaluate(script, ['unshare', '--mount'])).toEqual([
      ['', 'node\n', 'node\n'],
      [was, was, was, 0, was],
    ]);
  });
});
