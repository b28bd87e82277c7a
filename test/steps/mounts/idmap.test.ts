// Binds whose files have other ids than on their file system.
import { chmodSync, chownSync, closeSync, existsSync, openSync, rmdirSync, statSync } from 'node:fs';

import {
  clone,
  type CloneOptions,
  constants,
  Flags,
  type IdMapping,
  type Mount,
  Namespace,
  plan,
  type SyscallError,
} from '../../../lib';
import { hasCapability, isLinux, needing, rootOnly, userOnly } from '../../support/capability';
import { failureAt, killed } from '../../support/fault';
import { inside, owned } from '../../support/inside';
import { leavesNothing } from '../../support/leftovers';
import { isCall, type Line, linesOf } from '../../support/listing';
import { hostMounts, mountSeen } from '../../support/mount-info';
import { planning, refusal } from '../../support/refusal';
import { programs } from '../../support/root-folder';
import { temporaryFolder } from '../../support/temporary-folder';

leavesNothing();

const hasTmpfs = isLinux('6.3');
const withTmpfs = needing(hasTmpfs, 'a tmpfs that can have other owners, Linux 6.3');
const withTmpfsAsRoot = needing(hasTmpfs && hasCapability(constants.CAP_SYS_ADMIN), 'Linux 6.3 and CAP_SYS_ADMIN');

const folder = temporaryFolder();
const { NEWNS, NEWPID, NEWUSER } = Flags;

const range = (containerID: number, hostID: number, size = 1): IdMapping[] => [{ containerID, hostID, size }];
const both = (map: readonly IdMapping[]): { uidMap: readonly IdMapping[]; gidMap: readonly IdMapping[] } => ({
  uidMap: map,
  gidMap: map,
});
const shifted = range(0, 100_000, 65_536);
/** A container as root of the host makes them: its ids are some that nobody else has. */
const container: CloneOptions = { flags: NEWUSER | NEWNS | NEWPID, uidMap: shifted, gidMap: shifted };
const bind = (source: string | number, target: string, more: object = {}): Mount => ({
  type: 'bind',
  source,
  target,
  idmap: both(shifted),
  ...more,
});

const ownersOf = (path: string): string => {
  const { uid, gid } = statSync(path);
  return `${uid} ${gid}`;
};

/** Two files of root and of user 5, and where they are to be seen. */
function files(): { source: string; target: string } {
  chownSync(folder.file('source/root', 'of root'), 0, 0);
  chownSync(folder.file('source/five', 'of five'), 5, 6);
  chmodSync(folder.at('source/root'), 0o600);
  return { source: folder.at('source'), target: folder.folder('target') };
}

