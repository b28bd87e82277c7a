// What clone(program) refuses before anything is cloned: flags that cannot be, and calls that would take Node from
// under itself.
import { clone, constants, Flags, record, type Recorder } from '../../lib';
import { rootOnly } from '../support/capability';
import { leavesNothing } from '../support/leftovers';
import { refusal } from '../support/refusal';

leavesNothing();

const empty = record(() => {});
const thread = Flags.VM | Flags.SIGHAND | Flags.THREAD;

test.each([
  ['PIDFD', Flags.PIDFD, 'child.pidfd'],
  ['PARENT_SETTID', Flags.PARENT_SETTID, 'always there'],
  ['CHILD_SETTID', Flags.CHILD_SETTID, 'always there'],
  ['CHILD_CLEARTID', Flags.CHILD_CLEARTID, 'always there'],
  ['SETTLS', Flags.SETTLS, 'thread-local storage'],
  ['DETACHED', Flags.DETACHED, 'ignores it'],
  ['FS with NEWNS', Flags.FS | Flags.NEWNS, 'CLONE_FS with CLONE_NEWNS'],
  ['FS with NEWUSER', Flags.FS | Flags.NEWUSER, 'CLONE_FS with CLONE_NEWUSER'],
  ['SYSVSEM with NEWIPC', Flags.SYSVSEM | Flags.NEWIPC, 'CLONE_SYSVSEM with CLONE_NEWIPC'],
  ['THREAD with NEWUSER', thread | Flags.NEWUSER, 'CLONE_THREAD with CLONE_NEWUSER'],
  ['THREAD with NEWPID', thread | Flags.NEWPID, 'CLONE_THREAD with CLONE_NEWPID'],
  ['SIGHAND without VM', Flags.SIGHAND, 'CLONE_SIGHAND without CLONE_VM'],
  ['THREAD without SIGHAND', Flags.THREAD | Flags.VM, 'CLONE_THREAD without CLONE_SIGHAND'],
  ['an exit signal among the flags', 17, 'the option "exitSignal"'],
])('%s is refused with the reason', async (_name, flags, message) => {
  await expect(clone(empty, { flags })).rejects.toEqual(refusal('ERR_INVALID_ARG_VALUE', 'flags', message));
});

rootOnly('what is refused is refused by the kernel too', async () => {
  // The same bits by the raw call, in a child, whose stack and memory the kernel then never looks at.
  const EINVAL = 22;
  const pairs = [
    Flags.FS | Flags.NEWNS,
    Flags.FS | Flags.NEWUSER,
    Flags.SYSVSEM | Flags.NEWIPC,
    thread | Flags.NEWUSER,
    thread | Flags.NEWPID,
    Flags.SIGHAND,
    Flags.THREAD | Flags.VM,
  ];
  for (const flags of pairs) {
    const args = Buffer.alloc(64);
    args.writeUInt32LE(flags >>> 0, 0);
    const program = record((c) => c.syscall('unshare', 0));
    // clone3(2) cannot be recorded: its number in the place of another call.
    const { writer } = program.recording;
    writer.reset(true).about('program', 'program', 0);
    writer.callNumber(435).place(writer.addBytes(args)).number(64).keep();
    writer.accept('EINVAL');
    writer.finish();
    expect([flags, (await clone(program)).results]).toEqual([flags, -EINVAL]);
  }
});

test('combinations that the kernel takes are not refused', async () => {
  for (const flags of [
    Flags.VM | Flags.FS | Flags.FILES | Flags.SIGHAND | Flags.SYSVSEM | Flags.IO,
    thread | Flags.PTRACE | Flags.UNTRACED,
  ]) {
    const { exited } = await clone(empty, { flags });
    await expect(exited).resolves.toMatchObject({ code: 0 });
  }
});

