// Step `identity`: who the program runs as: ids, groups, capabilities and secure bits.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { getegid, geteuid } from 'node:process';

import { type Capabilities, type CapabilityName, clone, type CloneOptions, constants, Flags, plan } from '../../lib';
import { syscalls } from '../../lib/kernel/syscalls';
import { hasCapability, rootOnly, userOnly } from '../support/capability';
import { calls, failAt, fieldsOf } from '../support/fault';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted, linesOf, notesOf } from '../support/listing';
import { evaluate } from '../support/own-process';
import { planning, refusal } from '../support/refusal';

leavesNothing();

const uid = geteuid!();
const gid = getegid!();
const isRoot = hasCapability(constants.CAP_SYS_ADMIN);
const lastCapability = Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'));
const capabilityNames = Object.fromEntries(
  Object.entries(constants)
    .filter(([name]) => name.startsWith('CAP_') && name !== 'CAP_LAST_CAP')
    .map(([name, number]) => [number, name]),
);
const bit = (...names: (keyof typeof constants)[]): bigint =>
  names.reduce((set, name) => set | (1n << BigInt(Number(constants[name]))), 0n);
const all = (1n << BigInt(lastCapability + 1)) - 1n;

/** A user namespace with ids of its own for root; the own id alone for an ordinary user. */
const range = [{ containerID: 0, hostID: 100_000, size: 1000 }];
const ranges = { flags: Flags.NEWUSER, uidMap: range, gidMap: range } as const satisfies CloneOptions;
const ns = owned(Flags.NEWPID);

interface Status {
  readonly uids: string;
  readonly gids: string;
  readonly groups: string;
  readonly bounding: bigint;
  readonly permitted: bigint;
  readonly effective: bigint;
  readonly inheritable: bigint;
  readonly ambient: bigint;
}

/** Who the child is, of its /proc/self/status. */
async function statusWith(options: CloneOptions): Promise<Status> {
  const text = await inside('exec cat /proc/self/status', options);
  const field = (name: string): string =>
    new RegExp(`^${name}:(.*)$`, 'm').exec(text)![1]!.trim().replaceAll(/\s+/g, ' ');
  const set = (name: string): bigint => BigInt(`0x${field(name)}`);
  return {
    uids: field('Uid'),
    gids: field('Gid'),
    groups: field('Groups'),
    bounding: set('CapBnd'),
    permitted: set('CapPrm'),
    effective: set('CapEff'),
    inheritable: set('CapInh'),
    ambient: set('CapAmb'),
  };
}

const four = (id: number): string => Array.from({ length: 4 }, () => id).join(' ');
const sets = ['bounding', 'permitted', 'effective', 'inheritable', 'ambient'] as const;