describe('idmap rejects', () => {
  const given = (idmap: unknown): (() => unknown) =>
    planning({ ...owned(NEWNS), mounts: [{ type: 'bind', source: '/a', target: '/b', idmap }] });

  test.each([5, 'root', null, true, []])('%p', (idmap) => {
    expect(given(idmap)).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'mounts[0].idmap', 'an instance of Namespace'));
  });
  test('one map without the other, and what is no map', () => {
    expect(given({ uidMap: range(0, 0) })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'mounts[0].idmap.gidMap'));
    expect(given({ ...both(range(0, 0)), setgroups: 'deny' })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].idmap.setgroups'),
    );
    expect(given({ uidMap: 'root', gidMap: 'root' })).toThrow(
      refusal('ERR_INVALID_ARG_TYPE', 'mounts[0].idmap.uidMap'),
    );
  });
  test('ranges that uidMap would refuse', () => {
    const uidMap = (ranges: unknown): (() => unknown) => given({ uidMap: ranges, gidMap: range(0, 0) });
    expect(uidMap([])).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].idmap.uidMap', 'at least one range'));
    expect(uidMap(Array.from({ length: 341 }, (_, id) => ({ containerID: id, hostID: id, size: 1 })))).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].idmap.uidMap', 'at most 340'),
    );
    expect(uidMap([...range(0, 5, 10), ...range(9, 100)])).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].idmap.uidMap[1].containerID', 'must not overlap'),
    );
    expect(uidMap(range(0, 0, 0))).toThrow(refusal('ERR_OUT_OF_RANGE', 'mounts[0].idmap.uidMap[0].size'));
  });
  test('a namespace of another kind, or one that is closed', () => {
    using net = Namespace.current('net');
    expect(given(net)).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].idmap.fd', 'must be CLONE_NEWUSER'));
    const user = Namespace.current('user');
    user.close();
    expect(given(user)).toThrow(expect.objectContaining({ code: 'EBADF', option: 'mounts[0].idmap.fd' }));
  });
  test('it on other types', () => {
    const mounts = [{ type: 'tmpfs', target: '/b', idmap: both(shifted) }];
    expect(planning({ ...owned(NEWNS), mounts })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].idmap'));
  });
  test('ids without a place inside, of a file system that the child mounts', () => {
    const mounts = [{ type: 'tmpfs', target: '/tmp' }, bind('/tmp', '/mnt', { idmap: both(range(0, 4_000_000)) })];
    expect(planning({ ...owned(NEWNS), mounts })).toThrow(
      refusal(
        'ERR_INVALID_ARG_VALUE',
        'mounts[1].idmap.uidMap',
        'must have host ids that the option uidMap has a place for',
      ),
    );
  });
  test('a source in what another entry binds', () => {
    const mounts: Mount[] = [{ type: 'bind', source: '/usr', target: '/mnt' }, bind('/mnt/bin', '/opt')];
    expect(planning({ ...container, mounts })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'mounts[1].source', 'is in what mounts[0] binds'),
    );
  });
  rootOnly('mounts that are shared', () => {
    for (const propagation of ['shared', 'unchanged']) {
      expect(planning({ ...container, propagation, mounts: [bind('/usr', '/mnt')] })).toThrow(
        refusal('ERR_INVALID_ARG_VALUE', 'propagation', `cannot be '${propagation}' beside the ids of mounts[0]`),
      );
    }
  });
});

describe('idmap of a host folder, in our own user namespace', () => {
  const list = (target: string): string => `cd ${target}; stat -c '%u %g %n' root five`;

  rootOnly('files belong to who the maps say, and the others to nobody', async () => {
    const { source, target } = files();
    const mounts = [bind(source, target, { idmap: { uidMap: range(0, 7), gidMap: range(6, 8) } })];
    expect(await inside(list(target), { flags: NEWNS, mounts })).toBe('7 65534 root\n65534 8 five');
    expect(ownersOf(`${source}/root`)).toBe('0 0');
  });
  rootOnly('what is made there belongs to the other id on the file system', async () => {
    const { source, target } = files();
    chownSync(source, 500, 500);
    const mounts = [bind(source, target, { idmap: both(range(500, 1000)) })];
    const options: CloneOptions = { flags: NEWNS, uid: 1000, gid: 1000, mounts };
    expect(await inside(`cd ${target}; : > new; stat -c '%u %g' new`, options)).toBe('1000 1000');
    expect(ownersOf(`${source}/new`)).toBe('500 500');
  });
  rootOnly('an id that has no range can make nothing', async () => {
    const { source, target } = files();
    const mounts = [bind(source, target, { idmap: both(range(500, 1000)) })];
    expect(await inside(`touch ${target}/new`, { flags: NEWNS, mounts }).catch(String)).toMatch(/too large/);
    expect(existsSync(`${source}/new`)).toBe(false);
  });
  rootOnly('340 ranges', async () => {
    const { source, target } = files();
    const map = Array.from({ length: 340 }, (_, id) => ({ containerID: id, hostID: 1000 + id * 2, size: 1 }));
    const options = { flags: NEWNS, mounts: [bind(source, target, { idmap: both(map) })] };
    expect(await inside(list(target), options)).toBe('1000 1000 root\n1010 1012 five');
  });
  rootOnly('the ids of a user namespace that is given', async () => {
    const { source, target } = files();
    await using held = await clone('/bin/true', { ...container, hold: true });
    using user = held.namespace('user');
    const mounts = [bind(source, target, { idmap: user }), bind(`${source}/five`, `${target}/root`, { idmap: user })];
    const script = `cd ${target}; stat -c '%u %g' . root`;
    expect(await inside(script, { flags: NEWNS, mounts })).toBe('100000 100000\n100005 100006');
    // Also where nothing is closed but what is ours, and where our own descriptor is one of the child's.
    const options: CloneOptions = {
      flags: NEWNS,
      mounts,
      closeFds: false,
      stdio: ['ignore', 'pipe', 'pipe', ...Array<null>(user.fd)],
    };
    expect(await inside(script, options)).toBe('100000 100000\n100005 100006');
    expect(await inside(script, { ...container, mounts })).toBe('0 0\n5 6');
  });
  rootOnly('a namespace that has been closed since the plan', async () => {
    const { source, target } = files();
    await using held = await clone('/bin/true', { ...container, hold: true });
    const user = held.namespace('user');
    const made = plan('/bin/true', { flags: NEWNS, mounts: [bind(source, target, { idmap: user })] });
    user.close();
    await expect(clone(made)).rejects.toMatchObject({ code: 'EBADF', option: 'mounts[0].idmap.fd' });
  });
});

