// Step `cgroup` where it is of version 1, or a list: each folder is opened by Node, those of version 1 are entered first.
import { closeSync, openSync, readFileSync, rmdirSync } from 'node:fs';

import { clone, type CloneOptions, Flags, plan, run, type SyscallError } from '../../lib';
import { userOnly } from '../support/capability';
import { hierarchy, makeCgroup, makeCgroups, membersOf, withHierarchies } from '../support/cgroups';
import { calls, failAt } from '../support/fault';
import { onHost } from '../support/host';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { linesOf } from '../support/listing';
import { planning, refusal } from '../support/refusal';

leavesNothing();

const all = ['cgroup2', 'pids', 'memory', 'freezer'] as const;
/** One that is there and not ours, or ours. */
const [mounted] = readFileSync('/proc/self/mountinfo', 'utf8')
  .split('\n')
  .filter((line) => line.includes(' - cgroup ') || line.includes(' - cgroup2 '))
  .map((line) => line.split(' ')[4]!);

describe('cgroup rejects', () => {
  test('an empty list', () => {
    expect(planning({ cgroup: [] })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'cgroup', 'must not be empty'));
  });
  test.each([null, true, {}, [], undefined, 5n])('%p in a list', (value) => {
    expect(planning({ cgroup: [value] })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'cgroup[0]'));
  });
  test('in a list what is no folder of a cgroup hierarchy, or is not there', () => {
    const wrong = refusal('ERR_INVALID_ARG_VALUE', 'cgroup[0]', 'must be a folder of a cgroup hierarchy');
    for (const folder of ['/tmp', '/proc']) expect(planning({ cgroup: [folder] })).toThrow(wrong);
    expect(planning({ cgroup: ['/no/such'] })).toThrow(/ENOENT: .*open \/no\/such \(cgroup\[0\]\)/);
    expect(planning({ cgroup: [4095] })).toThrow(/EBADF: .*\(cgroup\[0\]\): descriptor 4095 is not open in Node/);
  });
  if (mounted !== undefined) {
    test('a file of one', () => {
      expect(planning({ cgroup: [`${mounted}/cgroup.procs`] })).toThrow(
        refusal('ERR_INVALID_ARG_VALUE', 'cgroup[0]', 'must be a folder of a cgroup hierarchy'),
      );
    });
    test('two of one hierarchy', () => {
      const twice = refusal('ERR_INVALID_ARG_VALUE', 'cgroup[1]', 'is of the same hierarchy as cgroup[0]');
      expect(planning({ cgroup: [mounted, mounted] })).toThrow(twice);
    });
  }
});

