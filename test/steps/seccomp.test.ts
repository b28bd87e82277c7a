// Step `seccomp`: the filter of system calls, followed by nothing but the exec.
import { readFileSync } from 'node:fs';

import { clone, type CloneOptions, Flags, plan, type SyscallError } from '../../lib';
import { compileFilter } from '../../lib/seccomp/compile';
import { syscalls, type SyscallName } from '../../lib/kernel/syscalls';
import { dockerShaped } from '../seccomp/docker-shaped';
import { rootOnly, userOnly } from '../support/capability';
import { calls, failAt, fieldsOf } from '../support/fault';
import { inside, owned, read } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted, linesOf } from '../support/listing';
import { planning, refusal } from '../support/refusal';
import { slow } from '../support/slow';

leavesNothing();

// Of linux/seccomp.h and linux/bpf_common.h.
const allow = 0x7fff_0000;
const killProcess = 0x8000_0000;
const killThread = 0;
const trap = 0x0003_0000;
const errno = (number: number): number => 0x0005_0000 | number;
const loadNumber = [0x20, 0, 0, 0] as const;
const answer = (value: number): Instruction => [0x06, 0, 0, value];

type Instruction = readonly [code: number, yes: number, no: number, value: number];

/** An array of `struct sock_filter`. */
function compile(...instructions: Instruction[]): Uint8Array {
  const bytes = Buffer.alloc(instructions.length * 8);
  instructions.forEach(([code, yes, no, value], index) => {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(yes, index * 8 + 2);
    bytes.writeUInt8(no, index * 8 + 3);
    bytes.writeUInt32LE(value, index * 8 + 4);
  });
  return bytes;
}

/** A filter that gives `name` this answer, and all others `rest`. */
const forCall = (name: SyscallName, value: number, rest = allow): Uint8Array =>
  compile(loadNumber, [0x15, 0, 1, syscalls[name]], answer(value), answer(rest));

/** A filter that gives this answer to both calls that install one. */
const forInstallers = (value: number): Uint8Array =>
  compile(loadNumber, [0x15, 1, 0, syscalls.seccomp], [0x15, 0, 1, syscalls.prctl], answer(value), answer(allow));

const allowAll = compile(answer(allow));
const failure = (options: CloneOptions): Promise<SyscallError> =>
  clone('/bin/true', [], options).then(
    () => {
      throw new Error('it started');
    },
    (error: SyscallError) => error,
  );

describe('seccomp rejects', () => {
  test.each([5, null, true, 'filter', () => {}])('%p', (seccomp) => {
    expect(planning({ seccomp })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'seccomp'));
  });
  test.each([
    [[6, 0, 0, 0, 0, 0, 0xff, 0x7f]],
    [new ArrayBuffer(8)],
    [new Uint16Array(4)],
    [new DataView(new ArrayBuffer(8))],
  ])('other bytes than a Uint8Array: %p', (bytes) => {
    const option = Array.isArray(bytes) ? 'seccomp[0]' : 'seccomp';
    expect(planning({ seccomp: bytes })).toThrow(refusal('ERR_INVALID_ARG_TYPE', option));
    expect(planning({ seccomp: { filter: bytes } })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'seccomp.filter'));
  });
  test('what is no whole number of instructions, or none at all', () => {
    for (const size of [0, 1, 7, 9]) {
      const filter = new Uint8Array(size);
      const message = 'must be a whole number of instructions of 8 bytes';
      expect(planning({ seccomp: filter })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'seccomp', message));
      expect(planning({ seccomp: { filter } })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'seccomp.filter', message));
    }
  });
  test('more instructions than the kernel takes', () => {
    expect(planning({ seccomp: new Uint8Array(4096 * 8) })).not.toThrow();
    expect(planning({ seccomp: new Uint8Array(4097 * 8) })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'seccomp', 'at most 4096 instructions'),
    );
  });
  test('an object without a filter, or with more', () => {
    expect(planning({ seccomp: {} })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'seccomp.filter'));
    expect(planning({ seccomp: { filter: allowAll, flag: [] } })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'seccomp.flag', 'did you mean "flags"?'),
    );
  });
  test('flags that are not known', () => {
    expect(planning({ seccomp: { filter: allowAll, flags: ['LOG', 'TSYNK'] } })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'seccomp.flags[1]', 'did you mean "TSYNC"?'),
    );
    expect(planning({ seccomp: { filter: allowAll, flags: ['WAIT_KILLABLE_RECV'] } })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'seccomp.flags[0]', 'is about notifications'),
    );
    for (const flags of ['LOG', 2, null, {}]) {
      expect(planning({ seccomp: { filter: allowAll, flags } })).toThrow(
        refusal('ERR_INVALID_ARG_TYPE', 'seccomp.flags'),
      );
    }
  });
});

