// Step `keyring`: a session keyring of its own.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

import { type CloneOptions, Flags } from '../../lib';
import { syscalls } from '../../lib/kernel/syscalls';
import { calls, failAt, fieldsOf } from '../support/fault';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted } from '../support/listing';
import { planning, refusal } from '../support/refusal';

leavesNothing();

/** keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0) */
const program = `my $id = syscall(${syscalls.keyctl}, 0, -3, 0); print $id < 0 ? "errno " . ($! + 0) : $id`;
const perl = ['/usr/bin/perl', '/bin/perl'].find((path) => existsSync(path));

/** The id of the session keyring of a child. */
const keyringOf = (options: CloneOptions): Promise<string> => inside(`exec ${perl} -e '${program}'`, options);

const answer = perl === undefined ? 'no perl' : spawnSync(perl, ['-e', program], { encoding: 'utf8' }).stdout;
const withKeys = /^\d+$/.test(answer)
  ? test
  : (name: string, body: () => Promise<void>) =>
      test.skip(`${name} (skipped: needs perl and keyrings: ${answer})`, body);

describe('keyring rejects', () => {
  test.each(['own', 'NEW', '', true, null, 5, {}])('%p', (keyring) => {
    expect(planning({ keyring })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'keyring', "must be one of: 'inherit', 'new'"),
    );
  });
});

describe('keyring emits', () => {
  test("nothing for 'inherit', which is the default", () => {
    expect(emitted('keyring', {})).toEqual([]);
    expect(emitted('keyring', { keyring: 'inherit' })).toEqual([]);
  });
  test('one call for a new one', () => {
    expect(emitted('keyring', { keyring: 'new' })).toEqual([
      'keyring: keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0)',
    ]);
  });
});

describe('keyring, seen from inside', () => {
  withKeys("'inherit', which is the default, is ours", async () => {
    expect(await keyringOf({})).toBe(answer);
    expect(await keyringOf({ keyring: 'inherit' })).toBe(answer);
  });
  withKeys("'new' is another one each time", async () => {
    const found = new Set([answer]);
    for (let i = 0; i < 3; i++) found.add(await keyringOf({ keyring: 'new' }));
    expect(found.size).toBe(4);
  });
  withKeys('in namespaces of its own', async () => {
    const options = owned(Flags.NEWPID | Flags.NEWNS);
    expect(await keyringOf({ ...options, keyring: 'new' })).toMatch(/^\d+$/);
    expect(await keyringOf({ ...options, keyring: 'new' })).not.toBe(answer);
  });
  withKeys('ours stays what it is', async () => {
    await keyringOf({ keyring: 'new' });
    expect(spawnSync(perl!, ['-e', program], { encoding: 'utf8' }).stdout).toBe(answer);
  });
});

describe('keyring, when the kernel refuses', () => {
  test('for its quota', async () => {
    const hint = 'the quota of keys of this user is used up; see /proc/key-users';
    expect(fieldsOf(await failAt({ keyring: 'new' }, calls('keyctl'), 'EDQUOT'))).toEqual({
      code: 'EDQUOT',
      errno: -122,
      step: 'keyring',
      option: 'keyring',
      syscall: 'keyctl',
      hint,
      message: `EDQUOT: disk quota exceeded, keyctl (keyring): ${hint}`,
    });
  });
  test('in a container, where keyctl is forbidden', async () => {
    expect(await failAt({ keyring: 'new' }, calls('keyctl'), 'EPERM')).toMatchObject({
      code: 'EPERM',
      step: 'keyring',
    });
  });
});
