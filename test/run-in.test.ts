// runIn(): a function on this thread, in namespaces of others, and the way back.
import { expectTypeOf } from 'expect-type';

import { clone, runIn, type Synchronous } from '../lib';
import { needing, rootOnly, userOnly } from './support/capability';
import { leavesNothing } from './support/leftovers';
import { asOwner, evaluate, mayOwn, root, runScript, withTestBuild } from './support/own-process';
import { slow } from './support/slow';

leavesNothing();

const owning = needing(mayOwn, 'user namespaces');

/** For scripts: namespaces that are no process's, and where this thread is. */
const common = `
  const { Flags, Namespace, runIn, setnsSync, unshareSync } = nsclone;
  const link = (kind) => fs.readlinkSync('/proc/thread-self/ns/' + kind);
  const flagOf = { net: Flags.NEWNET, uts: Flags.NEWUTS, ipc: Flags.NEWIPC, cgroup: Flags.NEWCGROUP };
  const made = (kind) => {
    const home = Namespace.current(kind);
    unshareSync(flagOf[kind]);
    const namespace = Namespace.current(kind);
    setnsSync(home);
    home.close();
    return namespace;
  };
  const nameOf = ({ kind, id }) => kind + ':[' + id + ']';
  const tell = (call) => { try { return call(); } catch (error) { return error.message; } };
`;

