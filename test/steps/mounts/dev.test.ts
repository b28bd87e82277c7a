// Type `dev`: a minimal /dev.
import { clone, type CloneOptions, Flags, type Mount, plan } from '../../../lib';
import { needing, rootOnly } from '../../support/capability';
import { calls, failAt } from '../../support/fault';
import { inside, owned, read } from '../../support/inside';
import { root } from '../../support/own-process';
import { leavesNothing } from '../../support/leftovers';
import { emitted, notesOf } from '../../support/listing';
import { planning, refusal } from '../../support/refusal';

leavesNothing();

const dev = { type: 'dev', target: '/dev' } as const satisfies Mount;
const mounts: Mount[] = [{ type: 'proc', target: '/proc' }, dev];
const kinds = Flags.NEWNS | Flags.NEWPID | Flags.NEWIPC;
const all = { ...owned(kinds), mounts } satisfies CloneOptions;
const isRoot = process.getuid!() === 0;

describe('dev rejects', () => {
  test('what is no field of it, and a create that is no boolean', () => {
    expect(planning({ ...all, mounts: [{ ...dev, size: 5 }] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].size'),
    );
    expect(planning({ ...all, mounts: [{ ...dev, create: 1 }] })).toThrow(
      refusal('ERR_INVALID_ARG_TYPE', 'mounts[0].create'),
    );
  });
  test('to be the root', () => {
    expect(planning({ ...all, mounts: [{ ...dev, target: '/' }] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].target', 'cannot be the root'),
    );
    expect(planning({ ...all, mounts: [], root: { type: 'dev' } })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'root.type'),
    );
  });
});

describe('dev emits', () => {
  test('the clones of all devices before it covers those of the host', () => {
    const lines = emitted('mounts', all);
    const last = lines.findLastIndex((line) => line.includes('open_tree('));
    const first = lines.findIndex((line) => line.includes('move_mount('));
    expect(lines[last]).toContain('"/dev/tty"');
    expect(last).toBeLessThan(first);
  });
  test('a look at each of them: the path of another device will not do', () => {
    expect(emitted('mounts', all)).toContainEqual(
      expect.stringMatching(/^mounts\[1\]: ENXIO unless the 8 bytes at &data\[\d+\] are <0100000003000000>$/),
    );
  });
  test('a note where the ipc namespace is not new', () => {
    const note = 'mounts[1]: /dev has no mqueue: the ipc namespace is not new, see Flags.NEWIPC';
    expect(notesOf(plan('/bin/true', [], { ...all, flags: Number(all.flags) & ~Flags.NEWIPC }))).toEqual([note]);
    expect(notesOf(plan('/bin/true', [], all))).toEqual([]);
  });
  // A clone that comes into a user namespace is not locked there.
  test('the terminal by its path in a user namespace, which is read before the view changes', () => {
    const lines = emitted('mounts', { ...all, pty: true });
    expect(lines[0]).toMatch(/^mounts\[1\]: readlinkat\(proc, "self\/fd\/0", &data\[\d+\], 4095\)$/);
    expect(lines).toContainEqual(expect.stringMatching(/open_tree\(AT_FDCWD, &data\[\d+\], /));
    expect(lines.filter((line) => line.includes('ESTALE unless'))).toHaveLength(2);
  });
  rootOnly('the terminal as a clone that is made before the view changes elsewhere', () => {
    expect(emitted('mounts', { flags: kinds, mounts, pty: true })[0]).toBe(
      'mounts[1]: open_tree(0, "", AT_EMPTY_PATH|OPEN_TREE_CLOEXEC|OPEN_TREE_CLONE) = r0',
    );
  });
});

/** Both with and without a user namespace, where we may. */
const sorts: [string, CloneOptions][] = [
  ['in a user namespace', all],
  ['in ours', { flags: kinds, mounts }],
];

describe.each(sorts)('dev, seen from inside, %s', (sort, options) => {
  const seen = needing(isRoot || sort !== 'in ours', 'root');

  seen('has what programs expect, and nothing else', async () => {
    const names = 'core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero';
    expect((await inside('ls -A /dev', options)).split('\n')).toEqual(names.split(' '));
  });
  seen('devices that work, with the numbers that they have everywhere', async () => {
    const numbers = await inside('cd /dev && stat -c "%F %t:%T" null zero full random urandom tty', options);
    expect(numbers.split('\n')).toEqual(
      ['1:3', '1:5', '1:7', '1:8', '1:9', '5:0'].map((number) => `character special file ${number}`),
    );
    const use = 'echo a > /dev/null && head -c 3 /dev/zero | wc -c && head -c 4 /dev/urandom | wc -c && cat /dev/null';
    expect(await inside(use, options)).toBe('3\n4');
    expect(await inside('head -c 1 /dev/zero 2>&1 > /dev/full || true', options)).toMatch(/No space left/);
  });
  seen('links to what is open, which lead there', async () => {
    expect(await inside('echo out > /dev/stdout; echo err >&2 2> /dev/stderr; ls /dev/fd/1', options)).toBe(
      'out\n/dev/fd/1',
    );
  });
  seen('terminals of its own', async () => {
    expect(await inside('ls /dev/pts; exec 5<> /dev/ptmx; ls /dev/pts', options)).toBe('ptmx\n0\nptmx');
  });
  seen('a shm where anybody may make files, that keeps them', async () => {
    expect(
      await inside('stat -f -c %T /dev/shm; stat -c %a /dev/shm; echo a > /dev/shm/b; cat /dev/shm/b', options),
    ).toBe('tmpfs\n1777\na');
  });
  seen('the message queues of the new ipc namespace', async () => {
    expect(await inside('ls -A /dev/mqueue | wc -l; stat -f -c %T /dev/mqueue', options)).toMatch(
      /^0\n(mqueue|UNKNOWN)/,
    );
  });
  seen('no mqueue without that namespace: the host would show its own', async () => {
    const flags = Number(options.flags) & ~Flags.NEWIPC;
    expect(await inside('test -e /dev/mqueue || echo none', { ...options, flags })).toBe('none');
  });
  seen('no program that is put there is executed, with rights of another or at all', async () => {
    const script =
      'for at in /dev /dev/shm; do cp /bin/true $at/program && { $at/program 2> /dev/null && echo executed || echo refused; }; done';
    expect(await inside(script, options)).toBe('refused\nrefused');
    const found = await inside(
      'grep -E " /dev(/(shm|pts|mqueue))? " /proc/self/mountinfo | cut -d " " -f 5,6',
      options,
    );
    const lines = found.split('\n').slice(-4);
    expect(lines.map((line) => line.split(' ')[0])).toEqual(['/dev', '/dev/pts', '/dev/shm', '/dev/mqueue']);
    for (const line of lines) expect(line).toMatch(/nosuid.*noexec/);
  });
  seen('read-only, with devices that can be written to all the same', async () => {
    const made = await inside('echo a > /dev/null && (echo a > /dev/x) 2>&1 || true', {
      ...options,
      mounts: [mounts[0]!, { ...dev, readonly: true }],
    });
    expect(made).toMatch(/Read-only file system/);
  });
  seen('in a root that has none, and twice', async () => {
    const folders: Mount[] = ['/bin', '/lib', '/lib64', '/usr'].map((target) => ({
      type: 'bind',
      source: target,
      target,
      create: true,
      optional: true,
    }));
    const twice = ['/dev', '/srv/a/dev'].map((target): Mount => ({ ...dev, target, create: true }));
    const output = await inside('echo a > /dev/null; head -c 2 /srv/a/dev/zero | wc -c', {
      ...options,
      root: { type: 'tmpfs' },
      mounts: [...folders, ...twice],
    });
    expect(output).toBe('2');
  });
  seen('console is the terminal of the child, where it has one', async () => {
    expect(await inside('test -e /dev/console || echo none', options)).toBe('none');
    const script = 'stat -c %t:%T /dev/console; stat -L -c %t:%T /proc/self/fd/0; echo hello > /dev/console';
    const child = await clone('/bin/sh', ['-c', script], { ...options, pty: true });
    const [output, { code }] = await Promise.all([read(child.pty), child.exited]);
    const [console, terminal, text] = output.split('\r\n');
    expect(console).toMatch(/^88:/);
    expect([terminal, text, code]).toEqual([console, 'hello', 0]);
  });
});

describe('dev, when something is in the way', () => {
  test('a missing target: create makes it', async () => {
    const missing = { ...all, mounts: [{ ...dev, target: '/nowhere' }] } satisfies CloneOptions;
    await expect(clone('/bin/true', missing)).rejects.toMatchObject({
      code: 'ENOENT',
      dest: '/nowhere',
      hint: 'the target is missing; create: true makes it',
    });
    const optional = { ...all, mounts: [{ ...dev, target: '/nowhere', optional: true }] } satisfies CloneOptions;
    expect(await inside('echo went on', optional)).toBe('went on');
  });
  test('a device that the host does not have', async () => {
    const error = await failAt(all, calls('open_tree(AT_FDCWD, "/dev/full"'), 'ENOENT');
    expect(error).toMatchObject({ code: 'ENOENT', option: 'mounts[1]', path: '/dev/full' });
    expect(error.hint).toBeUndefined();
  });
  test('a path of the host that is another device', async () => {
    const script = `const { clone } = require(${JSON.stringify(root)});
      clone('/bin/true', ${JSON.stringify(all)}).catch(({ code, path, hint }) => console.log(code, path, hint));`;
    const output = await inside(`exec "$NODE" -e "$SCRIPT"`, {
      ...owned(Flags.NEWNS),
      mounts: [{ type: 'bind', source: '/dev/zero', target: '/dev/full' }],
      env: { ...process.env, NODE: process.execPath, SCRIPT: script },
    });
    expect(output).toBe('ENXIO /dev/full what is at this path of the host is another device');
  });
});
