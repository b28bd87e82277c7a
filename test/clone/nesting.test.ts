// Namespaces below those that are joined: `user` and `pid` both in `join` and in `flags`.
import { readFileSync, readlinkSync } from 'node:fs';

import { clone, type ClonedProcess, type CloneOptions, createNamespaces, Flags, plan, run } from '../../lib';
import { rootOnly } from '../support/capability';
import { compiled, library, withCompiler } from '../support/compiled';
import { failureAt, killed } from '../support/fault';
import { inside, owned } from '../support/inside';
import { leavesNothing, ourChildren } from '../support/leftovers';
import { emitted, isCall, type Line, linesOf } from '../support/listing';
import { evaluate, testBuild } from '../support/own-process';
import { planning, refusal } from '../support/refusal';

leavesNothing();

const late = compiled('clone/late-word', library);

const { NEWNS, NEWPID, NEWUSER, NEWUTS } = Flags;
const both = NEWUSER | NEWPID;
const ours = { join: '/proc/self/ns/user', flags: NEWUSER } as const;
const proc = { type: 'proc', target: '/proc' } as const;

function isJumpOver({ number: from, call }: Line, number: number): boolean {
  const to = /^close\(-1\).*EBADF: go to (\d+)/.exec(call)?.[1];
  return to !== undefined && number > from && number < Number(to);
}

/** A container, and what joins it. */
async function withHome(use: (home: ClonedProcess, options: CloneOptions) => Promise<void>): Promise<void> {
  const home = await clone('/bin/cat', [], { ...owned(both), stdio: ['pipe', 'ignore', 'inherit'] });
  try {
    await use(home, { ...owned(both | NEWNS), join: home, mounts: [proc] });
  } finally {
    home.kill('SIGKILL');
    await home.exited;
  }
}

const numbers = (pid: number): string[] =>
  /^NSpid:\t(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]!.split('\t');

describe('below what is joined, it rejects', () => {
  test('more than one id, which only a process that others there could look into would be given', () => {
    const lent = { ...ours, uidMap: [{ containerID: 0, hostID: 0, size: 2 }] };
    expect(planning(lent)).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'uidMap', 'must be one id'));
    expect(planning({ ...ours, gidMap: [...lent.uidMap, { containerID: 5, hostID: 5, size: 1 }] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'gidMap', 'must be one id'),
    );
  });
  test("setgroups: 'allow', which nobody in there could keep", () => {
    expect(planning({ ...ours, ...owned(0), flags: NEWUSER, setgroups: 'allow' })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'setgroups'),
    );
  });
  test("hold 'maps': who waits for them has the ids of root there", () => {
    expect(planning({ ...ours, hold: 'maps' })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'hold', 'below a user namespace that is joined'),
    );
  });
  test('all other kinds: a process is in one of each', () => {
    expect(planning({ join: '/proc/self/ns/uts', flags: both | NEWUTS })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'join', 'cannot enter CLONE_NEWUTS that flags create'),
    );
  });
});

describe('below what is joined, it emits', () => {
  test('one process more for a pid namespace, and for that alone', () => {
    const join = '/proc/self/ns/pid';
    const clones = (options: CloneOptions): string[] =>
      emitted('process', options).filter((line) => line.includes('clone('));
    expect(clones({ join })).toHaveLength(1);
    expect(clones({ join, flags: NEWUTS })).toHaveLength(1);
    const [first, second] = clones({ join, flags: NEWPID });
    expect(first).not.toContain('CLONE_NEWPID');
    expect(second).toContain('clone(CLONE_PARENT|CLONE_PARENT_SETTID|CLONE_NEWPID,');
  });
  test('the ids 0 and 0 of the joined one before the new one is made', () => {
    const lines = emitted('user', { ...ours, uidMap: 'keep' });
    const at = (text: string): number => lines.findIndex((line) => line.includes(text));
    expect(at('setresuid(0, 0, 0)')).toBeGreaterThanOrEqual(0);
    expect(at('setresuid(0, 0, 0)')).toBeLessThan(at('unshare(CLONE_NEWUSER)'));
    expect(lines.join('\n')).toContain('"0 0 1\\n"');
  });
});

