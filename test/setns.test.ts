// setns() and setnsSync(): by path, descriptor, pid and pidfd, and what is refused.
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Flags, setns, setnsSync } from '../lib';
import { errnoByName } from '../lib/kernel/errno';
import { syscalls } from '../lib/kernel/syscalls';
import { needing, rootOnly } from './support/capability';
import { asOwner, evaluate as evaluateAs, mayOwn, root } from './support/own-process';

const isRoot = process.getuid!() === 0;
const owning = needing(mayOwn, 'user namespaces');

/** As the root of its namespaces, where not said otherwise. */
function evaluate<T>(source: string, wrapper: readonly string[] = asOwner): T {
  return evaluateAs<T>(source, wrapper);
}

/** A child in namespaces of its own that waits, as `child`; it ends with its stdin. */
const withChild = (flags: string, body: string): string => `
  const link = (kind, pid = 'thread-self') => fs.readlinkSync('/proc/' + pid + '/ns/' + kind);
  const { Flags, setnsSync } = nsclone;
  const child = await nsclone.clone('cat', [], { flags: ${flags}, stdio: ['pipe', 'ignore', 'inherit'] });
  try { ${body} } finally { child.stdin.end(); await child.exited; }`;

describe('setns enters', () => {
  owning('a namespace by path, by descriptor, by pid and by pidfd', () => {
    const [theirs, ...entered] = evaluate<string[]>(
      withChild(
        'nsclone.Flags.NEWNET',
        `const home = fs.openSync('/proc/thread-self/ns/net');
         const path = '/proc/' + child.pid + '/ns/net';
         const fd = fs.openSync(path);
         const seen = [link('net', child.pid)];
         for (const target of [path, { fd }, { pid: child.pid }, { pidfd: child.pidfd }, { pid: child.pid, flags: Flags.NEWNET }]) {
           setnsSync(target);
           seen.push(link('net'));
           setnsSync({ fd: home });
         }
         return seen;`,
      ),
    );
    expect(entered).toEqual([theirs, theirs, theirs, theirs, theirs]);
  });

  owning('all namespaces of a process that differ from ours, at once', () => {
    const same = evaluate<boolean[]>(
      withChild(
        'nsclone.Flags.NEWNET | nsclone.Flags.NEWUTS | nsclone.Flags.NEWNS',
        `setnsSync({ pid: child.pid });
         return ['net', 'uts', 'mnt', 'ipc'].map((kind) => link(kind) === link(kind, child.pid));`,
      ),
    );
    expect(same).toEqual([true, true, true, true]);
  });

  owning('those of a child of Node itself, until it has ended', () => {
    const [theirs, entered, code] = evaluate<string[]>(
      `const { spawn } = require('node:child_process');
       const link = (kind, pid = 'thread-self') => fs.readlinkSync('/proc/' + pid + '/ns/' + kind);
       const child = spawn('unshare', ['--net', 'cat'], { stdio: ['pipe', 'ignore', 'inherit'] });
       const home = link('net');
       while (link('net', child.pid) === home) await new Promise((resolve) => setTimeout(resolve, 5));
       const theirs = link('net', child.pid);
       nsclone.setnsSync(child);
       const entered = link('net');
       child.stdin.end();
       await new Promise((resolve) => child.once('exit', resolve));
       const copy = { ...child, flags: nsclone.Flags.NEWUTS };
       try { nsclone.setnsSync(copy); } catch (error) { if (error.code !== 'ERR_INVALID_ARG_VALUE') throw error; }
       try { nsclone.setnsSync(child); } catch (error) { return [theirs, entered, error.code]; }`,
    );
    expect([entered, code]).toEqual([theirs, 'ESRCH']);
  });

  owning('a mount namespace, and comes back', () => {
    const [inside, back] = evaluate<boolean[]>(
      withChild(
        'nsclone.Flags.NEWNS',
        `const home = fs.openSync('/proc/thread-self/ns/mnt');
         const before = link('mnt');
         setnsSync('/proc/' + child.pid + '/ns/mnt');
         const inside = link('mnt') === link('mnt', child.pid);
         setnsSync({ fd: home });
         return [inside, link('mnt') === before];`,
      ),
    );
    expect([inside, back]).toEqual([true, true]);
  });

  owning('a pid namespace for the children to come', () => {
    const theirs = evaluate<boolean>(
      withChild(
        'nsclone.Flags.NEWPID',
        `setnsSync({ pid: child.pid, flags: Flags.NEWPID });
         const born = await nsclone.clone('cat', [], { stdio: ['pipe', 'ignore', 'inherit'] });
         const same = link('pid', born.pid) === link('pid', child.pid);
         born.stdin.end();
         await born.exited;
         return same;`,
      ),
    );
    expect(theirs).toBe(true);
  });
});