describe('a profile as the option seccomp', () => {
  const profile = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['uname'], action: 'SCMP_ACT_ERRNO' }],
  } as const;

  test('is refused with the part that is wrong, by its place', () => {
    const wrong = {
      ...profile,
      syscalls: [{ ...profile.syscalls[0], args: [{ index: 0, value: 1, op: 'SCMP_CMP_QE' }] }],
    };
    const words = 'did you mean "SCMP_CMP_';
    expect(planning({ seccomp: wrong })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'seccomp.syscalls[0].args[0].op', words),
    );
    expect(planning({ seccomp: [allowAll, wrong] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'seccomp[1].syscalls[0].args[0].op', words),
    );
    expect(planning({ seccomp: { syscalls: [] } })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'seccomp.defaultAction'));
    expect(planning({ seccomp: [[allowAll]] })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'seccomp[0]'));
  });
  test('is what compile() makes of it, with its flags', () => {
    const size = compileFilter(profile).length / 8;
    const withFlags = { ...profile, flags: ['SECCOMP_FILTER_FLAG_LOG', 'TSYNC'] } as const;
    expect(emitted('seccomp', { seccomp: profile })).toEqual([
      expect.stringMatching(new RegExp(`^seccomp: seccomp\\(\\S+, 0, \\{${size} instructions\\}\\)$`)),
    ]);
    expect(emitted('seccomp', { seccomp: withFlags })).toEqual([
      expect.stringMatching(/, (3|SECCOMP_\w+\|SECCOMP_\w+), \{/),
    ]);
  });
  test('tells the names that it skips', () => {
    const seccomp = { ...profile, syscalls: [{ names: ['uname', 'unmae'], action: 'SCMP_ACT_ERRNO' }] } as const;
    expect(String(plan('/bin/true', [], { seccomp }))).toContain(
      '# seccomp: names of no system call here, which are skipped: unmae',
    );
    expect(String(plan('/bin/true', [], { seccomp: profile }))).not.toContain('skipped');
  });
  test('tells the rules that an earlier one says the contrary of', () => {
    const rule = (action: 'SCMP_ACT_ERRNO' | 'SCMP_ACT_KILL_PROCESS' | 'SCMP_ACT_ALLOW', ...names: string[]) =>
      ({ names, action }) as const;
    const listed = (...syscalls: ReturnType<typeof rule>[]): string =>
      String(plan('/bin/true', [], { seccomp: { defaultAction: 'SCMP_ACT_ALLOW', syscalls } }));
    const [error, kill] = [rule('SCMP_ACT_ERRNO', 'uname', 'mkdir'), rule('SCMP_ACT_KILL_PROCESS', 'mkdir')];
    expect(listed(error, kill)).toContain(
      '# an earlier rule without args says something else: seccomp.syscalls[1] about mkdir',
    );
    expect(listed(error, error, rule('SCMP_ACT_ALLOW', 'mkdir'))).not.toContain('earlier rule');
  });
  test('the kernel answers as it says', async () => {
    const seccomp = { ...profile, syscalls: [{ ...profile.syscalls[0], errnoRet: 13 }] };
    expect(await inside('uname -n 2>&1 || true', { seccomp })).toMatch(/Permission denied|cannot get/);
    const kills = { ...profile, syscalls: [{ names: ['uname'], action: 'SCMP_ACT_KILL_PROCESS' }] } as const;
    expect(await (await clone('uname', { seccomp: kills, stdio: 'ignore' })).exited).toMatchObject({
      signal: 'SIGSYS',
    });
  });
  test('the kernel compares arguments of 64 bits', async () => {
    // kill(2) with no signal, to ourselves, is a question; its second argument has the upper word of a long.
    const args = [{ index: 1, value: 9, op: 'SCMP_CMP_EQ' }] as const;
    const seccomp = { ...profile, syscalls: [{ names: ['kill'], action: 'SCMP_ACT_ERRNO', args }] } as const;
    expect(await inside('kill -0 $$ && echo asked; kill -9 $$ 2>/dev/null || echo refused', { seccomp })).toBe(
      'asked\nrefused',
    );
  });
  test('one of the size that engines ship lets a shell run', async () => {
    expect(await inside('echo $(ls / | wc -l) | grep -c .', { seccomp: dockerShaped })).toBe('1');
    expect(await inside('mknod /tmp/no-such-pipe p 2>/dev/null || echo refused', { seccomp: dockerShaped })).toBe(
      'refused',
    );
  });
});