describe('idmap of a host folder, in a new user namespace', () => {
  const list = (target: string): string => `cd ${target}; stat -c '%u %g %n' root five`;

  rootOnly('an id inside is the same one on the file system', async () => {
    const { source, target } = files();
    const options = { ...container, mounts: [bind(source, target)] };
    const script = `${list(target)}; cat root; : > new; chown 7:8 new; stat -c '%u %g' new`;
    expect(await inside(script, options)).toBe('0 0 root\n5 6 five\nof root7 8');
    expect(ownersOf(`${source}/new`)).toBe('7 8');
    // Without it they are nobody's.
    const plainly = { ...container, mounts: [{ type: 'bind', source, target } as const] };
    expect(await inside(list(target), plainly)).toBe('65534 65534 root\n65534 65534 five');
  });
  rootOnly('a file, a descriptor, and a source that is missing', async () => {
    const { source, target } = files();
    const descriptor = openSync(source, 'r');
    const file = folder.file('file', '');
    const mounts: Mount[] = [
      bind(`${source}/root`, file),
      bind(descriptor, target),
      bind(folder.at('missing'), '/mnt', { optional: true }),
      bind(source, folder.at('none'), { optional: true }),
      bind(source, folder.at('made/here'), { create: true, recursive: false }),
    ];
    // What is to be made is made with the rights of root inside.
    chownSync(folder.folder('made'), 100_000, 100_000);
    try {
      const script = `cat ${file}; ${list(target)}; cd ${folder.path}/made/here; stat -c %u . root`;
      expect(await inside(script, { ...container, mounts })).toBe('of root0 0 root\n5 6 five\n0\n0');
    } finally {
      closeSync(descriptor);
    }
  });
  rootOnly('the root', async () => {
    const root = folder.folder('root');
    for (const { target } of programs) folder.folder(`root${target}`);
    const binds = programs.filter(({ type }) => type === 'bind');
    const options: CloneOptions = {
      ...container,
      root: { type: 'bind', source: root, idmap: both(shifted) },
      mounts: [
        ...binds,
        { type: 'bind', source: '/bin', target: '/bin' },
        { type: 'bind', source: '/lib', target: '/lib' },
        ...(existsSync('/lib64') ? [{ type: 'bind', source: '/lib64', target: '/lib64' } as const] : []),
      ],
    };
    expect(await inside('stat -c %u /; : > /made; stat -c %u /made', options)).toBe('0\n0');
    expect(ownersOf(`${root}/made`)).toBe('0 0');
  });
  rootOnly('our working directory and our mounts are as they were, and there is nothing else', async () => {
    const { source, target } = files();
    const seen = (mounts: Mount[]): Promise<string> =>
      inside(
        `pwd; stat -c %i .; cut -d ' ' -f 5,6 /proc/self/mountinfo | grep -v -F -e ' ${target} ' -e ' /run/netns' | grep -v '^${target}'; ls -a /..`,
        { ...container, mounts },
      );
    const before = hostMounts();
    expect(await seen([bind(source, target)])).toBe(await seen([]));
    expect(hostMounts()).toEqual(before);
    expect(await inside('pwd', { ...container, mounts: [bind(source, target)], cwd: target })).toBe(target);
  });
  rootOnly('goes with a pid 1, a fresh proc, and a user namespace below', async () => {
    const { source, target } = files();
    const mounts: Mount[] = [{ type: 'proc', target: '/proc' }, bind(source, target)];
    expect(
      await inside(`echo $$; stat -c %u ${target}/five; unshare -Ur id -u`, { ...container, init: true, mounts }),
    ).toBe('2\n5\n0');
  });
  rootOnly('is slave where the mounts are', async () => {
    const { source, target } = files();
    const mounts = [bind(source, target, { propagation: 'shared' })];
    // And a slave of the one that it was bound from, where that is shared on this host.
    const [shared, ...rest] = (await mountSeen(target, { ...container, propagation: 'slave', mounts })).propagation;
    expect(shared).toMatch(/^shared:/);
    expect(rest.filter((field) => !field.startsWith('master:'))).toEqual([]);
  });
  rootOnly('also in one that is joined', async () => {
    const { source, target } = files();
    await using held = await clone('/bin/true', { ...container, hold: true });
    using user = held.namespace('user');
    const options: CloneOptions = { flags: NEWNS, join: user, mounts: [bind(source, target)] };
    expect(await inside(`id -u; ${list(target)}; : > ${target}/joined`, options)).toBe('0\n0 0 root\n5 6 five');
    expect(ownersOf(`${source}/joined`)).toBe('0 0');
  });
});

