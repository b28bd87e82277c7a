// Entries that change how something is seen that is there: `mask` and `readonly`.
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';

import { clone, Flags, type Mount } from '../../../lib';
import { calls, failAt } from '../../support/fault';
import { inside, owned } from '../../support/inside';
import { leavesNothing } from '../../support/leftovers';
import { emitted } from '../../support/listing';
import { mountsSeen } from '../../support/mount-info';
import { planning, refusal } from '../../support/refusal';
import { proc, programs } from '../../support/root-folder';
import { temporaryFolder } from '../../support/temporary-folder';

leavesNothing();

const folder = temporaryFolder();
const base = owned(Flags.NEWNS | Flags.NEWPID);

describe('mask and readonly reject', () => {
  const given = (mount: object): (() => unknown) => planning({ ...base, mounts: [mount] });

  test('fields of mounts, with the nearest of their own', () => {
    for (const name of ['create', 'readonly', 'source', 'mode', 'propagation']) {
      expect(given({ type: 'mask', target: '/a', [name]: true })).toThrow(
        refusal('ERR_INVALID_ARG_VALUE', `mounts[0].${name}`, 'is unknown'),
      );
    }
    expect(given({ type: 'readonly', target: '/a', recursiv: true })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].recursiv', 'did you mean "recursive"?'),
    );
  });
  test('a mask of the root: nothing would be hidden', () => {
    for (const target of ['/', '/.', '/a/..']) {
      expect(given({ type: 'mask', target })).toThrow(
        refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].target', 'cannot be the root'),
      );
    }
  });
  test('recursive that is no boolean', () => {
    expect(given({ type: 'readonly', target: '/a', recursive: 'no' })).toThrow(
      refusal('ERR_INVALID_ARG_TYPE', 'mounts[0].recursive'),
    );
  });
});

describe('mask and readonly emit', () => {
  test('what is read-only before it is put into its place', () => {
    const lines = emitted('mounts', { flags: Flags.NEWNS, mounts: [{ type: 'readonly', target: '/a' }] });
    const order = ['openat2(', 'open_tree(', 'mount_setattr(', 'move_mount('].map((name) =>
      lines.findIndex((line) => line.includes(name)),
    );
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(order[0]).toBeGreaterThan(0);
  });
});

describe('mask, seen from inside', () => {
  const target = (): string => folder.at('target');

  test('a folder is empty, and nothing can be made in it', async () => {
    folder.file('target/secret', '');
    const mounts: Mount[] = [{ type: 'mask', target: target() }];
    expect(await inside(`ls -A ${target()}; (: > ${target()}/new) 2>&1 || echo no`, { ...base, mounts })).toMatch(
      /^.*Read-only file system\nno$/,
    );
    expect(existsSync(folder.at('target/new'))).toBe(false);
  });
  test('a file has nothing in it, and nothing gets into it', async () => {
    folder.file('target', 'secret');
    const mounts: Mount[] = [{ type: 'mask', target: target() }];
    expect(await inside(`cat ${target()}; echo changed > ${target()}; cat ${target()}`, { ...base, mounts })).toBe('');
    expect(readFileSync(target(), 'utf8')).toBe('secret');
  });
  test('what is missing is nothing to do, also below a file', async () => {
    const mounts: Mount[] = [
      { type: 'mask', target: folder.at('missing') },
      { type: 'mask', target: folder.at('missing/below') },
      { type: 'mask', target: `${folder.file('file', '')}/below` },
      { type: 'mask', target: target() },
    ];
    folder.file('target', 'secret');
    expect(await inside(`cat ${target()}; ls ${folder.path}`, { ...base, mounts })).toBe('file\ntarget');
  });
  test('a link hides what it leads to', async () => {
    folder.file('real/secret', '');
    symlinkSync(folder.at('real'), target());
    expect(await inside(`ls -A ${folder.at('real')}`, { ...base, mounts: [{ type: 'mask', target: target() }] })).toBe(
      '',
    );
  });
  test('a folder that we may not enter', async () => {
    mkdirSync(target());
    chmodSync(target(), 0);
    const mounts: Mount[] = [{ type: 'mask', target: target() }];
    expect(await inside(`stat -f -c %T ${target()}`, { ...base, mounts })).toBe('tmpfs');
    // Of somebody else's, where we are an ordinary user.
    expect(await inside('ls -A /root', { ...base, mounts: [{ type: 'mask', target: '/root' }] })).toBe('');
  });
  test('in a root that has no /dev/null', async () => {
    folder.file('target', 'secret');
    const mounts: Mount[] = [...programs, { type: 'mask', target: '/target' }];
    const script = 'while read -r line; do echo $line; done < /target; ls /target; ls /dev 2>&1 || true';
    expect(await inside(script, { ...base, root: folder.path, mounts })).toMatch(/^\/target\n.*No such file/);
  });
  test('many at once', async () => {
    const names = Array.from({ length: 60 }, (_, index) => `target/${index}`);
    const mounts = names.map((name, index): Mount => {
      if (index % 3 === 0) folder.file(`${name}/secret`, '');
      if (index % 3 === 1) folder.file(name, 'secret');
      return { type: 'mask', target: folder.at(name) };
    });
    mkdirSync(target(), { recursive: true });
    const script = `cd ${target()}; cat [0-9]*/* [0-9]* 2>/dev/null; ls -d [0-9]* | wc -l`;
    expect(await inside(script, { ...base, mounts })).toBe('40');
  });
});