describe('identity rejects', () => {
  test.each(['uid', 'gid'])('a %s that is none', (option) => {
    for (const id of [-1, 2 ** 32 - 1, 0.5, NaN]) {
      expect(planning({ [option]: id })).toThrow(refusal('ERR_OUT_OF_RANGE', option));
    }
    for (const id of ['0', 'root', null, true, {}]) {
      expect(planning({ [option]: id })).toThrow(refusal('ERR_INVALID_ARG_TYPE', option));
    }
    expect(planning({ [option]: 2 ** 32 - 2 })).not.toThrow();
  });
  test('groups that are none', () => {
    expect(planning({ groups: [0, -1] })).toThrow(refusal('ERR_OUT_OF_RANGE', 'groups[1]'));
    expect(planning({ groups: [2 ** 32 - 1] })).toThrow(refusal('ERR_OUT_OF_RANGE', 'groups[0]'));
    expect(planning({ groups: ['wheel'] })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'groups[0]'));
    for (const groups of [5, '5', null, {}, new Set([5])]) {
      expect(planning({ groups })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'groups'));
    }
  });
  test('more groups than there may be', () => {
    expect(planning({ groups: Array.from({ length: 65_536 }, (_, id) => id) })).not.toThrow();
    expect(planning({ groups: Array.from({ length: 65_537 }, (_, id) => id) })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'groups', 'at most 65536 entries'),
    );
  });
  test("groups where setgroups is 'deny'", () => {
    for (const groups of [[], [5]]) {
      expect(planning({ ...ns, setgroups: 'deny', groups })).toThrow(
        refusal('ERR_INVALID_ARG_VALUE', 'groups', "cannot be set where setgroups is 'deny'"),
      );
      expect(planning({ flags: Flags.NEWUSER, groups })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'groups'));
    }
  });
  userOnly('groups where an ordinary user maps the own id, which denies them', () => {
    expect(planning({ ...ns, groups: [0] })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'groups', 'without privilege'));
  });

  test.each([5, true, null, 'CAP_CHOWN'])('capabilities %p', (capabilities) => {
    expect(planning({ capabilities })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'capabilities'));
  });
  test('a capability that nobody knows, with the nearest', () => {
    expect(planning({ capabilities: ['CAP_CHOWN', 'CAP_NET_ADMN'] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'capabilities[1]', /such as 'CAP_NET_ADMIN'; did you mean "CAP_NET_ADMIN"\?/),
    );
    for (const name of ['NET_ADMIN', 'cap_chown', 'CAP_LAST_CAP', '', 5, null]) {
      expect(planning({ capabilities: { bounding: [name] } })).toThrow(
        refusal('ERR_INVALID_ARG_VALUE', 'capabilities.bounding[0]'),
      );
    }
  });
  test('a set that nobody knows, or that is no array', () => {
    expect(planning({ capabilities: { inherited: [] } })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'capabilities.inherited', 'is unknown'),
    );
    expect(planning({ capabilities: { inheritible: [] } })).toThrow(/did you mean "inheritable"\?/);
    for (const set of sets) {
      expect(planning({ capabilities: { [set]: 'CAP_CHOWN' } })).toThrow(
        refusal('ERR_INVALID_ARG_TYPE', `capabilities.${set}`),
      );
    }
  });

  test.each(['NOROOT', true, null, {}])('securebits %p', (securebits) => {
    expect(planning({ securebits })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'securebits'));
  });
  test.each([-1, 256, 0.5])('securebits %p', (securebits) => {
    expect(planning({ securebits })).toThrow(refusal('ERR_OUT_OF_RANGE', 'securebits'));
  });
  test.each(['noroot', 'KEEPCAPS', 5, null, 'toString'])('the secure bit %p', (name) => {
    expect(planning({ securebits: ['NOROOT', name] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'securebits[1]', /must be one of: (?=.*NO_SETUID_FIXUP)(?!.*SECBIT_)/),
    );
  });
  test('no ambient capability may be raised, and one that is to be', () => {
    const securebits = ['NO_CAP_AMBIENT_RAISE'];
    expect(planning({ ...ns, securebits, capabilities: { ambient: ['CAP_CHOWN'] } })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'securebits', 'NO_CAP_AMBIENT_RAISE beside capabilities.ambient'),
    );
    expect(planning({ ...ns, securebits, capabilities: { ambient: [] } })).not.toThrow();
  });
});

