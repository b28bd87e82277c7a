// Type `bind` with a descriptor as its source: the file that it is, whatever has its name.
import { closeSync, mkdirSync, mkdtempSync, openSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { clone, type CloneOptions, Flags, type Mount, plan } from '../../../lib';
import { rootOnly } from '../../support/capability';
import { inside, owned } from '../../support/inside';
import { leavesNothing } from '../../support/leftovers';
import { emitted } from '../../support/listing';
import { evaluate } from '../../support/own-process';
import { planning, refusal } from '../../support/refusal';

const inUser = owned(Flags.NEWNS);
const inOurs = { flags: Flags.NEWNS } satisfies CloneOptions;
const binding = (options: CloneOptions, source: number, fields: object = {}): CloneOptions => ({
  ...options,
  mounts: [{ type: 'bind', source, target: '/mnt', ...fields }],
});

let folder: string;
let source: string;
let descriptor: number;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nsclone-'));
  source = join(folder, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'file'), 'content');
  descriptor = openSync(source, 'r');
});
afterEach(() => {
  closeSync(descriptor);
  rmSync(folder, { recursive: true });
});

// After those hooks: the descriptor is none that is left.
leavesNothing();

describe('a descriptor as the source rejects', () => {
  test.each([-1, 1.5, 2 ** 31])('%p', (value) => {
    expect(planning(binding(inUser, value))).toThrow(refusal('ERR_OUT_OF_RANGE', 'mounts[0].source'));
  });
  test('what is neither a path nor a descriptor', () => {
    expect(planning({ ...inUser, mounts: [{ type: 'bind', source: {}, target: '/mnt' }] })).toThrow(
      refusal('ERR_INVALID_ARG_TYPE', 'mounts[0].source', 'of type string or number'),
    );
  });
});

describe('a descriptor as the source emits', () => {
  test('its path, read first of all in a user namespace, and a look whether it is the same', () => {
    const lines = emitted('mounts', binding(inUser, descriptor));
    expect(lines[0]).toMatch(new RegExp(`^mounts\\[0\\]: readlinkat\\(proc, "self/fd/${descriptor}", &data`));
    expect(lines.filter((line) => line.includes('ESTALE unless'))).toHaveLength(2);
  });
  rootOnly('a clone of its mount elsewhere', () => {
    const made = plan('/bin/true', [], binding(inOurs, descriptor));
    const flags = 'AT_EMPTY_PATH|AT_RECURSIVE|OPEN_TREE_CLOEXEC|OPEN_TREE_CLONE';
    expect(made.toString()).toContain(`open_tree(${descriptor}, "", ${flags}) = r0`);
    expect(made.toString()).not.toContain('readlinkat(');
  });
});

