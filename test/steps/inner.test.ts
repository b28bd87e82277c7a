// Step `inner`: the second user namespace, which the program is in.
import { getegid, geteuid } from 'node:process';

import {
  clone,
  type CloneOptions,
  constants,
  createNamespaces,
  Flags,
  type Namespace,
  run,
  type Step,
} from '../../lib';
import { hasCapability, rootOnly } from '../support/capability';
import { calls, failAt, fieldsOf } from '../support/fault';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted } from '../support/listing';
import { planning, refusal } from '../support/refusal';
import { until } from '../support/slow';

leavesNothing();

const { NEWNS, NEWPID, NEWUSER, NEWUTS } = Flags;
const uid = geteuid!();
const gid = getegid!();
const byParent = hasCapability(constants.CAP_SETGID);
const first = owned(0);
const proc = { type: 'proc', target: '/proc' } as const;
/** What bubblewrap makes of `--dev /dev --proc /proc --disable-userns`. */
const sandbox = {
  ...owned(NEWNS | NEWPID),
  mounts: [proc, { type: 'dev', target: '/dev' }],
  sysctl: { 'user.max_user_namespaces': '1' },
  inner: {},
} as const satisfies CloneOptions;
const words = (text: string): string[] => text.trim().split(/\s+/);

/** A user namespace, and one below it. */
async function withTwo(use: (outer: Namespace, below: Namespace) => Promise<void>): Promise<void> {
  const outer = await createNamespaces(NEWUSER, { uidMap: 'root', gidMap: 'root' });
  const below = await createNamespaces(NEWUSER, { uidMap: 'root', gidMap: 'root', join: outer });
  try {
    await use(outer.user, below.user);
  } finally {
    outer.close();
    below.close();
  }
}

describe('inner rejects', () => {
  test.each([0, null, true, 'keep', []])('%p', (value) => {
    expect(planning({ ...first, inner: value })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'inner'));
  });
  test('an unknown key, with the nearest', () => {
    expect(planning({ ...first, inner: { uidmap: 'keep' } })).toThrow(/did you mean "uidMap"/);
  });
  test.each([
    ['another word, with the nearest', { uidMap: 'kep' }, 'inner.uidMap', /did you mean "keep"/],
    ["'auto': what was lent are ids outside", { gidMap: 'auto' }, 'inner.gidMap', /hostID is an id of the first one/],
    ['no range', { uidMap: [] }, 'inner.uidMap', /at least one range/],
    ['setgroups that is no word', { setgroups: 'no' }, 'inner.setgroups', /allow/],
    ['a target that is none', { join: '/dev/null' }, 'inner.join', /must be a namespace/],
    ['a namespace of another kind', { join: '/proc/self/ns/uts' }, 'inner.join', /must be CLONE_NEWUSER/],
    [
      'a map of what is joined',
      { join: '/proc/self/ns/user', uidMap: 'keep' },
      'inner.uidMap',
      /whose maps are written/,
    ],
  ])('%s', (_name, inner, option, message) => {
    expect(planning({ ...first, inner })).toThrow(expect.objectContaining({ option }));
    expect(planning({ ...first, inner })).toThrow(message);
  });
  test('it without a first one', () => {
    expect(planning({ inner: {} })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'inner', 'needs Flags.NEWUSER in flags'));
  });
  test('it below one without ids, of which there is nobody who could make it', () => {
    expect(planning({ flags: NEWUSER, inner: {} })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'inner', 'needs uidMap'));
    expect(planning({ flags: NEWUSER, uidMap: 'root', inner: {} })).toThrow(/needs gidMap/);
    expect(planning({ flags: NEWUSER, hold: 'maps', inner: {} })).toThrow(/cannot go with hold 'maps'/);
  });
  test('one that is joined below one that is new', () => {
    expect(planning({ ...first, inner: { join: '/proc/self/ns/user' } })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'inner.join', 'there is nothing yet below a new user namespace'),
    );
  });
  test('one that is new below one that is joined', () => {
    expect(planning({ join: '/proc/self/ns/user', inner: {} })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'inner', 'must be { join } where the first one is joined'),
    );
  });
  rootOnly('one that is new beside a pid namespace that is joined', () => {
    expect(planning({ join: '/proc/self/ns/pid', ...first, inner: {} })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'inner', 'cannot go with a pid namespace in join'),
    );
  });
  test('a map that leaves nobody to be', () => {
    const map = [{ containerID: 5, hostID: 7, size: 1 }];
    expect(planning({ ...first, inner: { uidMap: map } })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'inner.uidMap', 'leaves out 0 and id 0 of the first user namespace, so uid'),
    );
    expect(planning({ ...first, uid: 5, inner: { uidMap: map } })).not.toThrow();
  });
  test("setgroups 'allow' and groups below one that denies them", () => {
    const denying = { ...first, setgroups: 'deny' } as const;
    expect(planning({ ...denying, inner: { setgroups: 'allow' } })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'inner.setgroups', "it is 'deny' in the first one"),
    );
    expect(planning({ ...denying, inner: {}, groups: [0] })).toThrow(expect.objectContaining({ option: 'groups' }));
    expect(planning({ ...first, inner: { setgroups: 'deny' }, groups: [0] })).toThrow(/where setgroups is 'deny'/);
  });
  test('capabilities that the exec would take: the id is not 0 any more', () => {
    const capabilities = ['CAP_CHOWN'] as const;
    const map = [{ containerID: 1, hostID: 0, size: 1 }];
    expect(planning({ ...first, inner: { uidMap: map }, capabilities })).toThrow(/the final uid is not 0/);
    expect(planning({ ...first, inner: { uidMap: 'root' }, capabilities })).not.toThrow();
  });
});

