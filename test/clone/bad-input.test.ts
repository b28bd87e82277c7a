// What cannot be is refused before anything is cloned, and what the host has no room for fails without a trace.
import { closeSync, openSync } from 'node:fs';

import { clone, type CloneOptions, Flags, isArgumentError, plan, type SyscallError } from '../../lib';
import { hasCapability } from '../support/capability';
import { constants } from '../../lib/kernel/constants';
import { inside, owned, read } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { evaluate, runScript } from '../support/own-process';
import { refusal } from '../support/refusal';

leavesNothing();

const isRoot = hasCapability(constants.CAP_SYS_ADMIN);
const refused = (options: unknown): Promise<unknown> =>
  clone('/bin/true', [], options as CloneOptions).then(
    () => 'started',
    (error: unknown) => error,
  );

describe('unknown options', () => {
  test.each([
    ['hostnme', 'hostname'],
    ['uidmap', 'uidMap'],
    ['mount', 'mounts'],
    ['Flags', 'flags'],
    ['arg0', 'argv0'],
    ['stdin', 'stdio'],
    ['closeFDs', 'closeFds'],
  ])('%s: did you mean %s?', async (name, known) => {
    expect(await refused({ [name]: 'x' })).toEqual(
      refusal('ERR_INVALID_ARG_VALUE', name, `The "${name}" option is unknown; did you mean "${known}"?`),
    );
  });
  test('without a guess where nothing is near', async () => {
    expect(await refused({ xyzzy: 1 })).toEqual(
      refusal('ERR_INVALID_ARG_VALUE', 'xyzzy', /^The "xyzzy" option is unknown$/),
    );
  });
  test.each([
    ['shell', "execute one, with '/bin/sh', ['-c', line]"],
    ['encoding', 'is an option of run()'],
    ['maxBuffer', 'is an option of run()'],
    ['input', 'is an option of run()'],
    ['windowsHide', 'it is about Windows'],
  ])('%s of child_process, with what there is here', async (name, message) => {
    expect(await refused({ [name]: true })).toEqual(refusal('ERR_INVALID_ARG_VALUE', name, message));
  });
  test('but undefined counts as not given', async () => {
    expect(await inside('echo ok', { xyzzy: undefined, hostname: undefined, cwd: undefined } as CloneOptions)).toBe(
      'ok',
    );
  });
  test('nothing comes from a prototype', async () => {
    const prototype = Object.prototype as Record<string, unknown>;
    prototype['cwd'] = '/nonexistent';
    try {
      expect(await inside('pwd')).toBe(process.cwd());
    } finally {
      delete prototype['cwd'];
    }
  });
});

