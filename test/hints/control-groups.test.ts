// What a cgroup has to do with a failure: its type, its limits, and whether it is frozen.
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';

import { clone, type CloneOptions, Flags, type SyscallError } from '../../lib';
import { calls, failAt, killed } from '../support/fault';
import { makeCgroups, removeCgroup, withHierarchies } from '../support/cgroups';
import { onHost } from '../support/host';
import { owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { needing } from '../support/capability';
import { evaluate } from '../support/own-process';
import { slow } from '../support/slow';

leavesNothing();

/** A cgroup that we may make, of v2 or of this controller of v1. */
function makeCgroup(fits: (type: string, options: string) => boolean): string | undefined {
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [before, after] = line.split(' - ');
    const [type, , options] = (after ?? '').split(' ');
    if (!fits(type ?? '', options ?? '')) continue;
    try {
      return mkdtempSync(`${before!.split(' ')[4]!}/nsclone-hints-`);
    } catch {
      return undefined;
    }
  }
  return undefined;
}
const cgroup = makeCgroup((type) => type === 'cgroup2');
const pids = makeCgroup((type, options) => type === 'cgroup' && options.split(',').includes('pids'));
afterAll(async () => {
  for (const folder of [cgroup, pids]) if (folder !== undefined) await removeCgroup(folder);
});

function withCgroup(name: string, body: () => Promise<void>): void {
  if (cgroup !== undefined) test(name, body);
  else test.skip(`${name} (skipped: needs a cgroup v2 hierarchy that we may write)`, body);
}

const failure = (options: CloneOptions): Promise<SyscallError> =>
  clone('/bin/true', [], { stdio: 'ignore', ...options }).then(
    () => {
      throw new Error('it started');
    },
    (error: SyscallError) => error,
  );

/** The kernel's own files are there in each of these folders. */
const folders = (files: Record<string, string>): Record<string, string> => ({
  ...files,
  ...Object.fromEntries(Object.keys(files).map((file) => [file.replace(/[^/]+$/, 'cgroup.procs'), ''])),
});

describe('its type', () => {
  withCgroup('"domain invalid" is not called threaded', async () => {
    const [threaded, invalid] = [`${cgroup!}/threaded`, `${cgroup!}/invalid`];
    for (const folder of [threaded, invalid]) mkdirSync(folder);
    try {
      writeFileSync(`${threaded}/cgroup.type`, 'threaded');
      const error = await failure({ cgroup: invalid });
      expect(error).toMatchObject({
        code: 'ENOTSUP',
        option: 'cgroup',
        syscall: 'clone3',
        hint: 'its cgroup.type is "domain invalid", as the cgroups beside it are threaded: it takes no process until it is, too',
      });
    } finally {
      for (const folder of [threaded, invalid]) await removeCgroup(folder);
    }
  });
  test('"threaded", and nothing where it is a domain', async () => {
    const told = (type: string) =>
      onHost({ files: folders({ '/cg/cgroup.type': type }), links: { '/proc/self/fd/0': '/cg' } }, async () => [
        (await failAt({ cgroup: '/' }, calls('clone3('), 'ENOTSUP')).hint,
        (await failAt({ cgroup: 0, stdio: 'ignore' }, calls('clone3('), 'ENOTSUP')).hint,
      ]);
    expect(await told('threaded')).toEqual([undefined, 'its cgroup.type is "threaded"']);
    expect(await told('domain')).toEqual([undefined, undefined]);
  });
});