describe('runIn', () => {
  owning('calls the function in net, uts, ipc and cgroup namespaces, and returns what it returns', () => {
    const rows = evaluate<unknown[]>(
      `${common}
      return Object.keys(flagOf).map((kind) => {
        const namespace = made(kind);
        const before = link(kind);
        const inside = runIn(namespace, () => link(kind));
        return [inside === nameOf(namespace), link(kind) === before, before === inside];
      });`,
      asOwner,
    );
    expect(rows).toEqual(Array.from({ length: 4 }, () => [true, true, false]));
  });

  owning('in the pid namespace of another, where children of the function are born', () => {
    const [theirs, inside, outside] = evaluate<string[]>(
      `${common}
      const child = await nsclone.clone('sleep', ['100'], { flags: Flags.NEWPID, stdio: 'ignore' });
      const pid = () => require('node:child_process').execFileSync('readlink', ['/proc/self/ns/pid'], { encoding: 'utf8' }).trim();
      try {
        return [nameOf(child.namespace('pid')), runIn(child, pid), pid()];
      } finally {
        child.kill('SIGKILL');
        await child.exited;
      }`,
      asOwner,
    );
    expect(inside).toBe(theirs);
    expect(outside).not.toBe(theirs);
  });

  owning('in all that a process has of these kinds, by every form of a target', () => {
    const rows = evaluate<boolean[][]>(
      `${common}
      const child = await nsclone.clone('sleep', ['100'], { flags: Flags.NEWNET | Flags.NEWUTS, hold: true, stdio: 'ignore' });
      const theirs = [nameOf(child.namespace('net')), nameOf(child.namespace('uts'))];
      const look = () => [link('net'), link('uts')];
      const before = look();
      const flags = Flags.NEWNET | Flags.NEWUTS;
      const net = child.namespace('net');
      const targets = [child, { pid: child.pid }, { pidfd: child.pidfd, flags }, { pid: child.pid, flags: Flags.NEWNET }, net, { fd: net.fd }, '/proc/' + child.pid + '/ns/net'];
      const rows = targets.map((target) => [...runIn(target, look).map((id, i) => id === theirs[i]), ...look().map((id, i) => id === before[i])]);
      child.kill('SIGKILL');
      await child.exited;
      return rows;`,
      asOwner,
    );
    const both = [true, true, true, true];
    const net = [true, false, true, true];
    expect(rows).toEqual([both, both, both, net, net, net, net]);
  });

  owning('within another, and comes back one by one', () => {
    const [inner, between, outer, here] = evaluate<boolean[]>(
      `${common}
      const [a, b] = [made('net'), made('net')];
      const home = link('net');
      let inner, between;
      const outer = runIn(a, () => {
        inner = runIn(b, () => link('net'));
        between = link('net');
        return link('net');
      });
      return [inner === nameOf(b), between === nameOf(a), outer === nameOf(a), link('net') === home];`,
      asOwner,
    );
    expect([inner, between, outer, here]).toEqual([true, true, true, true]);
  });

  owning('and is back where the function throws, with what it has thrown', () => {
    const result = evaluate(
      `${common}
      const namespace = made('uts');
      const thrown = new RangeError('mine');
      let caught;
      try { runIn(namespace, () => { throw thrown; }); } catch (error) { caught = error; }
      return [caught === thrown, link('uts') !== nameOf(namespace)];`,
      asOwner,
    );
    expect(result).toEqual([true, true]);
  });

  owning('and is back where the function is broken off without any of its code', () => {
    const result = evaluate(
      `${common}
      const vm = require('node:vm');
      const namespace = made('net');
      const target = '/proc/self/fd/' + namespace.fd;
      for (let timeout = 50; ; timeout *= 2) {
        const before = fs.readdirSync('/proc/self/fd').length;
        let [entered, finished] = [false, false];
        const hang = () => runIn(target, () => { entered = true; try { for (;;); } finally { finished = true; } });
        const message = tell(() => vm.runInNewContext('hang()', { hang }, { timeout }));
        // Broken off on the way there, it tells nothing of the function.
        if (entered) return [message, finished, link('net') !== nameOf(namespace), fs.readdirSync('/proc/self/fd').length - before];
      }`,
      asOwner,
    );
    expect(result).toEqual([expect.stringContaining('Script execution timed out'), false, true, 0]);
  });

  owning('comes back to where it is now, whoever has moved the thread since the last call', () => {
    const rows = evaluate<boolean[]>(
      `${common}
      const [a, b, c] = [made('net'), made('net'), made('net')];
      const rows = [];
      const call = () => { const before = link('net'); rows.push(runIn(a, () => link('net')) === nameOf(a) && link('net') === before); };
      call();
      setnsSync(b);
      call();
      unshareSync(Flags.NEWNET);
      call();
      // Not by us, which a cache could not know.
      const other = { exports: {} };
      process.dlopen(other, ${JSON.stringify(`${root}/build/Release/nsclone_test.node`)});
      other.exports.enter(Int32Array.of(c.fd, Flags.NEWNET), 1);
      call();
      rows.push(link('net') === nameOf(c));
      return rows;`,
      asOwner,
    );
    expect(rows).toEqual([true, true, true, true, true]);
  });

  owning('in a Worker comes back to where that is', () => {
    const result = evaluate(
      `${common}
      const { Worker } = require('node:worker_threads');
      const namespace = made('net');
      const home = link('net');
      const source = \`const nsclone = require(${JSON.stringify(root)}); const fs = require('node:fs');
        const link = () => fs.readlinkSync('/proc/thread-self/ns/net');
        nsclone.unshareSync(nsclone.Flags.NEWNET);
        const before = link();
        const inside = nsclone.runIn({ fd: \${namespace.fd} }, link);
        require('node:worker_threads').parentPort.postMessage([before, inside, link()]);\`;
      const worker = new Worker(source, { eval: true });
      const [before, inside, after] = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
      const here = runIn(namespace, () => link('net'));
      return [before !== home, inside === nameOf(namespace), after === before, here === inside, link('net') === home];`,
      asOwner,
    );
    expect(result).toEqual([true, true, true, true, true]);
  });

  owning('leaves the thread pool outside, although nothing has started it yet', () => {
    const result = evaluate(
      `${common}
      const namespace = made('net');
      const begun = runIn(namespace, () => ({ read: fs.promises.readlink('/proc/thread-self/ns/net') }));
      return (await begun.read) === link('net');`,
      asOwner,
    );
    expect(result).toBe(true);
  });

  owning('and a hundred thousand times leaves nothing behind', () => {
    const [descriptors, grown] = evaluate<number[]>(
      `${common}
      const namespace = made('net');
      const path = '/proc/self/fd/' + namespace.fd;
      const open = () => fs.readdirSync('/proc/self/fd').length;
      const rounds = (target, count) => { for (let i = 0; i < count; i++) runIn(target, () => i); };
      rounds(namespace, 10_000);
      rounds(path, 1000);
      const [before, memory] = [open(), process.memoryUsage().rss];
      rounds(namespace, 100_000);
      rounds(path, 5000);
      return [open() - before, process.memoryUsage().rss - memory];`,
      asOwner,
    );
    expect(descriptors).toBe(0);
    expect(grown).toBeLessThan(8 * 2 ** 20);
  });

  owning('costs little more than what the kernel takes for there and back', () => {
    const beyond = evaluate<number>(
      `${common}
      const namespace = made('net');
      const home = Namespace.current('net');
      const loaded = { exports: {} };
      process.dlopen(loaded, ${JSON.stringify(`${root}/build/Release/nsclone.node`)});
      const places = [namespace, home].map(({ fd }) => Int32Array.of(fd, Flags.NEWNET));
      const microseconds = (call) => {
        const begin = process.hrtime.bigint();
        for (let i = 0; i < 25; i++) call();
        return Number(process.hrtime.bigint() - begin) / 25e3;
      };
      // The best of many that are each shorter than the turn of a process: others run on this machine too.
      const best = (call) => Math.min(...Array.from({ length: 1600 }, () => microseconds(call)));
      const bare = best(() => places.forEach((place) => loaded.exports.enter(place, 1)));
      return best(() => runIn(namespace, () => 1)) - bare;`,
      asOwner,
    );
    // Measured: 9 µs, of which the kernel takes 5.4 to open where we are and to let us in there.
    expect(beyond).toBeLessThan(slow(25));
  });
});