rootOnly('setns enters a mount namespace whose root the thread may not search, and says so', () => {
  const told = evaluate<unknown[]>(
    `const { spawn } = require('node:child_process');
     const script = 'mount -t tmpfs -o mode=0000,uid=1 none /; echo there; exec sleep 100';
     const child = spawn('unshare', ['--mount', 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
     await new Promise((ready) => child.stdout.once('data', ready));
     try {
       nsclone.setnsSync({ pid: child.pid, flags: nsclone.Flags.NEWNS });
       const listed = (() => { try { return fs.readdirSync('/').length; } catch ({ code }) { return code; } })();
       return [listed, process.cwd()];
     } finally {
       child.kill('SIGKILL');
     }`,
    ['setpriv', '--bounding-set=-dac_override,-dac_read_search', '--inh-caps=-all'],
  );
  expect(told).toEqual(['EACCES', '/']);
});

describe('setns', () => {
  owning('takes a Namespace, a child, a held child, and a child among kinds of flags', () => {
    const same = evaluate<boolean[]>(`
      const { Flags, Namespace, setnsSync } = nsclone;
      const link = (kind, pid = 'thread-self') => fs.readlinkSync('/proc/' + pid + '/ns/' + kind);
      const flags = Flags.NEWNET | Flags.NEWUTS;
      const home = { net: Namespace.current('net'), uts: Namespace.current('uts') };
      const seen = [];
      for (const hold of [false, true]) {
        const child = await nsclone.clone('sleep', ['100'], { flags, hold, stdio: 'ignore' });
        const net = child.namespace('net');
        const look = () => ['net', 'uts'].map((kind) => link(kind) === link(kind, child.pid));
        for (const target of [[child], [net], [net, Flags.NEWNET], [child, Flags.NEWUTS]]) {
          setnsSync(...target);
          seen.push(...look());
          for (const { fd } of Object.values(home)) setnsSync({ fd });
          seen.push(...look());
        }
        child.kill('SIGKILL');
        await child.exited;
      }
      return seen;`);
    const once = [true, true, true, false, true, false, false, true];
    const andBack = once.flatMap((_, index) => (index % 2 === 0 ? [once[index]!, once[index + 1]!, false, false] : []));
    expect(same).toEqual([...andBack, ...andBack]);
  });

  owning('brings children back that unshare of a pid namespace has sent away, and threads with them', () => {
    const result = evaluate<{ born: string[]; worker: string; last: string }>(`
      const { Flags, run, setnsSync, unshareSync } = nsclone;
      const { Worker } = require('node:worker_threads');
      const pids = async () => (await run('/bin/sh', ['-c', 'echo $$'])).stdout.trim();
      const worker = () => new Promise((resolve, reject) => {
        new Worker('require("node:worker_threads").parentPort.postMessage("runs")', { eval: true })
          .on('error', reject).on('message', resolve);
      });
      const born = [];
      // A process that is named by its pid brings the thread back too: it differs in where children are born.
      for (const target of [{ fd: fs.openSync('/proc/thread-self/ns/pid') }, { pid: process.pid }, { pid: process.pid }]) {
        unshareSync(Flags.NEWPID);
        if (born.length < 4) born.push(await pids());
        born.push(await worker().catch((error) => error.code).then(String));
        setnsSync(target);
      }
      return { born, worker: await worker(), last: await pids() };`);
    expect(result.born).toEqual(
      ['1', 'undefined', '1', 'undefined', 'undefined'].map((pid) => (pid === '1' ? '1' : 'ERR_WORKER_INIT_FAILED')),
    );
    expect(result.worker).toBe('runs');
    expect(Number(result.last)).toBeGreaterThan(1);
  });

  owning(
    `into a mount namespace tells process.cwd() the truth, and unshares the attributes of this thread alone`,
    () => {
      const result = evaluate(
        withChild(
          'nsclone.Flags.NEWNS',
          `const { tmpdir } = require('node:os');
         process.chdir(tmpdir());
         process.cwd();
         setnsSync({ pid: child.pid });
         const there = [process.cwd(), fs.readlinkSync('/proc/thread-self/cwd')];
         process.chdir('/proc');
         return [...there, process.cwd(), await fs.promises.readlink('/proc/thread-self/cwd') === tmpdir()];`,
        ),
      );
      expect(result).toEqual(['/', '/', '/proc', true]);
    },
  );
});

