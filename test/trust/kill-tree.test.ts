// What `killTree` ends, attacked: trees that fork as fast as they can, that leave, and cgroups that are not the child's alone.
import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';

import { clone, type ClonedProcess, type CloneOptions, constants, Flags, run } from '../../lib';
import { endAll, isAlive, untilZombie } from '../support/alive';
import { Bystanders, longer, nextLine } from '../support/attack';
import { hasCapability, needing, rootOnly } from '../support/capability';
import { makeBelow, makeCgroup, makeCgroups, membersOf, hierarchy, withHierarchies } from '../support/cgroups';
import { compiled, withCompiler } from '../support/compiled';
import { owned, read } from '../support/inside';
import { lasting } from '../support/lasting';
import { leavesNothing } from '../support/leftovers';
import { rootArguments, withBecomesRoot } from '../support/becomes-root';
import { asUser, evaluate } from '../support/own-process';
import { inTime, slow, until } from '../support/slow';

leavesNothing();

const forkOn = compiled('trust/fork-on');

async function start(command: string, args: string[], options: CloneOptions): Promise<ClonedProcess> {
  const child = await clone(command, args, { ...options, killTree: true, stdio: ['ignore', 'pipe', 'ignore'] });
  expect(await nextLine(child.stdout!)).toBe('ready');
  return child;
}

describe('a tree whose processes are never the same for long', () => {
  const ends = async (options: CloneOptions, ...more: string[]): Promise<void> => {
    const child = await start(forkOn.path, ['6', longer, ...more], { ...options, killGrace: slow(20) });
    await child[Symbol.asyncDispose]();
    // At its end when nobody has it open any more.
    await read(child.stdout);
  };
  const ways: [string, string | undefined, () => CloneOptions][] = [
    ['a pid namespace', undefined, () => owned(Flags.NEWPID)],
    ['a cgroup', 'cgroup2', () => ({ cgroup: makeCgroups('cgroup2')[0]! })],
    ['a cgroup of the freezer', 'freezer', () => ({ cgroup: makeCgroups('freezer')[0]! })],
  ];
  withCompiler('ends: in a process group', () => ends({ processGroup: 0 }));
  for (const [name, kind, options] of ways) {
    const body = (): void => {
      withCompiler(`ends: in ${name}`, () => ends(options()));
      withCompiler(`ends, each in a session of its own: in ${name}`, () => ends(options(), 'setsid'));
    };
    if (kind === undefined || hierarchy(kind) !== undefined) body();
    else withHierarchies([kind], `ends: in ${name}`, () => {});
  }
});

