// plan(): what a child will do, as text, and a start as often as wanted.
import { clone, type CloneOptions, Flags, plan, Plan } from '../lib';
import { rootOnly, userOnly } from './support/capability';
import { owned, read } from './support/inside';
import { leavesNothing, noteLeftovers } from './support/leftovers';
import { linesOf } from './support/listing';
import { evaluate } from './support/own-process';
import { refusal } from './support/refusal';

leavesNothing();

const demo: CloneOptions = {
  ...owned(Flags.NEWPID | Flags.NEWNS | Flags.NEWUTS | Flags.NEWNET | Flags.NEWIPC | Flags.NEWCGROUP),
  hostname: 'box',
  mounts: [{ type: 'proc', target: '/proc' }],
  loopback: true,
  stdio: ['ignore', 'pipe', 'inherit'],
};
const output = async (made: Plan, options?: Parameters<typeof clone>[1]): Promise<string> => {
  const child = await clone(made, options as object);
  const text = await read(child.stdout);
  expect(await child.exited).toMatchObject({ code: 0 });
  return text;
};

describe('the listing', () => {
  const text = plan('/bin/sh', ['-c', 'true'], demo).toString();

  test('has every call with its number, step and option', () => {
    const lines = text.split('\n');
    for (const [number, line] of lines.entries()) {
      expect(line).toMatch(/^ *\d+ {2}\S.*?( {2,}\S+)? {2,}\S.*$/);
      expect(Number(/^ *(\d+)/.exec(line)![1])).toBe(number);
    }
    for (const [step, option, call] of [
      ['stdio sources', 'stdio[0]', 'openat(AT_FDCWD, "/dev/null"'],
      ['user', 'flags', 'unshare(CLONE_NEWUSER)'],
      ['process', 'flags', 'clone('],
      ['namespaces', 'flags', 'unshare(CLONE_NEWNET)'],
      ['hostname', 'hostname', 'sethostname("box", 3)'],
      ['loopback', 'loopback', 'socket(AF_INET'],
      ['propagation', 'propagation', 'mount_setattr('],
      ['mounts', 'mounts[0]', 'fsopen("proc"'],
      ['stdio', 'stdio[0]', 'dup3('],
      ['closeFds', 'closeFds', 'close_range('],
      ['command', '', 'execve("/bin/sh", ["/bin/sh", "-c", "true"]'],
    ] as const) {
      const found = linesOf(plan('/bin/sh', ['-c', 'true'], demo)).filter((line) => line.call.startsWith(call));
      expect(found).not.toEqual([]);
      expect(found[0]).toMatchObject({ step, option });
    }
  });
  test('stays the same', () => {
    const made = plan('/bin/sh', ['-c', 'true'], demo);
    expect([made.toString(), String(made)]).toEqual([text, text]);
  });
  test('leads every skip to a line that is there', () => {
    const lines = plan('nowhere', { env: { PATH: '/a:/b:/c:/d' } })
      .toString()
      .split('\n');
    for (const [number, line] of lines.entries()) {
      for (const [, target] of line.matchAll(/: go to (\d+)/g)) {
        expect(Number(target)).toBeGreaterThan(number);
        expect(Number(target)).toBeLessThan(lines.length);
      }
    }
  });
  test('escapes what a terminal would obey', () => {
    const bad = '\x1b[31m\x07\r\n\t\u202e\u2028\x7f\x9b';
    const printed = plan(`/bin/${bad}`, [bad], {
      ...owned(Flags.NEWUTS),
      hostname: bad,
      cwd: `/${bad}`,
      argv0: bad,
    }).toString();
    // oxlint-disable-next-line no-control-regex -- this is what must not be there
    expect(printed).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029]/);
    expect(printed).toContain('\\x1b[31m\\x07\\r\\n\\t\\u202e\\u2028\\x7f\\x9b');
    expect(printed.split('\n').length).toBe(
      linesOf(plan('/bin/x', [], { ...owned(Flags.NEWUTS), hostname: 'x', cwd: '/' })).length,
    );
  });
  test('cannot be forged by quotes', () => {
    const printed = plan('/bin/true', ['"], NULL)  # x', '\\', '\\"']).toString();
    const line = printed.split('\n').find((candidate) => candidate.includes('execve("/bin/true"'))!;
    const shown = /\["\/bin\/true", (.*)\], \[/.exec(line)![1]!;
    expect(JSON.parse(`[${shown}]`)).toEqual(['"], NULL)  # x', '\\', '\\"']);
  });
  test('shows no value and no name of the environment', () => {
    const printed = plan('/bin/true', { env: { SECRET: 'swordfish' } }).toString();
    expect(printed).toContain('[1 variables]');
    expect(printed).not.toMatch(/SECRET|swordfish/);
    expect(plan('/bin/true').toString()).not.toContain(`${process.env['PATH']}`);
  });
});

