// Step `process`: the second clone, and the cgroup that the program is born into.
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
} from 'node:fs';

import { clone, type CloneOptions, Flags, plan, type SyscallError } from '../../lib';
import { syscalls } from '../../lib/kernel/syscalls';
import { compiled, withCompiler } from '../support/compiled';
import { rootOnly, userOnly } from '../support/capability';
import { removeCgroup } from '../support/cgroups';
import { calls, failAt, fieldsOf } from '../support/fault';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted, linesOf } from '../support/listing';
import { evaluate } from '../support/own-process';
import { planning, refusal } from '../support/refusal';

leavesNothing();

const options = owned(Flags.NEWPID);
const status = (pid: number, field: string): string =>
  new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]!;

/** Where file systems of this type are mounted. */
const mountsOf = (type: string): string[] =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(` - ${type} `))
    .map((line) => line.split(' ')[4]!);

const [unified] = mountsOf('cgroup2').filter((folder) => {
  try {
    rmdirSync(mkdtempSync(`${folder}/nsclone-test-`));
    return true;
  } catch {
    return false;
  }
});
/** The cgroup of these tests, and its name as /proc/PID/cgroup has it. */
const name = `nsclone-process-${process.pid}`;
const cgroup = `${unified ?? '/sys/fs/cgroup'}/${name}`;
const line = `0::/${name}`;

if (unified !== undefined) {
  beforeAll(() => mkdirSync(cgroup));
  afterAll(() => removeCgroup(cgroup));
}

/** As `test()`, for what needs a cgroup of its own. */
function withCgroup(text: string, body: (() => void) | (() => Promise<void>)): void {
  if (unified !== undefined) test(text, body);
  else test.skip(`${text} (skipped: needs a cgroup v2 hierarchy that we may write)`, body);
}

const missing = 'there is no such cgroup: make the folder first, in the hierarchy that is to hold the process';

const failure = (given: CloneOptions): Promise<SyscallError> =>
  clone('/bin/true', [], { stdio: 'ignore', ...given }).then(
    () => {
      throw new Error('it started');
    },
    (error: SyscallError) => error,
  );

describe('process rejects', () => {
  test.each([true, null, {}, 5n])('the cgroup %p', (value) => {
    expect(planning({ cgroup: value })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'cgroup'));
  });
  test('a cgroup that is no path and no descriptor', () => {
    for (const value of ['', 'a\0b']) {
      expect(planning({ cgroup: value })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'cgroup'));
    }
    for (const value of [-1, 0.5, NaN, 2 ** 31]) {
      expect(planning({ cgroup: value })).toThrow(refusal('ERR_OUT_OF_RANGE', 'cgroup'));
    }
  });
  test('no flags: it has none of its own', () => {
    expect(planning({ flags: Flags.NEWPID })).not.toThrow();
  });
});

describe('process emits', () => {
  test('nothing where nobody must be born elsewhere', () => {
    expect(emitted('process', owned(Flags.NEWUTS | Flags.NEWNET))).toEqual([]);
  });
  test('the clone, then the death with Node and a first word to it', () => {
    expect(emitted('process', { flags: Flags.NEWPID })).toEqual([
      'flags: clone(CLONE_PARENT|CLONE_PARENT_SETTID|CLONE_NEWPID, NULL, &report.pid, NULL, NULL)  # go on in the new process',
      'flags: prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)',
      'flags: sendto(channel, <03>, 1, MSG_NOSIGNAL, NULL, 0)',
    ]);
  });
});

