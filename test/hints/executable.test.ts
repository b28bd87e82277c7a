// EACCES at the exec: the folder that may not be searched is named, or the file that is not executable.
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { clone, type CloneOptions, Flags, type SyscallError } from '../../lib';
import { rootOnly, userOnly } from '../support/capability';
import { calls, failAt } from '../support/fault';
import { hosts, onHost, withAnswers } from '../support/host';
import { owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';

leavesNothing();

const uid = process.geteuid!();
const folder = mkdtempSync(join(tmpdir(), 'nsclone-exec-'));
const plain = join(folder, 'plain');
const closed = join(folder, 'closed');
const open = join(folder, 'open');

beforeAll(() => {
  chmodSync(folder, 0o755);
  for (const name of [closed, open]) mkdirSync(name);
  for (const name of ['tool', 'script']) writeFileSync(join(open, name), '#!/bin/sh\n', { mode: 0o644 });
  writeFileSync(plain, '#!/bin/sh\n', { mode: 0o644 });
  copyFileSync('/bin/true', join(closed, 'tool'));
  copyFileSync('/bin/true', join(open, 'mine'));
  chmodSync(join(open, 'mine'), 0o700);
  chmodSync(open, 0o755);
  chmodSync(closed, 0o600);
});
afterAll(() => {
  chmodSync(closed, 0o700);
  rmSync(folder, { recursive: true });
});

const failure = (command: string, options: CloneOptions = {}): Promise<SyscallError> =>
  clone(command, [], { stdio: 'ignore', ...options }).then(
    () => {
      throw new Error('it started');
    },
    (error: SyscallError) => error,
  );
const path = (...folders: string[]): CloneOptions => ({ env: { PATH: folders.join(':') } });

test('a file that is not executable, by its path', async () => {
  const error = await failure(plain);
  expect(error).toMatchObject({ code: 'EACCES', step: 'command', hint: `${plain} is not executable` });
  expect(error.message).toBe(`EACCES: permission denied, execve ${plain}: ${plain} is not executable`);
});

test('and one that is found along PATH, in whichever folder', async () => {
  const hint = `${join(open, 'tool')} is not executable`;
  expect(await failure('tool', path(open))).toMatchObject({ code: 'EACCES', hint });
  expect(await failure('tool', path('/no/such', '/', open))).toMatchObject({ code: 'EACCES', hint });
});

test('a relative one, at the working directory of the child', async () => {
  expect(await failure('./tool', { cwd: open })).toMatchObject({ hint: `${join(open, 'tool')} is not executable` });
  expect(await failure('tool', { cwd: open, env: { PATH: '' } })).toMatchObject({
    hint: `${join(open, 'tool')} is not executable`,
  });
});

test('a folder in the place of a file', async () => {
  expect(await failure(open)).toMatchObject({ code: 'EACCES', hint: `${open} is a folder` });
});

userOnly('a folder of PATH that we may not search', async () => {
  const hint = `user ${uid} may not search the folder ${closed}`;
  expect(await failure('tool', path(closed))).toMatchObject({ code: 'EACCES', hint });
  expect(await failure('no-such-tool', path('/no/such', closed))).toMatchObject({
    code: 'EACCES',
    hint: `no folder of PATH that user ${uid} may search has it; ${closed} is not one of them`,
  });
  expect(await failure(join(closed, 'tool'))).toMatchObject({ code: 'EACCES', hint });
  // As root of a user namespace in which its owner is mapped, we may.
  const child = await clone(join(closed, 'tool'), [], { ...owned(0), stdio: 'ignore' });
  expect((await child.exited).code).toBe(0);
});

rootOnly('a folder, and a file, that the user of the child may not use', async () => {
  const other = { uid: 1000, gid: 1000 };
  expect(await failure('no-such-tool', { ...path('/no/such', closed), ...other })).toMatchObject({
    code: 'EACCES',
    hint: `no folder of PATH that user 1000 may search has it; ${closed} is not one of them`,
  });
  // What is there counts before what may be.
  expect(await failure('mine', { ...path(closed, open), ...other })).toMatchObject({
    hint: `user 1000 may not execute ${join(open, 'mine')}`,
  });
  expect(await failure('tool', { ...path(closed), ...other })).toMatchObject({
    code: 'EACCES',
    hint: `user 1000 may not search the folder ${closed}`,
  });
  expect(await failure('mine', { ...path(open), ...other })).toMatchObject({
    code: 'EACCES',
    hint: `user 1000 may not execute ${join(open, 'mine')}`,
  });
});

rootOnly('a group of the child counts', async () => {
  const file = join(open, 'grouped');
  copyFileSync('/bin/true', file);
  chownSync(file, 0, 4321);
  chmodSync(file, 0o710);
  const child = await clone(file, [], { uid: 1000, gid: 1000, groups: [4321], stdio: 'ignore' });
  expect((await child.exited).code).toBe(0);
  expect(await failure(file, { uid: 1000, gid: 1000, groups: [] })).toMatchObject({
    hint: `user 1000 may not execute ${file}`,
  });
});

test('a mount that lets nobody execute', async () => {
  const mountinfo = '21 1 8:1 / / rw - ext4 /dev/sda1 rw\n22 21 0:4 / /bin rw,nosuid,noexec - tmpfs tmpfs rw\n';
  const error = await withAnswers({ files: { '/proc/thread-self/mountinfo': mountinfo } }, () =>
    failAt({}, calls('execve('), 'EACCES'),
  );
  expect(error.hint).toBe('/bin/true is on /bin, which is mounted noexec');
});

test('nothing is said where nothing is wrong with the file', async () => {
  const refused = (options: CloneOptions) => failAt(options, calls('execve('), 'EACCES');
  expect((await withAnswers({ files: hosts.free }, () => refused({}))).hint).toBeUndefined();
  expect((await onHost({ files: hosts.free }, () => refused({}))).hint).toBeUndefined();
});

rootOnly('nor where the child sees other files', async () => {
  const error = await failAt({ join: '/proc/self/ns/mnt' }, calls('execve('), 'EACCES', plain);
  expect(error.hint).toBeUndefined();
});

const inMounts = owned(Flags.NEWNS);

test('of what is mounted the host knows nothing: what is there on it is not blamed', async () => {
  const mounts = [
    { type: 'tmpfs', target: open },
    { type: 'file', target: join(open, 'tool'), content: 'true\n', mode: 0o644, create: true },
  ] as const;
  const error = await failure(join(open, 'tool'), { ...inMounts, mounts });
  expect({ code: error.code, hint: error.hint }).toEqual({ code: 'EACCES', hint: undefined });
});

test('a mount of ours that lets nobody execute', async () => {
  const mounts = [{ type: 'bind', source: '/usr/bin', target: open, noexec: true }] as const;
  expect(await failure(join(open, 'true'), { ...inMounts, mounts })).toMatchObject({
    code: 'EACCES',
    hint: `${join(open, 'true')} is on mounts[0], which is mounted noexec`,
  });
});

userOnly('a folder of PATH that may not be searched is not blamed for what Landlock forbids', async () => {
  const landlock = { rules: [{ path: '/proc', access: ['read'] }], minimumAbi: 1 } as const;
  expect(await failure('true', { ...path(closed, '/usr/bin'), landlock })).toMatchObject({
    code: 'EACCES',
    hint: expect.stringMatching(/^the rules of the option landlock/),
  });
});