describe('plan()', () => {
  test('clones nothing and needs no privilege', async () => {
    const leftovers = noteLeftovers();
    for (let i = 0; i < 20; i++) plan('/bin/true', [], { ...demo, flags: demo.flags! | Flags.NEWTIME });
    expect(await leftovers()).toEqual({ descriptors: [], children: [] });
  });
  rootOnly('not even for an ordinary user', () => {
    const printed = evaluate<string>(
      `return String(nsclone.plan('/bin/true', [], { flags: nsclone.Flags.NEWNET, loopback: true }));`,
      ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'],
    );
    expect(printed).toContain('unshare(CLONE_NEWNET)');
  });
  userOnly('as an ordinary user, of what only root may do', () => {
    expect(plan('/bin/true', { flags: Flags.NEWNET }).toString()).toContain('unshare(CLONE_NEWNET)');
  });
  test('takes the same forms as clone', () => {
    const text = plan('/bin/ls').toString();
    expect(plan('/bin/ls', []).toString()).toBe(text);
    expect(plan('/bin/ls', {}).toString()).toBe(text);
    expect(plan('/bin/ls', undefined, {}).toString()).toBe(text);
    expect(plan('/bin/ls', [], undefined).toString()).toBe(text);
    expect(plan('/bin/ls', undefined, { cwd: '/' }).toString()).toBe(plan('/bin/ls', { cwd: '/' }).toString());
  });
  test('throws for bad arguments', () => {
    expect(() => plan('')).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'command'));
    expect(() => plan('ls', { hostname: 'box' })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'hostname'));
  });
  test('is a Plan', () => {
    expect(plan('ls')).toBeInstanceOf(Plan);
  });
});