describe('several filters', () => {
  const refusing = (name: SyscallName, code: number): Uint8Array => forCall(name, errno(code));

  test('are installed in their order, each in its place', () => {
    const lines = linesOf(
      plan('/bin/true', [], { seccomp: [allowAll, { filter: refusing('uname', 1), flags: ['LOG'] }] }),
    );
    expect(lines.filter(({ step }) => step === 'seccomp').map(({ option }) => option)).toEqual([
      'seccomp[0]',
      'seccomp[1]',
    ]);
  });
  test('none is none', async () => {
    expect(emitted('seccomp', { seccomp: [] })).toEqual([]);
    expect(emitted('noNewPrivileges', { seccomp: [] })).toEqual([]);
  });
  test('are all asked, and the strictest answers', async () => {
    const script = 'uname -n 2>/dev/null || echo refused; kill -0 $$ 2>/dev/null || echo refused';
    expect(await inside(script, { seccomp: [refusing('uname', 1), refusing('kill', 1)] })).toBe('refused\nrefused');
  });
  test('one that forbids the next is named', async () => {
    const neither = forInstallers(errno(1));
    const error = await failure({ seccomp: [neither, allowAll] });
    expect(error).toMatchObject({
      code: 'EPERM',
      step: 'seccomp',
      option: 'seccomp[1]',
      hint: 'the filter of the option seccomp must allow seccomp',
    });
  });
  test('one that keeps seccomp from us lets the next in by prctl', async () => {
    const first = refusing('seccomp', 1);
    expect(emitted('seccomp', { seccomp: [allowAll, first, refusing('uname', 1)] })).toEqual([
      expect.stringMatching(/^seccomp\[0\]: seccomp\(/),
      expect.stringMatching(/^seccomp\[1\]: seccomp\(/),
      expect.stringMatching(
        /^seccomp\[2\]: prctl\((22|PR_SET_SECCOMP), (2|SECCOMP_MODE_FILTER), \{4 instructions\}\)$/,
      ),
    ]);
    const script = 'uname -n 2>/dev/null || echo refused; grep Seccomp_filters: /proc/self/status | cut -f2';
    const own = Number(/Seccomp_filters:\t(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
    expect(await inside(script, { seccomp: [first, refusing('uname', 1)] })).toBe(`refused\n${own + 2}`);
    // Flags are for seccomp(2) alone.
    expect(await failure({ seccomp: [first, { filter: allowAll, flags: ['LOG'] }] })).toMatchObject({
      syscall: 'seccomp',
      option: 'seccomp[1]',
    });
  });
  test('so does one that notifies of it where nobody is told', async () => {
    const first = forCall('seccomp', 0x7fc0_0000);
    expect(emitted('seccomp', { seccomp: [first, allowAll] })[1]).toMatch(/^seccomp\[1\]: prctl\(/);
    expect(await inside('echo started', { seccomp: [first, allowAll] })).toBe('started');
  });
  test('each is looked at once, however many there are', () => {
    const one = compile(...Array.from({ length: 99 }, () => loadNumber), answer(allow));
    const began = performance.now();
    expect(planning({ seccomp: Array.from({ length: 600 }, () => one) })).not.toThrow();
    // Each with all before it took some ten seconds.
    expect(performance.now() - began).toBeLessThan(slow(8000));
  });
  test('more than the kernel takes is its error', async () => {
    const large = compile(...Array.from({ length: 4095 }, () => loadNumber), answer(allow));
    expect(await failure({ seccomp: Array.from({ length: 9 }, () => large) })).toMatchObject({
      code: 'ENOMEM',
      option: expect.stringMatching(/^seccomp\[\d\]$/),
      hint: 'all filters together have more instructions than the kernel takes',
    });
  });
});

describe('with noNewPrivileges false the filters go in before the identity', () => {
  const identity = { uid: 1234, gid: 1234, capabilities: [] } as const;

  test('as the plan shows', () => {
    const options = { ...identity, cwd: '/', seccomp: [allowAll, allowAll], noNewPrivileges: false };
    const made = plan('/bin/true', [], process.getuid!() === 0 ? options : { ...options, ...owned(0), uid: 0, gid: 0 });
    const steps = linesOf(made).map(({ step }) => step);
    expect(steps.lastIndexOf('seccomp')).toBe(steps.indexOf('seccomp') + 1);
    expect(steps.lastIndexOf('seccomp')).toBeLessThan(steps.indexOf('identity'));
    expect(steps.lastIndexOf('seccomp')).toBeLessThan(steps.indexOf('cwd'));
  });
  rootOnly('so another user runs with one, and with what set-user-ID gives', async () => {
    const script = 'id -u; grep -E "^(NoNewPrivs|Seccomp):" /proc/self/status | cut -f2';
    expect(await inside(script, { ...identity, seccomp: dockerShaped, noNewPrivileges: false })).toBe('1234\n0\n2');
  });
  test('one that refuses what is left of the set-up is named, and nothing has started', async () => {
    const options = process.getuid!() === 0 ? { uid: 1234 } : { ...owned(0), uid: 0 };
    for (const [name, code] of [
      ['setresuid', 1],
      ['prctl', 38],
      ['rt_sigprocmask', 13],
    ] as const) {
      const error = await failure({ ...options, seccomp: forCall(name, errno(code)), noNewPrivileges: false });
      expect(error).toMatchObject({ syscall: name, hint: `the filter of the option seccomp must allow ${name}` });
    }
    const killed = await failure({ ...options, seccomp: forCall('setresuid', killProcess), noNewPrivileges: false });
    expect(killed).toMatchObject({
      code: 'ECHILD',
      signal: 'SIGSYS',
      syscall: 'setresuid',
      hint: 'the filter of the option seccomp must allow setresuid',
    });
    expect(killed.message).toContain('before its command ran');
  });
  test('one that would pretend to the set-up is refused', () => {
    const options = { seccomp: [allowAll, forCall('setresuid', errno(0))] };
    expect(planning(options)).not.toThrow();
    expect(planning({ ...options, noNewPrivileges: false })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'seccomp[1]', 'answers calls with errno 0'),
    );
  });
});

test('a filter that would pretend that those after it are installed is refused', () => {
  const pretending = forInstallers(errno(0));
  expect(planning({ seccomp: [allowAll, pretending] })).not.toThrow();
  expect(planning({ seccomp: [pretending, allowAll] })).toThrow(
    refusal('ERR_INVALID_ARG_VALUE', 'seccomp[0]', 'answers seccomp with errno 0'),
  );
  // What it returned would be taken for a listener: descriptor 0.
  const told = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['mount'], action: 'SCMP_ACT_NOTIFY' }],
  } as const;
  expect(planning({ seccomp: [pretending, { ...told, listenerPath: '/run/none' }] })).toThrow(
    refusal('ERR_INVALID_ARG_VALUE', 'seccomp[0]', 'answers seccomp with errno 0'),
  );
});

describe('seccomp emits', () => {
  const argument = (flags?: ('LOG' | 'SPEC_ALLOW')[]): string => {
    const seccomp = flags === undefined ? { filter: allowAll } : { filter: allowAll, flags };
    const [line] = emitted('seccomp', { seccomp });
    return /^seccomp: seccomp\(\S+, (.*), \{1 instructions\}\)$/.exec(line!)![1]!;
  };

  test('nothing where there is none', () => {
    expect(emitted('seccomp', {})).toEqual([]);
  });
  test('one call, with how many instructions there are', () => {
    expect(emitted('seccomp', { seccomp: forCall('uname', allow) })).toEqual([
      expect.stringMatching(/^seccomp: seccomp\((1|SECCOMP_SET_MODE_FILTER), 0, \{4 instructions\}\)$/),
    ]);
    expect(emitted('seccomp', { seccomp: { filter: allowAll } })).toEqual(emitted('seccomp', { seccomp: allowAll }));
  });
  test('flags', () => {
    expect(argument()).toBe('0');
    expect(argument([])).toBe('0');
    expect(argument(['LOG'])).toMatch(/^(2|SECCOMP_FILTER_FLAG_LOG)$/);
    expect(argument(['SPEC_ALLOW'])).toMatch(/^(4|SECCOMP_FILTER_FLAG_SPEC_ALLOW)$/);
    expect(argument(['SPEC_ALLOW', 'LOG', 'LOG'])).toMatch(/^(6|SECCOMP_\w+\|SECCOMP_\w+)$/);
  });
  test('the last thing before the exec', () => {
    const options: CloneOptions = {
      ...owned(Flags.NEWPID),
      uid: 0,
      hold: true,
      cwd: '/',
      parentDeathSignal: 'SIGTERM',
    };
    const steps = linesOf(plan('/bin/true', [], { ...options, seccomp: allowAll })).map(({ step }) => step);
    expect(steps.slice(steps.indexOf('seccomp') + 1)).toEqual(['command', 'command']);
  });
  test('a copy: what is changed after the call does not matter', async () => {
    const filter = Buffer.from(allowAll);
    const made = plan('/bin/true', [], { seccomp: filter });
    filter.fill(0);
    expect(await (await clone(made, { stdio: 'ignore' })).exited).toMatchObject({ code: 0 });
  });
});

describe('seccomp, seen from inside', () => {
  const filters = "grep -E '^Seccomp' /proc/self/status | cut -f2 | tr '\\n' ' '";

  test.each([
    ['a filter', allowAll],
    [
      'a filter that is part of a larger buffer',
      new Uint8Array(Buffer.concat([Buffer.alloc(8), allowAll])).subarray(8),
    ],
    ['one with flags', { filter: allowAll, flags: ['LOG', 'SPEC_ALLOW'] as const }],
  ])('%s', async (_name, seccomp) => {
    expect(await inside(filters, { seccomp })).toMatch(/^2( 1)?$/);
    expect(await inside(filters, { ...owned(Flags.NEWPID), seccomp })).toMatch(/^2( 1)?$/);
  });
  test('a call that it answers with an error', async () => {
    expect(await inside('uname -n 2>/dev/null || echo refused', { seccomp: forCall('uname', errno(1)) })).toBe(
      'refused',
    );
  });
  test('a call that it kills for, once the program runs', async () => {
    const child = await clone('/bin/uname', [], { seccomp: forCall('uname', killProcess), stdio: 'ignore' });
    expect(await child.exited).toMatchObject({ code: null, signal: 'SIGSYS' });
  });
  test('nothing allowed but the exec: it starts, and that is all', async () => {
    const child = await clone('/bin/true', { seccomp: forCall('execve', allow, killProcess), stdio: 'ignore' });
    expect(await child.exited).toMatchObject({ code: null, signal: 'SIGSYS' });
  });
  test('calls that set-up makes may be forbidden', async () => {
    const options = { ...owned(Flags.NEWUTS | Flags.NEWPID), hostname: 'box' };
    const names = ['sethostname', 'unshare', 'setns', 'prctl', 'close_range', 'dup3', 'clone'] as const;
    for (const name of names) {
      const child = await clone('/bin/true', { ...options, seccomp: forCall(name, killProcess), stdio: 'ignore' });
      expect([name, (await child.exited).code]).toEqual([name, 0]);
    }
  });
  test('a held child has none until it starts', async () => {
    const mode = (pid: number): string => /^Seccomp:\t(\d)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]!;
    const ours = mode(process.pid);
    const child = await clone('/bin/cat', { seccomp: allowAll, hold: true, stdio: ['pipe', 'ignore', 'inherit'] });
    expect(mode(child.pid)).toBe(ours);
    await child.start();
    expect(mode(child.pid)).toBe('2');
    child.stdin.end();
    expect(await child.exited).toMatchObject({ code: 0 });
  });
  test('pid 1 of init has none: it has to go on reaping', async () => {
    const options = {
      ...owned(Flags.NEWPID | Flags.NEWNS),
      init: true,
      mounts: [{ type: 'proc', target: '/proc' }],
    } as const;
    const child = await clone('/bin/sh', ['-c', "grep -h '^Seccomp:' /proc/1/status /proc/self/status | cut -f2"], {
      ...options,
      seccomp: forCall('kill', killProcess),
    });
    expect(await read(child.stdout)).toBe('0\n2\n');
    expect(await child.exited).toMatchObject({ code: 0 });
  });
  rootOnly('without noNewPrivileges, where we have CAP_SYS_ADMIN', async () => {
    const script = `${filters}; grep NoNewPrivs /proc/self/status | cut -f2`;
    expect(await inside(script, { seccomp: allowAll, noNewPrivileges: false })).toMatch(/^2 (1 )?0$/);
  });
  test('without noNewPrivileges in a user namespace of its own', async () => {
    const script = `${filters}; grep NoNewPrivs /proc/self/status | cut -f2`;
    expect(await inside(script, { ...owned(0), seccomp: allowAll, noNewPrivileges: false })).toMatch(/^2 (1 )?[01]$/);
  });
});

