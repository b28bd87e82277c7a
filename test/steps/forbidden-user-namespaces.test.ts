// Which switch of the host is told to be off. No host here has them off, so what it reads is made up; the sentences are not.
import { type Read, whyForbidden } from '../../lib/steps/forbidden-user-namespaces';

const host =
  (files: Record<string, string>): Read =>
  (path) =>
    files[path];

test.each([
  ['ENOSPC', { '/proc/sys/user/max_user_namespaces': '0' }, /max_user_namespaces is 0/],
  ['ENOSPC', { '/proc/sys/user/max_user_namespaces': '100' }, /limit of user namespaces is reached/],
  ['EUSERS', {}, /nested 32 deep/],
  ['EPERM', { '/proc/sys/kernel/unprivileged_userns_clone': '0' }, /unprivileged_userns_clone to 1/],
  ['EPERM', { '/proc/sys/kernel/apparmor_restrict_unprivileged_userns': '1' }, /AppArmor/],
  ['EACCES', { '/proc/sys/kernel/apparmor_restrict_unprivileged_userns': '1' }, /AppArmor/],
  ['EPERM', { '/proc/self/status': 'Name:\tnode\nSeccomp:\t2\n' }, /seccomp filter is on us/],
  ['EPERM', { '/proc/sys/kernel/unprivileged_userns_clone': '1', '/proc/self/status': 'Seccomp:\t0\n' }, /chroot/],
])('%s on a host with %j', (code, files, sentence) => {
  expect(whyForbidden(code, host(files))).toMatch(sentence);
});

test('an error that has nothing to do with it has no such hint', () => {
  expect(whyForbidden('EINVAL')).toBeUndefined();
});
