// probe(): what it tells is what clone() gets, whoever asks and whatever is in the way; and nothing is left of it.
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';

import {
  type Answer,
  clone,
  type CloneOptions,
  constants,
  type Feature,
  Flags,
  type NamespaceKind,
  probe,
  record,
  run,
  type Support,
} from '../lib';
import { namespaceKinds } from '../lib/flags';
import { syscalls, type SyscallName } from '../lib/kernel/syscalls';
import { addon } from './support/addon';
import { hasCapability, isLinux, needing, rootOnly, userOnly } from './support/capability';
import { compiled, withCompiler } from './support/compiled';
import { fewDescriptors } from './support/few-descriptors';
import { callsItself, kernels } from './support/host';
import { leavesNothing } from './support/leftovers';
import { owned } from './support/inside';
import { hostMounts } from './support/mount-info';
import { evaluate, root, runScript } from './support/own-process';

leavesNothing();

const privileged = hasCapability(constants.CAP_SYS_ADMIN);
const isAvailable = ({ available }: Answer): boolean => available;

/** As probe() means it: who may not make namespaces makes them in a new user namespace. */
const created = (flags: number): CloneOptions => (privileged && flags !== Flags.NEWUSER ? { flags } : owned(flags));

/** Whether a command starts with these options. */
async function starts(options: CloneOptions): Promise<boolean> {
  try {
    await (
      await clone('/bin/true', [], { stdio: 'ignore', ...options })
    ).exited;
    return true;
  } catch {
    return false;
  }
}

let support: Support;
beforeAll(async () => {
  support = await probe();
});

describe('agrees with clone()', () => {
  test.each(namespaceKinds.map(({ kind, flag }) => [kind, flag] as const))('about %s', async (kind, flag) => {
    expect(isAvailable(support.namespaces[kind])).toBe(await starts(created(flag)));
  });
  test('about all namespaces at once', async () => {
    const wanted = namespaceKinds.filter(({ kind }) => isAvailable(support.namespaces[kind]));
    expect(await starts(owned(wanted.reduce((flags, { flag }) => flags | flag, 0)))).toBe(
      isAvailable(support.namespaces.user),
    );
  });
  const upper = 'tmpfs';
  const auto = { flags: Flags.NEWUSER, uidMap: 'auto', gidMap: 'auto' } as const;
  const allowing = Buffer.from('060000000000ff7f', 'hex');
  const options: Partial<Record<Feature, CloneOptions>> = {
    executableMemory: {},
    proc: { ...created(Flags.NEWNS | Flags.NEWPID), mounts: [{ type: 'proc', target: '/proc' }] },
    mountCalls: { ...created(Flags.NEWNS), mounts: [{ type: 'tmpfs', target: '/mnt', readonly: true }] },
    overlay: { ...owned(Flags.NEWNS), mounts: [{ type: 'overlay', lower: ['/etc'], upper, target: '/mnt' }] },
    seccomp: { seccomp: allowing, noNewPrivileges: true },
  };
  test.each(Object.entries(options) as [Feature, CloneOptions][])('about %s', async (feature, given) => {
    expect(isAvailable(support.features[feature])).toBe(await starts(given));
  });
  describe.each(kernels)('%s', (_name, release) => {
    callsItself(release);
    test('about the layers of an overlay', async () => {
      const { overlay } = (await probe()).features;
      expect(isAvailable(overlay)).toBe(await starts(options.overlay!));
    });
  });
  test('about ids that are lent, and who maps them', async () => {
    const { subordinateIds, idMapHelpers } = support.features;
    expect(isAvailable(subordinateIds) && isAvailable(idMapHelpers)).toBe(await starts(auto));
  });
  test('about a cgroup', async () => {
    const mount = / (\S+) \S+(?: \w+:\d+)* - cgroup2 /.exec(readFileSync('/proc/self/mountinfo', 'utf8'))?.[1];
    const path = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
    const hasOne = mount !== undefined && path !== undefined;
    expect(isAvailable(support.features.cgroup)).toBe(hasOne && (await starts({ cgroup: mount + path })));
  });
  test.each([
    ['landlock', 'landlock_create_ruleset', [0, 0, 1]],
    ['pidfd', 'pidfd_open', [process.pid, 0]],
  ] as const)('about %s, with a recorded call', async (feature, name, args) => {
    const program = record((c) => ({ result: c.syscall(name, ...args).accept('ENOSYS', 'EOPNOTSUPP', 'EPERM') }));
    const { results } = await clone(program, { flags: Flags.VM });
    expect(isAvailable(support.features[feature])).toBe(results.result >= 0);
    if (feature === 'landlock' && results.result > 0)
      expect(support.features.landlock).toEqual({ available: true, detail: `ABI ${results.result}` });
  });
  test('about the kernel', () => {
    expect(support.kernel).toBe(readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim());
  });
});

