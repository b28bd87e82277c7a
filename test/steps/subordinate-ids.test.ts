// The ids that an administrator has lent to a user: how the files are read, and what of them ends up in the maps of 'auto'.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { subordinateRanges } from '../../lib/steps/subordinate-ids';
import { addon } from '../support/addon';
import { rootOnly } from '../support/capability';
import { evaluate } from '../support/own-process';
import { temporaryFolder } from '../support/temporary-folder';

const uid = process.geteuid!();
const folder = temporaryFolder();

/** What is read from a file with this text, for a user of this name; null: one without a name. */
function rangesIn(text: string, name: string | null = 'alice'): unknown {
  const file = folder.file('subuid', text);
  const nobody = folder.file('passwd', '');
  const { openAt } = addon();
  jest
    .spyOn(addon(), 'openAt')
    .mockImplementation((at, path, ...rest) =>
      openAt(at, path === '/etc/subuid' ? file : path === '/etc/passwd' ? nobody : path, ...rest),
    );
  jest.spyOn(addon(), 'userName').mockReturnValue(name ?? '');
  try {
    return subordinateRanges('/etc/subuid', 'uidMap');
  } catch (error) {
    return { ...(error as object), message: (error as Error).message };
  } finally {
    jest.restoreAllMocks();
  }
}

describe('subordinate ids', () => {
  test('are those of our name', () => {
    expect(rangesIn('bob:1:2\nalice:100000:65536\ncarol:3:4\n')).toEqual([{ start: 100_000, count: 65_536 }]);
  });
  test('and those of our uid, in both files', () => {
    expect(rangesIn(`${uid}:5:6\n`)).toEqual([{ start: 5, count: 6 }]);
    expect(rangesIn(`${uid}:5:6\n`, null)).toEqual([{ start: 5, count: 6 }]);
    expect(rangesIn(`alice:1:2\n${uid}:5:6\nalice:7:8`)).toEqual([
      { start: 1, count: 2 },
      { start: 5, count: 6 },
      { start: 7, count: 8 },
    ]);
  });
  test('of a name that begins like ours are not ours', () => {
    expect(rangesIn('alice2:1:2\nalic:3:4\n:5:6\n')).toMatchObject({ code: 'ENOENT' });
  });
  test('keep large numbers, and spaces around do no harm', () => {
    expect(rangesIn('  alice:4294901760:65535  \r\n')).toEqual([{ start: 4_294_901_760, count: 65_535 }]);
  });
  test.each([
    'alice',
    'alice:',
    'alice::65536',
    'alice:100000:',
    'alice:100000:0',
    'alice:-5:10',
    'alice:x:10',
    'alice:1.5:10',
    'alice:0x10:10',
    'alice:1e3:10',
    '#alice:1:2',
    '',
  ])('of %p are none: what is no number is never taken for 0', (line) => {
    expect(rangesIn(`${line}\nalice:7:8\n`)).toEqual([{ start: 7, count: 8 }]);
    expect(rangesIn(`${line}\n`)).toMatchObject({ code: 'ENOENT' });
  });
  test('that are missing are an error with the file, the user and what to do', () => {
    expect(rangesIn('bob:1:2\n')).toEqual({
      code: 'ENOENT',
      errno: -2,
      step: 'user',
      option: 'uidMap',
      path: '/etc/subuid',
      hint: 'add a line such as alice:100000:65536 (usermod --add-subuids, --add-subgids)',
      message:
        `ENOENT: no subordinate ids for alice (uid ${uid}), /etc/subuid (uidMap): add a line such as ` +
        'alice:100000:65536 (usermod --add-subuids, --add-subgids)',
    });
    expect(rangesIn('', null)).toMatchObject({
      message: expect.stringContaining(`no subordinate ids for uid ${uid}, /etc/subuid`),
    });
  });
});

describe('with files of its own, in a mount namespace of its own,', () => {
  /** Evaluates a script where both files have this text. */
  function withFiles<T>(text: string, script: string): T {
    const folder = mkdtempSync(join(tmpdir(), 'nsclone-test-'));
    const file = join(folder, 'subids');
    writeFileSync(file, text);
    const mount = 'mount --bind "$0" /etc/subuid && mount --bind "$0" /etc/subgid && exec "$@"';
    try {
      return evaluate<T>(
        `const flags = nsclone.Flags.NEWUSER;
         const told = (error) => ({ ...error, message: error.message });
         ${script}`,
        ['unshare', '--mount', 'sh', '-c', mount, file],
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  rootOnly("'auto' maps root itself to 0, and the ranges after it in their order", () => {
    const output = withFiles<string>(
      'root:200000:1000\n0:300000:500\nother:1:2\n',
      `const script = 'cat /proc/self/uid_map /proc/self/gid_map; id -u; id -g';
       return (await nsclone.run('sh', ['-c', script], { flags, uidMap: 'auto', gidMap: 'auto' })).stdout;`,
    );
    const lines = output
      .trim()
      .split('\n')
      .map((line) => line.trim().replace(/ +/g, ' '));
    const map = ['0 0 1', '1 200000 1000', '1001 300000 500'];
    expect(lines).toEqual([...map, ...map, '0', '0']);
  });
  rootOnly('no entry is an error for root too, in either file', () => {
    const [users, groups] = withFiles<Record<string, unknown>[]>(
      'other:1:2\n',
      `return Promise.all([{ uidMap: 'auto' }, { gidMap: 'auto' }].map((maps) => nsclone.run('true', { flags, ...maps }).catch(told)));`,
    );
    expect(users).toMatchObject({ code: 'ENOENT', option: 'uidMap', path: '/etc/subuid' });
    expect(groups).toMatchObject({ code: 'ENOENT', option: 'gidMap', path: '/etc/subgid' });
    expect(users!['message']).toMatch(/^ENOENT: no subordinate ids for root \(uid 0\), \/etc\/subuid \(uidMap\): add/);
  });
  rootOnly('they are read for each plan anew', () => {
    const counts = withFiles<string[]>(
      'root:200000:1000\n',
      `const count = async () => (await nsclone.run('sh', ['-c', 'wc -l < /proc/self/uid_map'], { flags, uidMap: 'auto' })).stdout.trim();
       const before = await count();
       fs.appendFileSync('/etc/subuid', 'root:400000:10\\n');
       return [before, await count()];`,
    );
    expect(counts).toEqual(['2', '3']);
  });
  rootOnly('ranges that overlap are refused by name, before anything is cloned', () => {
    const error = withFiles<Record<string, unknown>>(
      'root:200000:1000\nroot:200500:1000\n',
      `return nsclone.run('true', { flags, uidMap: 'auto' }).catch(told);`,
    );
    expect(error).toMatchObject({ code: 'EINVAL', step: 'user', option: 'uidMap', path: '/etc/subuid' });
    expect(error['message']).toMatch(/^EINVAL: the ids from 200500 on overlap another range of our user/);
  });
});