describe('idmap, what is locked', () => {
  const script = (lines: string[]): string => lines.map((line) => `${line} 2>&1 || true`).join('\n');

  rootOnly('read-only and its like cannot be taken away by root inside', async () => {
    const { source, target } = files();
    const mounts = [bind(source, target, { readonly: true, nosuid: true, nodev: true, noexec: true })];
    const output = await inside(
      script([
        `mount -o remount,bind,rw ${target}`,
        `mount -o remount,bind,suid,dev,exec,ro ${target}`,
        `touch ${target}/new`,
      ]),
      { ...container, mounts },
    );
    expect(output.match(/permission denied|not permitted/gi)).toHaveLength(2);
    expect(output).toMatch(/Read-only file system/);
    expect(existsSync(`${source}/new`)).toBe(false);
  });
  withTmpfsAsRoot('what is mounted below stays, and hides what it hides', async () => {
    const { source, target } = files();
    folder.file('source/below/hidden', 'secret');
    const [below, seen] = [`${source}/below`, `${target}/below`];
    const tries = script([`umount ${seen}`, `umount -l ${seen}`, `cat ${seen}/hidden`, `ls -A ${seen}`]);
    const apart = script([
      `mkdir ${target}/empty`,
      `mount --bind ${target} ${target}/empty`,
      `cat ${target}/empty/below/hidden`,
    ]);
    const outer: CloneOptions = { flags: NEWNS, mounts: [{ type: 'tmpfs', target: below }] };
    // What starts it has something mounted there, as a host has.
    const output = await nested(outer, { ...container, mounts: [bind(source, target)] }, `${tries}\n${apart}`);
    expect(output).not.toMatch('secret');
    expect(output.match(/not mounted|invalid argument|not permitted|wrong fs type/gi)!.length).toBeGreaterThanOrEqual(
      3,
    );
    expect(output.match(/No such file/g)).toHaveLength(2);
  });
});

/** Runs a script in a child of a child. */
async function nested(outer: CloneOptions, inner: CloneOptions, script: string): Promise<string> {
  const code = `
    const { run } = require(${JSON.stringify(process.cwd())});
    run('/bin/sh', ['-c', ${JSON.stringify(script)}], ${JSON.stringify(inner)})
      .then(({ stdout, stderr }) => console.log(stdout + stderr), (error) => console.log(error.message));`;
  const file = folder.file('nested.cjs', code);
  return inside(`${process.execPath} ${file}`, outer);
}

