// A start that fails before there is a child: the error names the call that failed, nothing is lost, and no promise stays open.
import { syscalls, type SyscallName } from '../../lib/kernel/syscalls';
import { fewDescriptors } from '../support/few-descriptors';
import { as, evaluate } from '../support/own-process';
import { compiled, library, withCompiler } from '../support/compiled';

const refuse = compiled('robustness/refuse', library);

const common = `
  const { clone, Flags, record } = nsclone;
  const { children, settled, sleep } = require(${JSON.stringify(require.resolve('../robustness/left.js'))});
  const pid = { flags: Flags.NEWUSER | Flags.NEWPID, uidMap: 'root', gidMap: 'root', setgroups: 'deny' };
  const sorts = [{ stdio: 'ignore' }, { stdio: 'pipe' }, { ...pid, stdio: 'ignore' }, { ...pid, init: true, stdio: 'ignore' }];
  const failure = (promise) => promise.then(
    () => 'started',
    ({ name, code, step, syscall, option, message }) => ({ name, code, step, syscall, option, message }));
  // What is loaded and opened once and for all.
  for (const options of sorts) await (await clone('/bin/true', [], options)).exited;
`;

interface Failure {
  readonly name: string;
  readonly code: string;
  readonly step?: string;
  readonly syscall?: string;
  readonly option?: string;
  readonly message: string;
}

describe('a call that is refused to Node itself', () => {
  // Not the errno by which such a call fails as a rule: what is told is then what the kernel has said here.
  const errno = { number: 28, code: 'ENOSPC' };

  /** What a start fails with in a Node to which this call is refused from now on; large arguments need memory of their own. */
  const failureWithout = (
    name: SyscallName,
    args = '[]',
    { number = errno.number, wrapper = [] }: { number?: number; wrapper?: readonly string[] } = {},
    start = `clone('/bin/true', ${args}, { stdio: 'ignore' })`,
  ): Failure | 'started' =>
    evaluate(
      `${common}
      // On its usual way out Node aborts where rt_sigaction(2) is refused.
      process.on('exit', () => process.reallyExit(0));
      process.env.REFUSE = '${syscalls[name]}=${number}';
      try { process.dlopen({ exports: {} }, ${JSON.stringify(refuse.path)}); } catch {}
      return failure(${start});`,
      wrapper,
    );

  const large = "Array.from({ length: 10 }, () => 'x'.repeat(20_000))";
  for (const [name, args] of [
    ['socketpair', '[]'],
    ['memfd_create', large],
    ['ftruncate', large],
  ] as const) {
    withCompiler(`${name}: it is the one that is named`, () => {
      const failed = failureWithout(name, args);
      // A start that can do without the call is no failure.
      if (failed !== 'started') expect(failed).toMatchObject({ name: 'SyscallError', code: errno.code, syscall: name });
    });
  }

  for (const name of ['prctl', 'pread64', 'rt_sigaction'] as const) {
    withCompiler(
      `${name} of the stub: a command that nobody could tell from it, or that would ignore signals, is not started`,
      () => {
        expect(failureWithout(name)).toMatchObject({ code: errno.code, syscall: name, step: 'stub' });
      },
    );
  }

  withCompiler('a name that a filter says it has set, and has not: the same', () => {
    expect(failureWithout('prctl', '[]', { number: 0 })).toMatchObject({ code: 'EIO', syscall: 'prctl', step: 'stub' });
  });

  withCompiler('capget: what an ordinary user may do is not taken for nothing', () => {
    const wrapper = process.geteuid!() === 0 ? as(1000) : [];
    expect(failureWithout('capget', '[]', { wrapper })).toMatchObject({ code: errno.code, syscall: 'capget' });
  });

  for (const name of ['prctl', 'rt_sigaction'] as const) {
    withCompiler(`${name}: a recorded child that would outlive us, or ignore signals, executes nothing`, () => {
      const start = `clone(record((c) => c.execve('/bin/true', ['true'], [])))`;
      const failed = failureWithout(name, '[]', {}, start);
      expect(failed).toMatchObject({ name: 'SyscallError', code: errno.code, step: 'launch', syscall: name });
    });
  }

  withCompiler('clone3 is named where it is the one', () => {
    expect(failureWithout('clone3')).toMatchObject({ code: errno.code, syscall: 'clone3', step: 'clone' });
  });
});