test('says of all that is refused what it is', () => {
  const answers = [...Object.values(support.namespaces), ...Object.values(support.features)];
  expect(answers).toHaveLength(22);
  for (const answer of answers) {
    if (answer.available)
      expect(Object.keys(answer).filter((name) => !['available', 'detail'].includes(name))).toEqual([]);
    else expect(answer).toMatchObject({ cause: expect.any(String), detail: expect.stringMatching(/\w \w/) });
  }
});

test('leaves no mount, no cgroup and no file, many at once neither', async () => {
  const cgroups = (): string[] => {
    try {
      return readdirSync('/sys/fs/cgroup', { recursive: true, encoding: 'utf8' }).filter((name) =>
        name.endsWith('procs'),
      );
    } catch {
      // Others make and remove some meanwhile.
      return [];
    }
  };
  const ofOurs = (names: string[]): string[] => names.filter((name) => name.includes('probe'));
  const state = (): unknown => [hostMounts(), ofOurs(cgroups()), ofOurs(readdirSync(tmpdir()))];
  const before = state();
  const found = await Promise.all(Array.from({ length: 4 }, () => probe()));
  for (const one of found) expect(one).toEqual(support);
  expect(state()).toEqual(before);
});

test('takes at most six children where nothing more is refused', async () => {
  const launch = jest.spyOn(addon(), 'launch');
  try {
    await probe();
    const refused = Object.values(support.features).filter(({ available }) => !available).length;
    expect(launch.mock.calls.length).toBeGreaterThan(2);
    expect(launch.mock.calls.length).toBeLessThanOrEqual(6 + refused);
  } finally {
    launch.mockRestore();
  }
});

/** What it tells in a Node of its own, after this. */
const probed = (before = '', wrapper: readonly string[] = []): Support =>
  evaluate(`${before}; return nsclone.probe();`, wrapper);

type Refused = Extract<Answer, { available: false }>;

function refusals(answers: Readonly<Record<string, Answer>>): Record<string, Refused['cause']> {
  return Object.fromEntries(
    Object.entries(answers).flatMap(([name, answer]) => (answer.available ? [] : [[name, answer.cause]])),
  );
}

needing(addon().landlockAbi() > 0, 'Landlock')('under Landlock rules, which nobody mounts under', async () => {
  const script = `require(${JSON.stringify(root)}).probe().then((found) => console.log(JSON.stringify(found)));`;
  const landlock = { rules: [{ path: '/', access: ['read', 'execute', 'write_file'] }] } as const;
  const { stdout } = await run(process.execPath, ['-e', script], { landlock });
  const { features } = JSON.parse(stdout) as Support;
  const refused = { available: false, cause: 'kernel', detail: expect.stringMatching(/^Landlock/) };
  expect(features).toMatchObject({ proc: refused, mountCalls: refused });
  const looking = `require(${JSON.stringify(root)}).run('true', ${JSON.stringify({ ...owned(Flags.NEWNS), mounts: [{ type: 'tmpfs', target: '/mnt' }] })})
    .catch(({ code, hint }) => console.log(code, hint));`;
  expect((await run(process.execPath, ['-e', looking], { landlock })).stdout).toMatch(
    /^EPERM Landlock rules are on us/,
  );
});