describe('below what is joined', () => {
  test('a pid namespace: the program is its pid 1, a process of the joined one, and our own child', () =>
    withHome(async (_home, options) => {
      const child = await clone('/bin/cat', [], { ...options, stdio: ['pipe', 'ignore', 'inherit'] });
      expect(numbers(child.pid)).toHaveLength(3);
      expect(numbers(child.pid)[2]).toBe('1');
      expect(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))![1]).toBe(String(process.pid));
      child.kill('SIGKILL');
      expect(await child.exited).toMatchObject({ signal: 'SIGKILL' });
    }));
  test('its exit code is its own, and nobody is left of those on the way', () =>
    withHome(async (home, options) => {
      const child = await clone('/bin/sh', ['-c', 'exit 7'], { ...options, stdio: 'ignore' });
      expect(await child.exited).toMatchObject({ code: 7, signal: null });
      expect(ourChildren()).toContain(home.pid);
      expect(ourChildren()).not.toContain(child.pid);
    }));
  test('a pid 1 of ours', () =>
    withHome(async (_home, options) => {
      expect(await inside('echo $$; cat /proc/1/comm', { ...options, init: true })).toMatch(/^2\n/);
    }));
  test('a user namespace: its parent is the joined one', () =>
    withHome(async (home, options) => {
      const child = await clone('/bin/cat', [], { ...options, hold: true, stdio: ['pipe', 'ignore', 'inherit'] });
      const [user, outer] = [child.namespace('user'), home.namespace('user')];
      const parent = user.parent();
      try {
        expect(parent!.equals(outer)).toBe(true);
        expect(user.equals(outer)).toBe(false);
      } finally {
        for (const one of [user, outer, parent]) one?.close();
        child.kill('SIGKILL');
        await child.exited;
      }
    }));
  test('the joined 0 can be anybody there, and has no group of ours', () =>
    withHome(async (home) => {
      const map = [{ containerID: 1000, hostID: 0, size: 1 }];
      const options = { join: home, flags: NEWUSER, uidMap: map, gidMap: map } as const;
      expect(await inside('id -u; id -g; cat /proc/self/setgroups', options)).toBe('1000\n1000\ndeny');
    }));
  test('an id that the joined one has no place for is told', () =>
    withHome(async (home) => {
      const uidMap = [{ containerID: 0, hostID: 5, size: 1 }];
      await expect(clone('/bin/true', { join: home, flags: NEWUSER, uidMap })).rejects.toMatchObject({
        code: 'EPERM',
        step: 'user',
        option: 'uidMap',
        hint: expect.stringContaining('the one id is 0 of it'),
      });
    }));
  rootOnly('a pid namespace of a user namespace that is not joined with it is told', () =>
    withHome(async (home) => {
      await expect(clone('/bin/true', { join: { pid: home.pid, flags: NEWPID }, flags: NEWPID })).rejects.toMatchObject(
        { code: 'EINVAL', hint: expect.stringContaining('join that one too') },
      );
    }),
  );
  test('three deep, one by one', () =>
    withHome(async (_home, options) => {
      const second = await clone('/bin/cat', [], {
        ...owned(both),
        join: options.join!,
        stdio: ['pipe', 'ignore', 'inherit'],
      });
      try {
        const { stdout } = await run('grep', ['NSpid', '/proc/thread-self/status'], {
          ...owned(both),
          join: second,
        });
        // In the /proc of our own mount namespace.
        expect(stdout.trim().split('\t')).toHaveLength(5);
      } finally {
        second.kill('SIGKILL');
        await second.exited;
      }
    }));

  rootOnly('is found when it is killed before its first word, in however many groups', () =>
    withHome(async (home) => {
      const before = process.getgroups!();
      const children = ourChildren();
      process.setgroups!(Array.from({ length: 1000 }, (_, index) => 4_000_000_000 + index));
      try {
        const whole = plan('/bin/true', { join: { pid: home.pid }, flags: NEWPID, stdio: 'ignore' });
        const lines = linesOf(whole);
        const first = lines[lines.findLastIndex(({ call }) => call.startsWith('clone(')) + 1]!;
        expect(await failureAt(whole, first.number, killed)).toMatchObject({ code: 'ECHILD', signal: 'SIGKILL' });
        expect(ourChildren()).toEqual(children);
      } finally {
        process.setgroups!(before);
      }
    }),
  );
  test('names step and option at each instruction that fails, and when it is killed there', () =>
    withHome(async (_home, options) => {
      const whole = plan('/bin/true', [], { ...options, init: true, stdio: 'ignore' });
      const lines = linesOf(whole).filter(isCall);
      for (const { number, step, option, call } of lines) {
        // The second try of a join, and the shell for what is no script, are not come to.
        if (/EBADF|any error|execve\("\/bin\/sh"/.test(call)) continue;
        if (lines.some((line) => line.number === number - 1 && /EBADF|any error/.test(line.call))) continue;
        // What is behind a jump is another process's, or not come to.
        if (call.includes(' unless the ') || lines.some((line) => isJumpOver(line, number))) continue;
        expect({ number, ...(await failureAt(whole, number, 'E2BIG')) }).toMatchObject({ number, code: 'E2BIG', step });
        const error = await failureAt(whole, number, killed);
        expect({ number, ...error }).toMatchObject({ number, code: 'ECHILD', signal: 'SIGKILL', step });
        expect([number, error.option ?? '']).toEqual([number, option]);
      }
    }));
  rootOnly('tells which file could not be written, by whoever writes it', () =>
    withHome(async (_home, options) => {
      const whole = plan('/bin/true', [], { ...options, stdio: 'ignore' });
      for (const [option, file] of [
        ['uidMap', 'uid_map'],
        ['setgroups', 'setgroups'],
        ['gidMap', 'gid_map'],
      ] as const) {
        const { number } = linesOf(whole).find(({ call }) => call.includes(`"${file}"`))!;
        for (const at of [number, number + 1]) {
          expect(await failureAt(whole, at, 'EACCES')).toMatchObject({
            code: 'EACCES',
            step: 'user',
            option,
            path: `/proc/PID/${file}`,
          });
        }
        expect(await failureAt(whole, number, killed)).toMatchObject({ code: 'ECHILD', step: 'user', option: 'join' });
      }
    }),
  );
  rootOnly('refuses an id that is not the own one, although root of the joined one may map it', async () => {
    const lent = [{ containerID: 0, hostID: 100_000, size: 10 }];
    const home = await clone('/bin/cat', [], {
      flags: NEWUSER,
      uidMap: lent,
      gidMap: lent,
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    const join = { pid: home.pid, flags: NEWUSER };
    const other = [{ containerID: 0, hostID: 5, size: 1 }];
    try {
      for (const option of ['uidMap', 'gidMap'] as const) {
        await expect(clone('/bin/true', [], { ...owned(0), join, [option]: other })).rejects.toMatchObject({
          code: 'EPERM',
          option,
          hint: expect.stringContaining('the one id is 0 of it'),
        });
      }
      expect(await inside('id -u; id -g', { ...owned(0), join })).toBe('0\n0');
    } finally {
      home.kill('SIGKILL');
      await home.exited;
    }
  });
  withCompiler('leaves nobody who is ended before it is heard of, however late we listen', () => {
    const left = evaluate<number[]>(
      `const { clone, Flags } = nsclone;
       const options = { flags: ${both}, uidMap: 'root', gidMap: 'root' };
       const home = await clone('/bin/cat', [], { ...options, stdio: ['pipe', 'ignore', 'ignore'] });
       for (let round = 0; round < 60; round++) {
         const ending = new AbortController();
         const child = clone('/bin/true', [], { ...options, join: home, stdio: 'ignore', signal: ending.signal });
         for (const end = performance.now() + 0.2 + (round % 20) / 8; performance.now() < end;);
         ending.abort();
         await child.then((started) => started.exited, () => {});
       }
       home.kill('SIGKILL');
       // Whoever is left keeps it from ending.
       await Promise.race([home.exited, new Promise((over) => setTimeout(over, slow(5000)).unref())]);
       return fs.readFileSync('/proc/self/task/' + process.pid + '/children', 'utf8').split(' ').filter(Boolean).map(Number);`,
      ['env', `LD_PRELOAD=${late.path}`],
    );
    expect(left).toEqual([]);
  });
  rootOnly('finds who is killed before its first word, whatever groups we are in', () => {
    const left = evaluate<[string, number[]]>(
      `process.setgroups(Array.from({ length: 400 }, (_, index) => 2000000000 + index));
       const { clone, plan, Flags } = nsclone;
       const home = await clone('/bin/cat', [], { flags: Flags.NEWPID, stdio: ['pipe', 'ignore', 'ignore'] });
       const whole = plan('/bin/true', [], { flags: Flags.NEWPID, join: home, stdio: 'ignore' });
       const clones = whole.toString().split('\\n').filter((line) => /process .* clone[(]/.test(line));
       require(process.env.NSCLONE_ADDON).setFault(parseInt(clones[1]) + 1, -1);
       const told = await clone(whole).then(() => 'started', (error) => error.code);
       require(process.env.NSCLONE_ADDON).setFault(-1, 0);
       home.kill('SIGKILL');
       await Promise.race([home.exited, new Promise((over) => setTimeout(over, slow(5000)).unref())]);
       return [told, fs.readFileSync('/proc/self/task/' + process.pid + '/children', 'utf8').split(' ').filter(Boolean).map(Number)];`,
      ['env', `NSCLONE_ADDON=${testBuild}`],
    );
    expect(left).toEqual(['ECHILD', []]);
  });
  test('a time that is over ends whoever is on the way', () =>
    withHome(async (_home, options) => {
      const held = clone('/bin/true', [], { ...options, stdio: 'ignore', hold: true, timeout: 100 });
      await held.then(
        async (child) => expect(await child.exited).toMatchObject({ signal: 'SIGKILL' }),
        (error: unknown) => expect(error).toMatchObject({ code: 'ETIMEDOUT' }),
      );
    }));
  test('with Node ends all that is on the way, wherever it is', () => {
    const options = `{ flags: ${both}, uidMap: 'root', gidMap: 'root', stdio: 'ignore' }`;
    const left = evaluate<string[]>(
      `const { spawnSync } = require('node:child_process');
       const living = () => fs.readdirSync('/proc').filter((pid) => Number(pid) > 0 && pid !== String(process.pid) &&
         !/ Z /.test(fs.readFileSync('/proc/' + pid + '/stat', 'utf8')));
       const left = [];
       const { clone, plan, Flags } = nsclone;
       const home = await clone('/bin/cat', [], { ...${options}, stdio: ['pipe', 'ignore', 'ignore'] });
       const whole = plan('/bin/true', [], { ...${options}, join: home });
       const numbers = whole.toString().split('\\n').filter((line) => /process +(?:join|flags)/.test(line)).map((line) => parseInt(line));
       for (const number of numbers) {
         spawnSync(process.execPath, ['-e', \`
           const { clone } = require(process.env.NSCLONE_ROOT);
           clone('/bin/true', [], ${options}).then((child) => child.exited).then(() => {
             require(process.env.NSCLONE_ADDON).setFault(\${number}, -2);
             return clone('/bin/sleep', ['100'], { ...${options}, join: { pid: \${home.pid} } });
           });\`], { env: { ...process.env, NSCLONE_ROOT: ${JSON.stringify(process.cwd())} } });
         await until(() => living().length === 1);
         left.push(...living().slice(1));
       }
       // The dead of others are ours to reap here, and we do not: it cannot end before us.
       home.kill('SIGKILL');
       home.unref();
       return [String(numbers.length), ...left];`,
      ['env', `NSCLONE_ADDON=${testBuild}`, 'unshare', '--user', '--map-root-user', '--pid', '--fork', '--mount-proc'],
    );
    expect(left).toEqual(['6']);
  });
});

describe('createNamespaces with join', () => {
  test('makes them in the user namespace of the target, which they belong to', () =>
    withHome(async (home) => {
      const set = await createNamespaces(NEWUTS, { join: home, hostname: 'second' });
      const [owner, user] = [set.uts.owner(), home.namespace('user')];
      expect(owner!.equals(user)).toBe(true);
      expect(await inside('hostname', { join: [user, set] })).toBe('second');
      for (const one of [owner, user, set]) one!.close();
    }));
  test('makes a user namespace below it', async () => {
    const outer = await createNamespaces(NEWUSER | NEWUTS, { uidMap: 'root', gidMap: 'root' });
    const set = await createNamespaces(NEWUSER | NEWUTS, {
      join: outer,
      uidMap: 'root',
      gidMap: 'root',
      hostname: 'x',
    });
    const parent = set.user.parent();
    expect(parent!.equals(outer.user)).toBe(true);
    expect(await inside('hostname; readlink /proc/self/ns/user', { join: set })).toBe(`x\nuser:[${set.user.id}]`);
    for (const one of [parent, set, outer]) one!.close();
  });
  test.each<[string, unknown, object]>([
    [
      'a namespace of another kind',
      '/proc/self/ns/net',
      { option: 'join', message: expect.stringContaining('must be CLONE_NEWUSER') },
    ],
    ['what is no target', 5, { code: 'ERR_INVALID_ARG_TYPE', option: 'join' }],
    ['our own, which we are in', '/proc/self/ns/user', { code: 'EINVAL', option: 'join', step: 'join' }],
  ])('refuses %s', async (_name, join, error) => {
    await expect(createNamespaces(NEWUTS, { join: join as string })).rejects.toMatchObject(error);
  });
  test('takes a process with flags that say no more than that', () =>
    withHome(async ({ pid }) => {
      (await createNamespaces(NEWUTS, { join: { pid, flags: NEWUSER } })).close();
      await expect(createNamespaces(NEWUTS, { join: { pid, flags: both } })).rejects.toMatchObject({
        option: 'join.flags',
        message: expect.stringContaining('must be CLONE_NEWUSER'),
      });
      expect(readlinkSync(`/proc/${pid}/ns/user`)).not.toBe(readlinkSync('/proc/self/ns/user'));
    }));
});