describe('no descriptors left', () => {
  const fill = `
    /** Lets this many numbers be free, \`first\` among them; returns what gives all back. */
    const leave = (count, first = []) => {
      const taken = [];
      try { for (;;) taken.push(fs.openSync('/dev/null')); } catch (error) { if (error.code !== 'EMFILE') throw error; }
      for (const number of [...first, ...taken.splice(0, count - first.length)].slice(0, count)) fs.closeSync(number);
      return () => { for (const number of taken) fs.closeSync(number); };
    };`;

  test('none at all: the first call that needs one is named, and not the clone', () => {
    const failures = evaluate<Failure[]>(
      `${common} ${fill}
      const found = [];
      for (const options of sorts) {
        const giveBack = leave(0);
        const failed = failure(clone('/bin/true', [], options));
        await failed.then(giveBack);
        found.push(await failed);
      }
      return found;`,
      fewDescriptors,
    );
    for (const failed of failures) {
      expect(failed).toMatchObject({ name: 'SyscallError', code: 'EMFILE' });
      expect(failed.syscall).not.toBe('clone3');
    }
    expect(failures).toHaveLength(4);
  });

  test('the entry of stdio is named that had none, and the call that wanted one', () => {
    const failures = evaluate<Failure[]>(
      `${common} ${fill}
      const found = [];
      for (const [free, stdio] of [[0, ['ignore', 'ignore', 'ignore', 'socket']], [2, ['ignore', 'pipe', 'pipe']], [0, ['pipe']]]) {
        const giveBack = leave(free);
        found.push(await failure(clone('/bin/true', [], { stdio })).finally(giveBack));
      }
      const giveBack = leave(0);
      found.push(await failure(clone('/bin/true', [], { pty: true })).finally(giveBack));
      return found;`,
      fewDescriptors,
    );
    const hint = 'too many open files: see RLIMIT_NOFILE';
    for (const { message } of failures) expect(message).toContain(hint);
    expect(failures.map(({ code, option, syscall }) => [code, option, syscall])).toEqual([
      ['EMFILE', 'stdio[3]', 'socketpair'],
      ['EMFILE', 'stdio[2]', 'pipe2'],
      ['EMFILE', 'stdio[0]', 'pipe2'],
      ['EMFILE', 'pty', 'openat'],
    ]);
  });

  test('more entries than there may be descriptors: so is what puts ours above them', () => {
    const failures = evaluate<Failure[]>(
      `${common}
      const entries = (first) => [first, ...Array.from({ length: 120 }, () => 'ignore')];
      return [
        await failure(clone('/bin/true', [], { stdio: entries('pipe') })),
        await failure(clone('/bin/true', [], { stdio: entries('ignore') })),
      ];`,
      ['prlimit', '--nofile=100:100'],
    );
    for (const failed of failures) {
      expect(failed).toMatchObject({
        code: 'EINVAL',
        syscall: 'fcntl',
        message: expect.stringContaining('RLIMIT_NOFILE allows no descriptor above those of stdio') as string,
      });
    }
    expect(failures.map(({ step, option }) => [step, option])).toEqual([
      ['stdio', 'stdio[0]'],
      ['stub', undefined],
    ]);
  });

  test('a recorded child: so is it there', () => {
    const failed = evaluate<Failure>(
      `${common} ${fill}
      const line = record((c) => c.buffer(1 << 20));
      const giveBack = leave(0);
      return failure(clone(line, { flags: Flags.VM })).finally(giveBack);`,
      fewDescriptors,
    );
    expect(failed).toMatchObject({ name: 'SyscallError', code: 'EMFILE' });
    expect(failed.syscall).not.toBe('clone3');
  });

  /** How many numbers were free, what became of the call, and who is left. */
  interface Outcome {
    readonly sort: number;
    readonly free: number;
    readonly outcome: string;
    readonly left: readonly string[];
  }

  test('from 0 to 12, and 0 among them: every call settles, and leaves nobody', () => {
    const outcomes = evaluate<Outcome[]>(
      `${common} ${fill}
      const found = [];
      fs.closeSync(0);
      for (let free = 0; free <= 12; free++) {
        for (const [sort, options] of sorts.entries()) {
          // It is one of those that are left.
          if (!fs.existsSync('/proc/self/fd/0')) fs.openSync('/dev/null');
          const giveBack = leave(free, [0]);
          const end = clone('/bin/sh', ['-c', 'exit 6'], options).then(
            async (child) => (await child.exited).code,
            (error) => error.name + ' ' + error.code);
          await Promise.race([end, sleep(slow(30))]);
          giveBack();
          const outcome = await Promise.race([end, sleep(slow(8000), 'nothing is told')]);
          found.push({ sort, free, outcome: String(outcome), left: (await settled(1e6)).children });
          for (const line of found.at(-1).left) process.kill(Number(line.split(' ')[0]), 'SIGKILL');
        }
      }
      setImmediate(() => process.exit(0));
      return found;`,
      fewDescriptors,
    );
    const isTold = ({ outcome }: Outcome): boolean => /^(?:6|SyscallError EMFILE)$/.test(outcome);
    expect(outcomes.filter((one) => !isTold(one))).toEqual([]);
    expect(outcomes.filter(({ left }) => left.length > 0)).toEqual([]);
    // Neither all too few nor all enough.
    expect(new Set(outcomes.map(({ outcome }) => outcome === '6')).size).toBe(2);
  });
});

