// A kernel that is too old says EINVAL or ENOSYS; the error says which is needed.
import { clone, Flags, type SyscallError } from '../../lib';
import { namespaceKinds } from '../../lib/flags';
import { calls, failAt } from '../support/fault';
import { hosts, onHost } from '../support/host';
import { owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';

leavesNothing();

const on = (release: string, call: string, code: string) =>
  onHost({ files: hosts.free, release }, () => failAt(owned(Flags.NEWNS), calls(call), code));

test.each([
  ['5.10.0-28-amd64', 'close_range(', 'EINVAL', 'close_range', '5.11'],
  ['5.4.0-190-generic', 'close_range(', 'ENOSYS', 'close_range', '5.11'],
  ['5.10.0-28-amd64', 'mount_setattr(', 'ENOSYS', 'mount_setattr', '5.12'],
  ['4.18.0-553.el8_10.x86_64', 'mount_setattr(', 'ENOSYS', 'mount_setattr', '5.12'],
])('%s: %s %s', async (release, call, code, name, needed) => {
  expect((await on(release, call, code)).hint).toBe(
    `this kernel is ${release}, too old: ${name} as it is used here came with ${needed}, and nsclone needs 5.15`,
  );
});

test('one that has the call is not blamed', async () => {
  for (const release of ['5.11.0', '5.15.0', '6.1', '10.0.0-rc1'])
    expect((await on(release, 'close_range(', 'EINVAL')).hint).toBeUndefined();
});

test('nor is an old one, for what it refuses by another error', async () => {
  expect((await on('5.4.0', 'close_range(', 'EMFILE')).hint).toBeUndefined();
});

describe('a kernel that is built without a kind of namespace', () => {
  const without = (kind: string, body: () => Promise<SyscallError>): Promise<SyscallError> => {
    const links: Record<string, string> = {};
    for (const one of namespaceKinds.filter((other) => other.kind !== kind))
      links[`/proc/thread-self/ns/${one.kind}`] = `${one.kind}:[1]`;
    return onHost({ links }, body);
  };

  test.each([
    ['time', Flags.NEWTIME, 'unshare(CLONE_NEWTIME)'],
    ['net', Flags.NEWNET, 'unshare(CLONE_NEWNET)'],
    ['cgroup', Flags.NEWCGROUP, 'unshare(CLONE_NEWCGROUP)'],
    ['user', 0, 'unshare(CLONE_NEWUSER)'],
    ['pid', Flags.NEWPID, 'clone'],
  ])('%s, is named, with its setting', async (kind, flag, line) => {
    const refused = (): Promise<SyscallError> => failAt(owned(flag), calls(line), 'EINVAL');
    const error = await without(kind, refused);
    expect(error).toMatchObject({ code: 'EINVAL', option: 'flags' });
    expect(error.hint).toContain(
      `this kernel is built without ${kind} namespaces (${kind === 'cgroup' ? 'CONFIG_CGROUPS' : `CONFIG_${kind.toUpperCase()}_NS`})`,
    );
    // Where it has all of them, or where nothing can be seen of them, it is something else.
    for (const links of [{}, { links: {} }])
      expect((await onHost(links, refused)).hint ?? '').not.toContain('built without');
    expect((await refused()).hint ?? '').not.toContain('built without');
  });
  test('of which no process has a file that could be joined', async () => {
    const join = '/proc/4194303/ns/time';
    const refused = (): Promise<SyscallError> => clone('/bin/true', [], { join }).catch((error) => error);
    expect(await without('time', refused)).toMatchObject({
      code: 'ENOENT',
      option: 'join',
      path: join,
      hint: expect.stringContaining('built without time namespaces'),
    });
    expect((await refused()).hint).toBeUndefined();
  });
});
