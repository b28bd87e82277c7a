// A kernel that is too old says EINVAL or ENOSYS; the error says which is needed.
import { Flags } from '../../lib';
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