describe('process emits, with a cgroup,', () => {
  const born = (slot: number): unknown[] => [
    expect.stringMatching(/^cgroup: data\[\d+\] = &report\.pid$/),
    expect.stringMatching(new RegExp(`^cgroup: data\\[\\d+\\] = r${slot}$`)),
    expect.stringMatching(
      /^cgroup: clone3\(&data\[\d+\], 88\) {2}# go on in the new process; ENOSYS, EPERM: go to \d+$/,
    ),
    expect.stringMatching(/^cgroup: close\(-1\) {2}# EBADF: go to \d+$/),
    `cgroup: faccessat(r${slot}, "cgroup.controllers", 0)`,
    `cgroup: openat(r${slot}, "cgroup.procs", O_CLOEXEC|O_WRONLY, 0) = r${slot + 1}`,
    `cgroup: write(r${slot + 1}, "0", 1)  # at least 1`,
    `cgroup: close(r${slot + 1})`,
  ];

  test('its folder, opened before the view changes, and a birth into it', () => {
    const lines = emitted('cgroup', { cgroup: '/a/b', flags: Flags.NEWPID });
    expect(lines).toEqual([
      'cgroup: openat(AT_FDCWD, "/a/b", O_RDONLY|O_CLOEXEC|O_DIRECTORY|O_PATH, 0) = r0',
      'cgroup: fcntl(r0, F_DUPFD_CLOEXEC, 3) = r1',
      'cgroup: close(r0)',
      ...born(1),
      expect.stringMatching(/^cgroup: clone\(CLONE_PARENT\|CLONE_PARENT_SETTID\|CLONE_NEWPID, NULL, &report\.pid, /),
    ]);
    const steps = linesOf(plan('/bin/true', [], { ...owned(Flags.NEWPID), cgroup: '/a' })).map(({ step }) => step);
    expect(steps.indexOf('cgroup')).toBeLessThan(steps.indexOf('user'));
    expect(steps.lastIndexOf('cgroup')).toBeGreaterThan(steps.indexOf('user'));
  });
  test('a copy of a descriptor, out of the way of stdio', () => {
    expect(emitted('cgroup', { cgroup: 0 })[0]).toBe('cgroup: fcntl(0, F_DUPFD_CLOEXEC, 3) = r0');
    const stdio = ['ignore', 'ignore', 'ignore', 'ignore', 'ignore'] as const;
    expect(emitted('cgroup', { cgroup: 4, stdio })[0]).toMatch(/^cgroup: fcntl\(4, F_DUPFD_CLOEXEC, 5\) = r\d$/);
  });
  test('jumps that land where they should: behind the other way', () => {
    const lines = linesOf(plan('/bin/true', [], { cgroup: '/a' }));
    const at = (beginning: string): number => lines.findIndex(({ call }) => call.startsWith(beginning));
    expect(lines[at('clone3')]!.call).toContain(`ENOSYS, EPERM: go to ${at('faccessat')}`);
    expect(lines[at('close(-1)')]!.call).toContain(`EBADF: go to ${at('clone(') + 1}`);
  });
});

describe('process, seen from inside', () => {
  test('the program is pid 1, without a parent', async () => {
    expect(await inside('echo $$ $PPID', options)).toBe('1 0');
  });
  test('from outside it is our own child', async () => {
    const child = await clone('/bin/cat', { ...options, stdio: ['pipe', 'ignore', 'inherit'] });
    expect(status(child.pid, 'PPid')).toBe(String(process.pid));
    expect(status(child.pid, 'NSpid').split(/\s+/).at(-1)).toBe('1');
    child.stdin!.end();
    expect(await child.exited).toMatchObject({ code: 0, signal: null });
  });
  test('its end takes the whole namespace with it', async () => {
    const child = await clone('/bin/sh', ['-c', 'sleep 1000 & echo started'], {
      ...options,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    // The grandchild holds the pipe: its end comes only when that is gone too.
    let output = '';
    for await (const chunk of child.stdout!) output += String(chunk);
    expect(output).toBe('started\n');
    expect(await child.exited).toMatchObject({ code: 0 });
  });
  test('exit codes and signals of pid 1 are its own', async () => {
    expect(await (await clone('/bin/sh', ['-c', 'exit 7'], options)).exited).toMatchObject({ code: 7, signal: null });
    const child = await clone('/bin/sleep', ['1000'], options);
    expect(child.kill('SIGKILL')).toBe(true);
    expect(await child.exited).toMatchObject({ code: null, signal: 'SIGKILL' });
  });
});

describe('the cgroup, seen from inside', () => {
  const unifiedLine = 'grep ^0:: /proc/self/cgroup';

  withCgroup('by path', async () => {
    expect(await inside(unifiedLine, { cgroup })).toBe(line);
  });
  withCgroup('by path in other namespaces', async () => {
    const flags = Flags.NEWPID | Flags.NEWNS | Flags.NEWTIME | Flags.NEWNET;
    expect(await inside(`${unifiedLine}; echo $$`, { flags, cgroup })).toBe(`${line}\n1`);
    expect(await inside(`${unifiedLine}; echo $$`, { ...owned(flags), cgroup })).toBe(`${line}\n1`);
  });
  withCgroup('by descriptor, which stays ours and is not inherited', async () => {
    const descriptor = openSync(cgroup, 'r');
    try {
      const output = await inside(`${unifiedLine}; ls /proc/self/fd | wc -l`, { cgroup: descriptor });
      // 0 to 2, and that of the listing.
      expect(output).toBe(`${line}\n4`);
      expect(readlinkSync(`/proc/self/fd/${descriptor}`)).toBe(cgroup);
    } finally {
      closeSync(descriptor);
    }
  });
  withCgroup('by a descriptor that has a number of stdio', async () => {
    const descriptor = openSync(cgroup, 'r');
    try {
      const stdio: ('ignore' | 'pipe')[] = Array.from({ length: descriptor + 2 }, () => 'ignore');
      stdio[1] = 'pipe';
      expect(await inside(unifiedLine, { cgroup: descriptor, stdio })).toBe(line);
    } finally {
      closeSync(descriptor);
    }
  });
  withCgroup('it is the root of a new cgroup namespace', async () => {
    for (const options of [{ flags: Flags.NEWCGROUP }, owned(Flags.NEWCGROUP | Flags.NEWPID)]) {
      const output = await inside(`${unifiedLine}; readlink /proc/self/ns/cgroup`, { ...options, cgroup });
      const [path, namespace] = output.split('\n');
      expect(path).toBe('0::/');
      expect(namespace).not.toBe(readlinkSync('/proc/self/ns/cgroup'));
    }
  });
  withCgroup('nobody else is in it, from birth on', async () => {
    const own = readFileSync('/proc/self/cgroup', 'utf8');
    const child = await clone('/bin/true', { cgroup, hold: true, flags: Flags.NEWPID, stdio: 'ignore' });
    expect(readFileSync(`${cgroup}/cgroup.procs`, 'utf8')).toBe(`${child.pid}\n`);
    expect(status(child.pid, 'PPid')).toBe(String(process.pid));
    expect(readFileSync('/proc/self/cgroup', 'utf8')).toBe(own);
    await child.start();
    expect(await child.exited).toMatchObject({ code: 0 });
    expect(readFileSync(`${cgroup}/cgroup.procs`, 'utf8')).toBe('');
  });
  withCgroup('pid 1 of init is in it too', async () => {
    const output = await inside('grep -h ^0:: /proc/1/cgroup /proc/self/cgroup', {
      ...owned(Flags.NEWPID | Flags.NEWNS),
      mounts: [{ type: 'proc', target: '/proc' }],
      init: true,
      cgroup,
    });
    expect(output).toBe(`${line}\n${line}`);
  });
  withCgroup('a plan is started in it as often as wanted', async () => {
    const made = plan('/bin/sh', ['-c', unifiedLine], { cgroup });
    for (let i = 0; i < 3; i++) {
      const child = await clone(made);
      let output = '';
      for await (const chunk of child.stdout) output += String(chunk);
      expect(output).toBe(`${line}\n`);
      await child.exited;
    }
  });
});

describe('the cgroup where clone3 is forbidden, as in containers', () => {
  const refuse = compiled('robustness/refuse', ['-shared', '-fPIC']);
  /** Runs a script whose JavaScript thread, and what it starts, cannot call clone3(2). */
  const without = <T>(errno: number, source: string): T =>
    evaluate<T>(`process.env.REFUSE = '${syscalls.clone3}=${errno}';
      // It is no addon; loading it is all that is needed.
      try { process.dlopen({ exports: {} }, ${JSON.stringify(refuse.path)}); } catch {}
      delete process.env.REFUSE;
      const { clone, run, Flags } = nsclone;
      ${source}`);
  const whenBoth = (text: string, body: () => void): void => {
    if (unified === undefined) withCgroup(text, body);
    else withCompiler(text, body);
  };

  for (const [code, errno] of [
    ['ENOSYS', 38],
    ['EPERM', 1],
  ] as const) {
    whenBoth(`with ${code}: the program is born in it all the same`, () => {
      const found = without<unknown[]>(
        errno,
        `const options = { cgroup: ${JSON.stringify(cgroup)} };
         const script = 'grep ^0:: /proc/self/cgroup; echo $$';
         const first = await run('sh', ['-c', script], { ...options, flags: Flags.NEWPID });
         const second = await run('sh', ['-c', script], { ...options, flags: Flags.NEWCGROUP | Flags.NEWPID });
         const held = await clone('true', { ...options, hold: true, stdio: 'ignore' });
         const members = () => fs.readFileSync(options.cgroup + '/cgroup.procs', 'utf8').trim();
         // The stub, which went into it first, may be about to end.
         await until(() => members() === String(held.pid)).catch(() => {});
         const alone = members() === String(held.pid);
         await held.start(); await held.exited;
         return [first.stdout, second.stdout, alone, /^0::.*nsclone/m.test(fs.readFileSync('/proc/self/cgroup', 'utf8'))];`,
      );
      expect(found).toEqual([`${line}\n1\n`, '0::/\n1\n', true, false]);
    });
  }
  const refusedFolder = (folder: string): Record<string, unknown> =>
    without(
      38,
      `return run('true', { cgroup: ${JSON.stringify(folder)} }).catch(({ code, option, hint }) => ({ code, option, hint }));`,
    );
  const refused = { code: 'ENOENT', option: 'cgroup', hint: missing };

  withCompiler('what is no cgroup is refused there too', () => {
    expect(refusedFolder('/etc')).toEqual(refused);
  });
});

describe('process, when the kernel refuses', () => {
  test.each([
    ['ENOSPC', /user\.max_pid_namespaces/],
    ['EAGAIN', /RLIMIT_NPROC.*pids\.max/],
  ])('the clone with %s, with what to look at', async (code, hint) => {
    const error = await failAt(options, calls('clone('), code);
    expect(error).toMatchObject({ code, step: 'process', option: 'flags', syscall: 'clone' });
    expect(error.hint).toMatch(hint);
  });
  test('a call of the new process', async () => {
    const error = await failAt(options, ({ step, call }) => step === 'process' && call.startsWith('prctl'), 'EINVAL');
    expect(error).toMatchObject({ code: 'EINVAL', step: 'process', option: 'flags', syscall: 'prctl' });
  });
  userOnly('the clone for lack of privilege: add a user namespace', async () => {
    const error = await failure({ flags: Flags.NEWPID });
    expect(error).toMatchObject({
      code: 'EPERM',
      step: 'process',
      option: 'flags',
      hint: 'needs CAP_SYS_ADMIN; add Flags.NEWUSER',
    });
  });
});

describe('the cgroup, when the kernel refuses', () => {
  const hint = 'it must be a folder of a cgroup hierarchy';

  test('a folder that is no cgroup', async () => {
    expect(fieldsOf(await failure({ cgroup: '/etc' }))).toEqual({
      code: 'EBADF',
      errno: -9,
      step: 'cgroup',
      option: 'cgroup',
      syscall: 'clone3',
      path: '/etc',
      hint,
      message: `EBADF: bad file descriptor, clone3 /etc (cgroup): ${hint}`,
    });
  });
  test('a path that is not there, or no folder', async () => {
    expect(await failure({ cgroup: '/no/such/cgroup' })).toMatchObject({
      code: 'ENOENT',
      syscall: 'openat',
      path: '/no/such/cgroup',
      hint: missing,
    });
    expect(await failure({ cgroup: '/proc/version' })).toMatchObject({ code: 'ENOTDIR', option: 'cgroup', hint });
  });
  test('a descriptor of something else', async () => {
    expect(await failure({ cgroup: 0 })).toMatchObject({ code: 'EBADF', option: 'cgroup', hint });
  });
  withCgroup('a cgroup that was removed', async () => {
    const gone = mkdtempSync(`${unified}/nsclone-gone-`);
    const descriptor = openSync(gone, 'r');
    rmdirSync(gone);
    try {
      const error = await failure({ cgroup: descriptor });
      expect(error).toMatchObject({ option: 'cgroup', hint: missing });
      expect(['ENOENT', 'ENODEV']).toContain(error.code);
    } finally {
      closeSync(descriptor);
    }
  });
  const foreign = mountsOf('cgroup2')[0];
  if (foreign !== undefined) {
    userOnly('a cgroup that is not ours to write', async () => {
      expect(await failure({ cgroup: foreign })).toMatchObject({
        code: 'EACCES',
        option: 'cgroup',
        hint: 'we may not write its cgroup.procs, or that of the common ancestor',
      });
    });
  }
  rootOnly('and nobody is left in one, nor a folder', () => {
    const left = mountsOf('cgroup2').flatMap((folder) =>
      readdirSync(folder).filter((entry) => entry.startsWith('nsclone-gone')),
    );
    expect(left).toEqual([]);
  });
  test.each([
    ['EBUSY', /controllers enabled for its children/],
    ['EACCES', /may not write its cgroup\.procs/],
    ['EAGAIN', /RLIMIT_NPROC.*pids\.max/],
    ['ENOSPC', /user\.max_pid_namespaces/],
  ])('the birth with %s', async (code, text) => {
    const error = await failAt({ cgroup: '/' }, calls('clone3'), code);
    expect(error).toMatchObject({ code, step: 'cgroup', option: 'cgroup', syscall: 'clone3', path: '/' });
    expect(error.hint).toMatch(text);
  });
});