describe('types', () => {
  const wrong: Record<keyof CloneOptions, unknown[]> = {
    flags: ['0', 0n, null, [], {}, true],
    uidMap: [0, null, true, {}, 'ROOT'],
    gidMap: [0, null, true, {}, 'ROOT'],
    setgroups: [0, null, true, {}, 'Allow'],
    hostname: [0, null, true, {}, []],
    loopback: [0, null, 'true', {}, []],
    propagation: [0, null, true, {}, 'PRIVATE'],
    root: [0, null, true, {}, '', [], { type: 'proc' }, { type: 'bind' }],
    mounts: [0, null, true, {}, 'proc', ['proc'], [null]],
    cwd: [0, null, true, {}, []],
    env: [0, null, true, 'A=1', []],
    commandFd: ['0', null, true, -1, 1.5],
    argv0: [0, null, true, {}, []],
    stdio: [0, null, true, {}, 'none', [{}], [true], [1.5]],
    closeFds: [0, null, 'true', {}, []],
    join: [0, null, true, {}, [null], ['']],
    timeOffsets: [0, null, true, 'monotonic', []],
    cgroup: [null, true, {}, [], 1.5],
    sysctl: [0, null, true, 'a=1', []],
    domainname: [0, null, true, {}, []],
    umask: ['022', null, true, {}, 0o1000],
    uid: ['0', null, true, -1, 2 ** 32],
    gid: ['0', null, true, -1, 2 ** 32],
    groups: [0, null, true, 'root', ['root']],
    capabilities: [0, null, true, 'CAP_CHOWN', ['CAP_NONE']],
    securebits: [null, true, 'NOROOT', {}, ['NONE']],
    noNewPrivileges: [0, null, 'true', {}, []],
    seccomp: [0, null, true, 'allow', new Uint8Array(7)],
    landlock: [0, null, true, '/', {}, { rules: '/' }, { scope: ['none'] }],
    apparmorProfile: [0, null, true, {}, '', 'a\nb'],
    selinuxLabel: [0, null, true, {}, '', 'container_t'],
    keyring: [0, null, true, {}, 'session'],
    rlimits: [0, null, true, 'nofile', []],
    nice: ['5', null, true, 20, -21],
    scheduler: [0, null, 'SCHED_FIFO', {}, { policy: 'SCHED_NONE' }],
    ioPriority: [0, null, 'IOPRIO_CLASS_BE', {}, { class: 'IOPRIO_CLASS_NONE' }],
    memoryPolicy: [0, null, 'MPOL_BIND', {}, { mode: 'MPOL_BIND', nodes: [-1] }],
    cpuAffinity: [0, null, true, '0', []],
    oomScoreAdj: ['5', null, true, 1001, -1001],
    personality: ['5', null, true, -1, 1.5],
    detached: [0, null, 'true', {}, []],
    processGroup: ['0', null, true, -1, 1.5],
    foreground: [0, null, 'true', {}, []],
    parentDeathSignal: [null, true, {}, [], 'SIGNONE'],
    init: [0, null, 'true', []],
    inner: [0, null, true, '{}', [], { uidMap: 'auto' }, { gidMap: [] }, { join: 5 }, { setgroups: true }],
    pty: [0, null, 'true', []],
    signal: [0, null, true, {}, 'abort'],
    timeout: ['5', null, true, -1, 1.5],
    killSignal: [null, true, {}, [], 65],
    killGrace: ['5', null, true, -1, 1.5],
    killTree: ['yes', null, 1, 0, {}, []],
    hold: [0, null, 'true', {}, []],
    steps: [0, null, true, 'start', [null], [{ at: 'start' }], [{ at: 'never', run() {} }]],
  };
  const all = Flags.NEWUSER | Flags.NEWUTS | Flags.NEWNET | Flags.NEWNS | Flags.NEWPID;

  test.each(Object.entries(wrong).flatMap(([name, values]) => values.map((value) => [name, value] as const)))(
    '%s: %p',
    async (name, value) => {
      const error = await refused({ flags: all, [name]: value });
      expect(isArgumentError(error)).toBe(true);
      expect((error as { option: string }).option).toMatch(new RegExp(`^${name}(\\[0\\])?(\\..*)?$`));
      expect((error as Error).message).toMatch(/Received |Unknown signal/);
    },
  );
  test.each([5, 'x', true, [], new Map(), () => {}])('the options %p', async (options) => {
    expect(isArgumentError(await refused(options))).toBe(true);
  });
  test('the arguments and the command', async () => {
    for (const [command, args] of [
      [5, []],
      ['', []],
      ['ls', 'a'],
      ['ls', [5]],
      ['l\0s', []],
      ['ls', ['\0']],
      [undefined, undefined],
      [{}, {}],
    ]) {
      const error = await clone(command as string, args as string[], {}).catch((reason: unknown) => reason);
      expect(isArgumentError(error)).toBe(true);
    }
  });
});

