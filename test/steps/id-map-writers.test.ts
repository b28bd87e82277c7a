// Who writes the id maps of a waiting stub: we, with privilege, or newuidmap and newgidmap; and what they refuse.
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { clone, type CloneOptions, Flags } from '../../lib';
import { mapText } from '../../lib/steps/id-map-writers';
import { userOnly, withCapability, withoutCapability } from '../support/capability';
import { inside } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted } from '../support/listing';
import { evaluate } from '../support/own-process';

leavesNothing();

const { NEWUSER } = Flags;
const uid = process.geteuid!();
const gid = process.getegid!();

const folder = mkdtempSync(join(tmpdir(), 'nsclone-test-'));

beforeAll(() => chmodSync(folder, 0o777));
afterAll(() => rmSync(folder, { recursive: true }));

/** A program that leaves a file when it runs. */
const marker = join(folder, 'ran');
const leaveMark = (options: CloneOptions): Promise<unknown> =>
  clone('/bin/sh', ['-c', `: > ${marker}`], { ...options, stdio: 'ignore' });

/** Our own id and one that nobody has lent us. */
const two = (own: number) => [
  { containerID: 0, hostID: own, size: 1 },
  { containerID: 1, hostID: 7, size: 1 },
];

test('the lines of a map file: what is inside, what is outside, how many', () => {
  expect(
    mapText({
      writer: 'parent',
      ranges: [
        { containerID: 0, hostID: 1000, size: 1 },
        { containerID: 1, hostID: 4_294_967_294, size: 1 },
      ],
    }),
  ).toBe('0 1000 1\n1 4294967294 1\n');
});

describe('id map writers emit', () => {
  test('one wait for both maps', () => {
    const waits = (options: CloneOptions): string[] =>
      emitted('user', { flags: NEWUSER, ...options }).filter((line) => line.includes('wait for the parent'));
    expect(waits({ uidMap: two(uid), gidMap: two(gid) })).toEqual([expect.stringMatching(/^gidMap: /)]);
    expect(waits({ uidMap: two(uid), gidMap: 'root', setgroups: 'deny' })).toEqual([
      expect.stringMatching(/^uidMap: /),
    ]);
    expect(waits({ uidMap: 'root', gidMap: 'root', setgroups: 'deny' })).toEqual([]);
  });
});

describe('the listing of a map that the stub does not write', () => {
  const waiting = (options: CloneOptions): string[] =>
    emitted('user', { flags: NEWUSER, ...options }).filter((line) => line.includes('wait for the parent'));
  const ranges = (own: number): string =>
    mapText({ ranges: two(own), writer: 'parent' })
      .trimEnd()
      .replace('\n', ', ');

  withCapability('CAP_SETGID', 'has its ranges', () => {
    expect(waiting({ uidMap: two(uid), gidMap: two(gid) })).toEqual([
      `gidMap: wait for the parent, which writes uid_map "${ranges(uid)}" and gid_map "${ranges(gid)}"`,
    ]);
  });
  withoutCapability('CAP_SETGID', 'has its ranges, and who writes them', () => {
    expect(waiting({ uidMap: 'root', gidMap: two(gid) })).toEqual([
      `gidMap: wait for the parent, which writes gid_map "${ranges(gid)}" with newgidmap`,
    ]);
  });
});