describe('runIn refuses before it enters', () => {
  const here = '/proc/thread-self/ns/';

  test.each([
    ['mnt', /CLONE_NEWNS: .*use clone\(\) with join, or setns\(\) in a Worker/],
    ['user', /CLONE_NEWUSER: .*use clone\(\) with join/],
    ['time', /CLONE_NEWTIME: .*use clone\(\) with join/],
  ])('%s, with the form that works', (kind, message) => {
    const fn = jest.fn();
    expect(() => runIn(here + kind, fn)).toThrow(message);
    expect(() => runIn(here + kind, fn)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE', option: 'target' }),
    );
    expect(fn).not.toHaveBeenCalled();
  });

  test('a function that is async, or a generator', () => {
    let called = false;
    const refused = [
      async () => void (called = true),
      async function* () {
        called = true;
        yield 1;
      },
      function* () {
        called = true;
        yield 1;
      },
    ];
    for (const fn of refused) {
      expect(() => runIn(`${here}net`, fn as () => void)).toThrow(
        expect.objectContaining({
          code: 'ERR_INVALID_ARG_VALUE',
          option: 'fn',
          message: expect.stringMatching(/must be synchronous: an? (async|generator) function/),
        }),
      );
    }
    expect(called).toBe(false);
  });

  test.each([undefined, null, 5, 'x', {}])('%p as a function', (fn) => {
    expect(() => runIn(`${here}net`, fn as never)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE', option: 'fn' }),
    );
  });

  test('what is no target', () => {
    expect(() => runIn(5 as never, () => {})).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE', option: 'target' }),
    );
  });

  userOnly('what the kernel refuses, naming the namespace that it is in', () => {
    expect(() => runIn(`${here}net`, () => {})).toThrow(
      expect.objectContaining({ code: 'EPERM', syscall: 'setns', option: 'target' }),
    );
  });

  test('where it could not come back, and does not call the function', () => {
    // A user namespace that does not own the network that it is in: into one of its own it may go, but not back.
    const result = evaluate(
      `${common}
       const child = await nsclone.clone('sleep', ['100'], { flags: Flags.NEWNET, stdio: 'ignore' });
       const before = link('net');
       let called = false;
       try {
         runIn(child, () => { called = true; });
       } catch ({ code, syscall, option, message }) {
         return { code, syscall, option, message, called, stays: link('net') === before };
       } finally {
         child.kill('SIGKILL');
         await child.exited;
       }`,
      ['unshare', '--user', '--map-root-user'],
    );
    expect(result).toEqual({
      code: 'EPERM',
      syscall: 'setns',
      option: 'target',
      message:
        'EPERM: there is no way back, setns of this thread, CLONE_NEWNET (target): needs CAP_SYS_ADMIN in the user namespace that owns our own namespace; use the join of clone()',
      called: false,
      stays: true,
    });
  });

  owning('where the pid namespace of its next children has no process yet, if the kernel lets nobody open that', () => {
    const { opens, told, stays } = evaluate<Record<'opens' | 'told' | 'stays', unknown>>(
      `${common}
      const own = () => { try { return link('pid_for_children'); } catch ({ code }) { return code; } };
      const child = await nsclone.clone('sleep', ['100'], { flags: Flags.NEWPID, stdio: 'ignore' });
      unshareSync(Flags.NEWPID);
      const before = own();
      const told = tell(() => runIn(child, () => 'called'));
      child.kill('SIGKILL');
      return { opens: before !== 'ENOENT', told, stays: own() === before };`,
      asOwner,
    );
    // Linux 7.3 lets them be opened.
    expect(told).toBe(
      opens
        ? 'called'
        : 'ENOENT: there is no way back, openat of this thread, CLONE_NEWPID (target): the pid namespace of our next children has no process yet, so nobody can come back to it',
    );
    expect(stays).toBe(true);
  });

  test('in Bun and Deno, which start their threads whenever they need one', () => {
    const result = evaluate(
      `
      try { nsclone.runIn('/proc/self/ns/net', () => {}); } catch ({ code, message }) { return { code, message }; }`,
      ['env', `NODE_OPTIONS=--require=${root}/test/support/foreign-runtime.js`],
    );
    expect(result).toEqual({
      code: 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM',
      message: expect.stringMatching(/^runIn\(\) is unavailable in (Bun|Deno): /) as string,
    });
  });
});