describe('too large', () => {
  const large = `Array.from({ length: 80 }, () => 'x'.repeat(1 << 20))`;

  test('arguments: E2BIG is told of them, as execve(2) would', () => {
    const failed = evaluate<Failure>(`${common} return failure(clone('/bin/true', ${large}, { stdio: 'ignore' }));`);
    expect(failed).toMatchObject({ name: 'SyscallError', code: 'E2BIG' });
    expect(failed.syscall).not.toBe('clone3');
    expect(failed.message).toMatch(/\bargs\b|argument/);
  });

  test.each([
    ['given', `const env = Object.fromEntries(${large}.map((text, index) => ['V' + index, text]));`],
    ['ours', `${large}.forEach((text, index) => { process.env['V' + index] = text; }); const env = undefined;`],
  ])('an environment that is %s: so is it there', (_, env) => {
    const failed = evaluate<Failure>(
      `${common} ${env} return failure(clone('/bin/true', [], { stdio: 'ignore', env }));`,
    );
    expect(failed).toMatchObject({ name: 'SyscallError', code: 'E2BIG' });
    expect(failed.syscall).not.toBe('clone3');
    expect(failed.message).toMatch(/\benv\b|environment/);
  });

  test('what the kernel itself finds too large', () => {
    const failed = evaluate<Failure>(
      `${common} return failure(clone('/bin/true', ['x'.repeat(200_000)], { stdio: 'ignore' }));`,
    );
    expect(failed).toMatchObject({ name: 'SyscallError', code: 'E2BIG', step: 'command', syscall: 'execve' });
  });

  test('a recorded line: it is told of the line, not of the clone', () => {
    const failed = evaluate<Failure>(`${common}
      // 16 MiB each.
      const line = record((c) => Array.from({ length: 5 }, () => c.buffer(1 << 24)));
      return failure(clone(line, { flags: Flags.VM }));`);
    expect(failed).toMatchObject({ name: 'SyscallError', code: 'E2BIG' });
    expect(failed.syscall).not.toBe('clone3');
  });
});

describe('namespaces that come when Node has no descriptor left for them', () => {
  // Of all that he sends the kernel counts what is on its way: not one who runs these tests beside us.
  const ordinary = process.geteuid!() === 0 ? as(61_000) : [];

  test('are told to be lost for that, and their process not to have ended', () => {
    const script = `${common}
      const held = clone('/bin/true', [], { ...pid, hold: true, stdio: 'ignore' });
      const all = [];
      try { for (;;) all.push(fs.openSync('/dev/null')); } catch {}
      for (const one of all.splice(-3)) fs.closeSync(one);
      const child = await held;
      for (const one of all) fs.closeSync(one);
      const told = new Set();
      for (const kind of ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts']) {
        try { child.namespace(kind).close(); told.add('there'); } catch ({ code }) { told.add(code); }
      }
      child.kill('SIGKILL');
      await child.exited;
      return [...told].toSorted();`;
    expect(evaluate<string[]>(script, [...fewDescriptors, ...ordinary])).toEqual(['EMFILE', 'there']);
  });

  const inFlight = compiled('trust/in-flight');

  withCompiler('are told to be lost where as many descriptors of the user are on their way as he may have open', () => {
    const script = `${common}
      const sender = await clone(${JSON.stringify(inFlight.path)}, []);
      await new Promise((resolve, reject) => sender.stdout.once('data', resolve).once('end', reject));
      const child = await clone('/bin/true', [], { ...pid, hold: true, stdio: 'ignore' });
      let told;
      try { child.namespace('uts').close(); } catch ({ code }) { told = code; }
      await child.start();
      sender.stdin.end();
      return [told, (await child.exited).code, (await sender.exited).code];`;
    expect(evaluate(script, ['prlimit', '--nofile=100:100', ...ordinary])).toEqual(['EMFILE', 0, 0]);
  });

  test('and are closed when its end is told', () => {
    const script = `${common}
      const child = await clone('/bin/true', [], { ...pid, init: true, stdio: 'ignore' });
      const kept = () => fs.readdirSync('/proc/self/fd').filter((fd) => {
        try { return /^[a-z_]+:.4026/.test(fs.readlinkSync('/proc/self/fd/' + fd)); } catch { return false; }
      }).length;
      const before = kept();
      await child.exited;
      return [before > 0, kept()];`;
    expect(evaluate(script, ordinary)).toEqual([true, 0]);
  });
});
