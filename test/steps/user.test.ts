// Step `user`: the new user namespace and its id maps.
import { getegid, geteuid } from 'node:process';

import { type CloneOptions, constants, Flags } from '../../lib';
import { hasCapability, userOnly, withCapability } from '../support/capability';
import { calls, failAt, fieldsOf } from '../support/fault';
import { hosts, onHost } from '../support/host';
import { inside } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted, openingProc } from '../support/listing';
import { planning, refusal } from '../support/refusal';

leavesNothing();

const { NEWUSER } = Flags;
const uid = geteuid!();
const gid = getegid!();
const byParent = hasCapability(constants.CAP_SETGID);
const root = { flags: NEWUSER, uidMap: 'root', gidMap: 'root' } as const satisfies CloneOptions;

const writing = (option: string, file: string, text: string, slot: number): string[] => [
  `${option}: ${openingProc(`self/${file}`)} = r${slot}  # EAGAIN: once more`,
  `${option}: write(r${slot}, "${text}", ${text.replaceAll('\\n', 'n').length})  # at least ${text.replaceAll('\\n', 'n').length}`,
  `${option}: close(r${slot})`,
];
/** The words of a map file, without the columns' spaces. */
const map = (text: string): string => text.trim().replace(/ +/g, ' ');

describe('user rejects', () => {
  test.each(['uidMap', 'gidMap', 'setgroups'])('%s without the namespace, naming the flag', (option) => {
    const value = option === 'setgroups' ? 'deny' : 'root';
    expect(planning({ [option]: value })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', option, `The "${option}" option needs Flags.NEWUSER in flags: `),
    );
    expect(planning({ [option]: value, flags: Flags.NEWPID })).toThrow(/Flags\.NEWUSER/);
  });
  test.each(['uidMap', 'gidMap'])('%s of another word, with the nearest', (option) => {
    expect(planning({ flags: NEWUSER, [option]: 'rot' })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', option, /did you mean "root"\? Received 'rot'$/),
    );
  });
  test.each([0, null, true, {}])('maps and setgroups that are %p', (value) => {
    for (const option of ['uidMap', 'gidMap', 'setgroups']) {
      expect(planning({ flags: NEWUSER, [option]: value })).toThrow(expect.objectContaining({ option }));
    }
  });
  test("setgroups 'allow' without a gid map", () => {
    expect(planning({ flags: NEWUSER, setgroups: 'allow' })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'setgroups', "cannot be 'allow' without gidMap"),
    );
  });
  userOnly("setgroups 'allow' where the kernel would refuse the gid map", () => {
    expect(planning({ ...root, setgroups: 'allow' })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'setgroups', "cannot be 'allow' without CAP_SETGID"),
    );
  });
});

describe('user emits', () => {
  test('nothing without the namespace', () => {
    expect(emitted('user', { flags: Flags.NEWPID })).toEqual([]);
  });
  test('the namespace alone where nothing is mapped', () => {
    expect(emitted('user', { flags: NEWUSER })).toEqual(['flags: unshare(CLONE_NEWUSER)']);
  });
  test('the uid map by the stub, below a /proc that was looked at before', () => {
    expect(emitted('user', { flags: NEWUSER, uidMap: 'root' })).toEqual([
      'flags: unshare(CLONE_NEWUSER)',
      ...writing('uidMap', 'uid_map', `0 ${uid} 1\\n`, 0),
    ]);
  });
  test("'keep' maps ids to themselves", () => {
    const lines = emitted('user', { flags: NEWUSER, uidMap: 'keep', gidMap: 'keep', setgroups: 'deny' });
    expect(lines.filter((line) => line.includes('write('))).toEqual([
      expect.stringContaining(`"${uid} ${uid} 1\\n"`),
      expect.stringContaining('"deny"'),
      expect.stringContaining(`"${gid} ${gid} 1\\n"`),
    ]);
  });
  test('the gid map by the stub only after setgroups was given up', () => {
    expect(emitted('user', { ...root, setgroups: 'deny' })).toEqual([
      'flags: unshare(CLONE_NEWUSER)',
      ...writing('uidMap', 'uid_map', `0 ${uid} 1\\n`, 0),
      ...writing('setgroups', 'setgroups', 'deny', 1),
      ...writing('gidMap', 'gid_map', `0 ${gid} 1\\n`, 2),
    ]);
  });
  userOnly('and that is the default for a user who lacks CAP_SETGID', () => {
    expect(emitted('user', root)).toEqual(emitted('user', { ...root, setgroups: 'deny' }));
  });
  withCapability('CAP_SETGID', 'a wait for the parent, who maps groups with privilege', () => {
    expect(emitted('user', root)).toEqual([
      'flags: unshare(CLONE_NEWUSER)',
      ...writing('uidMap', 'uid_map', `0 ${uid} 1\\n`, 0),
      `gidMap: wait for the parent, which writes gid_map "0 ${gid} 1"`,
    ]);
    expect(emitted('user', { ...root, setgroups: 'allow' })).toEqual(emitted('user', root));
  });
});

