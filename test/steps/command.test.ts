// Step `command`: the last look at the parent, then the exec. How files are searched is in test/clone/exec.test.ts.
import { clone, type CloneOptions, plan, run } from '../../lib';
import { calls, failAt, failureAt, fieldsOf } from '../support/fault';
import { inside } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted, linesOf } from '../support/listing';
import { planning, refusal } from '../support/refusal';

leavesNothing();

const PATH = '/nonexistent:/usr/bin:/bin';

describe('command rejects', () => {
  test.each(['', 'a\0b'])('the command %p', (command) => {
    expect(() => plan(command)).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'command'));
  });
  test.each([5, null, undefined, {}, Buffer.from('ls')])('the command %p', (command) => {
    expect(() => plan(command as string)).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'command'));
  });
  test.each<[string, CloneOptions?]>([
    ['/proc/self/exe'],
    ['/proc/thread-self/exe'],
    ['/proc/./self//exe'],
    [`/proc/self/task/${process.pid}/exe`],
    ['self/exe', { cwd: '/proc' }],
    ['exe', { env: { PATH: '/bin:/proc/self' } }],
  ])('%s %j, which in the child is another program than here', (command, options = {}) => {
    expect(() => plan(command, options)).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'command', 'the program which sets it up; Node is process.execPath'),
    );
  });
  test('arguments that are no strings, or have NUL bytes', () => {
    expect(() => plan('ls', ['a', 5 as unknown as string])).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'args[1]'));
    expect(() => plan('ls', ['a\0b'])).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'args[0]'));
    expect(() => plan('ls', 'a' as unknown as string[], {})).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'args'));
  });
  test.each([5, null, ['A=1'], 'A=1', new Map([['A', '1']])])('the environment %p', (env) => {
    expect(planning({ env })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'env'));
  });
  test('variables that no environment can hold', () => {
    expect(planning({ env: { A: 'a\0b' } })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'env.A'));
    expect(planning({ env: { 'A=B': 'c' } })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'env', "no '='"));
    expect(planning({ env: { '': 'c' } })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'env'));
    expect(planning({ env: { 'A\0': 'c' } })).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }));
    expect(planning({ env: { A: {} } })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'env.A'));
    expect(planning({ env: { A: null } })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'env.A'));
  });
  test.each([5, null, [], {}])('argv0 %p', (argv0) => {
    expect(planning({ argv0 })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'argv0'));
  });
});

test('Node is executed by its path, and by the name that /proc has for our process', async () => {
  for (const node of [process.execPath, `/proc/${process.pid}/exe`]) {
    expect(await run(node, ['-p', '6 * 7'])).toMatchObject({ code: 0, stdout: '42\n' });
  }
});

describe('command emits', () => {
  test('the exec, and a shell for what is no program', () => {
    expect(emitted('command', { env: {} }, '/bin/ls')).toEqual([
      expect.stringMatching(/^execve\("\/bin\/ls", \["\/bin\/ls"\], .*\) {2}# ENOEXEC: go on$/),
      expect.stringMatching(/^execve\("\/bin\/sh", \["\/bin\/sh", "\/bin\/ls"\], .*\)$/),
    ]);
  });
  test('a file for each folder of PATH, an empty one being the working directory', () => {
    const files = emitted('command', { env: { PATH: '/a::/b:.' } }, 'ls')
      .map((call) => /^execve\("([^"]*)"/.exec(call)?.[1])
      .filter((file) => file !== undefined && file !== '/bin/sh');
    expect([...new Set(files)]).toEqual(['/a/ls', 'ls', '/b/ls', './ls']);
  });
  test('argv0 in the place of the command', () => {
    const [line] = emitted('command', { argv0: '-sh' }, '/bin/sh').filter((call) => call.startsWith('execve'));
    expect(line).toContain('execve("/bin/sh", ["-sh"], ');
  });
  test('and the environment counted, not shown', () => {
    const lines = emitted('command', { env: { SECRET: 'swordfish', B: 'b' } }, '/bin/sh').join('\n');
    expect(lines).not.toMatch(/swordfish|SECRET/);
    expect(lines).toContain('[2 variables]');
  });
});

describe('command, seen from inside', () => {
  test('arguments arrive as they are', async () => {
    const args = ['', ' ', 'a b', '"', "'", '\\', '\n', 'ü€😀', '-n', '$HOME', '*'];
    const child = await clone('/bin/sh', ['-c', 'printf "%s|" "$@"', 'sh', ...args]);
    let output = '';
    for await (const chunk of child.stdout) output += String(chunk);
    expect(output).toBe(args.map((argument) => `${argument}|`).join(''));
  });
  test('the environment is exactly what was given', async () => {
    const child = await clone('/usr/bin/env', [], { env: { B: 'b', A: 'ü = $x', C: '' } });
    let output = '';
    for await (const chunk of child.stdout) output += String(chunk);
    expect(output.trimEnd().split('\n')).toEqual(['B=b', 'A=ü = $x', 'C=']);
  });
  test('without the option it is ours', async () => {
    expect(await inside('echo $PATH')).toBe(process.env['PATH']);
  });
  test('no signal is blocked, ignored or caught', async () => {
    expect(await inside("cat /proc/self/status | grep -E '^Sig(Blk|Ign|Cgt)'")).toMatch(
      /^SigBlk:\t0+\nSigIgn:\t0+\nSigCgt:\t0+$/,
    );
  });
  test('no capability is inheritable or ambient that ours are not', async () => {
    const ours = await inside('grep -E "^Cap(Inh|Amb)" /proc/$PPID/status');
    expect(await inside('grep -E "^Cap(Inh|Amb)" /proc/self/status')).toBe(ours);
  });
  test('the name of the process is that of the file', async () => {
    expect(await inside('cat /proc/$$/comm', { argv0: 'other' })).toBe('sh');
  });
});

describe('command, when the kernel refuses', () => {
  test('the exec, with the command', async () => {
    expect(fieldsOf(await failAt({}, calls('execve'), 'EPERM', '/bin/ls'))).toEqual({
      code: 'EPERM',
      errno: -1,
      step: 'command',
      syscall: 'execve',
      path: '/bin/ls',
      message: 'EPERM: operation not permitted, execve /bin/ls',
    });
  });
  test.each([
    ['ENOENT', '/bin/ls', /interpreter/],
    ['E2BIG', '/bin/ls', /128 KiB/],
    ['ETXTBSY', '/bin/ls', /open for writing/],
  ])('%s, with what to look at', async (code, command, hint) => {
    const error = await failAt({}, calls('execve'), code, command);
    expect(error).toMatchObject({ code, step: 'command', syscall: 'execve' });
    expect(error.hint).toMatch(hint);
  });
  test('an error that ends the search along PATH', async () => {
    const made = plan('true', { env: { PATH } });
    const first = linesOf(made).find(({ call }) => call.startsWith('execve'))!;
    for (const code of ['EIO', 'ENOMEM', 'ETXTBSY', 'ELOOP']) {
      expect(await failureAt(made, first.number, code)).toMatchObject({ code, syscall: 'execve', path: 'true' });
    }
  });
});