describe('idmap of a file system that the child has mounted', () => {
  withTmpfs('works for an ordinary user too; the host ids are ours, as everywhere', async () => {
    const [memory, target] = [folder.folder('memory'), folder.folder('target')];
    const idmap = { uidMap: range(0, process.getuid!()), gidMap: range(0, process.getgid!()) };
    const list: Mount[] = [{ type: 'tmpfs', target: memory }, bind(memory, target, { idmap })];
    const script = `cd ${folder.path}; : > target/new; stat -c '%u %g' target/new memory/new; grep -c idmapped /proc/self/mountinfo`;
    expect(await inside(script, { ...owned(NEWNS | NEWPID), mounts: list })).toBe('0 0\n0 0\n1');
  });
  withTmpfsAsRoot('by root of the host, whose container has other ids', async () => {
    const [memory, target] = [folder.folder('memory'), folder.folder('target')];
    const list: Mount[] = [
      { type: 'tmpfs', target: memory },
      { type: 'dir', target: `${memory}/folder` },
      bind(`${memory}/folder`, target, { idmap: both(range(0, 100_009)) }),
    ];
    const script = `stat -c %u ${memory}/folder ${target}`;
    expect(await inside(script, { ...container, mounts: list })).toBe('0\n9');
  });
});

describe('idmap, when the kernel refuses', () => {
  const refused = async (options: CloneOptions): Promise<SyscallError> => {
    try {
      await using child = await clone('/bin/true', options);
      throw new Error(`it started, as ${child.pid}`);
    } catch (error) {
      return error as SyscallError;
    }
  };

  userOnly('says what an ordinary user lacks', async () => {
    const error = await refused({ ...owned(NEWNS), mounts: [bind('/usr', '/mnt')] });
    expect(error).toMatchObject({ code: 'EPERM', step: 'mounts', option: 'mounts[0]', path: '/usr', dest: '/mnt' });
    expect(error.message).toBe(
      'EPERM: operation not permitted, idmap /usr -> /mnt (mounts[0]): this takes CAP_SYS_ADMIN in the user namespace that the file system belongs to (for most, root of the host), and in that of the ids',
    );
  });
  rootOnly('names the file system that has no such mounts', async () => {
    const { target } = files();
    for (const base of [{ flags: NEWNS }, container]) {
      const error = await refused({ ...base, mounts: [bind('/proc', target, { recursive: false })] });
      expect(error).toMatchObject({ code: 'EINVAL', syscall: 'mount_setattr', step: 'mounts', option: 'mounts[0]' });
      expect(error.hint).toBe("the file system proc on /proc has no ids of a mount's own on this kernel");
    }
  });
  rootOnly('of a source with others below it, all of them', async () => {
    const error = await refused({ ...container, mounts: [bind('/', '/mnt')] });
    expect(error.hint).toMatch(
      /^one of the file systems .* on \/, .*; with recursive: false only the first one needs them$/,
    );
  });
  rootOnly('says that there is no way back to a working directory that is gone', async () => {
    const { source, target } = files();
    const [gone, before] = [folder.folder('gone'), process.cwd()];
    const options = { ...container, mounts: [bind(source, target)] };
    process.chdir(gone);
    try {
      rmdirSync(gone);
      expect(await refused(options)).toMatchObject({
        code: 'ENOENT',
        option: 'mounts[0]',
        hint: 'it was removed, or something is mounted over it; the option cwd says another one',
      });
      expect(await inside('pwd', { ...options, cwd: target })).toBe(target);
    } finally {
      process.chdir(before);
    }
  });
  rootOnly('says that nobody in it may search the working directory', async () => {
    const { source, target } = files();
    const [ours, before] = [folder.folder('ours alone'), process.cwd()];
    chmodSync(ours, 0o700);
    process.chdir(ours);
    try {
      expect(await refused({ ...container, mounts: [bind(source, target)] })).toMatchObject({
        code: 'EACCES',
        option: 'mounts[0]',
        hint: 'who has the ids of the child may not search it; the option cwd says another one',
      });
    } finally {
      process.chdir(before);
    }
  });
  rootOnly('says that a mount has other ids already', async () => {
    const { source, target } = files();
    const mounts = [bind(source, target), bind(target, folder.folder('second'))];
    expect(await refused({ flags: NEWNS, mounts })).toMatchObject({
      code: 'EPERM',
      option: 'mounts[1]',
      hint: 'its files have other ids already, or the user namespace is the first one',
    });
  });
  rootOnly('the first user namespace', async () => {
    using user = Namespace.current('user');
    expect(await refused({ flags: NEWNS, mounts: [bind('/usr', '/mnt', { idmap: user })] })).toMatchObject({
      hint: 'its files have other ids already, or the user namespace is the first one',
    });
  });
  rootOnly('maps whose text is too long', async () => {
    const map = Array.from({ length: 340 }, (_, id) => ({ containerID: id, hostID: 1_000_000 + id * 2, size: 1 }));
    expect(await refused({ flags: NEWNS, mounts: [bind('/usr', '/mnt', { idmap: both(map) })] })).toMatchObject({
      code: 'EINVAL',
      syscall: 'write',
      hint: expect.stringMatching(/^its text has \d+ bytes, and the kernel takes less than a page$/),
    });
  });
  rootOnly('a source that is missing', async () => {
    for (const base of [{ flags: NEWNS }, container]) {
      expect(await refused({ ...base, mounts: [bind(folder.at('missing'), '/mnt')] })).toMatchObject({
        code: 'ENOENT',
        hint: 'the source is missing',
        option: 'mounts[0]',
      });
    }
  });
});