describe('a filter that forbids the exec is reported as never started', () => {
  test.each([
    ['the process', killProcess],
    ['the thread', killThread],
    ['by a trap', trap],
  ])('by a kill of %s', async (_name, action) => {
    for (const namespaces of [{}, owned(Flags.NEWPID | Flags.NEWNS)]) {
      for (let i = 0; i < 5; i++) {
        const error = await failure({ ...namespaces, seccomp: forCall('execve', action) });
        expect(fieldsOf(error)).toEqual({
          code: 'ECHILD',
          errno: -10,
          signal: 'SIGSYS',
          step: 'command',
          syscall: 'execve',
          path: '/bin/true',
          message: 'ECHILD: the child was killed by SIGSYS before its command ran, execve /bin/true',
        });
      }
    }
  });
  test('by killing for anything at all', async () => {
    expect(await failure({ seccomp: compile(answer(killProcess)) })).toMatchObject({
      code: 'ECHILD',
      signal: 'SIGSYS',
    });
  });
  test('by an error for anything at all, so that the stub cannot even exit', async () => {
    expect(await failure({ seccomp: compile(answer(errno(38))) })).toMatchObject({ code: 'ENOSYS', syscall: 'execve' });
  });
  test('by an error', async () => {
    const error = await failure({ seccomp: forCall('execve', errno(1)) });
    expect(error).toMatchObject({ code: 'EPERM', step: 'command', syscall: 'execve', path: '/bin/true' });
  });
});

