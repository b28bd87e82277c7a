// A refusal after a new user namespace asks why: Ubuntu's AppArmor lets unshare(2) succeed and refuses what follows.
import { type CloneOptions, Flags, type SyscallError } from '../../lib';
import { rootOnly } from '../support/capability';
import { calls, failAt } from '../support/fault';
import { hosts, onHost, status } from '../support/host';
import { owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';

leavesNothing();

const everything: CloneOptions = {
  ...owned(Flags.NEWNS | Flags.NEWUTS | Flags.NEWNET | Flags.NEWPID | Flags.NEWTIME),
  setgroups: 'deny',
  hostname: 'box',
  domainname: 'example.org',
  loopback: true,
  sysctl: { 'net.ipv4.ip_forward': '1' },
  timeOffsets: { boottime: { seconds: 1 } },
  mounts: [{ type: 'proc', target: '/proc' }],
};
const hint =
  'AppArmor takes the capabilities of new user namespaces away: give Node a profile with "userns,", ' +
  'or set sysctl kernel.apparmor_restrict_unprivileged_userns to 0';

const refused = (files: Record<string, string>, beginning: string, code: string): Promise<SyscallError> =>
  onHost({ files }, () => failAt(everything, calls(beginning), code));

/** All that takes a capability, or a permission that comes with one. */
const later = [
  ['uidMap', 'openat2(proc, "self/uid_map"'],
  ['uidMap', 'write(r0'],
  ['setgroups', 'openat2(proc, "self/setgroups"'],
  ['gidMap', 'write(r2'],
  ['flags', 'unshare(CLONE_NEWTIME)'],
  ['flags', 'clone('],
  ['flags', 'unshare(CLONE_NEWNS)'],
  ['flags', 'unshare(CLONE_NEWNET)'],
  ['hostname', 'sethostname('],
  ['domainname', 'setdomainname('],
  ['loopback', 'ioctl('],
  ['sysctl.net.ipv4.ip_forward', 'openat2(proc, "sys/net'],
  ['propagation', 'mount_setattr('],
  ['mounts[0]', 'fsopen('],
  ['mounts[0]', 'fsconfig('],
  ['mounts[0]', 'fsmount('],
  ['mounts[0]', 'move_mount('],
] as const;

describe.each(later)('%s: %s', (option, call) => {
  test.each(['EPERM', 'EACCES'])('%s on Ubuntu is told to be AppArmor’s', async (code) => {
    const error = await refused(hosts.ubuntu, call, code);
    expect(error).toMatchObject({ code, hint });
    if (option !== 'propagation') expect(error.option).toBe(option);
    expect(error.message).toContain(`: ${hint}`);
    expect(error.message).not.toContain('\n');
  });
});

test('where nothing is wrong with the host, nothing is said of it', async () => {
  for (const [, call] of later) {
    const { hint: said } = await refused(hosts.free, call, 'EPERM');
    expect(said ?? '').not.toMatch(/AppArmor|seccomp|CAP_/);
  }
});

test('root is not meant by the switch, nor is a Node that has a profile', async () => {
  const root = { ...hosts.ubuntu, '/proc/thread-self/status': status({ capabilities: '000001ffffffffff', uid: 0 }) };
  const confined = { ...hosts.ubuntu, '/proc/thread-self/attr/apparmor/current': 'node (unconfined)\n' };
  for (const files of [root, confined]) expect((await refused(files, 'sethostname(', 'EPERM')).hint).toBeUndefined();
});

test('a command that may not be executed, and a folder that may not be entered, have reasons of their own', async () => {
  const within = (options: CloneOptions, call: string): Promise<SyscallError> =>
    onHost({ files: hosts.ubuntu }, () => failAt({ ...owned(0), ...options }, calls(call), 'EACCES'));
  expect((await within({}, 'execve(')).hint).toBeUndefined();
  expect((await within({ cwd: '/' }, 'chdir(')).hint).toBeUndefined();
});

test('without a user namespace of our own it has nothing to do with it', async () => {
  const error = await onHost({ files: hosts.ubuntu }, () => failAt({ flags: Flags.NEWPID }, calls('clone('), 'EPERM'));
  expect(error.hint).toBe('needs CAP_SYS_ADMIN; add Flags.NEWUSER');
});

describe('an AppArmor profile', () => {
  const confined = (name: string) => ({ ...hosts.free, '/proc/thread-self/attr/apparmor/current': name });

  test('without userns, is named, and chroot is not', async () => {
    const error = await refused(confined('node (enforce)'), 'unshare(CLONE_NEWUSER)', 'EACCES');
    expect(error.hint).toBe('the AppArmor profile "node" is on us: it must have the rule "userns,"');
  });
  test('that only complains refuses nothing', async () => {
    expect((await refused(confined('node (complain)'), 'unshare(CLONE_NEWUSER)', 'EACCES')).hint).toBeUndefined();
    expect((await refused(confined('node (complain)'), 'fsopen(', 'EPERM')).hint).toBeUndefined();
  });
  test('that is on us is named where the kernel would allow the call', async () => {
    const error = await refused(confined('docker-default (enforce)'), 'move_mount(', 'EACCES');
    expect(error.hint).toBe('the AppArmor profile "docker-default" is on us: it must allow move_mount');
  });
});

rootOnly('a root of outside that is mapped without CAP_SETFCAP', async () => {
  const files = { ...hosts.free, '/proc/thread-self/status': status({ capabilities: '0000000000200000', uid: 0 }) };
  const error = await refused(files, 'write(r0', 'EPERM');
  expect(error.hint).toBe('to map id 0 outside takes CAP_SETFCAP, which we do not have');
});