describe('user, seen from inside', () => {
  test('the own ids are 0, with all capabilities', async () => {
    const [ids, uids, gids, capabilities] = (
      await inside(
        'echo $(id -u) $(id -g); cat /proc/self/uid_map /proc/self/gid_map; grep CapEff /proc/self/status',
        root,
      )
    ).split('\n');
    expect(ids).toBe('0 0');
    expect([map(uids!), map(gids!)]).toEqual([`0 ${uid} 1`, `0 ${gid} 1`]);
    expect(capabilities).toMatch(/^CapEff:\t[0-9a-f]*fffffff[0-9a-f]*$/);
  });
  test("ids that 'keep' keeps", async () => {
    const output = await inside('id -u; id -g; cat /proc/self/uid_map', { ...root, uidMap: 'keep', gidMap: 'keep' });
    const [user, group, uids] = output.split('\n');
    expect([user, group, map(uids!)]).toEqual([String(uid), String(gid), `${uid} ${uid} 1`]);
  });
  test('one map without the other', async () => {
    expect(await inside('id -u; id -g', { flags: NEWUSER, uidMap: 'root' })).toBe('0\n65534');
    expect(await inside('id -u; id -g', { flags: NEWUSER, gidMap: 'root' })).toBe('65534\n0');
  });
  test('the overflow ids without maps', async () => {
    expect(await inside('id -u; id -g; cat /proc/self/uid_map', { flags: NEWUSER })).toBe('65534\n65534');
  });
  test("setgroups is 'allow' where groups were mapped with privilege", async () => {
    expect(await inside('cat /proc/self/setgroups', root)).toBe(byParent ? 'allow' : 'deny');
    expect(await inside('cat /proc/self/setgroups', { ...root, setgroups: 'deny' })).toBe('deny');
    expect(await inside('cat /proc/self/setgroups', { flags: NEWUSER, setgroups: 'deny' })).toBe('deny');
  });
  test('files of its own can be made, and belong to us outside', async () => {
    expect(await inside('f=$(mktemp) && stat -c %u:%g $f && rm $f', root)).toBe('0:0');
  });
});

describe('user, when the kernel refuses', () => {
  test('the namespace for lack of permission, with what to look at', async () => {
    const error = await onHost({ files: hosts.debian }, () => failAt(root, calls('unshare(CLONE_NEWUSER)'), 'EPERM'));
    expect(error).toMatchObject({ code: 'EPERM', errno: -1, step: 'user', option: 'flags', syscall: 'unshare' });
    // Which of the reasons it is depends on the host: test/steps/forbidden-user-namespaces.test.ts has them all.
    expect(error.hint).toMatch(/kernel\.unprivileged_userns_clone/);
    expect(error.message).toContain(`unshare CLONE_NEWUSER (flags): ${error.hint}`);
  });
  test('the namespace for its limits', async () => {
    const error = await failAt(root, calls('unshare(CLONE_NEWUSER)'), 'ENOSPC');
    expect(error).toMatchObject({ code: 'ENOSPC', step: 'user', option: 'flags' });
    expect(error.hint).toMatch(/user\.max_user_namespaces/);
  });
  test.each([
    ['uidMap', 'openat2(proc, "self/uid_map"', 'openat2', '/proc/self/uid_map'],
    ['uidMap', 'write(r0', 'write', '/proc/self/uid_map'],
    ['setgroups', 'write(r1', 'write', '/proc/self/setgroups'],
    ['gidMap', 'write(r2', 'write', '/proc/self/gid_map'],
  ])('what %s asks for: %s', async (option, call, syscall, path) => {
    const error = await failAt({ ...root, setgroups: 'deny' }, calls(call), 'EACCES');
    expect(fieldsOf(error)).toEqual({
      code: 'EACCES',
      errno: -13,
      step: 'user',
      option,
      syscall,
      path,
      message: `EACCES: permission denied, ${syscall} ${path} (${option})`,
    });
  });
  withCapability('CAP_SETGID', 'while it waits for the parent', async () => {
    expect(await failAt(root, calls('wait'), 'EIO')).toMatchObject({ code: 'EIO', step: 'user', option: 'gidMap' });
  });
});