type Test = (name: string, body: () => Promise<unknown>) => void;
const sorts: [string, CloneOptions, Test][] = [
  ['in a user namespace', inUser, (name, body) => test(name, body)],
  ['in ours', inOurs, rootOnly],
];
describe.each(sorts)('a descriptor as the source, seen from inside, %s', (_, options, seen) => {
  seen('what it is, under the number of an entry of stdio as well', async () => {
    expect(await inside('cat /mnt/file', binding(options, descriptor))).toBe('content');
    const stdio = Array.from({ length: descriptor + 3 }, (__, index) =>
      index === 1 || index === 2 ? ('pipe' as const) : ('ignore' as const),
    );
    expect(await inside('cat /mnt/file', { ...binding(options, descriptor), stdio })).toBe('content');
  });
  seen('a file, mounted on a file', async () => {
    const file = openSync(join(source, 'file'), 'r');
    const target = join(folder, 'made/file');
    try {
      expect(await inside(`cat ${target}`, binding(options, file, { target, create: true }))).toBe('content');
    } finally {
      closeSync(file);
    }
  });
  seen('one that was renamed', async () => {
    renameSync(source, join(folder, 'renamed'));
    mkdirSync(source);
    expect(await inside('cat /mnt/file', binding(options, descriptor))).toBe('content');
  });
  seen('read-only', async () => {
    const options_ = binding(options, descriptor, { readonly: true });
    expect(await inside('echo a 2>&1 > /mnt/new || true; touch /mnt/new 2>&1 || true', options_)).toMatch(/Read-only/);
  });
  seen('as the root', async () => {
    const folders: Mount[] = ['/bin', '/lib', '/lib64', '/usr'].map((target) => ({
      type: 'bind',
      source: target,
      target,
      create: true,
      optional: true,
    }));
    const root = { type: 'bind', source: descriptor } as const;
    expect(await inside('cat /file', { ...options, root, mounts: folders })).toBe('content');
  });
  seen('the program does not have it', async () => {
    const script = `ls -l /proc/self/fd | grep -c ${source} || true`;
    expect(await inside(script, binding(options, descriptor))).toBe('0');
  });
  seen('a mount of it that an earlier entry covers', async () => {
    const mounts: Mount[] = [
      { type: 'tmpfs', target: folder },
      { type: 'bind', source: descriptor, target: '/mnt' },
    ];
    expect(await inside('cat /mnt/file', { ...options, mounts })).toBe('content');
  });
  seen('for every start of a plan', async () => {
    const made = plan('/bin/cat', ['/mnt/file'], binding(options, descriptor));
    for (let i = 0; i < 2; i++) {
      const child = await clone(made);
      expect(await child.exited).toMatchObject({ code: 0 });
    }
  });
});

test('who is root in a user namespace cannot write to what we have read-only', () => {
  // Where we are no root, neither is the one that mounts it.
  const wrapper = ['unshare', '--mount', ...(process.getuid!() === 0 ? [] : ['--map-root-user'])];
  const prepared = ['sh', '-c', 'mount -t tmpfs x "$0" && mount -o remount,ro,bind "$0" && exec "$@"', source];
  const output = evaluate<string>(
    `const { openSync, closeSync } = require('node:fs');
     const source = openSync(${JSON.stringify(source)}, 'r');
     const { stdout } = await nsclone.run('/bin/sh', ['-c', 'mount -o remount,rw,bind /mnt 2>&1; touch /mnt/a 2>&1 || true'], {
       flags: nsclone.Flags.NEWUSER | nsclone.Flags.NEWNS, uidMap: 'root', gidMap: 'root',
       mounts: [{ type: 'bind', source, target: '/mnt' }],
     });
     closeSync(source);
     return String(stdout);`,
    [...wrapper, ...prepared],
  );
  expect(output).toMatch(/permission denied[^]*Read-only file system/);
});

describe('a descriptor as the source, when something is in the way', () => {
  test('one that is closed', async () => {
    const closed = openSync(source, 'r');
    closeSync(closed);
    await expect(clone('/bin/true', binding(inUser, closed))).rejects.toMatchObject({
      code: 'EBADF',
      step: 'mounts',
      option: 'mounts[0]',
      hint: `descriptor ${closed} is not open in Node`,
    });
    const options = { ...inUser, root: { type: 'bind', source: closed } } satisfies CloneOptions;
    await expect(clone('/bin/true', options)).rejects.toMatchObject({ code: 'EBADF', step: 'root', option: 'root' });
  });
  test('a file that was removed, in a user namespace', async () => {
    const path = join(source, 'file');
    const file = openSync(path, 'r');
    try {
      unlinkSync(path);
      await expect(clone('/bin/true', binding(inUser, file))).rejects.toMatchObject({
        code: 'ENOENT',
        path: `descriptor ${file}`,
        hint: 'no path leads to it: it was removed, or is on no mount of our mount namespace',
      });
      // The name that the kernel gives it then.
      writeFileSync(`${path} (deleted)`, 'another');
      await expect(clone('/bin/true', binding(inUser, file))).rejects.toMatchObject({
        code: 'ESTALE',
        hint: 'another file is at its path by now, or a mount covers it',
      });
    } finally {
      closeSync(file);
    }
  });
  rootOnly('a pipe, which is on no mount', async () => {
    const child = await clone('/bin/cat', { stdio: ['pipe', 'ignore', 'ignore'] });
    const pipe = openSync(`/proc/${child.pid}/fd/0`, 'r');
    try {
      await expect(clone('/bin/true', binding(inOurs, pipe))).rejects.toMatchObject({
        code: 'EINVAL',
        option: 'mounts[0]',
        hint: 'it is on no mount of our mount namespace',
      });
    } finally {
      closeSync(pipe);
      child.stdin.end();
      await child.exited;
    }
  });
});

