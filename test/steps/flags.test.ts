// Step `flags`: which namespaces are new; what cannot meet an exec.
import { clone, CLONE_INTO_CGROUP, type CloneOptions, Flags, plan } from '../../lib';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted } from '../support/listing';
import { planning, refusal } from '../support/refusal';

leavesNothing();

describe('flags rejects', () => {
  test.each([
    ['THREAD', /a thread that executes a program replaces Node itself/],
    ['SIGHAND', /handlers/],
    ['FILES', /descriptors/],
    ['FS', /working directory/],
    ['SETTLS', /thread-local storage/],
    ['PARENT_SETTID', /thread id words/],
    ['CHILD_SETTID', /thread id words/],
    ['CHILD_CLEARTID', /thread id words/],
    ['PIDFD', /child\.pidfd/],
    ['DETACHED', /ignores it/],
    ['PARENT', /would not be the parent/],
    ['PTRACE', /record/],
    ['UNTRACED', /record/],
    ['SYSVSEM', /record/],
    ['IO', /record/],
  ] as const)('%s with a command, with the reason', (name, reason) => {
    expect(planning({ flags: Flags[name] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'flags', `cannot have CLONE_${name} with a command`),
    );
    expect(planning({ flags: Flags.NEWUTS | Flags[name] })).toThrow(reason);
  });
  test('the signal of the low byte', () => {
    expect(planning({ flags: Flags.NEWUTS | 17 })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'flags', '0x11'));
  });
  test.each([2 ** 32, -(2 ** 31) - 1, NaN, 0.5, Infinity])('%p', (value) => {
    expect(planning({ flags: value })).toThrow(refusal('ERR_OUT_OF_RANGE', 'flags'));
  });
  test.each([0x20000n, CLONE_INTO_CGROUP, '0', null, [Flags.NEWNS]])('%p', (value) => {
    expect(planning({ flags: value })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'flags'));
  });
});

describe('flags emits', () => {
  test('nothing by itself', () => {
    expect(emitted('flags', owned(Flags.NEWUTS))).toEqual([]);
  });
  test('VM and VFORK say nothing here', () => {
    const without = plan('/bin/true').toString();
    expect(plan('/bin/true', { flags: Flags.VM | Flags.VFORK }).toString()).toBe(without);
    expect(plan('/bin/true', { flags: Flags.NONE }).toString()).toBe(without);
  });
});

describe('flags, seen from inside', () => {
  const kinds = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts'];
  const script = `readlink ${kinds.map((kind) => `/proc/self/ns/${kind}`).join(' ')}`;
  const all: CloneOptions = owned(
    Flags.NEWCGROUP | Flags.NEWIPC | Flags.NEWNS | Flags.NEWNET | Flags.NEWPID | Flags.NEWTIME | Flags.NEWUTS,
  );

  test('all kinds at once', async () => {
    const ours = (await inside(script)).split('\n');
    const theirs = (await inside(script, { ...all, mounts: [{ type: 'proc', target: '/proc' }] })).split('\n');
    expect(theirs.map((link) => link.split(':')[0])).toEqual(kinds);
    expect(theirs.filter((link) => ours.includes(link))).toEqual([]);
  });
  test('VM and VFORK with them', async () => {
    const child = await clone('/bin/true', { ...all, flags: all.flags! | Flags.VM | Flags.VFORK });
    expect(await child.exited).toMatchObject({ code: 0 });
  });
  test('a negative number is taken as unsigned', () => {
    expect(planning({ flags: Flags.IO | Flags.NEWNS })).toThrow('cannot have CLONE_IO with a command');
  });
});

describe('flags, when the kernel refuses', () => {
  test('is told by the step that makes the namespace', () => {
    const labels = plan('/bin/true', owned(Flags.NEWUTS | Flags.NEWPID | Flags.NEWTIME)).writer.labels!;
    const steps = labels.filter(({ option }) => option === 'flags').map(({ step }) => step);
    expect([...new Set(steps)]).toEqual(['user', 'time', 'process', 'namespaces']);
  });
});
