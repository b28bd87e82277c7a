// Step `security label`: what AppArmor or SELinux shall take the program for.
import { readFileSync } from 'node:fs';

import { clone, type CloneOptions, Flags, plan, run } from '../../lib';
import { needing } from '../support/capability';
import { calls, failAt, fieldsOf } from '../support/fault';
import { hosts, onHost, status } from '../support/host';
import { owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted, linesOf, openingProc } from '../support/listing';
import { planning, refusal } from '../support/refusal';

leavesNothing();

const label = 'system_u:system_r:container_t:s0:c1,c2';
const files = { apparmorProfile: 'thread-self/attr/apparmor/exec', selinuxLabel: 'thread-self/attr/exec' } as const;
const given = { apparmorProfile: 'docker-default', selinuxLabel: label } as const;
type Name = keyof typeof given;
const names = Object.keys(given) as Name[];
const one = (name: Name): CloneOptions => ({ [name]: given[name] });

function content(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
const hasApparmor = content('/sys/module/apparmor/parameters/enabled').startsWith('Y');
const hasSelinux = /\bselinuxfs$/m.test(content('/proc/filesystems'));

describe.each(names)('%s rejects', (name) => {
  test.each([5, null, true, [], {}])('%p', (value) => {
    expect(planning({ [name]: value })).toThrow(refusal('ERR_INVALID_ARG_TYPE', name));
  });
  test.each(['', 'a\0b', 'a:b:c\nd', ' a:b:c', 'a:b:c ', `a:b:${'c'.repeat(4000)}`])('%p', (value) => {
    expect(planning({ [name]: value })).toThrow(refusal('ERR_INVALID_ARG_VALUE', name));
  });
});

test.each(['container_t', 'a:b', 'a::c', 'a:b:c:', 'a b:c:d'])('selinuxLabel rejects what is no label: %p', (value) => {
  expect(planning({ selinuxLabel: value })).toThrow(
    refusal('ERR_INVALID_ARG_VALUE', 'selinuxLabel', 'must be user:role:type'),
  );
});

describe('the step emits', () => {
  test('nothing where neither is given', () => {
    expect(emitted('security label', {})).toEqual([]);
  });
  test.each([
    ['apparmorProfile', 'exec docker-default'],
    ['selinuxLabel', label],
  ] as const)('%s: one file of our own /proc', (name, text) => {
    expect(emitted('security label', one(name))).toEqual([
      `${name}: ${openingProc(files[name])} = r0  # EAGAIN: once more`,
      `${name}: write(r0, ${JSON.stringify(text.slice(0, 32))}${text.length > 32 ? '…' : ''}, ${text.length})  # at least ${text.length}`,
      `${name}: close(r0)`,
    ]);
  });
  test('before anything of somebody else is entered, and before the view changes', () => {
    const made = plan('/bin/true', [], { ...owned(Flags.NEWNS), root: '/', ...given });
    const steps = linesOf(made).map(({ step }) => step);
    for (const later of ['user', 'namespaces', 'root switch'])
      expect(steps.lastIndexOf('security label')).toBeLessThan(steps.indexOf(later));
    const joining = plan('/bin/true', [], { join: '/proc/self/ns/mnt', ...given });
    const lines = linesOf(joining);
    expect(lines.findLastIndex(({ step }) => step === 'security label')).toBeLessThan(
      lines.findIndex(({ call }) => call.startsWith('setns')),
    );
  });
});

describe('seen from inside', () => {
  const places: readonly (readonly [string, CloneOptions])[] = [
    ['', {}],
    [' in namespaces of its own', owned(Flags.NEWPID)],
    [' beside a pid 1', { ...owned(Flags.NEWPID), init: true }],
  ];
  for (const [name, options] of places) {
    needing(hasApparmor, 'AppArmor')(`the profile${name}`, async () => {
      const { stdout } = await run('cat', ['/proc/self/attr/apparmor/current'], {
        ...options,
        apparmorProfile: 'unconfined',
      });
      expect(stdout.trim()).toBe('unconfined');
    });
    needing(hasSelinux, 'SELinux')(`the label${name}`, async () => {
      const own = content('/proc/self/attr/current').replace(/\0$/, '');
      const { stdout } = await run('cat', ['/proc/self/attr/current'], { ...options, selinuxLabel: own });
      expect(stdout.replace(/\0$/, '')).toBe(own);
    });
    needing(!hasApparmor, 'a kernel without AppArmor')(`without AppArmor nothing runs${name}`, async () => {
      await expect(clone('/bin/true', { ...options, apparmorProfile: 'unconfined' })).rejects.toMatchObject({
        code: expect.stringMatching(/^(ENOENT|EINVAL)$/) as string,
        step: 'security label',
        option: 'apparmorProfile',
        path: '/proc/thread-self/attr/apparmor/exec',
        hint: 'there is no AppArmor in this kernel, or it is switched off',
      });
    });
    needing(!hasSelinux && !hasApparmor, 'a kernel without SELinux')(
      `without SELinux nothing runs${name}`,
      async () => {
        await expect(clone('/bin/true', { ...options, selinuxLabel: label })).rejects.toMatchObject({
          code: 'EINVAL',
          step: 'security label',
          option: 'selinuxLabel',
          path: '/proc/thread-self/attr/exec',
          hint: 'there is no SELinux in this kernel, or it is switched off',
        });
      },
    );
  }
});

describe('when the kernel refuses', () => {
  const refused = (name: Name, call: string, code: string) => failAt(one(name), calls(call), code);
  const opening = (name: Name): string => openingProc(files[name]).slice(0, 30);
  const apparmor = { '/sys/module/apparmor/parameters/enabled': 'Y\n' };
  const selinux = { '/proc/filesystems': 'nodev\tproc\nnodev\tselinuxfs\n' };

  // The file must be there for the write to be come to.
  const withFile = needing(hasApparmor, 'a kernel with AppArmor');
  test('names the file', async () => {
    const hint = 'no profile of this name is loaded; see apparmor_parser(8)';
    const error = await onHost({ files: { ...hosts.free, ...apparmor } }, () =>
      refused('apparmorProfile', opening('apparmorProfile'), 'ENOENT'),
    );
    expect(fieldsOf(error)).toEqual({
      code: 'ENOENT',
      errno: -2,
      step: 'security label',
      option: 'apparmorProfile',
      syscall: 'openat2',
      path: '/proc/thread-self/attr/apparmor/exec',
      hint,
      message: `ENOENT: no such file or directory, openat2 /proc/thread-self/attr/apparmor/exec (apparmorProfile): ${hint}`,
    });
  });
  withFile('a profile that is not loaded', async () => {
    expect((await refused('apparmorProfile', 'write', 'ENOENT')).hint).toContain('is loaded');
  });
  test('the profile that we are under ourselves', async () => {
    const files = { ...hosts.docker, ...apparmor };
    const error = await onHost({ files }, () => refused('apparmorProfile', opening('apparmorProfile'), 'EACCES'));
    expect(error.hint).toBe('the AppArmor profile "docker-default" must have a rule change_profile for it');
    const bound = { ...hosts.free, ...apparmor, '/proc/thread-self/status': status({ noNewPrivileges: 1 }) };
    const other = await onHost({ files: bound }, () => refused('apparmorProfile', opening('apparmorProfile'), 'EPERM'));
    expect(other.hint).toContain('no_new_privs is set on us');
  });
  test('a label that the policy does not know, or does not allow us', async () => {
    const files = { ...hosts.rhel, ...selinux };
    const write = (code: string) => onHost({ files }, () => refused('selinuxLabel', 'write', code));
    expect((await write('EINVAL')).hint).toBe('the SELinux policy that is loaded knows no such label');
    expect((await write('EACCES')).hint).toBe('the SELinux policy for staff_t must allow process setexec');
    expect((await write('ENOMEM')).hint).toBeUndefined();
  });
});