test('is closed where the entry is left out', async () => {
  const list = (mounts: Mount[]): Promise<string> => inside('ls /proc/self/fd', { ...inUser, mounts, closeFds: false });
  const left: Mount[] = [{ type: 'bind', source: descriptor, target: join(folder, 'missing'), optional: true }];
  const none: Mount[] = [{ type: 'dir', target: join(folder, 'source') }];
  expect(await list(left)).toBe(await list(none));
});

// As on hosts whose mounts are shared, which those of systemd are.
describe('on a host whose mounts are shared', () => {
  // Private at first: what is shared with the machine's own host already would stay so.
  const line = 'mount --make-rshared / && exec "$0" "$@"';
  const shared = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', line];
  /** What is told of the child, and the mounts below the folder that the host has afterwards. */
  const left = (options: string): unknown =>
    evaluate(
      `const folder = ${JSON.stringify(folder)};
       const { Flags } = nsclone;
       const fd = fs.openSync(folder + '/source', 'r');
       const { code } = await nsclone.run('/usr/bin/true', [], { flags: Flags.NEWNS, ...${options} });
       return [code, fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\\n').filter((line) => line.includes(folder))];`,
      shared,
    );

  rootOnly('what is mounted upon it is not for the host', () => {
    mkdirSync(join(folder, 'target'));
    mkdirSync(join(source, 'below'));
    const below = `{ type: 'tmpfs', target: folder + '/target/below' }`;
    expect(left(`{ mounts: [{ type: 'bind', source: fd, target: folder + '/target' }, ${below}] }`)).toEqual([0, []]);
  });
  for (const propagation of ['private', 'slave', 'unbindable', 'rslave'])
    rootOnly(`nor what is mounted upon what is below it, with propagation: '${propagation}'`, () => {
      mkdirSync(join(folder, 'target'));
      mkdirSync(join(source, 'below'));
      const told = evaluate(
        `const folder = ${JSON.stringify(folder)};
         const { execFileSync } = require('node:child_process');
         const ours = () => fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\\n').filter((line) => line.includes(folder));
         execFileSync('mount', ['-t', 'tmpfs', 'ours', folder + '/source/below']);
         fs.mkdirSync(folder + '/source/below/deeper');
         const before = ours();
         const source = fs.openSync(folder + '/source', 'r');
         const bind = { type: 'bind', source, target: folder + '/target', propagation: '${propagation}' };
         const upon = ['mount', '-t', 'tmpfs', 'theirs', folder + '/target/below/deeper'];
         const { code } = await nsclone.run(upon[0], upon.slice(1), { flags: nsclone.Flags.NEWNS, mounts: [bind] });
         return [code, before.length, ours().join() === before.join()];`,
        shared,
      );
      expect(told).toEqual([0, 1, true]);
    });
  rootOnly('it can be the root', () => {
    const folders = ['usr', 'bin', 'lib', 'lib64'].map((name) => {
      mkdirSync(join(source, name));
      return `{ type: 'bind', source: '/${name}', target: '/${name}', optional: true }`;
    });
    expect(left(`{ root: { type: 'bind', source: fd }, mounts: [${folders.join()}] }`)).toEqual([0, []]);
  });
});