describe('setns that fails leaves the thread where it was', () => {
  const common = `
    const { Flags, Namespace, unshareSync } = nsclone;
    const loaded = { exports: {} };
    process.dlopen(loaded, ${JSON.stringify(join(root, 'build/Release/nsclone.node'))});
    const { enter } = loaded.exports;
    const kinds = ['mnt', 'uts', 'ipc', 'net', 'pid_for_children', 'cgroup'];
    const where = () => [...kinds.map((kind) => fs.readlinkSync('/proc/thread-self/ns/' + kind)),
      fs.readlinkSync('/proc/thread-self/cwd'), fs.readlinkSync('/proc/thread-self/root')];
    const all = Flags.NEWNET | Flags.NEWNS | Flags.NEWPID | Flags.NEWUTS | Flags.NEWIPC | Flags.NEWCGROUP;
    const closed = 123_456;
    /** Into these of a child, and then into nothing: [result, whether the thread is where it was, what was refused]. */
    const intoAllAndNothing = (child, flags) => {
      const before = where();
      const places = Int32Array.from([...flags.flatMap((flag) => [child.pidfd, flag]), closed, Flags.NEWNET]);
      const result = enter(places, flags.length + 1);
      return [result, JSON.stringify(where()) === JSON.stringify(before), [...places.slice(0, 2)]];
    };`;

  owning('of several the first ones are left again', () => {
    const told = evaluate(`${common}
      const child = await nsclone.clone('sleep', ['100'], { flags: all, stdio: 'ignore' });
      process.chdir('/proc');
      const flags = [Flags.NEWNET, Flags.NEWNS, Flags.NEWPID, Flags.NEWUTS | Flags.NEWIPC | Flags.NEWCGROUP];
      const told = intoAllAndNothing(child, flags);
      child.kill('SIGKILL');
      return told;`);
    expect(told).toEqual([-errnoByName['EBADF']!, true, [4, syscalls.setns]]);
  });

  owning('also where no thread could try it first, whether root and working directory are its own or not', () => {
    const told = evaluate(`${common}
      const child = await nsclone.clone('sleep', ['100'], { flags: all, stdio: 'ignore' });
      process.chdir('/proc');
      kinds[kinds.indexOf('pid_for_children')] = 'pid';
      // Whose children are in another pid namespace can make no thread.
      unshareSync(Flags.NEWPID);
      const flags = [Flags.NEWNET, Flags.NEWNS, Flags.NEWUTS | Flags.NEWIPC | Flags.NEWCGROUP];
      const told = [0, Flags.FS].map((own) => (unshareSync(own), intoAllAndNothing(child, flags)));
      child.kill('SIGKILL');
      return told;`);
    const refused = [-errnoByName['EBADF']!, true, [3, syscalls.setns]];
    expect(told).toEqual([refused, refused]);
  });

  it('of a process of which one kind is refused, whether root and working directory are its own or not', () => {
    // Its mount namespace belongs to the user namespace, and its network to another one.
    const [codes, same] = evaluate<[string[], boolean]>(
      `${common}
       const child = await nsclone.clone('sleep', ['100'], { flags: Flags.NEWNS, stdio: 'ignore' });
       unshareSync(Flags.NEWNET);
       const before = where();
       const codes = [];
       const target = { pid: child.pid, flags: Flags.NEWNS | Flags.NEWNET };
       for (const step of [() => {}, () => unshareSync(Flags.FS), () => {}]) {
         step();
         try { nsclone.setnsSync(target); } catch (error) { codes.push(error.code); }
       }
       child.kill('SIGKILL');
       return [codes, JSON.stringify(where()) === JSON.stringify(before)];`,
      ['unshare', '--user', '--map-root-user'],
    );
    expect({ codes, same }).toEqual({ codes: ['EPERM', 'EPERM', 'EPERM'], same: true });
  });

  it('also where nobody could have brought it back', () => {
    // A user namespace that does not own the network it is in: out is possible, in is not.
    const [result, same] = evaluate<[number, boolean]>(
      `${common}
       const child = await nsclone.clone('sleep', ['100'], { flags: Flags.NEWNET, stdio: 'ignore' });
       const before = where();
       const result = enter(Int32Array.of(child.pidfd, Flags.NEWNET, closed, Flags.NEWUTS), 2);
       child.kill('SIGKILL');
       return [result, JSON.stringify(where()) === JSON.stringify(before)];`,
      ['unshare', '--user', '--map-root-user'],
    );
    expect({ result, same }).toEqual({ result: -errnoByName['EBADF']!, same: true });
  });

  owning('of a process in one call nothing is entered where one kind is refused', () => {
    const [errors, same] = evaluate<[number[], boolean]>(`${common}
      const child = await nsclone.clone('sleep', ['100'], { flags: Flags.NEWNET | Flags.NEWNS | Flags.NEWTIME, stdio: 'ignore' });
      const before = where();
      // A time namespace is refused to a thread: by the kernel too.
      const result = [];
      // Root and working directory are shared at first, and this thread's own the second time.
      for (let i = 0; i < 2; i++) result.push(enter(Int32Array.of(child.pidfd, Flags.NEWNS | Flags.NEWNET | Flags.NEWTIME), 1));
      child.kill('SIGKILL');
      return [result, JSON.stringify(where()) === JSON.stringify(before)];`);
    expect(errors).toEqual([-errnoByName['EUSERS']!, -errnoByName['EUSERS']!]);
    expect(same).toBe(true);
  });

  it('where it may not enter a mount namespace it goes on sharing its working directory', () => {
    const wrapper = isRoot ? ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'] : [];
    const result = evaluate<unknown[]>(
      `let code;
       try { nsclone.setnsSync('/proc/self/ns/mnt'); } catch (error) { code = error.code; }
       process.chdir('/proc');
       return [code, await fs.promises.readlink('/proc/thread-self/cwd')];`,
      wrapper,
    );
    expect(result).toEqual(['EPERM', '/proc']);
  });

  it('where no thread can try it, and nobody could bring it back', () => {
    const [told, same] = evaluate<[unknown, boolean]>(
      `${common}
       const set = await nsclone.createNamespaces(Flags.NEWNET | Flags.NEWUTS);
       // Whose children are in another pid namespace can make no thread.
       unshareSync(Flags.NEWPID);
       const before = where();
       let told;
       try { nsclone.setnsSync(set); } catch ({ code, syscall, option, message }) { told = { code, syscall, option, message }; }
       // One call is undone by the kernel.
       nsclone.setnsSync(set.uts);
       return [told, JSON.stringify(where()) !== JSON.stringify(before)];`.replace(
        'kinds.map',
        "kinds.filter((kind) => !kind.startsWith('pid')).map",
      ),
      ['unshare', '--user', '--map-root-user'],
    );
    expect(told).toEqual({
      code: 'EPERM',
      syscall: 'setns',
      option: 'target',
      message: expect.stringContaining(
        'EPERM: there is no way back, setns of this thread, CLONE_NEWUTS|CLONE_NEWNET (target)',
      ),
    });
    expect(same).toBe(true);
  });

  it('goes on sharing its working directory, also where it may not look at the process', () => {
    const result = evaluate<unknown[]>(
      `const { spawn } = require('node:child_process');
       const zombie = spawn('true');
       while (!/^State:\\tZ/m.test(fs.readFileSync('/proc/' + zombie.pid + '/status', 'utf8')));
       const told = [];
       for (const target of [{ pid: zombie.pid, flags: nsclone.Flags.NEWNS | nsclone.Flags.NEWNET }])
         try { nsclone.setnsSync(target); } catch ({ code }) { told.push(code); }
       process.chdir('/proc');
       return [...told, await fs.promises.readlink('/proc/thread-self/cwd')];`,
    );
    expect(result).toEqual(['ESRCH', '/proc']);
  });
});

