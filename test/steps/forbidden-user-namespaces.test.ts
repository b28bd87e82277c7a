// Which switch of the host is told to be off. No host here has them off, so what it says is that of others; the sentences are not.
import { wordsOf } from '../../lib/errors/hint';
import { whyForbidden, whyPowerless } from '../../lib/steps/forbidden-user-namespaces';
import { hosts, onHost, status } from '../support/host';

const { ubuntu, debian, rhel, docker, filtered, free } = hosts;
const confined = (name: string) => ({ ...ubuntu, '/proc/thread-self/attr/apparmor/current': `${name}\n` });
const chrooted = { ...free, '/proc/thread-self/mountinfo': '24 21 0:5 / /proc rw - proc proc rw\n' };
const unmapped = {
  ...free,
  '/proc/thread-self/status': status({ uid: 65_534 }),
  '/proc/thread-self/uid_map': '0 1000 1\n',
};
const withoutMaps = { '/proc/thread-self/status': 'Name:\tnode\nSeccomp:\t2\n' };

test.each([
  ['RHEL', 'ENOSPC', rhel, 'sysctl', /max_user_namespaces is 0/],
  [
    'Ubuntu',
    'ENOSPC',
    ubuntu,
    'sysctl',
    /^no \(more\) user namespaces here: see sysctl user\.max_user_namespaces, and the nesting limit/,
  ],
  ['any', 'EUSERS', {}, 'kernel', /nested 32 deep/],
  ['Debian', 'EPERM', debian, 'sysctl', /unprivileged_userns_clone to 1/],
  ['Ubuntu', 'EPERM', ubuntu, 'apparmor', /AppArmor takes the capabilities/],
  ['Ubuntu', 'EACCES', ubuntu, 'apparmor', /AppArmor takes the capabilities/],
  [
    'Ubuntu with a profile',
    'EACCES',
    confined('/opt/app/node (enforce)'),
    'apparmor',
    /profile "\/opt\/app\/node" .* "userns,"/,
  ],
  ['RHEL', 'EACCES', rhel, 'selinux', /^the SELinux policy for staff_t is on us: it must allow user_namespace create/],
  ['docker', 'EPERM', docker, 'seccomp', /a seccomp filter and the AppArmor profile "docker-default" are on us/],
  ['a container', 'EPERM', filtered, 'seccomp', /^a seccomp filter is on us/],
  ['a container that hides its maps', 'EPERM', withoutMaps, 'seccomp', /^a seccomp filter is on us/],
  ['a chroot', 'EPERM', chrooted, 'kernel', /^we are inside chroot\(2\)/],
  ['a user namespace without our id', 'EPERM', unmapped, 'kernel', /^our uid has no place in our own user namespace/],
])('%s with %s', async (_, code, files, cause, sentence) => {
  const refusal = await onHost({ files }, () => whyForbidden(code));
  expect(refusal?.cause).toBe(cause);
  expect(wordsOf(refusal)).toMatch(sentence);
});

test('nothing is guessed: an error of something else, a host that shows no cause, one that shows nothing at all', async () => {
  expect(whyForbidden('EINVAL')).toBeUndefined();
  for (const files of [free, {}]) {
    for (const code of ['EPERM', 'EACCES']) expect(await onHost({ files }, () => whyForbidden(code))).toBeUndefined();
  }
});

test('a switch for ordinary users is nothing to root', async () => {
  const root = free['/proc/thread-self/status'];
  for (const files of [ubuntu, debian])
    expect(
      await onHost({ files: { ...files, '/proc/thread-self/status': root } }, () => whyForbidden('EPERM')),
    ).toBeUndefined();
});

test('capabilities are taken away by Ubuntu alone, and not where a profile is on us', async () => {
  expect(wordsOf(await onHost({ files: ubuntu }, whyPowerless))).toMatch(/apparmor_restrict_unprivileged_userns to 0$/);
  expect(await onHost({ files: confined('node (unconfined)') }, whyPowerless)).toBeUndefined();
  for (const files of [debian, rhel, docker, filtered, free, {}])
    expect(await onHost({ files }, whyPowerless)).toBeUndefined();
});