withHierarchies(all, 'cgroup emits what enters those of version 1 first of all, each by its descriptor', () => {
  const [unified, pids, memory] = makeCgroups(...all);
  const lines = linesOf(plan('/bin/true', [], { ...owned(Flags.NEWCGROUP), cgroup: [pids!, unified!, memory!] }));
  const own = lines.filter(({ step }) => step === 'cgroup').map(({ option, call }) => [option, call]);
  expect(own.slice(0, 7)).toEqual([
    ['cgroup[0]', expect.stringMatching(/^openat\(source\[3\], "cgroup\.procs", O_CLOEXEC\|O_WRONLY, 0\) = r\d+$/)],
    ['cgroup[0]', expect.stringMatching(/^write\(r\d+, "0", 1\) {2}# at least 1$/)],
    ['cgroup[0]', expect.stringMatching(/^close\(r\d+\)$/)],
    ['cgroup[1]', expect.stringMatching(/^fcntl\(source\[4\], F_DUPFD_CLOEXEC, 3\) = r\d+$/)],
    ['cgroup[2]', expect.stringMatching(/^openat\(source\[5\], "cgroup\.procs"/)],
    ['cgroup[2]', expect.stringMatching(/^write\(/)],
    ['cgroup[2]', expect.stringMatching(/^close\(/)],
  ]);
  const at = (text: string): number => lines.findIndex(({ call }) => call.startsWith(text));
  expect(at('write(')).toBeLessThan(at('unshare(CLONE_NEWCGROUP)'));
  expect(at('write(')).toBeLessThan(at('unshare(CLONE_NEWUSER)'));
});

describe('the cgroups of a list, seen from inside', () => {
  const shown = async (options: CloneOptions): Promise<string[]> =>
    (await inside('cat /proc/self/cgroup', options)).split('\n');
  const nameOf = (folder: string): string => folder.slice(folder.lastIndexOf('/'));

  for (const [name, options] of [
    ['in our namespaces', {}],
    ['with a pid 1', { ...owned(Flags.NEWPID), init: true }],
    ['in another order of descriptors', { stdio: ['ignore', 'pipe', 'pipe', 'ignore', 'ignore'] }],
  ] as [string, CloneOptions][]) {
    withHierarchies(all, `are those of the command, and not of Node: ${name}`, async () => {
      const own = readFileSync('/proc/self/cgroup', 'utf8');
      const folders = makeCgroups(...all);
      const lines = await shown({ ...options, cgroup: folders });
      for (const folder of folders) expect(lines.filter((line) => line.endsWith(nameOf(folder)))).toHaveLength(1);
      expect(readFileSync('/proc/self/cgroup', 'utf8')).toBe(own);
      for (const folder of folders) expect(membersOf(folder)).toEqual([]);
    });
  }
  withHierarchies(all, 'are the roots of a new cgroup namespace', async () => {
    const folders = makeCgroups(...all);
    for (const options of [{ flags: Flags.NEWCGROUP }, owned(Flags.NEWCGROUP | Flags.NEWPID)]) {
      const lines = await shown({ ...options, cgroup: folders });
      const roots = lines.filter((line) => /^(0:|\d+:(pids|memory|freezer)):\/$/.test(line));
      expect(roots).toHaveLength(4);
    }
  });
  withHierarchies(all, 'can be given by descriptors, which stay open in Node and nowhere else', async () => {
    const folders = makeCgroups(...all);
    const descriptors = folders.map((folder) => openSync(folder, 'r'));
    try {
      for (const closeFds of [true, false]) {
        const text = await inside('cat /proc/self/cgroup; readlink /proc/self/fd/* || true', {
          cgroup: descriptors,
          closeFds,
        });
        for (const folder of folders) expect(text).toContain(nameOf(folder));
        if (closeFds) expect(text).not.toContain('/sys/fs/cgroup/');
      }
    } finally {
      descriptors.forEach((descriptor) => closeSync(descriptor));
    }
  });
  withHierarchies(['pids'], 'are one of version 1, without a list', async () => {
    const [pids] = makeCgroups('pids');
    expect(await shown({ cgroup: pids! })).toContainEqual(expect.stringMatching(new RegExp(`:pids:${nameOf(pids!)}$`)));
  });
  withHierarchies(all, 'are no open file of the command’s', async () => {
    const text = await inside('readlink /proc/self/fd/* || true', { cgroup: makeCgroups(...all) });
    expect(text).not.toContain('cgroup');
  });
  withHierarchies(all, 'are entered again by each start of a plan', async () => {
    const made = plan('/bin/cat', ['/proc/self/cgroup'], { cgroup: makeCgroups(...all) });
    const [first, second] = [await run(made), await run(made)];
    expect(second.stdout).toBe(first.stdout);
  });
});

describe('cgroup, when the kernel refuses', () => {
  withHierarchies(all, 'names the one of the list', async () => {
    const [unified, pids] = makeCgroups(...all);
    const cgroup = [unified!, pids!];
    for (const [code, hint] of [
      ['EACCES', 'we may not write its cgroup.procs'],
      ['ENOSPC', 'its cpuset.cpus or its cpuset.mems is empty'],
      ['ENODEV', 'it was removed while it was open'],
    ] as const) {
      const error = await failAt({ cgroup }, calls('write('), code);
      expect(error).toMatchObject({ code, step: 'cgroup', option: 'cgroup[1]', syscall: 'write', path: pids, hint });
    }
    const error = await failAt({ cgroup }, calls('clone3('), 'EBUSY');
    expect(error).toMatchObject({ step: 'cgroup', option: 'cgroup[0]', path: unified });
  });
  withHierarchies(['pids'], 'a folder that is gone by the start', async () => {
    const cgroup = makeCgroup(hierarchy('pids')!);
    const made = plan('/bin/true', { cgroup: [cgroup] });
    rmdirSync(cgroup);
    await expect(clone(made)).rejects.toMatchObject({ code: 'ENOENT', option: 'cgroup[0]', path: cgroup });
  });
  withHierarchies(['pids'], 'a pids.max of one of version 1, by the error that it makes', async () => {
    const cgroup = makeCgroup(hierarchy('pids')!);
    const error = await failAt({ ...owned(Flags.NEWPID), cgroup: [cgroup] }, calls('clone('), 'EAGAIN');
    expect(error.hint).toMatch(/^a limit on processes is reached/);
    const files = { [`${cgroup}/cgroup.procs`]: '', [`${cgroup}/pids.max`]: '1', [`${cgroup}/pids.events`]: 'max 1' };
    const told = await onHost({ files }, () =>
      failAt({ ...owned(Flags.NEWPID), cgroup: [cgroup] }, calls('clone('), 'EAGAIN'),
    );
    expect(told.hint).toBe(`pids.max of the cgroup ${cgroup} is 1`);
  });
  if (mounted !== undefined) {
    userOnly('one that is not ours to enter', async () => {
      const error = (await clone('/bin/true', { cgroup: [mounted], stdio: 'ignore' }).catch(
        (thrown: unknown) => thrown,
      )) as SyscallError;
      expect(error).toMatchObject({ code: 'EACCES', option: 'cgroup[0]', path: mounted });
      expect(error.hint).toMatch(/may not write its cgroup\.procs/);
    });
  }
});

describe('killTree with cgroups', () => {
  withHierarchies(['freezer', 'pids'], 'is refused where none of them ends anybody', () => {
    const [, pids] = makeCgroups('freezer', 'pids');
    const text = 'one below the root of the freezer is needed, or one of version 2';
    for (const cgroup of [[pids!], pids!, [hierarchy('freezer')!]]) {
      expect(planning({ cgroup, killTree: true })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'killTree', text));
      // Another way is one.
      expect(planning({ cgroup, killTree: true, processGroup: 0 })).not.toThrow();
    }
  });
  withHierarchies(['cgroup2'], 'is refused at the root of the hierarchy, which has no cgroup.kill', async () => {
    const cgroup = hierarchy('cgroup2')!;
    await expect(clone('/bin/true', { cgroup, killTree: true, stdio: 'ignore' })).rejects.toMatchObject({
      code: 'ENOENT',
      option: 'killTree',
      hint: 'the root of the hierarchy has none: give a cgroup below it',
    });
  });
  withHierarchies(all, 'goes by that of version 2, of several', async () => {
    const folders = makeCgroups(...all);
    const child = await clone('/bin/sh', ['-c', 'sleep 40 & sleep 40'], {
      cgroup: folders.toReversed(),
      killTree: true,
      stdio: 'ignore',
    });
    await child[Symbol.asyncDispose]();
    for (const folder of folders) expect(membersOf(folder)).toEqual([]);
  });
});
