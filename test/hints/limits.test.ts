// What a limit or a value is held against, where the kernel says no more than EPERM or EINVAL.
import { readFileSync } from 'node:fs';

import { clone, type CloneOptions, Flags, type SyscallError } from '../../lib';
import { withCapability } from '../support/capability';
import { calls, failAt } from '../support/fault';
import { hosts, onHost, withAnswers } from '../support/host';
import { owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';

leavesNothing();

const failure = (options: CloneOptions): Promise<SyscallError> =>
  clone('/bin/true', [], { stdio: 'ignore', ...options }).then(
    () => {
      throw new Error('it started');
    },
    (error: SyscallError) => error,
  );

describe('rlimits.nofile', () => {
  const most = readFileSync('/proc/sys/fs/nr_open', 'utf8').trim();
  const hint = `sysctl fs.nr_open is ${most}, and no limit of descriptors may be above it`;

  test.each([
    ["'unlimited'", 'unlimited' as const],
    ['one above', Number(most) + 1],
    ['a hard one above', { soft: 64, hard: Number(most) + 1 }],
  ])('%s is held against fs.nr_open', async (_, nofile) => {
    for (const options of [{}, owned(Flags.NEWPID)]) {
      const error = await failure({ ...options, rlimits: { nofile } });
      expect(error).toMatchObject({ code: 'EPERM', option: 'rlimits.nofile', syscall: 'prlimit64', hint });
      expect(error.message).toBe(`EPERM: operation not permitted, prlimit64 (rlimits.nofile): ${hint}`);
    }
  });
  test('which is read when it fails', async () => {
    const error = await withAnswers({ files: { '/proc/sys/fs/nr_open': '2048\n' } }, () =>
      failAt({ rlimits: { nofile: 4096 } }, calls('prlimit64('), 'EPERM'),
    );
    expect(error.hint).toMatch(/^sysctl fs\.nr_open is 2048/);
  });
  test('a limit that it allows takes privilege to raise, which is not said to who has it', async () => {
    const refused = (files: Record<string, string>): Promise<SyscallError> =>
      onHost({ files }, () => failAt({ rlimits: { core: 'unlimited' } }, calls('prlimit64('), 'EPERM'));
    for (const files of [hosts.free, hosts.filtered])
      expect((await refused(files)).hint ?? '').not.toContain('CAP_SYS_RESOURCE');
  });
});

describe('sysctl net.ipv4.ping_group_range', () => {
  const name = 'net.ipv4.ping_group_range';
  const within = (options: CloneOptions, value: string): Promise<SyscallError> =>
    failure({ ...options, sysctl: { [name]: value } });

  test('a group that is not mapped', async () => {
    expect(await within(owned(Flags.NEWNET), '0 2147483647')).toMatchObject({
      code: 'EINVAL',
      option: `sysctl.${name}`,
      syscall: 'write',
      hint: 'group 2147483647 has no place in the user namespace; see gidMap',
    });
    expect(await within(owned(Flags.NEWNET), '5\t6')).toMatchObject({
      hint: 'group 5 has no place in the user namespace; see gidMap',
    });
  });
  test('none is, without a map', async () => {
    const error = await failAt(
      { flags: Flags.NEWUSER | Flags.NEWNET, sysctl: { [name]: '0 0' } },
      calls('write('),
      'EINVAL',
    );
    expect(error.hint).toBe('group 0 has no place in the user namespace; see gidMap');
  });
  test('what is mapped is taken, and nonsense is nonsense', async () => {
    const child = await clone('/bin/true', [], { ...owned(Flags.NEWNET), sysctl: { [name]: '0 0' }, stdio: 'ignore' });
    expect((await child.exited).code).toBe(0);
    expect(await within(owned(Flags.NEWNET), 'all of them')).toMatchObject({
      code: 'EINVAL',
      hint: 'the kernel does not take this value',
    });
  });
  withCapability('CAP_SYS_ADMIN', 'in our own user namespace, by its own map', async () => {
    const error = await withAnswers({ files: { '/proc/thread-self/gid_map': '0 1000 10\n' } }, () =>
      failAt({ flags: Flags.NEWNET, sysctl: { [name]: '0 10' } }, calls('write('), 'EINVAL'),
    );
    expect(error.hint).toBe('group 10 has no place in the user namespace; see gidMap');
  });
});