describe('numbers', () => {
  test.each([NaN, Infinity, -Infinity, 0.5, 2 ** 32, -(2 ** 31) - 1])('flags: %p', async (flags) => {
    expect(await refused({ flags })).toEqual(refusal('ERR_OUT_OF_RANGE', 'flags'));
  });
  test('a descriptor beyond what there can be', async () => {
    expect(await refused({ stdio: ['pipe', -1] })).toEqual(refusal('ERR_OUT_OF_RANGE', 'stdio[1]'));
  });
});

describe('an option without its namespace', () => {
  test.each([
    [{ uidMap: 'root' }, 'uidMap', 'NEWUSER'],
    [{ gidMap: 'root' }, 'gidMap', 'NEWUSER'],
    [{ setgroups: 'deny' }, 'setgroups', 'NEWUSER'],
    [{ hostname: 'box' }, 'hostname', 'NEWUTS'],
    [{ loopback: true }, 'loopback', 'NEWNET'],
    [{ propagation: 'slave' }, 'propagation', 'NEWNS'],
    [{ mounts: [{ type: 'proc', target: '/proc' }] }, 'mounts', 'NEWNS'],
  ])('%p names the flag', async (options, option, flag) => {
    const message = new RegExp(`needs Flags\\.${flag} in flags`);
    expect(await refused(options)).toEqual(refusal('ERR_INVALID_ARG_VALUE', option, message));
  });
  test('nothing was done', async () => {
    const before = await inside('hostname');
    await refused({ hostname: 'renamed' });
    expect(await inside('hostname')).toBe(before);
  });
});

describe('promise functions never throw synchronously', () => {
  test.each<[unknown[]]>([
    [[]],
    [[undefined]],
    [[null]],
    [['']],
    [[5]],
    [['ls', 5]],
    [['ls', [], 5]],
    [['ls', { flags: 'x' }]],
    [[plan('ls'), { flags: 0 }]],
    [[plan('ls'), { stdio: 'x' }]],
    [[plan('ls'), 5]],
    [[{ toString: () => 'ls' }]],
    [
      [
        'ls',
        {
          get cwd(): string {
            throw new Error('from a getter');
          },
        },
      ],
    ],
  ])('%p', async (args) => {
    let promise: Promise<unknown> | undefined;
    expect(() => (promise = (clone as unknown as (...args: unknown[]) => Promise<unknown>)(...args))).not.toThrow();
    expect(promise).toBeInstanceOf(Promise);
    expect(await promise!.catch((error: unknown) => error)).toBeInstanceOf(Error);
  });
});

describe('what is changed after the call does not matter', () => {
  test('for clone', async () => {
    const args = ['-c', 'echo $A; pwd'];
    const env: Record<string, string> = { A: 'before', PATH: '/usr/bin:/bin' };
    const stdio: ('pipe' | 'ignore' | 'inherit')[] = ['ignore', 'pipe', 'inherit'];
    const options = { env, stdio, cwd: '/' };
    const promise = clone('/bin/sh', args, options);
    args[1] = 'echo changed';
    env['A'] = 'after';
    stdio[1] = 'ignore';
    options.cwd = '/nonexistent';
    const child = await promise;
    expect(await read(child.stdout)).toBe('before\n/\n');
    expect(await child.exited).toMatchObject({ code: 0 });
  });
  test('for a plan', async () => {
    const args = ['-c', 'echo $A; hostname'];
    const env: Record<string, string> = { A: 'before', PATH: '/usr/bin:/bin' };
    const mounts = [{ type: 'proc' as const, target: '/proc' }];
    const made = plan('/bin/sh', args, {
      ...owned(Flags.NEWUTS | Flags.NEWNS | Flags.NEWPID),
      env,
      mounts,
      hostname: 'box',
    });
    const text = made.toString();
    args[1] = 'echo changed';
    env['A'] = 'after';
    mounts[0]!.target = '/nonexistent';
    mounts.push({ type: 'proc', target: '/nonexistent' });
    expect(made.toString()).toBe(text);
    for (const options of [undefined, { stdio: 'pipe' }] as const) {
      const child = await clone(made, options);
      expect(await read(child.stdout)).toBe('before\nbox\n');
      await child.exited;
    }
  });
});