owning('a promise that the function returns is refused, and the thread is back', () => {
  const result = evaluate(
    `${common}
    const namespace = made('net');
    // Nobody else can look at one that is rejected, which would end the process.
    const messages = [() => Promise.resolve(1), () => ({ then() {} }), () => Promise.reject(new Error('nobody hears'))].map((fn) => tell(() => runIn(namespace, fn)));
    return [...messages, link('net') !== nameOf(namespace)];`,
    asOwner,
  );
  const message =
    'The "fn" argument must be synchronous: it has returned a promise, and what is left of it to do is done back here';
  expect(result).toEqual([message, message, message, true]);
});

describe('the process ends, and says why, where the way back is lost', () => {
  rootOnly('since the function has given up the right to it', () => {
    const { signal, stdout, stderr } = runScript(`${common}
      const namespace = made('net');
      runIn(namespace, () => { console.log('inside'); process.setuid(65534); });
      console.log('after');`);
    expect({ signal, stdout }).toEqual({ signal: 'SIGABRT', stdout: 'inside\n' });
    expect(stderr).toMatch(
      /^nsclone: runIn\(\) cannot get this thread back into its own net \(Operation not permitted\): the process ends here rather than go on in the wrong place$/m,
    );
  });

  rootOnly('since somebody has closed the descriptor that leads back', () => {
    const { signal, stderr } = runScript(`${withTestBuild} ${common}
      const namespace = made('uts');
      const home = link('uts');
      runIn(namespace, () => {
        for (const number of fs.readdirSync('/proc/self/fd')) {
          let target;
          try { target = fs.readlinkSync('/proc/self/fd/' + number); } catch { continue; }
          if (target === home) fs.closeSync(Number(number));
        }
      });`);
    expect(signal).toBe('SIGABRT');
    expect(stderr).toMatch(/^nsclone: runIn\(\) cannot get this thread back into its own uts \(Bad file descriptor\)/m);
  });
});

test('an async function does not compile, and others keep the type of their value', () => {
  const calls = (): void => {
    expectTypeOf(runIn('/proc/self/ns/net', () => 5)).toEqualTypeOf<number>();
    expectTypeOf(runIn('/proc/self/ns/net', () => ({ a: 'b' as const }))).toEqualTypeOf<{ a: 'b' }>();
    expectTypeOf(runIn('/proc/self/ns/net', () => {})).toEqualTypeOf<void>();
    expectTypeOf(runIn('/proc/self/ns/net', () => JSON.parse('1') as unknown)).toEqualTypeOf<unknown>();
    // @ts-expect-error -- async
    void runIn('/proc/self/ns/net', async () => 5);
    // @ts-expect-error -- a promise
    void runIn('/proc/self/ns/net', () => clone('true'));
    // @ts-expect-error -- perhaps a promise
    void runIn('/proc/self/ns/net', () => (Math.random() > 0.5 ? 1 : Promise.resolve(1)));
    // In a function of one's own it is the same word.
    const inside = <T>(fn: () => Synchronous<T>): T => runIn('/proc/self/ns/net', fn);
    expectTypeOf(inside(() => 'x')).toEqualTypeOf<string>();
    // @ts-expect-error -- async
    void inside(async () => 5);
  };
  expect(calls).toBeDefined();
});