describe('inner emits', () => {
  test('nothing where it is not asked for', () => {
    expect(emitted('inner', first)).toEqual([]);
  });
  test('maps that are of ids of the first one, and the way in', () => {
    const lines = emitted('inner', { ...first, inner: { setgroups: 'deny' } });
    expect(lines.filter((line) => line.includes(' write('))).toEqual([
      expect.stringMatching(`^inner\\.uidMap: write\\(r\\d+, "${uid} 0 1\\\\n"`),
      expect.stringMatching(/^inner\.setgroups: write\(r\d+, "deny"/),
      expect.stringMatching(`^inner\\.gidMap: write\\(r\\d+, "${gid} 0 1\\\\n"`),
    ]);
    expect(lines.slice(-3)).toEqual([
      expect.stringMatching(/^inner: setns\(r\d+, CLONE_NEWUSER\)$/),
      expect.stringMatching(/^inner: close\(r\d+\)$/),
      'inner: prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)',
    ]);
  });
});

describe('inner, seen from inside', () => {
  test('the program has the id that we have, and devices, and no rights over its mounts', async () => {
    const script = 'id -u; id -g; test -c /dev/null && echo devices; umount /dev 2>&1 | grep -c superuser';
    expect(words(await inside(script, sandbox))).toEqual([String(uid), String(gid), 'devices', '1']);
  });
  test('the maps are of the first one', async () => {
    const output = words(await inside('cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups', sandbox));
    expect(output).toEqual([uid, 0, 1, gid, 0, 1, byParent ? 'allow' : 'deny'].map(String));
  });
  test('nobody makes a third one', async () => {
    const { code, stderr } = await run('unshare', ['--user', 'true'], sandbox);
    expect(code).toBe(1);
    expect(stderr).toContain('No space left on device');
    expect(await inside('unshare --user echo made', { ...sandbox, sysctl: {} })).toBe('made');
  });
  test("with 'root' it is 0, with all capabilities over nothing that is mounted", async () => {
    const script =
      'id -u; grep CapEff /proc/self/status; umount /dev 2>&1 | grep -c . ; hostname other 2>&1 | grep -c .';
    const options = { ...sandbox, flags: sandbox.flags! | NEWUTS, inner: { uidMap: 'root', gidMap: 'root' } } as const;
    const [id, , capabilities, mounts, name] = words(await inside(script, options));
    expect([id, mounts, name]).toEqual(['0', '1', '1']);
    expect(capabilities).toMatch(/fffffff$/);
  });
  test('it is another one than that of its other namespaces, whose child it is', async () => {
    const child = await clone('/bin/cat', [], { ...sandbox, stdio: ['pipe', 'ignore', 'inherit'] });
    const [user, uts] = [child.namespace('user'), child.namespace('mnt')];
    const [owner, parent] = [uts.owner(), user.parent()];
    try {
      expect(owner!.equals(parent!)).toBe(true);
      expect(owner!.equals(user)).toBe(false);
    } finally {
      for (const one of [user, uts, owner, parent]) one?.close();
      child.kill('SIGKILL');
      await child.exited;
    }
  });
  test.each<[string, CloneOptions]>([
    ['held', { hold: true }],
    ['held twice', { hold: ['mounts', 'exec'] }],
    ['with a pid 1 of ours, which is in it too', { init: true }],
    ['held with a pid 1 of ours', { init: true, hold: ['mounts', 'exec'] }],
  ])('a child %s says which one it is in, and can be joined', async (_name, more) => {
    const child = await clone('/bin/cat', [], { ...sandbox, ...more, stdio: ['pipe', 'ignore', 'inherit'] });
    try {
      if (Array.isArray(more.hold)) await child.start();
      const user = child.namespace('user');
      const parent = user.parent();
      const mnt = child.namespace('mnt');
      const owner = mnt.owner();
      expect([owner!.equals(user), owner!.equals(parent!)]).toEqual([false, true]);
      if (more.hold !== undefined) await child.start();
      // In it nobody has 0. Its mounts belong to the one above, by which an ordinary user has to come.
      const pid = child.namespace('pid');
      const options = { join: [parent!, mnt, pid], inner: { join: user }, uid, gid } as const;
      expect(words(await inside('cat /proc/self/uid_map; grep -c " /dev/null " /proc/mounts', options))).toEqual(
        [uid, 0, 1, 1].map(String),
      );
      for (const one of [user, parent, mnt, owner, pid]) one?.close();
    } finally {
      child.kill('SIGKILL');
      await child.exited;
    }
  });
  test('its ids are those of uid, gid and capabilities', async () => {
    const options = { ...sandbox, inner: { uidMap: 'root', gidMap: 'root' }, uid: 0, gid: 0 } as const;
    const script = 'id -u; grep -E "Cap(Prm|Bnd)" /proc/self/status';
    const output = words(await inside(script, { ...options, capabilities: ['CAP_CHOWN'], noNewPrivileges: true }));
    expect(output.filter((word) => /^[0-9a-f]{16}$/.test(word))).toEqual(['0000000000000001', '0000000000000001']);
    await expect(clone('/bin/true', { ...options, uid: 7 })).rejects.toMatchObject({
      code: 'EINVAL',
      option: 'uid',
      hint: expect.stringContaining('inner.uidMap'),
    });
  });
  test('what it writes to its pipes by path goes there: they are its own', async () => {
    expect(await inside('echo written > /dev/stdout', sandbox)).toBe('written');
  });
  test('a terminal is its own', async () => {
    const child = await clone('/bin/sh', ['-c', 'stat -L -c owner:%u /proc/self/fd/0'], { ...sandbox, pty: true });
    let output = '';
    child.pty.on('data', (data: Buffer) => (output += data.toString()));
    await child.exited;
    await until(() => output.includes(`owner:${uid}`));
  });
  test('lines of its own have rights over the mounts before, and not in it', async () => {
    const steps: Step[] = [
      { at: 'root', run: (c) => void c.syscall('umount2', '/mnt', constants.MNT_DETACH) },
      { at: 'exec', run: (c) => void c.syscall('umount2', '/dev', constants.MNT_DETACH).expect('EPERM') },
    ];
    const mounts = [...sandbox.mounts, { type: 'tmpfs', target: '/mnt' }] as const;
    expect(await inside('grep -c " /mnt " /proc/mounts || true', { ...sandbox, mounts, steps })).toBe('0');
  });
  rootOnly('ranges: its root is one of the ids of the first one', async () => {
    const lent = [{ containerID: 0, hostID: 100_000, size: 1000 }];
    const map = [{ containerID: 0, hostID: 10, size: 100 }];
    const inner = { uidMap: map, gidMap: map };
    const options = { ...sandbox, uidMap: lent, gidMap: lent, inner };
    const child = await clone('/bin/cat', [], { ...options, stdio: ['pipe', 'ignore', 'inherit'] });
    const { stdout } = await run('ps', ['-o', 'uid=,gid=', '-p', String(child.pid)]);
    child.kill('SIGKILL');
    await child.exited;
    expect(words(stdout)).toEqual(['100010', '100010']);
    expect(words(await inside('id -u; id -G; cat /proc/self/setgroups', options))).toEqual(['0', '0', 'allow']);
  });
  test('one that is there, below one that is joined, as its 0', () =>
    withTwo(async (outer, below) => {
      const options = { join: outer, flags: NEWNS, inner: { join: below } } as const;
      expect(await inside('id -u; readlink /proc/self/ns/user', options)).toBe(`0\nuser:[${below.id}]`);
      expect(await inside('umount /proc 2>&1 | grep -c .', options)).toBe('1');
    }));
  test('one that is not below the joined one is refused, with what is wanted', () =>
    withTwo(async (outer, below) => {
      await expect(clone('/bin/true', { join: below, inner: { join: outer } })).rejects.toMatchObject({
        code: 'EPERM',
        option: 'inner.join',
        hint: 'it must be below the user namespace that join enters',
      });
      await expect(clone('/bin/true', { join: outer, inner: { join: outer } })).rejects.toMatchObject({
        code: 'EINVAL',
        option: 'inner.join',
        hint: 'the child is in that user namespace already',
      });
    }));
});

describe('inner, when the kernel refuses', () => {
  test('to make it, with the limit that is reached', async () => {
    const error = await failAt(sandbox, calls('clone(CLONE_NEWUSER'), 'ENOSPC');
    expect(error).toMatchObject({ code: 'ENOSPC', step: 'inner', option: 'inner', syscall: 'clone' });
    expect(error.hint).toMatch(/user\.max_user_namespaces/);
  });
  test('a map, by the id that has no place in the first one', async () => {
    const map = [{ containerID: 0, hostID: 3, size: 1 }];
    await expect(clone('/bin/true', { ...sandbox, inner: { uidMap: map } })).rejects.toMatchObject({
      code: 'EPERM',
      step: 'inner',
      option: 'inner.uidMap',
      syscall: 'write',
      hint: 'uid 3 has no place in the first user namespace; see uidMap',
    });
  });
  test.each([
    ['inner.gidMap', 'openat', '/proc/PID/gid_map'],
    ['inner', 'setns', undefined],
  ])('%s: %s', async (option, syscall, path) => {
    const beginning = syscall === 'setns' ? 'setns(' : 'openat(r';
    const error = await failAt(
      sandbox,
      (line) => line.step === 'inner' && line.option === option && line.call.startsWith(beginning),
      'EPERM',
    );
    expect(fieldsOf(error)).toMatchObject({ code: 'EPERM', step: 'inner', option, syscall, ...(path && { path }) });
  });
});