describe('who has left', () => {
  const leaves = `setsid sh -c 'echo $$; exec sleep ${longer} >/dev/null' & read -r nothing; wait`;

  test('a process group lives on, whatever is told of the command, and its pipes are not waited for', async () => {
    const holds = `setsid sh -c 'echo $$; exec sleep ${longer}' & wait`;
    const { stdout, endedBy, signal } = await inTime(
      (timeout) => run('/bin/sh', ['-c', holds], { processGroup: 0, killTree: true, timeout }),
      (told) => told.stdout !== '',
    );
    expect([endedBy, signal]).toEqual(['timeout', 'SIGTERM']);
    expect(isAlive(Number(stdout))).toBe(true);
    endAll([Number(stdout)]);
  });
  withHierarchies(['cgroup2'], 'a process group, but not the cgroup, ends', async () => {
    const [cgroup] = makeCgroups('cgroup2');
    const child = await clone('/bin/sh', ['-c', leaves], {
      cgroup: cgroup!,
      detached: true,
      killTree: true,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const pid = Number(await nextLine(child.stdout));
    await child[Symbol.asyncDispose]();
    await until(() => !isAlive(pid));
    expect(membersOf(cgroup!)).toEqual([]);
  });
  withHierarchies(['cgroup2'], 'to a cgroup below ends, also where that is frozen', async () => {
    const [cgroup] = makeCgroups('cgroup2');
    const below = makeBelow(cgroup!, 'below');
    const script = `sh -c 'echo $$ > ${below}/cgroup.procs; echo ready; exec sleep ${longer}' & wait`;
    const child = await start('/bin/sh', ['-c', script], { cgroup: cgroup! });
    writeFileSync(`${below}/cgroup.freeze`, '1');
    child[Symbol.dispose]();
    await Promise.all([read(child.stdout), child.exited]);
    expect(membersOf(below)).toEqual([]);
  });
});

describe('who has made himself cgroups below', () => {
  /** What run() tells of an end, and who was there. */
  const ended = async (kind: string, below: string): Promise<[pid: number, told: unknown]> => {
    const [cgroup] = makeCgroups(kind);
    const deep = `${cgroup!}/${below}`;
    mkdirSync(deep, { recursive: true });
    const end = new AbortController();
    const script = `sh -c 'echo $$ > $0/cgroup.procs; exec sleep ${longer}' ${deep} & wait`;
    const options = { cgroup: cgroup!, killTree: true, killGrace: 20, signal: end.signal } as const;
    const told = run('/bin/sh', ['-c', script], options).catch((error: unknown) => error);
    await until(() => membersOf(deep).some((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sleep\n'));
    const [pid] = membersOf(deep);
    end.abort();
    return [pid!, await told];
  };

  for (const kind of ['cgroup2', 'freezer']) {
    for (const [name, below] of [
      ['that hide', '.x'],
      ['300 deep', 'd/'.repeat(300)],
    ] as const) {
      withHierarchies([kind], `ends: ${name}, of ${kind}`, async () => {
        const [pid, told] = await ended(kind, below);
        expect(told).toMatchObject({ endedBy: 'abort' });
        await until(() => !isAlive(pid));
      });
    }
    withHierarchies([kind], `ends where they are deeper than Node has descriptors, of ${kind}`, async () => {
      const [cgroup] = makeCgroups(kind);
      mkdirSync(`${cgroup!}/${'d/'.repeat(100)}`, { recursive: true });
      const script = `trap "" TERM; sleep ${longer} & wait`;
      expect(
        evaluate(
          `const { endedBy } = await inTime((timeout) => nsclone.run('sh', ['-c', ${JSON.stringify(script)}],
             { cgroup: ${JSON.stringify(cgroup)}, killTree: true, timeout, killGrace: 20 }));
           return endedBy;`,
          ['prlimit', '--nofile=64:64'],
        ),
      ).toBe('timeout');
      expect(membersOf(cgroup!)).toEqual([]);
    });
  }
});

describe('a member that lets nobody see who is in a cgroup below', () => {
  /** As an ordinary user's Node, with cgroups that are his: what it tells, by a script with `tree`, `below` and `hides`. */
  const asOwner = <T>(source: string): { told: T; left: number[] } => {
    const [above] = makeCgroups('cgroup2');
    const [node, tree] = [makeBelow(above!, 'node'), makeBelow(above!, 'tree')];
    for (const folder of [above!, node, tree])
      for (const path of [folder, `${folder}/cgroup.procs`, `${folder}/cgroup.kill`]) chownSync(path, 1000, 1000);
    const below = `${tree}/below`;
    const hides = `mkdir ${below}; sh -c 'echo $$ > ${below}/cgroup.procs; trap "" TERM; chmod 0 ${below}; exec sleep ${longer}' & wait`;
    const told = evaluate<T>(
      `const [tree, below, hides] = ${JSON.stringify([tree, below, hides])};
       const options = { cgroup: tree, killTree: true, killGrace: 50 };
       const hidden = () => until(() => fs.existsSync(below) && (fs.statSync(below).mode & 0o777) === 0);
       ${source}`,
      ['/bin/sh', '-c', `echo $$ > ${node}/cgroup.procs; exec "$@"`, 'sh', ...asUser],
    );
    return { told, left: membersOf(below) };
  };

  const withOwner = needing(
    hasCapability(constants.CAP_SYS_ADMIN) && hierarchy('cgroup2') !== undefined,
    'CAP_SYS_ADMIN and a cgroup v2 hierarchy that we may write',
  );
  withOwner('ends all the same', () => {
    const { told, left } = asOwner<unknown>(
      `const end = new AbortController();
       const ended = nsclone.run('sh', ['-c', hides], { ...options, signal: end.signal });
       await hidden();
       end.abort();
       return (await ended).endedBy;`,
    );
    expect([told, left]).toEqual(['abort', []]);
  });
  withOwner('lives on where Node may be in there, and Node lives too', () => {
    const { told, left } = asOwner<unknown>(
      `const child = await nsclone.clone('sh', ['-c', hides], { ...options, stdio: 'ignore' });
       await hidden();
       fs.writeFileSync(tree + '/cgroup.procs', String(process.pid));
       child[Symbol.dispose]();
       child.unref();
       await new Promise((resolve) => setTimeout(resolve, slow(300)));
       return process.pid > 0;`,
    );
    expect([told, left.length]).toEqual([true, 1]);
  });
});

withHierarchies(
  ['cgroup2'],
  'a threaded cgroup, which neither tells who is in it nor ends as a whole, is refused',
  async () => {
    const [cgroup] = makeCgroups('cgroup2');
    const threaded = makeBelow(cgroup!, 'threaded');
    writeFileSync(`${threaded}/cgroup.type`, 'threaded');
    const options = { cgroup: threaded, killTree: true, stdio: 'ignore' } as const;
    await expect(clone('/bin/sleep', [longer], options)).rejects.toMatchObject({
      code: 'ENOTSUP',
      option: 'killTree',
      message: expect.stringContaining('threaded'),
    });
  },
);

test('the leader that has ended and was reaped by nobody ends alone: neither its group nor another is signalled', async () => {
  const { wait, end } = lasting();
  const bystanders = await Bystanders.start(3);
  const script = `sleep ${longer} >/dev/null & echo $!; ${wait}`;
  const options = { processGroup: 0, killTree: true, stdio: ['ignore', 'pipe', 'ignore'] } as const;
  const child = await clone('/bin/sh', ['-c', script], options);
  const left = Number(await nextLine(child.stdout));
  end();
  untilZombie(child.pid);
  child[Symbol.dispose]();
  expect(await child.exited).toMatchObject({ code: 0, signal: null });
  expect(isAlive(left)).toBe(true);
  endAll([left]);
  expect(bystanders.dead()).toEqual([]);
  await bystanders.end();
});

if (hasCapability(constants.CAP_SYS_ADMIN)) {
  withHierarchies(
    ['cgroup2'],
    'a command that is reaped before its tree is over: nobody who has its number is asked',
    () => {
      // In a pid namespace, whose next number root can choose.
      const script = `
      const { clone, run } = nsclone;
      const cgroup = ${JSON.stringify(makeCgroups('cgroup2')[0])};
      const controller = new AbortController();
      const script = '(trap "" TERM; echo ready; exec sleep ${longer}) & exec sleep ${longer}';
      const options = { killTree: true, killGrace: slow(10_000), cgroup, stdio: ['ignore', 'pipe', 'ignore'], signal: controller.signal };
      const child = await clone('/bin/sh', ['-c', script], options);
      await new Promise((resolve) => child.stdout.once('data', resolve));
      controller.abort();
      await until(() => !fs.existsSync('/proc/' + child.pid));
      let stranger;
      await until(async () => {
        stranger?.kill('SIGKILL');
        fs.writeFileSync('/proc/sys/kernel/ns_last_pid', String(child.pid - 1));
        stranger = await clone('sleep', ['${longer}'], { flags: nsclone.Flags.NEWNET, stdio: 'ignore' });
        return stranger.pid === child.pid;
      });
      let told;
      try { told = child.namespace('net').id; } catch ({ code }) { told = code; }
      for (const pid of fs.readFileSync(cgroup + '/cgroup.procs', 'utf8').split('\\n').filter(Boolean)) process.kill(Number(pid), 'SIGKILL');
      stranger.kill('SIGKILL');
      await Promise.all([child.exited, stranger.exited]);
      return told;`;
      const wrapper = 'unshare --pid --fork --mount --mount-proc --kill-child'.split(' ');
      expect(evaluate(script, wrapper)).toBe('ESRCH');
    },
  );
}

describe('a cgroup that others are in', () => {
  for (const kind of ['cgroup2', 'freezer']) {
    withHierarchies([kind], `is refused, and nobody is signalled: of ${kind}`, async () => {
      const [cgroup] = makeCgroups(kind);
      const bystanders = await Bystanders.start(1);
      writeFileSync(`${cgroup!}/cgroup.procs`, String(bystanders.pids[0]));
      const options = { cgroup: cgroup!, killTree: true, stdio: 'ignore' } as const;
      await expect(clone('/bin/sleep', [longer], options)).rejects.toMatchObject({
        code: 'ENOTEMPTY',
        option: 'killTree',
        path: cgroup,
        message: expect.stringContaining(cgroup!),
      });
      expect(bystanders.dead()).toEqual([]);
      await bystanders.end();
    });
    withHierarchies([kind], `is refused where they are below it, in one that hides: of ${kind}`, async () => {
      const [cgroup] = makeCgroups(kind);
      const below = makeBelow(cgroup!, '.below');
      const bystanders = await Bystanders.start(1);
      writeFileSync(`${below}/cgroup.procs`, String(bystanders.pids[0]));
      const options = { cgroup: cgroup!, killTree: true, stdio: 'ignore' } as const;
      await expect(clone('/bin/sleep', [longer], options)).rejects.toMatchObject({ code: 'ENOTEMPTY' });
      expect(bystanders.dead()).toEqual([]);
      await bystanders.end();
    });
    withHierarchies([kind], `is one child's at a time: of ${kind}`, async () => {
      const [cgroup] = makeCgroups(kind);
      const options = { cgroup: cgroup!, killTree: true, stdio: 'ignore' } as const;
      const first = await clone('/bin/sleep', [longer], options);
      await expect(clone('/bin/true', [], options)).rejects.toMatchObject({ code: 'EBUSY', option: 'killTree' });
      expect(first.exitCode ?? first.signalCode).toBeNull();
      await first[Symbol.asyncDispose]();
      // Once it has ended it is the next one's.
      const { code } = await run('/bin/sh', ['-c', 'exit 6'], { ...options, stdio: 'pipe' });
      expect(code).toBe(6);
    });
    withHierarchies([kind], `is refused where it is Node's own, or one above: of ${kind}`, () => {
      const [above] = makeCgroups(kind);
      const own = makeBelow(above!, 'node');
      const codes = evaluate<string[]>(
        `const tell = (cgroup) => nsclone.run('true', { cgroup, killTree: true }).then(() => 'it ran', ({ code }) => code);
         return [await tell(${JSON.stringify(own)}), await tell(${JSON.stringify(above)})];`,
        ['/bin/sh', '-c', `echo $$ > ${own}/cgroup.procs; exec "$@"`, 'sh'],
      );
      expect(codes).toEqual(['ENOTEMPTY', 'ENOTEMPTY']);
    });
    for (const below of ['', '/.x', '/d'.repeat(300)])
      withHierarchies(
        [kind],
        `lets Node live that somebody has put there since: in ${below.slice(0, 9)} of ${kind}`,
        () => {
          const [cgroup] = makeCgroups(kind);
          mkdirSync(`${cgroup!}${below}`, { recursive: true });
          const told = evaluate<unknown[]>(
            `const cgroup = ${JSON.stringify(cgroup)}; const own = cgroup + ${JSON.stringify(below)};
         const child = await nsclone.clone('sh', ['-c', 'trap "" TERM; sleep ${longer} & wait'], { cgroup, killTree: true, killGrace: 20, stdio: 'ignore' });
         await until(() => fs.readFileSync(cgroup + '/cgroup.procs', 'utf8').trim().split('\\n').length === 2);
         fs.writeFileSync(own + '/cgroup.procs', String(process.pid));
         await child[Symbol.asyncDispose]();
         return [child.signalCode, fs.readFileSync(own + '/cgroup.procs', 'utf8').trim() === String(process.pid)];`,
          );
          expect(told).toEqual(['SIGKILL', true]);
        },
      );
  }
  for (const kind of ['cgroup2', 'freezer']) {
    withHierarchies([kind], `ends where Node has no descriptor left, and spares it: of ${kind}`, () => {
      const [cgroup] = makeCgroups(kind);
      const told = evaluate<unknown[]>(
        `const cgroup = ${JSON.stringify(cgroup)};
         const child = await nsclone.clone('sh', ['-c', 'sleep ${longer} & wait'], { cgroup, killTree: true, killSignal: 'SIGKILL', stdio: 'ignore' });
         // Opened anew: version 1 shows who reads on the list that it has shown him before.
         const read = () => fs.readFileSync(cgroup + '/cgroup.procs', 'utf8').trim();
         await until(() => read().split('\\n').length === 2);
         fs.writeFileSync(cgroup + '/cgroup.procs', String(process.pid));
         const taken = [];
         try { for (;;) taken.push(fs.openSync('/dev/null')); } catch {}
         const ended = child[Symbol.asyncDispose]();
         await new Promise((resolve) => setTimeout(resolve, slow(100)));
         for (const descriptor of taken) fs.closeSync(descriptor);
         await ended;
         return [child.signalCode, read() === String(process.pid)];`,
        ['prlimit', '--nofile=64'],
      );
      expect(told).toEqual(['SIGKILL', true]);
    });
    withHierarchies([kind], `that was removed by then is one in which nobody is left: of ${kind}`, () => {
      const [cgroup] = makeCgroups(kind);
      const told = evaluate<unknown[]>(
        `const cgroup = ${JSON.stringify(cgroup)};
         const child = await nsclone.clone('sh', ['-c', 'sleep ${longer} & wait'], { cgroup, killTree: true, killSignal: 'SIGKILL', stdio: 'ignore' });
         await until(() => fs.readFileSync(cgroup + '/cgroup.procs', 'utf8').trim().split('\\n').length === 2);
         const ended = child[Symbol.asyncDispose]();
         // The event loop hears of nothing meanwhile.
         for (;;) { try { fs.rmdirSync(cgroup); break; } catch (error) { if (error.code !== 'EBUSY') throw error; } }
         await ended;
         return [child.signalCode, fs.existsSync(cgroup)];`,
      );
      expect(told).toEqual(['SIGKILL', false]);
    });
  }
  withHierarchies(['cgroup2'], 'is another one when a folder was put in its place', async () => {
    const [cgroup, other] = makeCgroups('cgroup2', 'cgroup2');
    const child = await start('/bin/sh', ['-c', `sleep ${longer} & echo ready; wait`], { cgroup: cgroup! });
    const bystanders = await Bystanders.start(1);
    writeFileSync(`${other!}/cgroup.procs`, String(bystanders.pids[0]));
    // What is ended was opened before the child was made.
    child[Symbol.dispose]();
    await Promise.all([read(child.stdout), child.exited]);
    expect(bystanders.dead()).toEqual([]);
    await bystanders.end();
  });
});

test('an end that comes while the command is being executed is that of all', async () => {
  const parent = hierarchy('cgroup2');
  for (let i = 0; i < 20; i++) {
    const control = new AbortController();
    const cgroup = parent === undefined ? {} : { cgroup: makeCgroup(parent) };
    const options: CloneOptions = {
      processGroup: 0,
      ...cgroup,
      killTree: true,
      killSignal: 'SIGKILL',
      stdio: 'ignore',
    };
    const starting = clone('/bin/sh', ['-c', `sleep ${longer} & sleep ${longer}`], {
      ...options,
      signal: control.signal,
    });
    setTimeout(() => control.abort(), i / 4);
    await starting.then(
      (child) => child.exited,
      () => {},
    );
    if (cgroup.cgroup !== undefined) await until(() => membersOf(cgroup.cgroup).length === 0);
  }
});

describe('a member that has become root by itself, of a Node that is not,', () => {
  rootOnly('lives on, and run() rejects with that', () => {
    withBecomesRoot((setpriv) => {
      const script = `${setpriv} ${rootArguments.join(' ')} sh -c 'echo $$; exec sleep ${longer}' & sleep ${longer} & wait`;
      const told = evaluate<Record<string, string>>(
        `return inTime(
           (timeout) => nsclone.run('sh', ['-c', ${JSON.stringify(script)}], { processGroup: 0, killTree: true, timeout, killGrace: 50 })
             .catch(({ name, code, option, stdout }) => ({ name, code, option, stdout })),
           ({ code, stdout }) => code === 'EPERM' && stdout !== '');`,
        asUser,
      );
      expect(told).toMatchObject({ name: 'SyscallError', code: 'EPERM', option: 'killTree' });
      expect(isAlive(Number(told['stdout']))).toBe(true);
      endAll([Number(told['stdout'])]);
    });
  });
});