describe('identity rejects what the exec would undo', () => {
  const lost = (why: string, names: string): Error =>
    refusal(
      'ERR_INVALID_ARG_VALUE',
      'capabilities',
      `would be lost at the exec, because ${why}: ${names}; put them into capabilities.ambient`,
    );

  test.each<[string, CloneOptions]>([
    ['an array', { capabilities: ['CAP_CHOWN', 'CAP_KILL'] }],
    ['permitted', { capabilities: { permitted: ['CAP_CHOWN', 'CAP_KILL'] } }],
    ['effective', { capabilities: { effective: ['CAP_CHOWN', 'CAP_KILL'] } }],
    [
      'what is not in ambient',
      { capabilities: { permitted: ['CAP_CHOWN', 'CAP_KILL', 'CAP_FOWNER'], ambient: ['CAP_FOWNER'] } },
    ],
  ])('capabilities of a uid that is not 0: %s', (_name, options) => {
    const error = lost('the final uid is not 0', 'CAP_CHOWN, CAP_KILL');
    expect(planning({ ...ranges, ...options, uid: 5 })).toThrow(error);
    expect(planning({ ...options, uid: 1000 })).toThrow(error);
  });
  test('those of a user namespace without a map, in which nobody is root', () => {
    expect(planning({ flags: Flags.NEWUSER, capabilities: ['CAP_KILL'] })).toThrow(
      lost('the final uid is not 0', 'CAP_KILL'),
    );
  });
  test('those of root where NOROOT makes it nobody special', () => {
    expect(planning({ ...ns, securebits: ['NOROOT'], capabilities: ['CAP_KILL'] })).toThrow(
      lost('securebits have NOROOT', 'CAP_KILL'),
    );
  });
  test('but not what is in ambient, nor less than that', () => {
    const capabilities = { permitted: ['CAP_KILL'], effective: [], ambient: ['CAP_KILL', 'CAP_CHOWN'] };
    expect(planning({ ...ranges, uid: 5, capabilities })).not.toThrow();
    expect(planning({ ...ranges, uid: 5, capabilities: [] })).not.toThrow();
    expect(planning({ ...ranges, uid: 5, capabilities: { inheritable: ['CAP_KILL'] } })).not.toThrow();
  });
  test.each(['permitted', 'effective'] as const)('less %s than bounding for uid 0: the exec gives it back', (set) => {
    expect(planning({ ...ns, capabilities: { bounding: ['CAP_CHOWN', 'CAP_KILL'], [set]: ['CAP_KILL'] } })).toThrow(
      refusal(
        'ERR_INVALID_ARG_VALUE',
        `capabilities.${set}`,
        'cannot be less than bounding for uid 0: the exec gives CAP_CHOWN back; leave them out of bounding too',
      ),
    );
    expect(planning({ ...ns, capabilities: { bounding: ['CAP_KILL'], [set]: ['CAP_KILL'] } })).not.toThrow();
  });
  test('but with no new privileges the exec gives nothing back that is not permitted', async () => {
    const own = { ...ns, noNewPrivileges: true } as const;
    const capabilities = { permitted: ['CAP_KILL'], effective: ['CAP_KILL'] } as const;
    const seen = await inside('grep -E "^Cap(Prm|Eff)" /proc/self/status | cut -f2', { ...own, capabilities });
    expect(seen).toBe('0000000000000020\n0000000000000020');
    expect(
      planning({ ...own, capabilities: { permitted: ['CAP_CHOWN', 'CAP_KILL'], effective: ['CAP_KILL'] } }),
    ).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'capabilities.effective', 'the exec gives CAP_CHOWN back'));
  });
  test('naming a few of many', () => {
    expect(planning({ ...ns, capabilities: { permitted: [] } })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'capabilities.permitted', /gives (CAP_\w+, ){4}CAP_\w+ and \d\d more back/),
    );
  });
});