describe('with privilege', () => {
  withCapability('CAP_SETUID', 'we write by ourselves, and need no helper', () => {
    const output = evaluate<string>(
      `process.env.PATH = ${JSON.stringify(folder)};
       const options = { flags: nsclone.Flags.NEWUSER, uidMap: ${JSON.stringify(two(uid))}, gidMap: ${JSON.stringify(two(gid))} };
       return (await nsclone.run('/bin/cat', ['/proc/self/uid_map', '/proc/self/gid_map'], options)).stdout;`,
    );
    expect(
      output
        .trim()
        .split('\n')
        .map((line) => line.trim().replace(/ +/g, ' ')),
    ).toEqual([`0 ${uid} 1`, '1 7 1', `0 ${gid} 1`, '1 7 1']);
  });
  withCapability('CAP_SETGID', "setgroups that is given up is 'deny' before the groups are mapped", async () => {
    const options: CloneOptions = { flags: NEWUSER, uidMap: 'root', gidMap: two(gid), setgroups: 'deny' };
    expect(await inside('cat /proc/self/setgroups; wc -l < /proc/self/gid_map', options)).toBe('deny\n2');
  });
  withCapability('CAP_SETUID', 'a map of more text than a page is refused, with its size', async () => {
    const long = Array.from({ length: 340 }, (_, index) => ({
      containerID: 1_000_000_000 + index * 2,
      hostID: 1_000_000_000 + index * 2,
      size: 1,
    }));
    const text = mapText({ ranges: long, writer: 'parent' });
    expect(text.length).toBeGreaterThan(4096);
    await expect(leaveMark({ flags: NEWUSER, uidMap: long, uid: 1_000_000_000 })).rejects.toMatchObject({
      code: 'EINVAL',
      errno: -22,
      step: 'user',
      option: 'uidMap',
      syscall: 'write',
      path: expect.stringMatching(/^\/proc\/\d+\/uid_map$/),
      hint: `its text has ${text.length} bytes, and the kernel takes less than a page`,
    });
    expect(existsSync(marker)).toBe(false);
  });
  test.each(['uid', 'gid'] as const)('a range outside of our own user namespace is named: %s', (kind) => {
    // A user namespace that has one id, whose root we are.
    const found = evaluate<Record<string, unknown>>(
      `const { Flags } = nsclone;
       const own = [{ containerID: 0, hostID: 0, size: 1 }];
       const more = [...own, { containerID: 1, hostID: 1, size: 2 }];
       const options = { flags: Flags.NEWUSER, uidMap: own, gidMap: own, stdio: 'ignore' };
       const { clone } = nsclone;
       const children = () => fs.readFileSync('/proc/thread-self/children', 'utf8');
       try { await clone('true', [], { ...options, ${kind}Map: more }); } catch (error) {
         return { ...error, message: error.message, children: children() };
       }`,
      ['unshare', '--map-root-user'],
    );
    expect(found).toEqual({
      code: 'EPERM',
      errno: -1,
      step: 'user',
      option: `${kind}Map[1]`,
      syscall: 'write',
      path: expect.stringMatching(new RegExp(`^/proc/\\d+/${kind}_map$`)),
      hint: `ids 1 to 2 have no place in our own user namespace, see /proc/self/${kind}_map`,
      message: expect.stringMatching(
        new RegExp(`^EPERM: operation not permitted, write /proc/\\d+/${kind}_map \\(${kind}Map\\[1\\]\\): ids 1`),
      ),
      // Reaped.
      children: '',
    });
  });
});

