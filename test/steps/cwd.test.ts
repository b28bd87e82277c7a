// Step `cwd`: the working directory.
import { pathToFileURL } from 'node:url';

import { clone, type CloneOptions, Flags, plan, run } from '../../lib';
import { calls, failAt, fieldsOf } from '../support/fault';
import { inside, owned, read } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted } from '../support/listing';
import { planning, refusal } from '../support/refusal';
import { proc, programs } from '../support/root-folder';

leavesNothing();

describe('cwd rejects', () => {
  test.each([5, null, true, {}, new Set(['/'])])('%p', (value) => {
    expect(planning({ cwd: value })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'cwd'));
  });
  test.each(['', '/a\0b', new URL('http://localhost/'), new URL('file:///a%00b'), new URL('file:///a%2Fb')])(
    '%p',
    (value) => {
      expect(planning({ cwd: value })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'cwd'));
    },
  );
});

describe('cwd, as a list, rejects', () => {
  test('nothing in it', () => {
    expect(planning({ cwd: [] })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'cwd', 'at least one'));
  });
  test('what is no path, by its place', () => {
    expect(planning({ cwd: ['/', 5] })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'cwd[1]'));
    expect(planning({ cwd: ['/', ''] })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'cwd[1]'));
  });
  test('a command that would be what sets the child up, from any of them', () => {
    expect(() => plan('self/exe', { cwd: ['/', '/proc'] })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'command'));
  });
});

describe('cwd emits', () => {
  test('nothing by default', () => {
    expect(emitted('cwd', {})).toEqual([]);
  });
  test('one call', () => {
    expect(emitted('cwd', { cwd: '/usr' })).toEqual(['cwd: chdir("/usr")']);
    expect(emitted('cwd', { cwd: pathToFileURL('/a b/ü') })).toEqual(['cwd: chdir("/a b/ü")']);
  });
});

describe('cwd, as a list, emits', () => {
  test('the next where one fails, and where it is in the end', () => {
    expect(
      emitted('cwd', { cwd: ['/a', pathToFileURL('/b'), '/c'] }).map((line) =>
        line.replaceAll(/(?<=to )\d+|\d{2,}/g, 'N'),
      ),
    ).toEqual([
      'cwd[0]: chdir("/a")  # any error: go to N',
      'cwd[0]: close(-1)  # EBADF: go to N',
      'cwd[1]: chdir("/b")  # any error: go to N',
      'cwd[1]: close(-1)  # EBADF: go to N',
      'cwd[2]: chdir("/c")',
      'cwd: getcwd(&data[N], N)',
    ]);
  });
  test('one that is alone without a way out', () => {
    expect(emitted('cwd', { cwd: ['/a'] })[0]).toBe('cwd[0]: chdir("/a")');
  });
  test('an environment of as many variables, which are not shown', () => {
    const made = plan('/bin/true', [], { cwd: ['/usr'], env: { A: 'secret', PWD: 'secret' } });
    expect(String(made)).toContain('[2 variables]');
    expect(String(made) + JSON.stringify(made)).not.toContain('secret');
  });
});

describe('cwd, seen from inside', () => {
  test.each(['/usr', 'file:///usr'])('%s', async (cwd) => {
    expect(await inside('pwd', { cwd: cwd.startsWith('file:') ? new URL(cwd) : cwd })).toBe('/usr');
  });
  test('a relative one starts at ours', async () => {
    expect(await inside('pwd', { cwd: 'lib/steps' })).toBe(`${process.cwd()}/lib/steps`);
  });
  test('by default it is ours, and ours stays as it is', async () => {
    const before = process.cwd();
    expect(await inside('pwd')).toBe(before);
    await inside('true', { cwd: '/' });
    expect(process.cwd()).toBe(before);
  });
});