describe('identity emits', () => {
  const last = ['prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)'];

  test('nothing where nothing is asked for', () => {
    expect(emitted('identity', {})).toEqual([]);
    expect(emitted('identity', ns)).toEqual([]);
  });
  test('groups, gid, uid in this order, then what a change of ids has cleared', () => {
    expect(emitted('identity', { uid: 5, gid: 6, groups: [7, 2 ** 32 - 2] })).toEqual([
      'groups: setgroups(2, [7, 4294967294])',
      'gid: setresgid(6, 6, 6)',
      'uid: setresuid(5, 5, 5)',
      ...last,
    ]);
  });
  test('no groups for an id alone, which is what asks for that', () => {
    expect(emitted('identity', { uid: 5 })).toEqual(['uid: setgroups(0, [])', 'uid: setresuid(5, 5, 5)', ...last]);
    expect(emitted('identity', { gid: 5 })).toEqual(['gid: setgroups(0, [])', 'gid: setresgid(5, 5, 5)', ...last]);
  });
  test('groups alone', () => {
    expect(emitted('identity', { groups: [7] })).toEqual(['groups: setgroups(1, [7])']);
  });
  test("nothing for groups where setgroups is 'deny', and the plan says so", () => {
    const made = plan('/bin/true', [], { ...ns, setgroups: 'deny', uid: 0, gid: 0 });
    expect(linesOf(made).some(({ call }) => call.startsWith('setgroups'))).toBe(false);
    expect(notesOf(made)).toEqual(["groups stay as they are: setgroups is 'deny' in the new user namespace"]);
    expect(made.toString()).toMatch(/^# groups stay as they are/);
  });
  test('no such note where groups are left alone anyway, or set', () => {
    expect(notesOf(plan('/bin/true', [], { ...ns, setgroups: 'deny' }))).toEqual([]);
    expect(notesOf(plan('/bin/true', [], { uid: 0 }))).toEqual([]);
  });
  test('what is not in the bounding set, one call each, before anything else', () => {
    const lines = emitted('identity', {
      ...ns,
      capabilities: { bounding: ['CAP_CHOWN', 'CAP_KILL'] },
      securebits: 0,
      uid: 0,
    });
    const drops = Array.from({ length: lastCapability + 1 }, (_, n) => n)
      .filter((n) => n !== constants.CAP_CHOWN && n !== constants.CAP_KILL)
      .map((n) => `capabilities.bounding: prctl(PR_CAPBSET_DROP, ${capabilityNames[n]}, 0, 0, 0)`);
    expect(lines.slice(0, drops.length)).toEqual(drops);
    expect(lines[drops.length]).toMatch(/^securebits: prctl\(PR_SET_SECUREBITS, /);
  });
  test('one capset, then the ambient ones, cleared and raised', () => {
    const lines = emitted('identity', { ...ranges, uid: 5, capabilities: { ambient: ['CAP_KILL', 'CAP_CHOWN'] } });
    expect(lines.filter((line) => !line.includes('setgroups'))).toEqual([
      'uid: prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)',
      'uid: setresuid(5, 5, 5)',
      expect.stringMatching(/^capabilities: capset\(/),
      'capabilities.ambient: prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)',
      'capabilities.ambient: prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0)',
      'capabilities.ambient: prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0)',
      ...last,
    ]);
  });
  test('secure bits by name, with and without their prefix, and by number', () => {
    const { SECBIT_NOROOT, SECBIT_NOROOT_LOCKED } = constants;
    const line = `securebits: prctl(PR_SET_SECUREBITS, ${SECBIT_NOROOT | SECBIT_NOROOT_LOCKED}, 0, 0, 0)`;
    for (const securebits of [['NOROOT', 'NOROOT_LOCKED'], ['SECBIT_NOROOT', 'NOROOT_LOCKED'], 3] as const) {
      expect(emitted('identity', { ...ns, securebits })).toEqual([line]);
    }
  });
  test('KEEP_CAPS with them, which the exec clears, where a change of uid would lose the capabilities', () => {
    const capabilities: Capabilities = { ambient: ['CAP_KILL'] };
    const options: CloneOptions = { ...ranges, uid: 5, securebits: ['KEEP_CAPS_LOCKED'], capabilities };
    const lines = emitted('identity', options);
    expect(lines).toContain(`securebits: prctl(PR_SET_SECUREBITS, ${0x20 | 0x10}, 0, 0, 0)`);
    expect(lines.join('\n')).not.toContain('PR_SET_KEEPCAPS');
  });
});

describe('ids, seen from inside', () => {
  rootOnly('uid, gid and groups without a user namespace', async () => {
    expect(await statusWith({ uid: 1234, gid: 5678, groups: [7, 8] })).toMatchObject({
      uids: four(1234),
      gids: four(5678),
      groups: '7 8',
      permitted: 0n,
      effective: 0n,
    });
  });
  rootOnly('the largest of them', async () => {
    const largest = 2 ** 32 - 2;
    expect(await statusWith({ uid: largest, gid: largest, groups: [largest] })).toMatchObject({
      uids: four(largest),
      gids: four(largest),
      groups: String(largest),
    });
  });
  rootOnly('an id alone leaves no group of root behind', async () => {
    expect(await statusWith({ uid: 1234 })).toMatchObject({ uids: four(1234), gids: four(gid), groups: '' });
    expect(await statusWith({ gid: 1234 })).toMatchObject({ uids: four(uid), gids: four(1234), groups: '' });
  });
  rootOnly('many groups', async () => {
    const groups = Array.from({ length: 3000 }, (_, index) => index);
    expect((await statusWith({ groups })).groups).toBe(groups.join(' '));
  });
  rootOnly('ids of a user namespace', async () => {
    expect(await inside('id', { ...ranges, uid: 5, gid: 6, groups: [7, 8], env: {} })).toMatch(
      /^uid=5\b.* gid=6\b.* groups=6\b[^,]*,7\b[^,]*,8\b/,
    );
    expect(await inside('id -u; id -g; id -G', { ...ranges, uid: 0, gid: 0 })).toBe('0\n0\n0');
  });
  test("what is kept where setgroups is 'deny'", async () => {
    expect(await statusWith({ ...ns, setgroups: 'deny', uid: 0, gid: 0 })).toMatchObject({
      uids: four(0),
      gids: four(0),
    });
  });
  test('a plan starts with other options as often as wanted', async () => {
    const made = plan('/bin/true', [], { ...ns, uid: 0, gid: 0 });
    for (let i = 0; i < 3; i++) {
      expect(await (await clone(made, { stdio: 'ignore' })).exited).toMatchObject({ code: 0 });
    }
  });
  test('groups of a joined user namespace that denies them are left as they are, in each start of a plan', async () => {
    const child = await clone('/bin/sleep', ['100'], { ...owned(0), setgroups: 'deny', stdio: 'ignore' });
    try {
      const made = plan('/bin/true', [], { join: { pid: child.pid, flags: Flags.NEWUSER } });
      for (const options of [{}, { stdio: 'ignore' }] as const) {
        expect(await (await clone(made, options)).exited).toMatchObject({ code: 0 });
      }
    } finally {
      child.kill('SIGKILL');
      await child.exited;
    }
  });
});

/** The secure bits of the process, as PR_GET_SECUREBITS (27) tells them. */
const program = `print syscall(${syscalls.prctl}, 27, 0, 0, 0, 0)`;
const hasPerl = spawnSync('perl', ['-e', program]).status === 0;

describe.each([
  ['in a user namespace', ns, all],
  ['without one', {}, undefined],
])('capabilities, seen from inside, %s', (place, options, everything) => {
  const possible = place === 'in a user namespace' || isRoot;
  const suffix = possible ? '' : ' (skipped: needs CAP_SYS_ADMIN)';
  const check = (name: string, body: () => Promise<void>): void =>
    possible ? test(name, body) : test.skip(`${name}${suffix}`, body);

  check('an array sets three of the sets', async () => {
    const set = bit('CAP_NET_RAW', 'CAP_CHOWN');
    expect(await statusWith({ ...options, capabilities: ['CAP_NET_RAW', 'CAP_CHOWN'] })).toMatchObject({
      bounding: set,
      permitted: set,
      effective: set,
      inheritable: 0n,
      ambient: 0n,
    });
  });
  check('an empty one is none at all, and uid 0 without rights', async () => {
    const status = await statusWith({ ...options, capabilities: [] });
    expect(sets.map((name) => status[name])).toEqual([0n, 0n, 0n, 0n, 0n]);
    expect(status.uids).toBe(four(0));
  });
  check('all that there are', async () => {
    const { bounding } = await statusWith(options);
    const names = Object.entries(constants).flatMap(([name, value]) =>
      /^CAP_(?!LAST_CAP)/.test(name) && typeof value === 'number' && (bounding >> BigInt(value)) & 1n ? [name] : [],
    );
    expect(await statusWith({ ...options, capabilities: names as CapabilityName[] })).toMatchObject({
      bounding,
      permitted: bounding,
    });
    if (everything !== undefined) expect(bounding).toBe(everything);
  });
  check('the bounding set alone', async () => {
    const bounding = bit('CAP_KILL');
    expect(await statusWith({ ...options, capabilities: { bounding: ['CAP_KILL'] } })).toMatchObject({
      bounding,
      permitted: bounding,
      effective: bounding,
      inheritable: 0n,
      ambient: 0n,
    });
  });
  check('the inheritable set alone', async () => {
    const before = await statusWith(options);
    expect(await statusWith({ ...options, capabilities: { inheritable: ['CAP_KILL'] } })).toEqual({
      ...before,
      inheritable: bit('CAP_KILL'),
    });
  });
  check('an ambient one is inheritable too', async () => {
    expect(await statusWith({ ...options, capabilities: { ambient: ['CAP_KILL'] } })).toMatchObject({
      inheritable: bit('CAP_KILL'),
      ambient: bit('CAP_KILL'),
    });
  });
  check('all five', async () => {
    const capabilities: Capabilities = {
      bounding: ['CAP_KILL', 'CAP_CHOWN', 'CAP_FOWNER'],
      permitted: ['CAP_KILL', 'CAP_CHOWN', 'CAP_FOWNER'],
      effective: ['CAP_KILL', 'CAP_CHOWN', 'CAP_FOWNER'],
      inheritable: ['CAP_CHOWN'],
      ambient: ['CAP_KILL'],
    };
    const three = bit('CAP_KILL', 'CAP_CHOWN', 'CAP_FOWNER');
    expect(await statusWith({ ...options, capabilities })).toMatchObject({
      bounding: three,
      permitted: three,
      effective: three,
      inheritable: bit('CAP_CHOWN', 'CAP_KILL'),
      ambient: bit('CAP_KILL'),
    });
  });
  check('it may do what it has, and nothing else', async () => {
    const script = 'f=$(mktemp); chown 0:0 $f && echo chowned; chown 1:1 $f 2>/dev/null || echo refused; rm $f';
    expect(await inside(script, { ...options, capabilities: [] })).toBe('chowned\nrefused');
  });
  const checkBits = hasPerl
    ? check
    : (name: string, body: () => Promise<void>) => test.skip(`${name} (skipped: needs perl)`, body);
  checkBits('secure bits', async () => {
    const bits = (securebits: CloneOptions['securebits'], more: CloneOptions = {}): Promise<string> =>
      inside(`exec perl -e '${program}'`, { ...options, ...more, securebits });
    expect(await bits([])).toBe('0');
    expect(await bits(['NO_SETUID_FIXUP', 'NO_SETUID_FIXUP_LOCKED'])).toBe('12');
    expect(await bits(0x2f)).toBe('47');
    expect(await bits(['KEEP_CAPS_LOCKED'], { uid: 0, capabilities: [] })).toBe('32');
    expect(await bits(['NO_CAP_AMBIENT_RAISE', 'NO_CAP_AMBIENT_RAISE_LOCKED'])).toBe('192');
  });
  check('NOROOT: uid 0 has what is ambient, and nothing more', async () => {
    const status = await statusWith({
      ...options,
      securebits: ['NOROOT', 'NOROOT_LOCKED'],
      capabilities: { ambient: ['CAP_KILL'] },
    });
    expect(status).toMatchObject({ uids: four(0), permitted: bit('CAP_KILL'), effective: bit('CAP_KILL') });
    expect(await statusWith({ ...options, securebits: ['NOROOT'] })).toMatchObject({ permitted: 0n, effective: 0n });
  });
});

describe("where setgroups is 'deny' in our own user namespace", () => {
  // As unshare(1) leaves it.
  const within = ['unshare', '--map-root-user'];
  test('ids can be set, here and in a user namespace below, and groups stay as they are', () => {
    const found = evaluate<unknown[]>(
      `const { run, plan, Flags } = nsclone;
       const below = { flags: Flags.NEWUSER, uidMap: 'root', gidMap: 'root' };
       const ids = async (options) => (await run('/bin/sh', ['-c', 'id -u; id -g'], options)).stdout.split('\\n').slice(0, 2);
       return [await ids({ uid: 0, gid: 0 }), await ids({ ...below, uid: 0, gid: 0 }), await ids(below),
         String(plan('/bin/true', [], { uid: 0 })).split('\\n')[0]];`,
      within,
    );
    const zero = ['0', '0'];
    expect(found).toEqual([zero, zero, zero, "# groups stay as they are: setgroups is 'deny' in our user namespace"]);
  });
  test('groups, and setgroups that is allowed again, are refused with the reason', () => {
    const messages = evaluate<string[]>(
      `const { run, Flags } = nsclone;
       const below = { flags: Flags.NEWUSER, uidMap: 'root', gidMap: 'root', setgroups: 'allow' };
       const told = (options) => run('/bin/true', options).then(() => 'it ran', ({ message }) => message);
       return [await told({ groups: [] }), await told(below)];`,
      within,
    );
    expect(messages).toEqual([
      expect.stringMatching(/"groups".*cannot be set where setgroups is 'deny'/),
      expect.stringMatching(/"setgroups".*cannot be 'allow': it is 'deny' in our own user namespace/),
    ]);
  });
});

describe('capabilities of a uid that is not 0, seen from inside', () => {
  for (const [place, options] of [
    ['without a user namespace', { uid: 1234, gid: 1234 }],
    ['in a user namespace', { ...ranges, uid: 5, gid: 6 }],
  ] as const) {
    rootOnly(`none by default, ${place}`, async () => {
      expect(await statusWith(options)).toMatchObject({ permitted: 0n, effective: 0n, inheritable: 0n, ambient: 0n });
    });
    rootOnly(`none of any set where that is asked for, ${place}`, async () => {
      const status = await statusWith({ ...options, capabilities: [] });
      expect(sets.map((name) => status[name])).toEqual([0n, 0n, 0n, 0n, 0n]);
    });
    for (const securebits of [undefined, ['KEEP_CAPS_LOCKED'], ['NO_SETUID_FIXUP'], ['NOROOT']] as const) {
      rootOnly(`the ambient ones, ${place}, with secure bits ${String(securebits)}`, async () => {
        const two = bit('CAP_KILL', 'CAP_NET_RAW');
        const more = securebits === undefined ? {} : { securebits };
        expect(
          await statusWith({ ...options, ...more, capabilities: { ambient: ['CAP_KILL', 'CAP_NET_RAW'] } }),
        ).toMatchObject({ permitted: two, effective: two, inheritable: two, ambient: two });
      });
    }
  }
  userOnly("where the own id is kept: 'keep' with an ambient capability", async () => {
    const options = { flags: Flags.NEWUSER, uidMap: 'keep', gidMap: 'keep' } as const;
    expect(await statusWith({ ...options, capabilities: { ambient: ['CAP_NET_RAW'] } })).toMatchObject({
      uids: four(uid),
      permitted: bit('CAP_NET_RAW'),
      effective: bit('CAP_NET_RAW'),
    });
  });
});

describe('identity, when the kernel refuses', () => {
  const ofMaps = 'with Flags.NEWUSER an ordinary user has the ids of uidMap and gidMap';

  userOnly('an id without privilege, with what it takes', async () => {
    const error = await clone('/bin/true', { uid: 0 }).catch((reason: unknown) => reason as never);
    const hint = `needs CAP_SETUID, and CAP_SETGID to leave our groups; ${ofMaps}`;
    expect(fieldsOf(error as never)).toEqual({
      code: 'EPERM',
      errno: -1,
      step: 'identity',
      option: 'uid',
      syscall: 'setgroups',
      hint,
      message: `EPERM: operation not permitted, setgroups (uid): ${hint}`,
    });
    await expect(clone('/bin/true', { gid: 0 })).rejects.toMatchObject({
      option: 'gid',
      hint: `needs CAP_SETGID; ${ofMaps}`,
    });
  });
  userOnly('groups without privilege', async () => {
    await expect(clone('/bin/true', { groups: [], uid: 0 })).rejects.toMatchObject({
      option: 'groups',
      hint: expect.stringMatching(/^needs CAP_SETGID; .*gidMap: 'auto'/),
    });
  });
  userOnly('secure bits without privilege', async () => {
    await expect(clone('/bin/true', { securebits: ['NOROOT'] })).rejects.toMatchObject({
      option: 'securebits',
      hint: expect.stringMatching(/^needs CAP_SETPCAP/),
    });
  });
  userOnly('the bounding set without privilege, with what does without', async () => {
    await expect(clone('/bin/true', { capabilities: [] })).rejects.toMatchObject({
      code: 'EPERM',
      option: 'capabilities.bounding',
      syscall: 'prctl',
      hint: expect.stringContaining('capabilities: { permitted: [], effective: [] } does without'),
    });
    expect(await statusWith({ capabilities: { permitted: [], effective: [] }, noNewPrivileges: true })).toMatchObject({
      permitted: 0n,
      effective: 0n,
    });
  });
  test.each([
    ['uid', 'setresuid', 'uidMap'],
    ['gid', 'setresgid', 'gidMap'],
  ] as const)('a %s that has no place in the user namespace', async (option, syscall, map) => {
    const hint = `this id has no place in the user namespace; map it with ${map}`;
    const error = await clone('/bin/true', { ...ns, [option]: 77_777 }).catch((reason: unknown) => reason as never);
    expect(fieldsOf(error as never)).toEqual({
      code: 'EINVAL',
      errno: -22,
      step: 'identity',
      option,
      syscall,
      hint,
      message: `EINVAL: invalid argument, ${syscall} (${option}): ${hint}`,
    });
  });
  test('an id that has no place in a user namespace that was joined, where nothing can be mapped any more', async () => {
    const child = await clone('/bin/sleep', ['100'], { ...owned(0), stdio: 'ignore' });
    try {
      const options = { join: { pid: child.pid, flags: Flags.NEWUSER }, uid: 77_777 };
      await expect(clone('/bin/true', options)).rejects.toMatchObject({
        code: 'EINVAL',
        option: 'uid',
        hint: 'this id has no place in the user namespace that was joined; it may have been made without uidMap and gidMap, or without a place for 0: uid and gid say who the program is',
      });
    } finally {
      child.kill('SIGKILL');
      await child.exited;
    }
  });
  rootOnly('a group that has no place there', async () => {
    await expect(clone('/bin/true', { ...ranges, uid: 0, gid: 0, groups: [1000] })).rejects.toMatchObject({
      code: 'EINVAL',
      option: 'groups',
      hint: expect.stringContaining('gidMap'),
    });
  });
  test('a capability that we may not have ourselves', async () => {
    const error = await failAt({ ...ns, capabilities: { ambient: ['CAP_KILL'] } }, calls('capset'), 'EPERM');
    expect(error).toMatchObject({ code: 'EPERM', step: 'identity', option: 'capabilities', syscall: 'capset' });
  });
  userOnly('one that we lack is named', async () => {
    const capabilities = { inheritable: ['CAP_KILL', 'CAP_SYS_BOOT'] } as const;
    await expect(clone('/bin/true', { capabilities })).rejects.toMatchObject({
      code: 'EPERM',
      syscall: 'capset',
      hint: 'we do not have CAP_KILL, CAP_SYS_BOOT ourselves',
    });
  });
  test('one that is to be inherited beyond the bounding set is named', async () => {
    const capabilities = { bounding: ['CAP_CHOWN'], inheritable: ['CAP_KILL'] } as const;
    await expect(clone('/bin/true', { ...ns, capabilities })).rejects.toMatchObject({
      code: 'EPERM',
      syscall: 'capset',
      hint: 'what bounding leaves out cannot become inheritable: CAP_KILL',
    });
  });
  test.each([
    ['prctl(PR_CAPBSET_DROP', 'capabilities.bounding', 'prctl'],
    ['prctl(PR_SET_SECUREBITS', 'securebits', 'prctl'],
    ['setresgid', 'gid', 'setresgid'],
    ['setresuid', 'uid', 'setresuid'],
    ['capset', 'capabilities', 'capset'],
    ['prctl(PR_CAP_AMBIENT', 'capabilities.ambient', 'prctl'],
    ['prctl(PR_SET_PDEATHSIG, 9', undefined, 'prctl'],
  ])('%s', async (call, option, syscall) => {
    const options: CloneOptions = { ...ns, uid: 0, gid: 0, securebits: 0, capabilities: ['CAP_KILL'] };
    const of = (line: { step: string; call: string }): boolean =>
      line.step === 'identity' && line.call.startsWith(call);
    const error = await failAt(options, of, 'EIO');
    expect(error).toMatchObject({ code: 'EIO', step: 'identity', syscall });
    expect(error.option).toBe(option);
  });
});