describe('pids.max', () => {
  const v2 = folders({ '/jobs/one/pids.max': '1\n', '/jobs/one/pids.events': 'max 3\n', '/jobs/pids.max': 'max\n' });
  const options = { ...owned(Flags.NEWPID), init: true };

  /** The birth in the cgroup, whatever the kernel would say to it. */
  const birth = (files: Record<string, string>): Promise<SyscallError> =>
    onHost({ files, links: { '/proc/self/fd/0': '/jobs/one' } }, () =>
      failAt({ cgroup: 0, stdio: 'ignore' }, calls('clone3('), 'EAGAIN'),
    );

  test('reached by the child', async () => {
    const error = await birth(v2);
    expect(error).toMatchObject({ code: 'EAGAIN', hint: 'pids.max of the cgroup /jobs/one is 1' });
  });
  test('reached above, which some kernels count below', async () => {
    const files = folders({ '/jobs/one/pids.max': 'max', '/jobs/one/pids.events': 'max 1', '/jobs/pids.max': '7' });
    expect((await birth(files)).hint).toBe('pids.max of the cgroup /jobs is 7');
  });
  withCgroup('reached by the program of a pid 1', async () => {
    const files = folders({ [`${cgroup!}/pids.max`]: '1\n', [`${cgroup!}/pids.events`]: 'max 1\n' });
    const error = await onHost({ files }, () => failAt({ ...options, cgroup: cgroup! }, calls('clone(0x11'), 'EAGAIN'));
    expect(error).toMatchObject({ code: 'EAGAIN', step: 'init', hint: `pids.max of the cgroup ${cgroup!} is 1` });
  });
  test('of our own cgroup, which is full', async () => {
    const files = {
      ...folders({ '/sys/fs/cgroup/app/pids.max': '50', '/sys/fs/cgroup/app/pids.current': '50' }),
      '/proc/thread-self/cgroup': '1:name=systemd:/x\n0::/app\n',
      '/proc/thread-self/mountinfo': '30 21 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n',
    };
    const error = await onHost({ files }, () => failAt(options, calls('clone(0x11'), 'EAGAIN'));
    expect(error.hint).toBe('pids.max of the cgroup /sys/fs/cgroup/app is 50');
  });
  test('not reached: another limit', async () => {
    const files = folders({
      '/jobs/one/pids.max': '10',
      '/jobs/one/pids.current': '1',
      '/jobs/one/pids.events': 'max 0',
    });
    for (const given of [files, {}])
      expect((await birth(given)).hint).toMatch(/^a limit on processes is reached: see RLIMIT_NPROC/);
  });
  needing(pids !== undefined, 'a cgroup with the pids controller that we may write')(
    'is read where it is really in the way',
    () => {
      // Node has its threads, and then room for so many more.
      const told = evaluate<string[]>(
        `const { clone, Flags } = nsclone;
       await (await clone('/bin/true')).exited;
       const folder = ${JSON.stringify(pids)};
       const limit = (more) => fs.writeFileSync(folder + '/pids.max', String(Number(fs.readFileSync(folder + '/pids.current', 'utf8')) + more));
       const hint = (options) => clone('/bin/true', [], { ...options, stdio: 'ignore' }).then(async (child) => { await child.exited; return 'it ran'; }, (error) => error.code + ' ' + error.step + ': ' + error.hint);
       limit(0);
       const first = await hint({});
       limit(1);
       return [first, await hint({ flags: Flags.NEWPID })];`,
        ['/bin/sh', '-c', `echo $$ > ${pids!}/cgroup.procs; exec "$@"`, 'sh'],
      );
      // The first process is refused; and then the one that it clones, which is to be the pid 1.
      expect(told).toEqual([
        expect.stringMatching(new RegExp(`^EAGAIN clone: pids\\.max of the cgroup ${pids!} is \\d+$`)),
        expect.stringMatching(new RegExp(`^EAGAIN process: pids\\.max of the cgroup ${pids!} is \\d+$`)),
      ]);
    },
  );
});

describe('memory', () => {
  const files = folders({
    '/jobs/one/memory.max': '4096\n',
    '/jobs/one/memory.events': 'low 0\nhigh 0\nmax 9\noom 2\noom_kill 1\n',
  });
  const setUpKilled = (given: Record<string, string>): Promise<SyscallError> =>
    onHost({ files: given, links: { '/proc/self/fd/0': '/jobs/one' } }, () =>
      failAt({ cgroup: 0, stdio: 'ignore' }, calls('clone3('), killed),
    );

  test('that kills the set-up is named', async () => {
    expect(await setUpKilled(files)).toMatchObject({
      code: 'ECHILD',
      signal: 'SIGKILL',
      hint: 'the cgroup /jobs/one may have 4096 bytes, and the kernel has killed in it for want of memory',
    });
  });
  test('that has killed nobody is not', async () => {
    const { hint } = await setUpKilled({ ...files, '/jobs/one/memory.events': 'oom 0\noom_kill 0\n' });
    expect(hint).toBeUndefined();
    expect((await setUpKilled({})).hint).toBeUndefined();
  });
  test('nor is it where cgroup.kill may have been the cause', async () => {
    const { hint } = await setUpKilled(folders({ '/jobs/one/cgroup.kill': '' }));
    expect(hint).toBe(
      'where the cgroup.kill of /jobs/one was ever written, this kernel may kill whoever is born into it: make another cgroup',
    );
  });
  test('of version 1, for the cgroup that we are in', async () => {
    const given = {
      ...folders({ '/sys/fs/cgroup/memory/app/memory.limit_in_bytes': '8192' }),
      '/sys/fs/cgroup/memory/app/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 4\n',
      '/proc/thread-self/cgroup': '4:memory:/app\n0::/\n',
      '/proc/thread-self/mountinfo': '30 21 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n',
    };
    const error = await onHost({ files: given }, () => failAt({ umask: 0 }, calls('umask('), killed));
    expect(error.hint).toBe(
      'the cgroup /sys/fs/cgroup/memory/app may have 8192 bytes, and the kernel has killed in it for want of memory',
    );
  });
});

withHierarchies(['freezer'], 'a frozen one of version 1 is why set-up was not done in time', async () => {
  const [folder] = makeCgroups('freezer');
  writeFileSync(`${folder!}/freezer.state`, 'FROZEN');
  const late = clone('/bin/true', { cgroup: folder!, timeout: slow(100), stdio: 'ignore' });
  // Whoever is in there dies when it is thawed.
  await expect(late).rejects.toMatchObject({
    code: 'ETIMEDOUT',
    hint: `the cgroup ${folder!} is frozen: write THAWED to its freezer.state`,
  });
});

describe('a frozen one', () => {
  withCgroup('is why set-up was not done in time, also where a parent is frozen', async () => {
    const below = `${cgroup!}/below`;
    mkdirSync(below);
    writeFileSync(`${cgroup!}/cgroup.freeze`, '1');
    try {
      const error = await failure({ cgroup: below, timeout: 200 });
      expect(error).toMatchObject({
        code: 'ETIMEDOUT',
        option: 'timeout',
        hint: `the cgroup ${cgroup!} is frozen: write 0 to its cgroup.freeze`,
      });
    } finally {
      writeFileSync(`${cgroup!}/cgroup.freeze`, '0');
      await removeCgroup(below);
    }
  });
});