describe('clone(plan)', () => {
  const made = plan('/bin/sh', ['-c', 'hostname; echo $$'], demo);

  test('starts as often as wanted', async () => {
    for (let i = 0; i < 20; i++) expect(await output(made)).toBe('box\n1\n');
  });
  test('starts independent children at once', async () => {
    const cat = plan('/bin/cat', [], { stdio: ['pipe', 'pipe', 'inherit'] });
    const children = await Promise.all(Array.from({ length: 30 }, () => clone(cat)));
    expect(new Set(children.map(({ pid }) => pid)).size).toBe(30);
    const texts = children.map(async (child, index) => {
      child.stdin.end(`child ${index}`);
      return read(child.stdout);
    });
    expect(await Promise.all(texts)).toEqual(Array.from({ length: 30 }, (_, index) => `child ${index}`));
    for (const child of children) expect(await child.exited).toMatchObject({ code: 0 });
  });
  test('gives each child namespaces of its own', async () => {
    const link = plan('/bin/readlink', ['/proc/self/ns/net'], {
      ...owned(Flags.NEWNET),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const held = plan('/bin/sh', ['-c', 'readlink /proc/self/ns/net; read wait'], {
      ...owned(Flags.NEWNET),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const first = await clone(held);
    const name = await new Promise<unknown>((resolve) => first.stdout!.once('data', resolve));
    expect(await output(link)).not.toBe(String(name));
    first.stdin!.end();
    await first.exited;
  });
  test('overrides stdio and env', async () => {
    const echo = plan('/bin/sh', ['-c', 'echo $A; ls /proc/self/fd'], {
      env: { A: 'planned', PATH: '/usr/bin:/bin' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    expect(await output(echo)).toBe('planned\n0\n1\n2\n3\n');
    expect(await output(echo, { env: { A: 'given', PATH: '/usr/bin:/bin' } })).toBe('given\n0\n1\n2\n3\n');
    expect(await output(echo, { stdio: ['ignore', 'pipe', 'ignore', 'ignore', 0] })).toBe('planned\n0\n1\n2\n3\n4\n');
    const child = await clone(echo, { stdio: 'ignore' });
    expect(child.stdout).toBeNull();
    await child.exited;
    expect(await output(echo)).toBe('planned\n0\n1\n2\n3\n');
  });
  test('names the nearest option of a start', async () => {
    await expect(clone(made, { timout: 1 } as object)).rejects.toThrow('did you mean "timeout"?');
  });
  test('the PATH of another environment is the one that is searched', async () => {
    const echo = plan('true', { env: { PATH: '/nonexistent' }, stdio: ['ignore', 'pipe', 'inherit'] });
    await expect(clone(echo)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await output(echo, { env: { PATH: '/usr/bin:/bin' } })).toBe('');
  });
  test.each([
    ['flags', 0],
    ['hostname', 'x'],
    ['cwd', '/'],
    ['argv0', 'x'],
  ])('refuses to override %s', async (name, value) => {
    await expect(clone(made, { [name]: value } as object)).rejects.toThrow(
      refusal(
        'ERR_INVALID_ARG_VALUE',
        name,
        'is an option of plan(): of its own a start has env, stdio, signal, timeout',
      ),
    );
  });
  test('refuses what is no option', async () => {
    for (const options of [5, 'x', []]) await expect(clone(made, options as object)).rejects.toThrow(TypeError);
    await expect(clone(made, { stdio: 'x' as 'pipe' })).rejects.toThrow(refusal('ERR_INVALID_ARG_VALUE', 'stdio'));
  });
  test('undefined options are none', async () => {
    expect(await output(made, { stdio: undefined, env: undefined })).toBe('box\n1\n');
    expect(await output(made, undefined)).toBe('box\n1\n');
  });
  test('can fail every time, and the error is whole each time', async () => {
    const missing = plan('/nonexistent/command', { stdio: 'pipe' });
    for (let i = 0; i < 5; i++) {
      await expect(clone(missing)).rejects.toMatchObject({
        code: 'ENOENT',
        step: 'command',
        path: '/nonexistent/command',
      });
    }
  });
  test('the environment is the one of when the plan was made, whatever else is overridden', () => {
    expect(
      evaluate<string[]>(
        `process.env.NSCLONE_TEST = 'planned';
         const made = nsclone.plan('sh', ['-c', 'echo $NSCLONE_TEST'], { stdio: ['ignore', 'pipe', 'inherit'] });
         process.env.NSCLONE_TEST = 'changed';
         const found = [];
         for (const options of [undefined, {}, { stdio: ['ignore', 'pipe', 'ignore'] }]) {
           const child = await nsclone.clone(made, options);
           let text = '';
           for await (const chunk of child.stdout) text += chunk;
           found.push(text.trim());
         }
         return found;`,
      ),
    ).toEqual(['planned', 'planned', 'planned']);
  });
  test('a plan for a limit of its own is large', async () => {
    const args = Array.from({ length: 2000 }, (_, index) => `argument ${index}`);
    const large = plan('/bin/sh', ['-c', 'echo $#', 'sh', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    expect(await output(large)).toBe('2000\n');
    expect(await output(large)).toBe('2000\n');
  });
});