describe('behind a filter', () => {
  const refuse = compiled('robustness/refuse', ['-shared', '-fPIC']);
  const filtered = (calls: Partial<Record<SyscallName, number | 'kill'>>): Support => {
    const rules = Object.entries(calls).map(([name, answer]) => `${syscalls[name as SyscallName]}=${answer}`);
    // It is no addon; loading it is all that is needed.
    return probed(`process.env.REFUSE = '${rules.join(' ')}';
      try { process.dlopen({ exports: {} }, ${JSON.stringify(refuse.path)}); } catch {}
      delete process.env.REFUSE`);
  };
  /** What is no matter of the filter, or of what comes with it: no_new_privs. */
  const others = new Set(['subordinateIds', 'idMapHelpers', 'cgroup']);
  /** Nor what this kernel does not have without a filter either. */
  const isAsked = (name: string): boolean => !others.has(name) && isAvailable(support.features[name as Feature]);
  const expectRefused = (
    { namespaces, features }: Support,
    kinds: readonly string[],
    calls: readonly string[],
  ): void => {
    const bySeccomp = (names: readonly string[]): object => Object.fromEntries(names.map((name) => [name, 'seccomp']));
    expect(refusals(namespaces)).toEqual(bySeccomp(kinds));
    const asked = Object.fromEntries(Object.entries(features).filter(([name]) => isAsked(name)));
    expect(refusals(asked)).toEqual(bySeccomp(calls.filter(isAsked)));
  };

  withCompiler('that refuses clone3', () => {
    const found = filtered({ clone3: 38 });
    expectRefused(found, [], ['clone3']);
    expect(found.features.clone3).toEqual({
      available: false,
      cause: 'seccomp',
      detail: 'a seccomp filter is on us, as in a container',
      hint: 'its profile must allow clone3',
    });
  });
  const all = namespaceKinds.map(({ kind }) => kind);
  const mounting = ['proc', 'mountCalls', 'overlay', 'idmappedMounts'];
  withCompiler('that refuses unshare: a second clone needs none', () => {
    const found = filtered({ unshare: 1 });
    expectRefused(found, privileged ? all.filter((kind) => kind !== 'pid') : all, mounting);
    expect(found.namespaces.user).toMatchObject({ hint: 'its profile must allow unshare, clone and mount calls' });
  });
  withCompiler('that kills for it', () => {
    const { namespaces } = filtered({ unshare: 'kill' });
    expect(namespaces.user).toEqual({
      available: false,
      cause: 'seccomp',
      detail: 'a seccomp filter kills who makes this call',
      hint: 'its profile must allow unshare',
    });
  });
  withCompiler('that refuses some of what mounts are made by', () => {
    expectRefused(filtered({ move_mount: 1 }), [], ['proc', 'mountCalls', 'overlay']);
    // From then on layers need not be mounted anywhere.
    expectRefused(filtered({ mount: 1 }), [], isLinux('6.15') ? [] : ['overlay']);
    expectRefused(filtered({ fsopen: 38 }), [], mounting);
    expectRefused(filtered({ open_tree: 1, landlock_create_ruleset: 1 }), [], ['mountCalls', 'landlock']);
  });
  withCompiler('that refuses what every command does', () => {
    const found = filtered({ close_range: 38 });
    expectRefused(found, [], ['closeFds']);
    expect(found.features.closeFds).toMatchObject({ hint: 'its profile must allow close_range' });
  });
  withCompiler('that refuses one of the calls of Landlock', () => {
    for (const name of ['landlock_create_ruleset', 'landlock_add_rule', 'landlock_restrict_self'] as const)
      expectRefused(filtered({ [name]: 1 }), [], ['landlock']);
  });
  withCompiler('that kills for a filter', () => {
    expect(filtered({ seccomp: 'kill' }).features.seccomp).toMatchObject({
      cause: 'seccomp',
      detail: 'a seccomp filter kills who makes this call',
      hint: 'its profile must allow seccomp',
    });
  });
  withCompiler('that refuses what idmapped mounts are made by', () => {
    for (const name of ['setns', 'fsconfig'] as const)
      expect(filtered({ [name]: 1 }).features.idmappedMounts).toMatchObject({
        cause: 'seccomp',
        hint: `its profile must allow ${name}`,
      });
  });
  withCompiler('that lets nobody have memory files', () => {
    const found = filtered({ memfd_create: 1 });
    for (const answer of Object.values(found.namespaces))
      expect(answer).toMatchObject({ cause: 'seccomp', hint: 'its profile must allow memfd_create' });
  });
});

