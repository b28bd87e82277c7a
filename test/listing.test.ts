// What a plan and a recorded program show of themselves: to a person, to console.log(), to JSON. Never the environment.
import { format, inspect } from 'node:util';

import { constants, Flags, type ListedCall, plan, record, type Recorder } from '../lib';
import { owned } from './support/inside';

const { AF_INET, AT_FDCWD, PR_CAPBSET_DROP, SOCK_STREAM } = constants;
const secret = 'swordfish';
const env = { PATH: '/bin', SECRET: secret };

const made = plan('/bin/sh', ['-c', 'true'], {
  ...owned(Flags.NEWUTS),
  hostname: 'box',
  stdio: 'inherit',
  env,
});
const program = record((c) => {
  c.mkdirat(AT_FDCWD, '/nowhere', 0o755).accept('EEXIST');
  const sock = c.socket(AF_INET, SOCK_STREAM, 0);
  c.bind(sock, { address: '127.0.0.1', port: 80 });
  const [, end] = c.pipe2(0);
  c.write(end, 'text');
  c.syscall('getpid', 2n ** 63n, -(2n ** 60n));
  c.execve('/bin/ls', ['ls', '-l'], env);
});

describe.each([
  ['a plan', made],
  ['a program', program],
])('%s', (_, shown) => {
  test('is its listing for console.log()', () => {
    expect(inspect(shown)).toBe(shown.toString());
    expect(format('%s', shown)).toBe(shown.toString());
    expect(inspect({ shown })).toContain('execve("/bin/');
    expect(inspect([[[[shown]]]])).toMatch(/\[(Plan|Program|Array)\]/);
  });
  test('shows no variable of the environment to anybody', () => {
    const ways = [
      inspect(shown),
      inspect(shown, { customInspect: false, depth: Infinity, maxArrayLength: Infinity }),
      inspect({ ...shown }, { depth: Infinity }),
      inspect(Object.entries(shown), { depth: Infinity }),
      JSON.stringify(shown),
      String(shown),
    ];
    for (const way of ways) expect(way).not.toMatch(/SECRET|swordfish/);
    expect(JSON.stringify(shown)).toContain('{"variables":2}');
  });
  test('has an entry for each instruction in JSON, with the number that it has in errors', () => {
    const { calls } = JSON.parse(JSON.stringify(shown)) as { calls: ListedCall[] };
    expect(calls.map(({ number }) => number)).toEqual(calls.map((__, index) => index));
    expect(calls).toEqual(shown.toJSON().calls);
    expect(calls.length).toBe(shown.toString().split('\n').length);
  });
});

/** The entry of the first call of this name. */
function entry(shown: { toJSON(): { readonly calls: readonly ListedCall[] } }, call: string): ListedCall | undefined {
  return shown.toJSON().calls.find((one) => one.call === call);
}

describe('JSON', () => {
  test('has command, arguments and notes of a plan', () => {
    expect(made.toJSON()).toMatchObject({ command: '/bin/sh', args: ['-c', 'true'], notes: [] });
    const noted = plan('/bin/true', {
      flags: Flags.NEWUSER,
      uidMap: 'root',
      gidMap: 'root',
      setgroups: 'deny',
      uid: 0,
    });
    expect(noted.toJSON().notes).toEqual([expect.stringContaining('groups stay as they are')]);
  });
  test('has step, option, call and arguments as what they are', () => {
    expect(entry(made, 'sethostname')).toEqual({
      number: expect.any(Number),
      step: 'hostname',
      option: 'hostname',
      call: 'sethostname',
      arguments: ['box', 3],
    });
    expect(entry(made, 'unshare')?.arguments).toEqual([{ value: Flags.NEWUSER, name: 'CLONE_NEWUSER' }]);
    expect(entry(made, 'execve')?.arguments).toEqual(['/bin/sh', ['/bin/sh', '-c', 'true'], { variables: 2 }]);
  });
  test('has results, words, errors that are accepted, and structs', () => {
    expect(program.toJSON().calls.slice(0, 5)).toEqual([
      {
        number: 0,
        step: 'program',
        option: 'program[0]',
        call: 'mkdirat',
        arguments: [{ value: AT_FDCWD, name: 'AT_FDCWD' }, '/nowhere', { value: 0o755, name: '0755' }],
        policies: ['EEXIST: go on'],
      },
      {
        number: 1,
        step: 'program',
        option: 'program[1]',
        call: 'socket',
        arguments: [{ value: AF_INET, name: 'AF_INET' }, { value: SOCK_STREAM, name: 'SOCK_STREAM' }, 0],
        result: 0,
      },
      expect.objectContaining({ arguments: [{ result: 0 }, { text: '{AF_INET, 127.0.0.1:80}' }, 16] }),
      expect.objectContaining({ arguments: [{ place: expect.any(Number) }, 0] }),
      expect.objectContaining({ arguments: [{ place: expect.any(Number) }, { text: '"text"' }, 4] }),
    ]);
  });
  test('of what is no system call', () => {
    const { calls } = plan('nowhere', { env: { PATH: '/a:/b' }, stdio: 'ignore', hold: true }).toJSON();
    expect(calls).toContainEqual(expect.objectContaining({ step: 'hold', call: 'wait', arguments: [] }));
    expect(calls).toContainEqual(expect.objectContaining({ call: 'fail', arguments: [{ value: 2, name: 'ENOENT' }] }));
    expect(calls).toContainEqual(expect.objectContaining({ call: 'store', arguments: [{ word: 'channel' }, 3] }));
  });
});