/** Lines that the child comes to itself: not those of the process that the ids are made with. */
function isOurs(lines: readonly Line[], { number, call }: Line): boolean {
  if (!isCall({ call } as Line) || call.includes('any error')) return false;
  return !lines.some(({ number: from, call: jump }) => {
    const to = /^close\(-1\).*EBADF: go to (\d+)/.exec(jump)?.[1];
    return to !== undefined && number >= from && number < Number(to);
  });
}

describe('idmap, of which each instruction fails in turn', () => {
  const failing = async (options: CloneOptions): Promise<void> => {
    const before = hostMounts();
    const made = plan('/bin/true', [], { ...options, stdio: 'ignore' });
    const lines = linesOf(made).filter(({ step }) => step === 'mounts');
    const taken = lines.filter((line) => isOurs(lines, line));
    expect(taken.filter(({ call }) => call.startsWith('clone('))).toHaveLength(1);
    let reached = 0;
    for (const { number, step, option } of taken) {
      for (const [fault, code] of [
        ['E2BIG', 'E2BIG'],
        [killed, 'ECHILD'],
      ] as const) {
        const error = await failureAt(made, number, fault).catch((reason: unknown) => reason as Error);
        if (!('step' in error)) continue;
        reached++;
        expect({ number, code: error.code, step: error.step, option: error.option ?? '' }).toEqual({
          number,
          code,
          step,
          option,
        });
      }
    }
    expect(reached).toBeGreaterThan(taken.length * 1.8);
    expect(hostMounts()).toEqual(before);
  };

  rootOnly('in our own user namespace', async () => {
    const { source, target } = files();
    await failing({ flags: NEWNS, mounts: [bind(source, target)] });
  });
  rootOnly('before a new one is entered', async () => {
    const { source, target } = files();
    await failing({ ...container, mounts: [bind(source, target, { readonly: true, optional: true })] });
  });
  withTmpfs('in a new one', async () => {
    const [memory, target] = [folder.folder('memory'), folder.folder('target')];
    const idmap = { uidMap: range(0, process.getuid!()), gidMap: range(0, process.getgid!()) };
    await failing({ ...owned(NEWNS), mounts: [{ type: 'tmpfs', target: memory }, bind(memory, target, { idmap })] });
  });
});