describe('readonly, seen from inside', () => {
  const writes = (...files: string[]): string =>
    `for file in ${files.join(' ')}; do (: > $file) 2>&- && echo $file; done; true`;

  test('a folder with what is mounted below it', async () => {
    const [target, below] = [folder.folder('target'), folder.folder('target/below')];
    const mounts: Mount[] = [
      { type: 'tmpfs', target: below },
      { type: 'readonly', target },
    ];
    const script = `cd ${folder.path}; ${writes('outside', 'target/file', 'target/below/file')}`;
    expect(await inside(script, { ...base, mounts })).toBe('outside');
  });
  test('recursive: false, the folder alone: what is mounted below stays as it is', async () => {
    const target = folder.folder('target');
    folder.file('target/secret', 'secret');
    folder.folder('target/below');
    const mounts: Mount[] = [
      { type: 'mask', target: `${target}/secret` },
      { type: 'tmpfs', target: `${target}/below` },
      { type: 'readonly', target, recursive: false },
    ];
    const script = `cd ${target}; cat secret 2>&1; ${writes('file', 'below/file')}`;
    expect(await inside(script, { ...base, mounts })).toBe('below/file');
    // Where it is a mount point already.
    const mounted: Mount[] = [{ type: 'bind', source: target, target }, ...mounts];
    expect(await inside(script, { ...base, mounts: mounted })).toBe('below/file');
  });
  test('what would show what an unbindable mount hides is refused', async () => {
    const target = folder.folder('target');
    const hidden = folder.folder('target/hidden');
    const tmpfs = { type: 'tmpfs', target: hidden, propagation: 'unbindable' } as const;
    for (const recursive of [true, false]) {
      const given = planning({ ...base, mounts: [tmpfs, { type: 'readonly', target: `${target}/`, recursive }] });
      expect(given).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'mounts[1].target', 'would show what mounts[0] hides'));
    }
    for (const before of [[{ ...tmpfs, optional: true }], [tmpfs, { type: 'tmpfs', target }]] as Mount[][])
      expect(planning({ ...base, mounts: [...before, { type: 'readonly', target }] })).not.toThrow();
    const mounts: Mount[] = [{ type: 'readonly', target }, tmpfs];
    expect(await inside(`cd ${target}; ${writes('file', 'hidden/file')}`, { ...base, mounts })).toBe('hidden/file');
  });
  test('a file', async () => {
    const target = folder.file('target', 'before');
    const script = `cat ${target}; ${writes(target)}`;
    expect(await inside(script, { ...base, mounts: [{ type: 'readonly', target }] })).toBe('before');
    expect(readFileSync(target, 'utf8')).toBe('before');
  });
  test('of / it is all that has been mounted so far, and nothing after', async () => {
    const mounts: Mount[] = [
      ...programs,
      proc,
      { type: 'tmpfs', target: '/before', create: true },
      { type: 'dir', target: '/after' },
      { type: 'readonly', target: '/' },
      { type: 'tmpfs', target: '/after' },
    ];
    for (const root of [folder.folder('root'), { type: 'tmpfs' } as const]) {
      const script = writes('/file', '/before/file', '/after/file');
      expect(await inside(script, { ...base, root, mounts })).toBe('/after/file');
      const alone = mounts.map((mount): Mount => (mount.type === 'readonly' ? { ...mount, recursive: false } : mount));
      expect(await inside(script, { ...base, root, mounts: alone })).toBe('/before/file\n/after/file');
    }
  });
  test('of / without another root, it is our own, for the child alone', async () => {
    const mounts: Mount[] = [
      { type: 'readonly', target: '/' },
      { type: 'tmpfs', target: '/mnt' },
    ];
    const script = writes(folder.at('file'), '/mnt/file');
    expect(await inside(script, { ...base, mounts })).toBe('/mnt/file');
    folder.file('file', 'ours to write');
  });
  test('files are mounted in what is read-only', async () => {
    const [first, second] = [folder.file('first', ''), folder.file('second', '')];
    const mounts: Mount[] = [
      { type: 'file', target: first, content: 'one' },
      { type: 'readonly', target: '/' },
      { type: 'file', target: second, content: 'two', writable: true },
    ];
    const script = `cat ${first} ${second}; echo three > ${second}; cat ${second}; (: > ${first}) 2>/dev/null || echo no`;
    expect(await inside(script, { ...base, mounts })).toBe('onetwothree\nno');
    expect(readFileSync(second, 'utf8')).toBe('');
  });
  test('optional: what is missing is nothing to do', async () => {
    const mounts: Mount[] = [{ type: 'readonly', target: folder.at('missing'), optional: true }];
    const points = (await mountsSeen({ ...base, mounts })).map(({ point }) => point);
    expect(points).toEqual((await mountsSeen(base)).map(({ point }) => point));
  });
});