test.each([
  ['beyond 32 bits', { flags: 2 ** 32 }, 'ERR_OUT_OF_RANGE', 'flags', ''],
  ['flags as text', { flags: 'VM' }, 'ERR_INVALID_ARG_TYPE', 'flags', ''],
  ['an unknown option', { flgas: 1 }, 'ERR_INVALID_ARG_VALUE', 'flgas', 'did you mean "flags"'],
  ['an option of commands', { hostname: 'x' }, 'ERR_INVALID_ARG_VALUE', 'hostname', 'unknown'],
  ['an unknown signal', { exitSignal: 'SIGTREM' }, 'ERR_UNKNOWN_SIGNAL', 'exitSignal', 'did you mean "SIGTERM"'],
  ['a signal beyond 64', { exitSignal: 65 }, 'ERR_UNKNOWN_SIGNAL', 'exitSignal', ''],
  [
    'an exit signal of a thread',
    { flags: thread, exitSignal: 'SIGCHLD' },
    'ERR_INVALID_ARG_VALUE',
    'exitSignal',
    'CLONE_THREAD',
  ],
  [
    'an exit signal of a sibling',
    { flags: Flags.PARENT, exitSignal: 0 },
    'ERR_INVALID_ARG_VALUE',
    'exitSignal',
    'CLONE_PARENT',
  ],
  ['options that are none', 5, 'ERR_INVALID_ARG_TYPE', 'options', ''],
] as const)('%s: refused', async (_name, options, code, option, message) => {
  await expect(clone(empty, options as object)).rejects.toEqual(refusal(code, option, message));
});

type Call = (c: Recorder) => unknown;

test.each<[string, number, string, Call]>([
  ['munmap', Flags.VM, 'memory', (c) => c.syscall('munmap', 0, 4096)],
  ['mprotect', Flags.VM, 'memory', (c) => c.syscall('mprotect', 0, 4096, 0)],
  ['mlockall', Flags.VM, 'memory', (c) => c.syscall('mlockall', 1)],
  ['set_tid_address', Flags.VM, 'memory', (c) => c.syscall('set_tid_address', 0)],
  ['prctl', Flags.VM, 'shared memory as a whole', (c) => c.prctl(constants.PR_SET_DUMPABLE, 0)],
  ['prctl', Flags.VM, 'shared memory as a whole', (c) => c.prctl(c.getpid(), 0)],
  ['setresuid', Flags.VM, 'undumpable', (c) => c.setresuid(1, 1, 1)],
  ['setresgid', Flags.VM, 'undumpable', (c) => c.setresgid(1, 1, 1)],
  ['setns', Flags.VM, 'user namespace', (c) => c.setns(5, Flags.NEWUSER)],
  ['setns', Flags.VM, 'user namespace', (c) => c.setns(5, 0)],
  ['execve', thread, 'replaces Node', (c) => c.execve('/bin/true', [])],
  ['execve', Flags.VM | Flags.SIGHAND, 'handlers', (c) => c.execve('/bin/true', [])],
  ['capset', thread, 'one thread of Node', (c) => c.capset({})],
  ['seccomp', thread, 'one thread of Node', (c) => c.seccomp(1, 0, Buffer.alloc(8))],
  ['prctl', thread, 'one thread of Node', (c) => c.prctl(constants.PR_SET_SECCOMP, 2)],
  ['setsid', thread, 'of its own', (c) => c.setsid()],
  ['setpgid', thread, 'of its own', (c) => c.setpgid(0, 0)],
  ['close_range', thread, 'the end of a thread', (c) => c.close_range(3, 0xffffffff)],
  ['close_range', Flags.FILES, 'CLOSE_RANGE_UNSHARE', (c) => c.close_range(3, 0xffffffff)],
])('%s() is refused where it would hit Node (flags %p)', async (name, flags, reason, call) => {
  const program = record((c) => {
    c.getuid();
    call(c);
  });
  await expect(clone(program, { flags })).rejects.toEqual(
    refusal('ERR_INVALID_ARG_VALUE', expect.stringMatching(/^program\[[12]\]$/) as unknown as string, reason),
  );
  await expect(clone(program, { flags })).rejects.toThrow(`${name}()`);
});

test('the same calls are the child’s own business in a copy of our memory', async () => {
  const program = record((c) => {
    c.prctl(constants.PR_SET_DUMPABLE, 0);
    c.setresgid(c.getgid(), c.getegid(), -1);
    c.syscall('mlockall', 1).accept('EPERM', 'ENOMEM');
    c.close_range(3, 0xffffffff);
    return c.setsid();
  });
  const child = await clone(program);
  expect(child.results).toBe(child.pid);
  expect(
    (
      await clone(
        record((c) => c.prctl(constants.PR_GET_DUMPABLE)),
        { flags: Flags.VM },
      )
    ).results,
  ).toBe(1);
});