describe('through the helpers', () => {
  type Refused = Record<string, unknown>;
  type Scripts = Partial<Record<'newuidmap' | 'newgidmap', string>>;
  const ranges = { uids: two(uid), groups: two(gid) };

  /**
   * What the body returns, in a Node whose PATH has these scripts and nothing else. `refused(options)` starts a program that
   * leaves a mark, and returns the error.
   */
  function withHelpers<T>(scripts: Scripts, body: string): T {
    rmSync(join(folder, 'hanging'), { force: true });
    for (const name of ['newuidmap', 'newgidmap'] as const) {
      const path = join(folder, name);
      rmSync(path, { force: true });
      if (scripts[name] !== undefined) writeFileSync(path, `#!/bin/sh\n${scripts[name]}\n`, { mode: 0o755 });
    }
    return evaluate<T>(
      `process.env.PATH = ${JSON.stringify(folder)};
       const flags = nsclone.Flags.NEWUSER;
       const { uids, groups } = ${JSON.stringify(ranges)};
       const refused = async (options) => {
         try {
           const child = await nsclone.clone('/bin/sh', ['-c', ': > ${marker}'], { ...options, flags, stdio: 'ignore' });
           await child.exited;
           return 'it ran';
         } catch (error) {
           const pids = fs.readFileSync('/proc/thread-self/children', 'utf8').split(' ').filter(Boolean);
           // A helper may go on a little.
           const stubs = pids.filter((pid) => fs.readFileSync('/proc/' + pid + '/comm', 'utf8').includes('nsclone'));
           return { ...error, message: error.message, stubs };
         }
       };
       ${body}`,
    );
  }
  afterEach(() => expect(existsSync(marker)).toBe(false));

  userOnly('ranges that nobody has lent us are refused in their words, and the program never runs', async () => {
    await expect(leaveMark({ flags: NEWUSER, uidMap: two(uid) })).rejects.toMatchObject({
      code: 'EPERM',
      step: 'user',
      option: 'uidMap',
      path: 'newuidmap',
      message: expect.stringMatching(
        /^EPERM: newuidmap: uid range \[1-2\) -> \[7-8\) not allowed, .*\/etc\/subuid for our user$/,
      ),
    });
    await expect(leaveMark({ flags: NEWUSER, gidMap: two(gid) })).rejects.toMatchObject({
      option: 'gidMap',
      path: 'newgidmap',
      message: expect.stringMatching(/newgidmap: gid range .*\/etc\/subgid for our user$/),
    });
  });
  userOnly('they get the pid of the stub and all numbers in one call', () => {
    const error = withHelpers<Refused>({ newuidmap: 'echo "$@" >&2; exit 1' }, 'return refused({ uidMap: uids });');
    expect(error['message']).toMatch(new RegExp(`^EPERM: \\d+ 0 ${uid} 1 1 7 1, execve newuidmap \\(uidMap\\)`));
  });
  userOnly('one that is not installed is named, with the package', () => {
    const [users, groups] = withHelpers<Refused[]>(
      {},
      `return [await refused({ uidMap: uids }), await refused({ uidMap: 'root', gidMap: groups })];`,
    );
    expect(users).toMatchObject({
      code: 'ENOENT',
      step: 'user',
      option: 'uidMap',
      path: 'newuidmap',
      stubs: [],
      message:
        'ENOENT: there is no newuidmap in PATH, execve newuidmap (uidMap): an ordinary user maps more than the own id ' +
        'with it: install the package uidmap',
    });
    expect(groups).toMatchObject({ code: 'ENOENT', option: 'gidMap', path: 'newgidmap' });
  });
  userOnly('what they print is one line of the message, without control characters', () => {
    const newuidmap = String.raw`printf 'first\nsecond\033[31m\n' >&2; exit 1`;
    const error = withHelpers<Refused>({ newuidmap }, 'return refused({ uidMap: uids });');
    expect(error['stubs']).toEqual([]);
    expect(error['message']).toContain(String.raw`first\nsecond\x1b[31m`);
  });
  userOnly('one that says nothing is told by its code, or by its signal', () => {
    const told = (newuidmap: string): unknown =>
      withHelpers<Refused>({ newuidmap }, 'return refused({ uidMap: uids });')['message'];
    expect(told('exit 3')).toMatch(/^EPERM: newuidmap ended with 3,/);
    expect(told('kill -9 $$')).toMatch(/^EPERM: newuidmap ended with SIGKILL,/);
  });
  userOnly('both fail: one is told, and no rejection is left over', () => {
    const scripts = { newuidmap: 'echo uids >&2; exit 1', newgidmap: 'echo groups >&2; exit 1' };
    const error = withHelpers<Refused>(
      scripts,
      `const error = await refused({ uidMap: uids, gidMap: groups });
       await until(() => fs.readFileSync('/proc/thread-self/children', 'utf8') === '');
       await new Promise(setImmediate);
       return error;`,
    );
    // Whichever it is.
    expect(error['message']).toMatch(/^EPERM: (?:uids, execve newuidmap|groups, execve newgidmap)/);
  });
  userOnly('the program waits for the slower one', () => {
    const scripts = {
      newuidmap: 'exec /usr/bin/newuidmap "$@"',
      newgidmap: '/bin/sleep 0.2; exec /usr/bin/newgidmap "$@"',
    };
    const output = withHelpers<string>(
      scripts,
      `const script = 'cat /proc/self/uid_map /proc/self/gid_map; id -u; id -g';
       const env = { PATH: '/usr/bin:/bin' };
       return (await nsclone.run('/bin/sh', ['-c', script], { flags, uidMap: 'auto', gidMap: 'auto', env })).stdout;`,
    );
    const lines = output.trim().split('\n');
    expect(lines.length).toBeGreaterThanOrEqual(6);
    expect(lines.slice(-2)).toEqual(['0', '0']);
  });
  userOnly('one that writes nothing and says that all is well is found out when the ids are taken', () => {
    const error = withHelpers<Refused>({ newuidmap: 'exit 0' }, 'return refused({ uidMap: uids, uid: 1 });');
    expect(error).toMatchObject({ code: 'EINVAL', syscall: 'setresuid' });
  });
  for (const [option, value, code] of [
    ['timeout', 'timeout: limit', 'ETIMEDOUT'],
    ['signal', 'signal: AbortSignal.timeout(limit)', 'ABORT_ERR'],
  ] as const) {
    userOnly(`one that hangs is not waited for longer than ${option}, and ends with it`, () => {
      const [error, helper] = withHelpers<[Refused, string]>(
        { newuidmap: `echo $$ > ${folder}/hanging; exec /bin/sleep 1000` },
        `const hanging = () => { try { return fs.readFileSync(${JSON.stringify(join(folder, 'hanging'))}, 'utf8').trim(); } catch { return ''; } };
         const error = await inTime((limit) => refused({ uidMap: uids, ${value} }), () => hanging() !== '');
         const pid = hanging();
         const state = () => { try { return fs.readFileSync('/proc/' + pid + '/stat', 'utf8'); } catch { return 'gone'; } };
         await until(() => state() === 'gone').catch(() => {});
         return [error, state()];`,
      );
      expect(error).toMatchObject({ code, stubs: [] });
      expect(helper).toBe('gone');
    });
  }
});