describe('closed descriptors in stdio', () => {
  const badDescriptor = (index: number): unknown =>
    expect.objectContaining({
      code: 'EBADF',
      step: 'stdio',
      option: `stdio[${index}]`,
      message: expect.stringContaining('not open'),
    });

  test('one that was never open', async () => {
    expect(await refused({ stdio: ['ignore', 'ignore', 9000] })).toEqual(badDescriptor(2));
    expect(await refused({ stdio: ['pipe', 'pipe', 'pipe', 'ignore', 9000] })).toEqual(badDescriptor(4));
  });
  test.each([
    ['nothing', ['inherit', 'inherit', 'inherit']],
    ['pipes', ['pipe', 'pipe', 'pipe']],
    ['/dev/null', ['ignore', 'ignore', 'ignore']],
  ] as const)('one whose number we would use next ourselves, beside %s', async (_name, stdio) => {
    const descriptor = openSync('/dev/null', 'r');
    closeSync(descriptor);
    expect(await refused({ stdio: [...stdio, descriptor] })).toEqual(badDescriptor(3));
    expect(await refused({ stdio: [...stdio, 'pipe', descriptor] })).toEqual(badDescriptor(4));
  });
  test('one within the entries', async () => {
    const { stdout } = runScript(
      `const e = await nsclone.clone('true', { stdio: ['ignore', 'inherit', 'inherit', 'ignore', 5, 'ignore'] }).catch((e) => e);
       console.log(e.code, e.option);`,
      ['bash', '-c', 'exec 5<&-; exec "$@"', 'bash'],
    );
    // Node itself may have opened something there.
    expect(stdout).toMatch(/^(EBADF stdio\[4\]|undefined undefined)\n$/);
  });
  test("'inherit' of what is closed in Node", () => {
    // Node opens /dev/null for a closed 0, 1 or 2 when it starts, so this is about what its program closes itself.
    expect(
      evaluate(
        `fs.closeSync(0);
         const error = await nsclone.clone('true', { stdio: ['inherit', 'ignore', 'inherit'] }).catch((error) => error);
         return { code: error.code, option: error.option };`,
      ),
    ).toEqual({ code: 'EBADF', option: 'stdio[0]' });
  });
});

