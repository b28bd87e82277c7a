// Plans with all options: each instruction fails in turn, with an error and by a kill.
import { closeSync, existsSync, mkdtempSync, openSync, rmdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import {
  clone,
  type CloneOptions,
  constants,
  Flags,
  type Landlock,
  type Mount,
  perform,
  type Plan,
  plan,
  record,
  SyscallError,
} from '../../lib';
import { optionNames } from '../../lib/assembly/assemble';
import { namespaceMask } from '../../lib/flags';
import { addon } from '../support/addon';
import { removeCgroup } from '../support/cgroups';
import { failureAt, killed } from '../support/fault';
import { owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { freeTerminal } from '../support/free-terminal';
import { isCall, type Line, linesOf } from '../support/listing';

leavesNothing();

const { AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM } = constants;

const isRoot = process.getuid!() === 0;
const unified = ['/sys/fs/cgroup/unified', '/sys/fs/cgroup'].find((folder) => {
  try {
    rmdirSync(mkdtempSync(`${folder}/nsclone-test-`));
    return true;
  } catch {
    return false;
  }
});
const cgroup = unified === undefined ? undefined : mkdtempSync(`${unified}/nsclone-faults-`);

afterAll(async () => {
  if (cgroup !== undefined) await removeCgroup(cgroup);
});

/** `return ALLOW`. */
const allowAll = Uint8Array.from([6, 0, 0, 0, 0, 0, 0xff, 0x7f]);

const folder = openSync('/usr', 'r');
afterAll(() => closeSync(folder));

const hasNodes = existsSync('/proc/self/numa_maps');
const hasLandlock = addon().landlockAbi() > 0;
const landlock: Landlock = {
  rules: [
    { path: '/', access: ['read', 'write', 'execute'] },
    { path: folder, access: ['read_file', 'read_dir'] },
  ],
  net: [{ port: 80, access: ['connect_tcp'] }],
  scope: ['signal', 'abstract_unix_socket'],
  minimumAbi: 1,
};

/** What an ordinary user may ask for as well. */
const anybody: CloneOptions = {
  flags: namespaceMask,
  uidMap: 'root',
  gidMap: 'root',
  inner: { uidMap: 'root', gidMap: 'root', setgroups: 'deny' },
  hostname: 'box',
  domainname: 'example',
  timeOffsets: { monotonic: { seconds: 10 }, boottime: { seconds: 10, nanoseconds: 5 } },
  loopback: true,
  sysctl: { 'net.ipv4.ip_forward': '1' },
  propagation: 'slave',
  root: '/',
  mounts: [{ type: 'proc', target: '/proc', readonly: true }],
  cwd: ['/no/such', '/', '/usr'],
  umask: 0o27,
  uid: 0,
  gid: 0,
  capabilities: { bounding: ['CAP_CHOWN', 'CAP_KILL'], inheritable: ['CAP_KILL'], ambient: ['CAP_KILL'] },
  securebits: ['NO_SETUID_FIXUP'],
  noNewPrivileges: true,
  seccomp: { filter: allowAll, flags: ['LOG'] },
  ...(hasLandlock ? { landlock } : {}),
  keyring: 'new',
  rlimits: { nofile: 64, core: 0, stack: { soft: 2 ** 20, hard: 2 ** 20 } },
  nice: 5,
  scheduler: { policy: 'SCHED_BATCH', flags: ['SCHED_FLAG_RESET_ON_FORK'] },
  ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 6 },
  ...(hasNodes
    ? { memoryPolicy: { mode: 'MPOL_PREFERRED', nodes: '0', flags: ['MPOL_F_STATIC_NODES'] } as const }
    : {}),
  cpuAffinity: [0],
  oomScoreAdj: 500,
  steps: (['start', 'namespaces', 'mounts', 'root', 'exec', 'filtered'] as const).map((at) => ({
    at,
    run: (c) => void c.getpid(),
  })),
  personality: 0x40000,
  env: { PATH: '/bin' },
  argv0: 'renamed',
  stdio: ['ignore', 'pipe', 'inherit', 'socket', 0],
  closeFds: true,
  detached: true,
  parentDeathSignal: 'SIGTERM',
  killSignal: 'SIGINT',
  killGrace: 100,
  killTree: true,
  timeout: 60_000,
  init: true,
};

const privileged: CloneOptions = {
  ...anybody,
  uidMap: [
    { containerID: 0, hostID: 0, size: 1 },
    { containerID: 1, hostID: 100_001, size: 9 },
  ],
  gidMap: [
    { containerID: 0, hostID: 0, size: 1 },
    { containerID: 1, hostID: 100_001, size: 9 },
  ],
  setgroups: 'allow',
  inner: {
    uidMap: [{ containerID: 0, hostID: 1, size: 5 }],
    gidMap: [{ containerID: 0, hostID: 1, size: 5 }],
  },
  groups: [1, 2],
  ...(cgroup === undefined ? {} : { cgroup }),
};

/** Lines that do not run where all before them succeed: behind a jump, and shells for what is no script. */
function isTaken(lines: readonly Line[], { number }: Line): boolean {
  const shell = lines.findLast(({ call }) => call.startsWith('execve("/bin/sh"'))?.number;
  if (number === shell) return false;
  const line = lines.find((one) => one.number === number)!;
  // What compares two pieces of the data is no call that could be answered otherwise.
  if (!isCall(line) || line.call.includes(' unless the ')) return false;
  return !lines.some(({ number: from, call }) => {
    const to = /^close\(-1\b.*EBADF: go to (\d+)/.exec(call)?.[1];
    return to !== undefined && number >= from && number < Number(to);
  });
}

/** No rule of any instruction is about it. */
const unusual = 'E2BIG';

function tries(name: string, made: () => Plan): void {
  describe(name, () => {
    const whole = made();
    const lines = linesOf(whole).filter((line, _index, all) => isTaken(all, line));

    test('starts where nothing fails', async () => {
      const child = await clone(whole);
      expect(await child.exited).toMatchObject({ code: 0 });
      for (const stream of child.stdio) stream?.destroy();
    });

    test(`names step and option at each instruction that fails (${lines.length})`, async () => {
      for (const { number, step, option, call } of lines) {
        if (call.includes('any error')) continue;
        const error = await failureAt(whole, number, unusual);
        expect(error).toBeInstanceOf(SyscallError);
        expect({ number, code: error.code, step: error.step, option: error.option ?? '' }).toEqual({
          number,
          code: unusual,
          step,
          option,
        });
      }
    });

    test('is never said to have started when it is killed at one', async () => {
      for (const { number, step } of lines) {
        const error = await failureAt(whole, number, killed);
        expect({ number, code: error.code, signal: error.signal, step: error.step }).toEqual({
          number,
          code: 'ECHILD',
          signal: 'SIGKILL',
          step,
        });
      }
    });
  });
}

tries('a plan of an ordinary user with all options', () => plan('/bin/true', ['argument'], anybody));

// Whoever supervises: it lets what comes go, and nothing asks it.
const listening = join(mkdtempSync(join(tmpdir(), 'nsclone-listening-')), 'socket');
const supervisor = createServer((connection) => connection.on('error', () => undefined).resume());
beforeAll(() => new Promise<void>((resolve) => void supervisor.listen(listening, resolve)));
afterAll(async () => {
  await new Promise((resolve) => supervisor.close(resolve));
  rmSync(dirname(listening), { recursive: true });
});
tries('one with a listener', () =>
  plan('/bin/true', [], {
    ...owned(Flags.NEWPID),
    seccomp: {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mkdirat'], action: 'SCMP_ACT_NOTIFY' }],
      listenerPath: listening,
    },
  }),
);

const file = openSync('/bin/true', 'r');
afterAll(() => closeSync(file));
for (const closeFds of [true, false]) {
  tries(`one of a file by its descriptor, closeFds: ${closeFds}`, () =>
    plan('true', [], {
      ...owned(Flags.NEWPID),
      commandFd: file,
      closeFds,
      init: true,
      ...(hasLandlock ? { landlock } : {}),
    }),
  );
}

tries('one over a terminal', () => {
  const { stdio: _stdio, ...others } = anybody;
  return plan('/bin/true', [], { ...others, pty: true });
});

const [sendTo, received] = perform(record((c) => c.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)));
afterAll(() => {
  for (const socket of [sendTo, received]) closeSync(socket);
});
const withDev: CloneOptions = { ...owned(Flags.NEWNS), mounts: [{ type: 'dev', target: '/dev' }] };
tries('one over a terminal of its own', () =>
  plan('/bin/true', [], { ...withDev, pty: { from: 'container', stderr: 'pipe' } }),
);
tries('one over a terminal of its own that is sent away', () =>
  plan('/bin/true', [], { ...withDev, pty: { from: 'container', sendTo } }),
);
tries('one over a terminal that is sent away', () => plan('/bin/true', [], { pty: { sendTo }, closeFds: false }));

const terminal = freeTerminal();
afterAll(() => {
  for (const end of [terminal.ours, terminal.theirs]) closeSync(end);
});
tries('one in the foreground', () => {
  const { theirs } = terminal;
  return plan('/bin/true', [], {
    stdio: [theirs, theirs, theirs],
    detached: true,
    foreground: true,
    init: true,
    flags: Flags.NEWPID | Flags.NEWUSER,
  });
});

/** What takes more than one instruction, or leaves something open between two. */
const mounts: readonly Mount[] = [
  { type: 'tmpfs', target: '/mnt', nodev: false },
  { type: 'dev', target: '/dev' },
  { type: 'device', target: '/mnt/zero', kind: 'c', major: 1, minor: 5 },
  { type: 'device', target: '/mnt/pipe', kind: 'p', uid: 0, gid: 0 },
  { type: 'tmpfs', target: '/etc', copyUp: true, size: '1m' },
  { type: 'bind', source: folder, target: '/mnt/usr', create: true },
];
const kinds = Flags.NEWNS | Flags.NEWIPC;
tries('one of mounts', () => plan('/bin/true', [], { ...owned(kinds), root: '/', mounts, pty: true }));

if (isRoot) {
  tries('one of mounts in our user namespace', () =>
    plan('/bin/true', [], { flags: kinds, root: '/', mounts, pty: true }),
  );

  tries('a plan of root with all options', () => plan('/bin/true', ['argument'], privileged));

  tries('a plan that joins', () =>
    plan('/bin/true', [], {
      join: ['net', 'uts', 'ipc'].map((kind) => `/proc/self/ns/${kind}`),
      flags: Flags.NEWPID,
      uid: 1000,
      gid: 1000,
      processGroup: 0,
    }),
  );
} else {
  test.skip('a plan of root with all options, and one that joins (needs CAP_SYS_ADMIN)', () => {});
}

test('no option is left out of them', () => {
  const elsewhere = [
    'landlock',
    'memoryPolicy',
    'apparmorProfile',
    'selinuxLabel',
    'commandFd',
    'foreground',
    'signal',
    'hold',
    'cgroup',
    'setgroups',
    'groups',
    'join',
    'processGroup',
    'pty',
    'root',
  ];
  expect(new Set([...Object.keys(anybody), ...elsewhere])).toEqual(new Set(optionNames));
});