describe('setns refuses', () => {
  it('a user namespace, with the way that works', () => {
    expect(() => setnsSync('/proc/self/ns/user')).toThrow(/CLONE_NEWUSER.*join of clone\(\)/);
  });

  it('a time namespace, with the way that works', () => {
    expect(() => setnsSync('/proc/self/ns/time')).toThrow(/CLONE_NEWTIME.*join of clone\(\)/);
  });

  it('a kind that is not the one asked for', () => {
    expect(() => setnsSync('/proc/self/ns/net', Flags.NEWUTS)).toThrow(/must be CLONE_NEWUTS, but it is CLONE_NEWNET/);
  });

  it('flags that are no namespaces', () => {
    expect(() => setnsSync('/proc/self/ns/net', Flags.FS)).toThrow(/CLONE_FS: it is no namespace/);
  });

  it('what is no namespace', () => {
    expect(() => setnsSync('/proc/self/status')).toThrow(/must be a namespace/);
  });

  it('a fifo, without hanging', () => {
    const folder = mkdtempSync(join(tmpdir(), 'nsclone-test-'));
    try {
      execFileSync('mkfifo', [join(folder, 'fifo')]);
      expect(() => setnsSync(join(folder, 'fifo'))).toThrow(/must be a namespace/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each([[{}], [{ fd: 1, pid: 1 }], [{ pid: 0 }], [{ pid: 1.5 }], [{ fd: -1 }], [null], [7], [{ fdd: 3 }], ['']])(
    '%p as a target',
    async (target) => {
      await expect(setns(target as never)).rejects.toMatchObject({ option: expect.stringMatching(/^target/) });
    },
  );

  it('a closed descriptor, a missing path and a dead process with the error of the kernel', () => {
    expect(() => setnsSync({ fd: 123_456 })).toThrow(/^EBADF: .*target\.fd/);
    expect(() => setnsSync({ pidfd: 123_456 })).toThrow(/^EBADF: .*target\.pidfd/);
    expect(() => setnsSync('/proc/self/ns/nothing')).toThrow(/^ENOENT: .*open \/proc\/self\/ns\/nothing/);
    expect(() => setnsSync({ pid: 4_000_000 })).toThrow(/^ESRCH: .*pidfd_open \/proc\/4000000/);
  });

  it('what the kernel refuses, naming the call, the target and what to do', () => {
    const wrapper = isRoot ? ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'] : [];
    const errors = evaluate(
      `const told = [];
       for (const target of ['/proc/self/ns/net', { pid: process.pid, flags: nsclone.Flags.NEWUTS }]) {
         try { nsclone.setnsSync(target); } catch ({ code, syscall, option, path, hint }) {
           told.push({ code, syscall, option, path: path.replace(process.pid, 'PID'), hint });
         }
       }
       return told;`,
      wrapper,
    );
    const error = {
      code: 'EPERM',
      syscall: 'setns',
      option: 'target',
    };
    expect(errors).toEqual([
      {
        ...error,
        path: '/proc/self/ns/net',
        hint: 'it belongs to our own user namespace, in which that needs CAP_SYS_ADMIN',
      },
      {
        ...error,
        path: '/proc/PID/ns',
        hint: 'needs CAP_SYS_ADMIN in the user namespace that owns it, and in our own; use the join of clone() to enter that one too',
      },
    ]);
  });

  it('a descriptor of something else as a pidfd', () => {
    const descriptor = openSync('/dev/null', 'r');
    try {
      expect(() => setnsSync({ pidfd: descriptor })).toThrow(/must be a descriptor of a process/);
    } finally {
      closeSync(descriptor);
    }
  });

  it('and leaves no descriptor open', () => {
    const before = readdirSync('/proc/self/fd').length;
    for (const target of ['/proc/self/ns/user', '/proc/self/status', { pid: 4_000_000 }]) {
      expect(() => setnsSync(target)).toThrow(/./);
    }
    expect(readdirSync('/proc/self/fd')).toHaveLength(before);
  });
});