describe('limits that are reached', () => {
  const shell = (script: string): string[] => ['sh', '-c', `${script}; exec "$@"`, 'sh'];

  const sorts: [name: string, options: string][] = [
    ['pipes', `{ stdio: ['pipe', 'pipe', 'pipe', 'pipe', 'ignore'] }`],
    ['a terminal beside a pipe', `{ pty: { stderr: 'pipe' } }`],
    ['a pid 1', `{ flags: Flags.NEWUSER | Flags.NEWPID, init: true }`],
  ];
  if (isRoot) sorts.push(['namespaces to join', `{ join: ['/proc/self/ns/net', '/proc/self/ns/uts'] }`]);
  test.each(sorts)('descriptors: EMFILE at any number of free ones, and none is lost: %s', (_, options) => {
    const found = evaluate<{ codes: (string | null)[]; leaked: number; last: number }>(
      `const { Flags } = nsclone;
       // Without the pool of memory files, which one failed clone more or less makes larger.
       const link = (number) => { try { return fs.readlinkSync('/proc/self/fd/' + number); } catch { return ''; } };
       const count = () => fs.readdirSync('/proc/self/fd').filter((number) => !link(number).startsWith('/memfd:')).length;
       // The first stream makes libuv keep a descriptor of its own.
       const first = await nsclone.clone('true');
       for (const stream of first.stdio) stream.destroy();
       await new Promise((resolve) => first.once('close', resolve));
       const before = count();
       const codes = [];
       for (let free = 0; free < 24; free++) {
         const held = [];
         try { for (;;) held.push(fs.openSync('/dev/null')); } catch {}
         for (let i = 0; i < free; i++) fs.closeSync(held.pop());
         let code = null;
         try {
           const child = await nsclone.clone('true', ${options});
           await child.exited;
           for (const stream of [...child.stdio, child.pty]) stream?.destroy();
         } catch (error) { code = error.code; }
         codes.push(code);
         for (const descriptor of held) fs.closeSync(descriptor);
       }
       await until(() => count() === before, 5000).catch(() => {});
       const leaked = count() - before;
       const { code } = await (await nsclone.clone('true')).exited;
       return { codes, leaked, last: code };`,
      ['prlimit', '--nofile=64:64'],
    );
    expect(found.codes.slice(0, 4)).toEqual(['EMFILE', 'EMFILE', 'EMFILE', 'EMFILE']);
    expect(found.codes.at(-1)).toBeNull();
    expect(new Set(found.codes)).toEqual(new Set(['EMFILE', null]));
    expect(found).toMatchObject({ leaked: 0, last: 0 });
  });

  test('descriptors, at the very first clone', () => {
    const { stdout, stderr } = runScript(
      `const held = [];
       try { for (;;) held.push(fs.openSync('/dev/null')); } catch {}
       const error = await nsclone.clone('true').catch((error) => error);
       for (const descriptor of held) fs.closeSync(descriptor);
       const child = await nsclone.clone('true');
       console.log(error.code, error instanceof Error, (await child.exited).code);`,
      ['prlimit', '--nofile=64:64'],
    );
    expect([stdout, stderr]).toEqual(['EMFILE true 0\n', '']);
  });

  test('processes: EAGAIN', () => {
    const error = evaluate<Record<string, unknown>>(
      `await (await nsclone.clone('true')).exited;
       require('node:child_process').execFileSync('prlimit', ['--pid', String(process.pid), '--nproc=1:1']);
       const error = await nsclone.clone('true').catch((error) => error);
       return { ...error, message: error.message };`,
      isRoot ? ['setpriv', '--reuid', '64321', '--regid', '64321', '--clear-groups'] : [],
    );
    expect(error).toMatchObject({ code: 'EAGAIN', hint: expect.stringContaining('RLIMIT_NPROC') });
    expect(error['message']).toMatch(
      /^EAGAIN: resource temporarily unavailable, clone3?: a limit on processes is reached/,
    );
  });

  test.each([
    ['user', 'NEWUSER', 'user', 'unshare'],
    ['net', 'NEWNET', 'namespaces', 'unshare'],
    ['mnt', 'NEWNS', 'namespaces', 'unshare'],
    ['uts', 'NEWUTS', 'namespaces', 'unshare'],
    ['ipc', 'NEWIPC', 'namespaces', 'unshare'],
    ['cgroup', 'NEWCGROUP', 'namespaces', 'unshare'],
    ['pid', 'NEWPID', 'process', 'clone'],
    ['time', 'NEWTIME', 'time', 'unshare'],
  ] as const)('namespaces of kind %s: ENOSPC', (kind, flag, step, syscall) => {
    const error = evaluate<SyscallError>(
      `const error = await nsclone.clone('true', { flags: nsclone.Flags.${flag} }).catch((error) => error);
       return { ...error, message: error.message };`,
      ['unshare', '-Ur', ...shell(`echo 0 > /proc/sys/user/max_${kind}_namespaces`)],
    );
    expect(error).toMatchObject({ code: 'ENOSPC', step, syscall, option: 'flags' });
    expect(error.hint).toMatch(new RegExp(`user\\.max_(${kind}|\\*)_namespaces`));
  });
});

test('a closed descriptor of a cgroup is blamed on the cgroup', async () => {
  const error = await clone('true', [], { cgroup: 9999 }).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'EBADF', option: 'cgroup', step: 'cgroup' });
});
