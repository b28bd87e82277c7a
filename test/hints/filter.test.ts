// Where the kernel would allow a call, a refusal is that of a seccomp filter, and no capability is blamed.
import { type CloneOptions, Flags, type Mount, run, type SyscallError } from '../../lib';
import { syscalls, type SyscallName } from '../../lib/kernel/syscalls';
import { compiled, withCompiler } from '../support/compiled';
import { rootOnly, withCapability } from '../support/capability';
import { calls, failAt } from '../support/fault';
import { callsItself, hosts, onHost } from '../support/host';
import { owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { evaluate, root } from '../support/own-process';

leavesNothing();

const sentence = (call: string): string =>
  `a seccomp filter is on us, as in a container: its profile must allow ${call}`;

const refused = (files: Record<string, string>, options: CloneOptions, call: string, code: string) =>
  onHost({ files }, () => failAt(options, calls(call), code));

const namespaces = Flags.NEWNS | Flags.NEWUTS | Flags.NEWNET | Flags.NEWPID;
const bound: CloneOptions = { ...owned(namespaces), mounts: [{ type: 'bind', source: '/', target: '/mnt' }] };
const within = (mount: Mount): CloneOptions => ({
  ...owned(namespaces),
  mounts: [{ type: 'tmpfs', target: '/mnt' }, mount],
});
const options: CloneOptions = {
  flags: namespaces,
  hostname: 'box',
  mounts: [{ type: 'proc', target: '/proc' }],
  loopback: true,
};

describe('with the capability, and with a filter', () => {
  type Row = readonly [call: string, beginning: string, options: CloneOptions];
  /** What an ordinary user's child reaches, too: it is the first that takes a capability, or takes none. */
  const anybody: readonly Row[] = [
    ['clone', 'clone(', options],
    ['unshare', 'unshare(CLONE_NEWTIME)', { flags: Flags.NEWTIME }],
    ['close_range', 'close_range(', {}],
    ['chdir', 'chdir(', { cwd: '/' }],
    ['dup3', 'dup3(', { stdio: ['ignore', 'pipe', 'pipe'] }],
    ['setpriority', 'setpriority(', { nice: 19 }],
    ['prlimit64', 'prlimit64(', { rlimits: { core: 0 } }],
    ['socket', 'socket(', { ...owned(namespaces), loopback: true }],
    ['setns', 'setns(', { join: '/proc/self/ns/uts' }],
    ['keyctl', 'keyctl(', { keyring: 'new' }],
    ['personality', 'personality(', { personality: 0 }],
    ['setgroups', 'setgroups(', { uid: 1000, gid: 1000, groups: [4] }],
    ['unshare', 'unshare(CLONE_NEWNS)', owned(namespaces)],
    ['mount_setattr', 'mount_setattr(', owned(namespaces)],
    ['sethostname', 'sethostname(', { ...owned(namespaces), hostname: 'box' }],
    ['pivot_root', 'pivot_root(', { ...owned(namespaces), root: '/' }],
    ['umount2', 'umount2(', { ...owned(namespaces), root: '/' }],
    ['open_tree', 'open_tree(', bound],
    ['openat2', 'openat2(r', bound],
    ['statx', 'statx(', { ...owned(namespaces), root: '/' }],
    ['symlinkat', 'symlinkat(', within({ type: 'symlink', to: 'a', target: '/mnt/b' })],
    ['mknodat', 'mknodat(', within({ type: 'device', kind: 'p', target: '/mnt/pipe' })],
  ];
  const privileged: readonly Row[] = [
    ['unshare', 'unshare(CLONE_NEWNS)', options],
    ['sethostname', 'sethostname(', options],
    ['ioctl', 'ioctl(', options],
    ['mount_setattr', 'mount_setattr(', options],
    ['fsopen', 'fsopen(', options],
    ['fsmount', 'fsmount(', options],
    ['move_mount', 'move_mount(', options],
    ['setresuid', 'setresuid(', { uid: 1000, gid: 1000 }],
  ];
  const testEach = (rows: readonly Row[], on: typeof rootOnly): void => {
    for (const [call, beginning, given] of rows) {
      on(`${call}: the filter is named for a refused ${beginning}…`, async () => {
        for (const code of ['EPERM', 'ENOSYS'])
          expect(await refused(hosts.filtered, given, beginning, code)).toMatchObject({
            code,
            syscall: call,
            hint: sentence(call),
          });
      });
      on(`${call}: without a filter neither it nor a capability is blamed for ${beginning}…`, async () => {
        for (const code of ['EPERM', 'ENOSYS'])
          expect((await refused(hosts.free, given, beginning, code)).hint ?? '').not.toMatch(/CAP_|seccomp/);
      });
    }
  };
  testEach(anybody, test);
  testEach(privileged, rootOnly);
});

describe('as on a kernel whose layers are told to mount(2)', () => {
  callsItself('6.1.0');
  test('mount: the filter is named, and no capability', async () => {
    const given = within({ type: 'overlay', target: '/mnt', lower: ['/usr'] });
    const refusedMount = (files: Record<string, string>): Promise<SyscallError> =>
      refused(files, given, 'mount("overlay"', 'EPERM');
    expect(await refusedMount(hosts.filtered)).toMatchObject({ syscall: 'mount', hint: sentence('mount') });
    expect((await refusedMount(hosts.free)).hint ?? '').not.toMatch(/CAP_|seccomp/);
  });
});

describe('without the capability', () => {
  test('it is what is missing, filter or not', async () => {
    const given = { flags: Flags.NEWUTS };
    for (const files of [hosts.docker, hosts.ubuntu]) {
      expect((await refused(files, given, 'unshare(CLONE_NEWUTS)', 'EPERM')).hint).toBe(
        'needs CAP_SYS_ADMIN; add Flags.NEWUSER, with uidMap and gidMap',
      );
    }
  });
  test('what takes none is refused by the filter, and by the profile beside it', async () => {
    expect((await refused(hosts.docker, {}, 'close_range(', 'EPERM')).hint).toBe(
      'a seccomp filter and the AppArmor profile "docker-default" are on us, as in a container: both must allow close_range',
    );
  });
});

test('keyctl may be left out of a kernel', async () => {
  const { '/proc/key-users': _, ...files } = hosts.filtered;
  expect((await refused(files, { keyring: 'new' }, 'keyctl(', 'ENOSYS')).hint).toBeUndefined();
});

test('the exec after a filter of the child’s own', async () => {
  const given = { noNewPrivileges: true, seccomp: Buffer.from('06000000'.concat('0000ff7f'), 'hex') };
  for (const files of [hosts.free, hosts.filtered]) {
    expect((await refused(files, given, 'execve(', 'ENOSYS')).hint).toBe(
      'the filter of the option seccomp must allow execve',
    );
  }
});

describe('a filter that is there', () => {
  const refuse = compiled('robustness/refuse', ['-shared', '-fPIC']);
  /** What the call of a Node rejects with, whose filter answers this system call with this errno. */
  const failure = (
    name: SyscallName,
    errno: number | 'kill',
    given: string,
  ): Pick<SyscallError, 'code' | 'hint' | 'syscall'> =>
    evaluate(`process.env.REFUSE = '${syscalls[name]}=${errno}';
      // It is no addon; loading it is all that is needed.
      try { process.dlopen({ exports: {} }, ${JSON.stringify(refuse.path)}); } catch {}
      delete process.env.REFUSE;
      const { clone, Flags } = nsclone;
      const user = { uidMap: 'root', gidMap: 'root' };
      const flags = Flags.NEWUSER | Flags.NEWNS | Flags.NEWUTS;
      return clone('/bin/true', [], ${given}).then(() => 'it ran', ({ code, hint, syscall }) => ({ code, hint, syscall }));`);

  withCompiler('close_range', () => {
    for (const [errno, code] of [
      [1, 'EPERM'],
      [38, 'ENOSYS'],
    ] as const)
      expect(failure('close_range', errno, '{}')).toEqual({
        code,
        syscall: 'close_range',
        hint: sentence('close_range'),
      });
  });
  withCompiler('unshare: there is no user namespace', () => {
    expect(failure('unshare', 1, '{ ...user, flags }')).toEqual({
      code: 'EPERM',
      syscall: 'unshare',
      hint: sentence('unshare, clone and mount calls'),
    });
  });
  withCompiler('mount_setattr in a new user namespace', () => {
    expect(failure('mount_setattr', 1, '{ ...user, flags }')).toMatchObject({ hint: sentence('mount_setattr') });
  });
  withCompiler('sethostname in a new user namespace', () => {
    expect(failure('sethostname', 1, "{ ...user, flags, hostname: 'box' }")).toMatchObject({
      hint: sentence('sethostname'),
    });
  });
  withCapability('CAP_SYS_ADMIN', 'unshare with the capability', () => {
    expect(failure('unshare', 1, '{ flags: Flags.NEWUTS }')).toMatchObject({ hint: sentence('unshare') });
  });
  withCapability('CAP_SYS_ADMIN', 'unshareSync and setnsSync', () => {
    const told = evaluate<unknown>(`process.env.REFUSE = '${syscalls.unshare}=1 ${syscalls.setns}=1';
      try { process.dlopen({ exports: {} }, ${JSON.stringify(refuse.path)}); } catch {}
      const hintOf = (act) => { try { act(); } catch (error) { return error.hint; } };
      return [hintOf(() => nsclone.unshareSync(nsclone.Flags.NEWUTS)), hintOf(() => nsclone.setnsSync('/proc/self/ns/uts'))];`);
    expect(told).toEqual([sentence('unshare'), sentence('setns')]);
  });
  for (const errno of [1, 38]) {
    withCompiler(`namespaces that are owned by ours, not the first one: the filter is named for ${errno}`, () => {
      const refused = (['setns', 'open_tree', 'pidfd_open'] as const).map((name) => `${syscalls[name]}=${errno}`);
      const script = `
        const { clone, createNamespaces, Flags, runIn, setns } = require(${JSON.stringify(root)});
        const told = [];
        const tell = async (act) => told.push(await Promise.resolve().then(act).then(() => 'nothing', ({ hint }) => hint));
        (async () => {
          const set = await createNamespaces(Flags.NEWUTS);
          process.env.REFUSE = '${refused.join(' ')}';
          try { process.dlopen({ exports: {} }, ${JSON.stringify(refuse.path)}); } catch {}
          await tell(() => setns(set));
          await tell(() => runIn(set, () => 1));
          await tell(() => clone('true', [], { join: [set] }));
          await tell(() => set.uts.persist('/tmp/nsclone-test-' + process.pid));
          await tell(() => setns({ pid: process.ppid }, Flags.NEWUTS));
          console.log(JSON.stringify(told));
        })();`;
      const options = `{ flags: Flags.NEWUSER | Flags.NEWUTS | Flags.NEWNS, uidMap: 'root', gidMap: 'root' }`;
      const told = evaluate<unknown>(`
        const { Flags, run } = nsclone;
        const { stdout, stderr } = await run(process.execPath, ['-e', ${JSON.stringify(script)}], ${options});
        return stdout === '' ? stderr : JSON.parse(stdout);`);
      const entered = sentence('setns');
      expect(told).toEqual([entered, entered, entered, sentence('open_tree'), sentence('pidfd_open')]);
    });
  }
  withCompiler('what mounts are made by', () => {
    const mounted = (mounts: string): string =>
      `{ ...user, flags, mounts: [{ type: 'tmpfs', target: '/mnt' }, ${mounts}] }`;
    expect(failure('open_tree', 1, mounted("{ type: 'bind', source: '/', target: '/mnt' }"))).toMatchObject({
      code: 'EPERM',
      hint: sentence('open_tree'),
    });
    expect(failure('openat2', 1, mounted("{ type: 'readonly', target: '/mnt' }"))).toMatchObject({
      hint: sentence('openat2'),
    });
    expect(failure('symlinkat', 1, mounted("{ type: 'symlink', to: 'a', target: '/mnt/b' }"))).toMatchObject({
      hint: sentence('symlinkat'),
    });
    expect(failure('mknodat', 1, mounted("{ type: 'device', kind: 'p', target: '/mnt/pipe' }"))).toMatchObject({
      hint: sentence('mknodat'),
    });
  });
  withCompiler('fchmodat2, with EPERM as older profiles have it, is done without', () => {
    const options =
      "{ ...user, flags, mounts: [{ type: 'tmpfs', target: '/mnt' }, { type: 'chmod', target: '/mnt', mode: 0o711 }] }";
    expect(failure('fchmodat2', 1, options)).toBe('it ran');
  });
  withCompiler('a call that it kills for', () => {
    expect(failure('close_range', 'kill', '{}')).toMatchObject({
      code: 'ECHILD',
      hint: 'a seccomp filter kills who makes this call: its profile must allow close_range',
    });
  });
  withCompiler('both clone calls: no child comes about', () => {
    const told = evaluate<unknown>(`process.env.REFUSE = '${syscalls.clone}=1 ${syscalls.clone3}=38';
      await (await nsclone.clone('/bin/true')).exited;
      try { process.dlopen({ exports: {} }, ${JSON.stringify(refuse.path)}); } catch {}
      return nsclone.clone('/bin/true').then(() => 'it ran', ({ code, hint }) => ({ code, hint }));`);
    expect(told).toEqual({ code: 'EPERM', hint: sentence('clone') });
  });
  test('a look at /proc, which is not called masked', async () => {
    const script = `const { clone, Flags } = require(${JSON.stringify(root)});
      clone('/bin/true', { flags: Flags.NEWUSER, uidMap: 'root' }).catch(({ message }) => console.log(message));`;
    const { stdout } = await run(process.execPath, ['-e', script], {
      noNewPrivileges: true,
      seccomp: { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['fstatfs'], action: 'SCMP_ACT_ERRNO' }] },
    });
    expect(stdout).toBe('EPERM: operation not permitted, fstatfs /proc (uidMap)\n');
  });
});