describe('seccomp, when the kernel refuses', () => {
  const hint = 'needs CAP_SYS_ADMIN, or noNewPrivileges';
  const refused = {
    code: 'EACCES',
    errno: -13,
    step: 'seccomp',
    option: 'seccomp',
    syscall: 'seccomp',
    hint,
    message: `EACCES: permission denied, seccomp (seccomp): ${hint}`,
  };

  userOnly('without noNewPrivileges', async () => {
    expect(fieldsOf(await failure({ seccomp: allowAll, noNewPrivileges: false }))).toEqual(refused);
  });
  test.each([
    ['an instruction that is none', compile([0xffff, 0, 0, 0])],
    ['a jump out of it', compile([0x15, 5, 5, 0], answer(allow))],
    ['no answer at its end', compile(loadNumber)],
    ['a load beyond struct seccomp_data', compile([0x20, 0, 0, 64], answer(allow))],
  ])('%s', async (_name, seccomp) => {
    expect(await failure({ seccomp })).toMatchObject({
      code: 'EINVAL',
      option: 'seccomp',
      hint: 'the kernel refuses this filter: a bad instruction, or a jump out of it',
    });
  });
  test('for another reason', async () => {
    const error = await failAt({ seccomp: allowAll }, calls('seccomp'), 'ENOSYS');
    expect(error).toMatchObject({ code: 'ENOSYS', step: 'seccomp', option: 'seccomp', syscall: 'seccomp' });
  });
});