describe('where the host says no', () => {
  /** In a child of clone(), what it tells in a Node of its own. */
  const within = async (options: CloneOptions, argv: readonly string[] = []): Promise<Support> => {
    const script = `require(${JSON.stringify(root)}).probe().then((found) => console.log(JSON.stringify(found)))`;
    const [command, ...args] = [...argv, process.execPath, '-e', script];
    const child = await clone(command, args, { stdio: ['ignore', 'pipe', 'inherit'], ...options });
    let text = '';
    for await (const part of child.stdout!) text += String(part);
    await child.exited;
    return JSON.parse(text) as Support;
  };

  test('sysctl user.max_net_namespaces, in the user namespace of a child', async () => {
    const sysctl = { 'user.max_net_namespaces': '0', 'user.max_time_namespaces': '0' };
    const { namespaces } = await within({ ...owned(0), sysctl });
    expect(refusals(namespaces)).toEqual({ net: 'sysctl', time: 'sysctl' });
    expect(namespaces.net).toEqual({
      available: false,
      cause: 'sysctl',
      detail: 'sysctl user.max_net_namespaces is 0',
      hint: 'set it to 10000, for one',
    });
  });
  test('sysctl user.max_user_namespaces', async () => {
    const { namespaces, features } = await within({ ...owned(0), sysctl: { 'user.max_user_namespaces': '0' } });
    expect(refusals(namespaces)).toEqual({ user: 'sysctl' });
    expect(refusals(features)).toMatchObject({ overlay: 'sysctl', idmappedMounts: 'sysctl' });
  });
  test('a /proc that is partly covered', async () => {
    const mounts = [{ type: 'mask', target: '/proc/version' }] as const;
    // What is below the mount namespace of the cover cannot take it away.
    const { features } = await within({ ...created(Flags.NEWNS), mounts }, ['unshare', '--map-root-user']);
    expect(features.proc).toMatchObject({
      available: false,
      cause: 'masked-proc',
      detail: 'a fresh proc needs a fully visible /proc outside, and /proc/version is covered by another mount',
    });
    expect(isAvailable(features.mountCalls)).toBe(true);
  });
  test('a cgroup that is covered', async () => {
    const mounts = [{ type: 'tmpfs', target: '/sys/fs/cgroup' }] as const;
    const { features } = await within({ ...owned(Flags.NEWNS), mounts });
    expect(features.cgroup).toMatchObject({ cause: 'cgroup', detail: expect.stringMatching(/is not seen in/) });
  });
  test('no /proc', async () => {
    const { namespaces } = await within({ ...owned(Flags.NEWNS), mounts: [{ type: 'tmpfs', target: '/proc' }] });
    expect(refusals(namespaces)).toEqual({ user: 'masked-proc' });
  });
  rootOnly('a root by chroot(2), without /proc', async () => {
    const mounts = [{ type: 'bind', source: '/', target: '/mnt', recursive: false }] as const;
    const { namespaces } = await within({ flags: Flags.NEWNS, mounts }, ['chroot', '/mnt']);
    expect(refusals(namespaces)).toEqual({ user: 'masked-proc' });
  });
  userOnly('no newuidmap in PATH', async () => {
    const { features } = await within({ env: { PATH: '/no/such' } });
    expect(features.idMapHelpers).toEqual({
      available: false,
      cause: 'helper',
      detail: 'there is no newuidmap in PATH',
      hint: 'install the package uidmap',
    });
  });
  userOnly('no_new_privs', async () => {
    const { namespaces, features } = await within({ noNewPrivileges: true });
    expect(features.idMapHelpers).toMatchObject({
      cause: 'helper',
      detail: expect.stringMatching(/^no_new_privs is set/),
    });
    expect(refusals(namespaces)).toEqual({});
  });
  userOnly('a limit on processes', () => {
    const { namespaces } = probed(
      "require('node:child_process').execFileSync('prlimit', ['--pid', process.pid, '--nproc=1:1'])",
    );
    expect(new Set(Object.values(refusals(namespaces)))).toEqual(new Set(['limit']));
    expect(namespaces.net).toMatchObject({ detail: 'a limit on processes is reached' });
  });
});

test('no descriptors left are an answer, and none is lost', () => {
  const [full, after] = evaluate<[Support, Support]>(
    `await nsclone.probe();
    const taken = [];
    try { for (;;) taken.push(fs.openSync('/dev/null')); } catch (error) { if (error.code !== 'EMFILE') throw error; }
    const full = await nsclone.probe();
    for (const number of taken) fs.closeSync(number);
    return [full, await nsclone.probe()];`,
    fewDescriptors,
  );
  const refused = { available: false, cause: 'limit', detail: 'too many open files', hint: 'see RLIMIT_NOFILE' };
  for (const answer of [...Object.values(full.namespaces), ...Object.values(full.features)])
    expect(answer).toEqual(refused);
  expect(after).toEqual(support);
});

test.each(Array.from({ length: 14 }, (_, free) => free))(
  'the first of a process with %i left is answers, and no error',
  (free) => {
    const found = evaluate<Support>(
      `const taken = [];
    try { for (;;) taken.push(fs.openSync('/dev/null')); } catch (error) { if (error.code !== 'EMFILE') throw error; }
    for (const number of taken.splice(0, ${free})) fs.closeSync(number);
    const found = await nsclone.probe();
    for (const number of taken) fs.closeSync(number);
    return found;`,
      fewDescriptors,
    );
    expect(Object.keys(found.features)).toEqual(Object.keys(support.features));
  },
);

test('a Worker is told the same', () => {
  const found = evaluate<Support>(`const { Worker } = require('node:worker_threads');
    const source = "const { parentPort, workerData } = require('node:worker_threads');" +
      "require(workerData).probe().then((found) => parentPort.postMessage(found));";
    const worker = new Worker(source, { eval: true, workerData: ${JSON.stringify(root)} });
    return new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));`);
  expect(found).toEqual(support);
});

test('Node ends with nothing to wait for', () => {
  const { status, stderr } = runScript('await nsclone.probe();');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

test('the names are those of the types', () => {
  const kinds: NamespaceKind[] = namespaceKinds.map(({ kind }) => kind);
  expect(Object.keys(support.namespaces).sort()).toEqual([...kinds].sort());
});