describe('mask and readonly, when the kernel refuses', () => {
  test('what is missing is an error of readonly', async () => {
    const mounts: Mount[] = [{ type: 'readonly', target: folder.at('missing') }];
    await expect(clone('/bin/true', { ...base, mounts })).rejects.toMatchObject({
      code: 'ENOENT',
      option: 'mounts[0]',
      path: folder.at('missing'),
      dest: folder.at('missing'),
      hint: 'the target is missing; with optional: true there is nothing to do then',
      message: expect.stringContaining(`, readonly ${folder.at('missing')} (mounts[0])`),
    });
  });
  test('a file, where an entry before has put another /dev in its place', async () => {
    folder.file('dev/null', 'of somebody else');
    const mounts: Mount[] = [
      { type: 'bind', source: folder.at('dev'), target: '/dev' },
      { type: 'mask', target: folder.file('hidden', 'secret') },
    ];
    await expect(clone('/bin/true', { ...base, mounts })).rejects.toMatchObject({
      code: 'ENXIO',
      option: 'mounts[1]',
      hint: 'what is at this path of the host is another device',
    });
  });
  test('each call of a mask', async () => {
    const mounts: Mount[] = [{ type: 'mask', target: folder.folder('target') }];
    for (const call of ['openat2(r', 'fsopen(', 'fsmount(', 'move_mount(']) {
      expect(await failAt({ ...base, mounts }, calls(call), 'EBUSY')).toMatchObject({
        code: 'EBUSY',
        syscall: call.split('(')[0],
        step: 'mounts',
        option: 'mounts[0]',
        dest: folder.at('target'),
      });
    }
  });
});