describe('a long run of alike calls', () => {
  const kept = plan('/bin/true', [], {
    ...owned(0),
    stdio: 'ignore',
    capabilities: { bounding: ['CAP_CHOWN', 'CAP_KILL'] },
  });

  test('is one line with the names of all, and the numbers of the instructions', () => {
    const { calls } = kept.toJSON();
    const drops = calls.filter((call) => JSON.stringify(call.arguments).includes('PR_CAPBSET_DROP'));
    expect(drops.length).toBeGreaterThan(30);
    const lines = kept.toString().split('\n');
    const line = lines.filter((text) => text.includes('PR_CAPBSET_DROP'));
    expect(line).toHaveLength(1);
    expect(line[0]).toContain(`${drops[0]!.number}–${drops.at(-1)!.number}  identity`);
    expect(line[0]).toMatch(/prctl\(PR_CAPBSET_DROP, \{CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, .*, CAP_SYS_ADMIN, /);
    expect(line[0]).not.toMatch(/CAP_CHOWN|CAP_KILL/);
    expect(line[0]).toMatch(new RegExp(`\\}, 0, 0, 0\\) {2}# ${drops.length} calls$`));
    expect(lines.length).toBe(calls.length - drops.length + 1);
  });
  test('leaves the numbers after it as they are', () => {
    const last = kept.toString().split('\n').at(-1)!;
    expect(last).toMatch(new RegExp(`^ *${kept.writer.count - 1} `));
  });

  const recorded = (line: (c: Recorder) => void): string[] => record(line).toString().split('\n');

  test('of recorded calls too, with the numbers of those', () => {
    const lines = recorded((c) => {
      c.getpid();
      for (let i = 0; i < 10; i++) c.mkdirat(AT_FDCWD, `/${i}`, 0o755).accept('EEXIST');
      c.getpid();
    });
    expect(lines).toEqual([
      '   0  program  program[0]     getpid()',
      '1–10  program  program[1–10]  mkdirat(AT_FDCWD, {"/0", "/1", "/2", "/3", "/4", "/5", "/6", "/7", "/8", "/9"}, 0755)  # 10 calls; EEXIST: go on',
      '  11  program  program[11]    getpid()',
    ]);
  });
  test('a short one is not', () => {
    const drops = (count: number): string[] =>
      recorded((c) => {
        for (let i = 0; i < count; i++) c.prctl(PR_CAPBSET_DROP, i);
      });
    expect([drops(7).length, drops(8).length]).toEqual([7, 1]);
  });
  test('ends where the call, another argument, a policy or a kept result differs', () => {
    const differing: ((c: Recorder, i: number) => unknown)[] = [
      (c, i) => (i < 7 ? c.fsync(i) : c.close(i)),
      (c, i) => c.fchmod(i, i < 7 ? 0 : 1),
      (c, i) => (i < 7 ? c.fsync(i) : c.fsync(i).accept('EBADF')),
      (c, i) => c.fchown(i, i, 0),
    ];
    for (const call of differing) {
      const lines = recorded((c) => {
        for (let i = 0; i < 14; i++) call(c, i);
      });
      expect(lines).toHaveLength(14);
    }
    const kept14 = record((c) => Array.from({ length: 14 }, (_, i) => c.dup(i)));
    expect(kept14.toString().split('\n')).toHaveLength(14);
  });
  test('is not entered from elsewhere', () => {
    const lines = plan('nowhere', { env: { PATH: Array.from({ length: 12 }, (_, i) => `/${i}`).join(':') } })
      .toString()
      .split('\n');
    const numbers = new Set(lines.map((text) => /^ *(\d+)/.exec(text)![1]!));
    for (const text of lines) {
      for (const [, target] of text.matchAll(/go to (\d+)/g)) expect(numbers).toContain(target);
    }
  });
});
