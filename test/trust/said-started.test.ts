// "Started" is said when the exec has happened and never otherwise, whatever a program calls itself, whatever a filter answers.
import { clone, type CloneOptions, Flags, type SyscallError } from '../../lib';
import { syscalls } from '../../lib/kernel/syscalls';
import { owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { evaluate } from '../support/own-process';
import { compiled, library, withCompiler } from '../support/compiled';
import { temporaryFolder } from '../support/temporary-folder';

const folder = temporaryFolder();

describe('a program that takes the name of the stub', () => {
  const program = compiled('trust/said-own-name');

  // Node looks when the program has its name already, or has ended.
  const started = (how: string, then: string): string => `
    const { clone, Flags } = nsclone;
    const { children, settled, sleep } = require(${JSON.stringify(require.resolve('../robustness/left.js'))});
    const program = ${JSON.stringify(program.path)};
    const sorts = [
      {},
      // Nothing in it waits for Node.
      { flags: Flags.NEWUSER | Flags.NEWPID, uidMap: 'root', gidMap: 'root', setgroups: 'deny' },
      { flags: Flags.NEWUSER | Flags.NEWPID, uidMap: 'root', gidMap: 'root', setgroups: 'deny', init: true },
    ];
    const late = (milliseconds) => sleep(milliseconds, { code: 'late' }, { ref: false });
    const failed = ({ code, signal }) => ({ failed: code, signal });
    /** Whether it has taken the name by now. */
    const isNamed = (pid) => {
      try {
        return fs.readlinkSync('/proc/' + pid + '/exe') === program && fs.readFileSync('/proc/' + pid + '/comm', 'utf8') === 'nsclone/stub\\n';
      } catch { return false; }
    };
    const isFar = () => ${how === 'stay'}
      ? fs.readdirSync('/proc').some((name) => Number(name) > 0 && isNamed(name))
      : children().length > 0 && children().every((child) => child.endsWith(' Z'));
    const found = [];
    for (const options of sorts) {
      const promise = clone(program, [${JSON.stringify(how)}], { ...options, stdio: ['pipe', 'ignore', 'ignore'] });
      const outcome = Promise.race([promise.then((child) => ({ child }), failed), late(slow(6000))]);
      while (!isFar());
      ${then}
    }
    return [found, await settled(1e6)];`;
  const ended = `
      const { child, ...failure } = await outcome;
      const end = child === undefined ? failure : await Promise.race([child.exited, late(slow(6000))]);
      found.push({ code: end.code, signal: end.signal, failed: end.failed });`;
  const nothing = { children: [], descriptors: expect.any(Number) as number };

  withCompiler('and exits has run, and its code is told', () => {
    const end = { code: 7, signal: null };
    expect(evaluate(started('exit', ended))).toEqual([[end, end, end], nothing]);
  });

  withCompiler('and is killed has run, and its signal is told', () => {
    const end = { code: null, signal: 'SIGUSR1' };
    const [found, left] = evaluate<[unknown[], unknown]>(started('kill', ended));
    // A signal that it sends to itself is nothing to a pid 1.
    expect(found).toEqual([end, { code: 7, signal: null }, end]);
    expect(left).toEqual(nothing);
  });

  withCompiler('and runs on has started', () => {
    const then = `
      const { child } = await outcome;
      found.push(child !== undefined);
      // Of one that is not given away: its stdin ends with Node's interest in it.
      if (child === undefined) for (const line of children()) process.kill(Number(line.split(' ')[0]), 'SIGKILL');
      else { child.stdin.end(); found.push((await child.exited).code); }`;
    expect(evaluate(started('stay', then))).toEqual([[true, 7, true, 7, true, 7], nothing]);
  });

  withCompiler('of its own set-up, as anybody could read it, has started, and is no set-up any more', () => {
    const result = evaluate(`
      const { clone } = nsclone;
      const { settled } = require(${JSON.stringify(require.resolve('../robustness/left.js'))});
      const found = [];
      for (const how of ['stay', 'exit']) {
        const file = ${JSON.stringify(folder.at('name'))};
        const child = await clone(${JSON.stringify(program.path)}, [how, file], { hold: true, stdio: ['pipe', 'ignore', 'ignore'] });
        fs.writeFileSync(file, fs.readFileSync('/proc/' + child.pid + '/comm', 'utf8').trim());
        const starting = child.start();
        // It has the name before anybody looks.
        const isNamed = () => {
          // Nobody may look into it while it is held.
          try { return fs.readlinkSync('/proc/' + child.pid + '/exe') === ${JSON.stringify(program.path)}; } catch { return false; }
        };
        while (how === 'stay' ? !isNamed() : !fs.readFileSync('/proc/' + child.pid + '/stat', 'utf8').includes(') Z '));
        for (const end = performance.now() + 20; performance.now() < end;);
        found.push(await starting.then(() => 'started', (error) => error.message));
        child.stdin.end();
        found.push((await child.exited).code);
      }
      return [found, await settled(1e6)];`);
    expect(result).toEqual([['started', 7, 'started', 7], nothing]);
  });

  withCompiler('and runs on leaves the event loop asleep', () => {
    const then = `
      await outcome;
      const wakeUps = () => Number(/^voluntary_ctxt_switches:\\s*(\\d+)$/m.exec(fs.readFileSync('/proc/thread-self/status', 'utf8'))[1]);
      const before = wakeUps();
      await sleep(slow(500));
      found.push(wakeUps() - before);
      for (const line of children()) process.kill(Number(line.split(' ')[0]), 'SIGKILL');
      await settled(1e6);`;
    // What wakes the loop there is nothing that was required beforehand.
    const [found] = evaluate<[number[]]>(started('stay', then), ['env', '--unset=NODE_OPTIONS']);
    expect(found).toHaveLength(3);
    // Once a millisecond would be 500.
    expect(Math.max(...found)).toBeLessThan(50);
  });
});

describe('a program that ends its container by reboot(2)', () => {
  const program = compiled('trust/said-reboot');

  withCompiler('has run, though nobody has looked before', () => {
    const result = evaluate(`
      const { clone, Flags } = nsclone;
      const { children, settled } = require(${JSON.stringify(require.resolve('../robustness/left.js'))});
      const owned = { flags: Flags.NEWUSER | Flags.NEWPID, uidMap: 'root', gidMap: 'root', setgroups: 'deny', stdio: 'ignore' };
      const starting = clone(${JSON.stringify(program.path)}, [], { ...owned, init: true });
      while (children().length === 0 || !children().every((child) => child.endsWith(' Z')));
      const { code, signal } = await (await starting).exited;
      return [code, signal, await settled(1e6)];`);
    expect(result).toEqual([null, 'SIGINT', { children: [], descriptors: expect.any(Number) as number }]);
  });
});

describe('an execve(2) that a filter answers with 0', () => {
  leavesNothing();

  // Of linux/bpf_common.h and linux/seccomp.h.
  const isCall = (number: number, skip: number): number[] => [0x15, skip, 0, number];
  const nothingDone = [0x06, 0, 0, 0x0005_0000];
  const allow = [0x06, 0, 0, 0x7fff_0000];
  const filter = [[0x20, 0, 0, 0], isCall(syscalls.execve, 2), isCall(syscalls.execveat, 1), allow, nothingDone];
  const seccomp = Buffer.alloc(filter.length * 8);
  filter.forEach(([code, yes, no, value], index) => {
    seccomp.writeUInt16LE(code!, index * 8);
    seccomp.writeUInt8(yes!, index * 8 + 2);
    seccomp.writeUInt8(no!, index * 8 + 3);
    seccomp.writeUInt32LE(value!, index * 8 + 4);
  });

  const failure = (promise: Promise<unknown>): Promise<SyscallError> =>
    promise.then(
      () => {
        throw new Error('it is said to have started');
      },
      (error: SyscallError) => error,
    );
  const refused = { name: 'SyscallError', step: 'command', syscall: 'execve' };
  const sorts: [string, CloneOptions][] = [
    ['in our namespaces', {}],
    ['as pid 1', owned(Flags.NEWPID)],
    ['beside a pid 1', { ...owned(Flags.NEWPID), init: true }],
  ];

  test.each(sorts)('%s: nothing has started', async (_, options) => {
    for (const command of ['/bin/true', 'true', 'sleep']) {
      expect(await failure(clone(command, [], { ...options, seccomp, stdio: 'ignore' }))).toMatchObject(refused);
    }
  });

  test('after a stop: start() rejects', async () => {
    const child = await clone('/bin/true', [], { seccomp, hold: true, stdio: 'ignore' });
    expect(await failure(child.start())).toMatchObject(refused);
    await child.exited;
  });
});

describe('an execveat(2) that a filter of Node itself answers with 0', () => {
  const refuse = compiled('robustness/refuse', library);

  withCompiler('the stub has not started, and nor has a program', () => {
    const outcome = evaluate(`
      const { children, settled } = require(${JSON.stringify(require.resolve('../robustness/left.js'))});
      await (await nsclone.clone('/bin/true')).exited;
      process.env.REFUSE = '${syscalls.execveat}=0';
      try { process.dlopen({ exports: {} }, ${JSON.stringify(refuse.path)}); } catch {}
      const failed = await nsclone.clone('/bin/true').then(() => 'started', ({ name, step, syscall }) => ({ name, step, syscall }));
      return [failed, (await settled(1e6)).children];`);
    expect(outcome).toEqual([{ name: 'SyscallError', step: 'stub', syscall: 'execveat' }, []]);
  });
});