describe('cwd, as a list, seen from inside', () => {
  const where = 'readlink /proc/self/cwd; printenv PWD';
  const seen = (options: CloneOptions): Promise<string> => inside(`exec sh -c '${where}'`, options);

  test.each<[string, readonly string[], string]>([
    ['the first', ['/usr', '/etc'], '/usr'],
    ['the next where one is missing', ['/no/such', '/etc', '/usr'], '/etc'],
    ['or is none', ['/etc/passwd', '/no/such', '/'], '/'],
    ['the only one', ['/usr/bin'], '/usr/bin'],
  ])('%s', async (_, cwd, found) => {
    // sh sets the variable anew where it is wrong: env(1) does not.
    expect(await inside('pwd', { cwd })).toBe(found);
    const { stdout } = await run('/usr/bin/env', [], { cwd });
    expect(stdout.split('\n').filter((line) => line.startsWith('PWD='))).toEqual([`PWD=${found}`]);
  });
  test('in the place of what the environment has, and beside it', async () => {
    const { stdout } = await run('/usr/bin/env', [], { cwd: ['/usr'], env: { A: '1', PWD: '/elsewhere', B: '2' } });
    expect(stdout.trim().split('\n').sort()).toEqual(['A=1', 'B=2', 'PWD=/usr']);
  });
  test('whatever it was called: links and relative paths', async () => {
    const { stdout } = await run('/usr/bin/env', [], { cwd: ['no/such', '/proc/self/cwd/lib/steps'] });
    expect(stdout).toContain(`PWD=${process.cwd()}/lib/steps\n`);
    expect(await seen({ cwd: ['lib'] })).toBe(`${process.cwd()}/lib\n${process.cwd()}/lib`);
  });
  test('as the program may: in its root, with its ids', async () => {
    const options: CloneOptions = {
      ...owned(Flags.NEWNS),
      root: { type: 'tmpfs' },
      mounts: [...programs, proc, { type: 'dir', target: '/work' }],
      cwd: ['/etc', '/work', '/'],
    };
    expect(await inside('pwd; echo $PWD', { ...options, flags: options.flags! | Flags.NEWPID })).toBe('/work\n/work');
  });
  test('a plan that is started again with another environment', async () => {
    const made = plan('/usr/bin/env', [], { cwd: ['/no/such', '/usr'], stdio: ['ignore', 'pipe', 'ignore'] });
    for (const env of [undefined, { C: '3' }]) {
      const child = await clone(made, { env });
      const text = await read(child.stdout);
      await child.exited;
      expect(text).toContain('PWD=/usr\n');
      if (env !== undefined) expect(text.trim().split('\n').sort()).toEqual(['C=3', 'PWD=/usr']);
    }
  });
  test('without a list PWD is what it was', async () => {
    const { stdout } = await run('/usr/bin/env', [], { cwd: '/usr', env: { PWD: '/elsewhere' } });
    expect(stdout).toBe('PWD=/elsewhere\n');
  });
});

describe('cwd, when the kernel refuses', () => {
  test('all of a list', async () => {
    await expect(clone('/bin/true', { cwd: ['/no/such', '/etc/passwd'] })).rejects.toMatchObject({
      code: 'ENOTDIR',
      step: 'cwd',
      option: 'cwd[1]',
      path: '/etc/passwd',
      hint: 'none of these can be entered: /no/such, /etc/passwd',
    });
    await expect(clone('/bin/true', { cwd: ['/no/such'] })).rejects.toMatchObject({
      option: 'cwd[0]',
      path: '/no/such',
    });
  });
  test('to say where it is', async () => {
    const error = await failAt({ cwd: ['/usr'] }, calls('getcwd'), 'ENOENT');
    expect(error).toMatchObject({ code: 'ENOENT', step: 'cwd', option: 'cwd', syscall: 'getcwd' });
    expect(error.hint).toBeUndefined();
  });
  test('names the directory', async () => {
    expect(fieldsOf(await failAt({ cwd: '/usr' }, calls('chdir'), 'EACCES'))).toEqual({
      code: 'EACCES',
      errno: -13,
      step: 'cwd',
      option: 'cwd',
      syscall: 'chdir',
      path: '/usr',
      message: 'EACCES: permission denied, chdir /usr (cwd)',
    });
  });
  test('a directory that is missing, or none', async () => {
    await expect(clone('/bin/true', { cwd: '/nonexistent' })).rejects.toMatchObject({ code: 'ENOENT', step: 'cwd' });
    await expect(clone('/bin/true', { cwd: '/etc/passwd' })).rejects.toMatchObject({ code: 'ENOTDIR', step: 'cwd' });
  });
  test('a directory that a mount of the child hides', async () => {
    const mounts = [{ type: 'tmpfs', target: '/etc' }] as const;
    await expect(clone('/bin/true', { ...owned(Flags.NEWNS), mounts, cwd: '/etc/ssl' })).rejects.toMatchObject({
      code: 'ENOENT',
      hint: 'the folder has to be in what the child sees, below its root and on its mounts',
    });
  });
});
