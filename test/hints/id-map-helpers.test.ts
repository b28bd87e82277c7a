// newuidmap(1) and newgidmap(1) without the right that they need: what they lack is named, and not the ranges.
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

import { rootOnly, userOnly } from '../support/capability';
import { asUser, evaluate } from '../support/own-process';

const folder = mkdtempSync(join(tmpdir(), 'nsclone-helpers-'));
beforeAll(() => chmodSync(folder, 0o755));
afterAll(() => rmSync(folder, { recursive: true }));

const helper = '/usr/bin/newuidmap';
const lent = (file: string, name = userInfo().username): boolean =>
  existsSync(file) && new RegExp(`^${name}:`, 'm').test(readFileSync(file, 'utf8'));
const can = existsSync(helper) && lent('/etc/subuid') && lent('/etc/subgid');
const withRanges = (name: string, body: () => void): void =>
  can ? userOnly(name, body) : test.skip(`${name} (skipped: needs newuidmap, and ids that are lent to us)`, body);

/** What the call of an ordinary user rejects with, whose PATH begins with these folders. */
const refused = (path: string, wrapper: readonly string[] = []) =>
  evaluate<{ message: string; hint?: string; code: string }>(
    `process.env.PATH = ${JSON.stringify(path)};
     const options = { flags: nsclone.Flags.NEWUSER, uidMap: 'auto', gidMap: 'auto', stdio: 'ignore' };
     const { message, hint, code } = await nsclone.clone('/bin/true', [], options).then(() => ({ message: 'it ran' }), (error) => error);
     return { message, hint, code };`,
    wrapper,
  );

withRanges('a copy without its set-user-ID bit', () => {
  const copy = join(folder, 'newuidmap');
  copyFileSync(helper, copy);
  chmodSync(copy, 0o755);
  const { message, hint, code } = refused(`${folder}:/usr/bin:/bin`);
  expect(code).toBe('EPERM');
  expect(message).toMatch(
    /^EPERM: newuidmap: write to uid_map failed: Operation not permitted, execve newuidmap \(uidMap\): /,
  );
  // Which of the two depends on whether getcap(8) is installed here.
  expect([
    `${copy} has neither its set-user-ID bit nor a file capability, so it has no privilege to write it`,
    `${copy} has no set-user-ID bit, so only a file capability (getcap tells) would let it write it`,
  ]).toContain(hint);
  rmSync(copy);
});

withRanges('one that is there, but not executable', () => {
  const copy = join(folder, 'newuidmap');
  writeFileSync(copy, '', { mode: 0o644 });
  // Other folders of PATH would be searched on.
  expect(refused(folder).hint).toBe(`${copy} is not executable`);
  rmSync(copy);
});

withRanges('no_new_privs on us', () => {
  expect(refused('/usr/bin:/bin', ['setpriv', '--no-new-privs']).hint).toMatch(/^no_new_privs is set on us/);
});

const ordinary = /^([^:]+):[^:]*:1000:/m.exec(readFileSync('/etc/passwd', 'utf8'))?.[1];
const withOrdinary = (name: string, body: () => void): void =>
  existsSync(helper) && ordinary !== undefined && lent('/etc/subuid', ordinary)
    ? rootOnly(name, body)
    : test.skip(`${name} (skipped: needs newuidmap, and a user 1000 with ids that are lent)`, body);

withOrdinary('a set-user-ID bit that is not root’s, and a file system that ignores it', () => {
  const copy = join(folder, 'newuidmap');
  copyFileSync(helper, copy);
  chownSync(copy, 1000, 1000);
  chmodSync(copy, 0o4755);
  const shell = [
    'unshare',
    '--mount',
    '/bin/sh',
    '-c',
    `mount -t tmpfs -o nosuid,mode=755 none ${folder} && cp -p ${helper} ${folder} && exec "$@"`,
    'sh',
  ];
  expect(refused(`${folder}:/usr/bin:/bin`, [...shell, ...asUser]).hint).toBe(
    `${copy} is on ${folder}, which is mounted nosuid, so it has no privilege to write it`,
  );
  expect(refused(`${folder}:/usr/bin:/bin`, asUser).hint).toBe(
    `${copy} is set-user-ID, but belongs to user 1000 and not to root`,
  );
});
