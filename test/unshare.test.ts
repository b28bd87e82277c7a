// unshare() and unshareSync(): on the calling thread, and what is refused there.
import { Flags, unshare, unshareSync } from '../lib';
import { namespaceKinds } from '../lib/flags';
import { needing, rootOnly } from './support/capability';
import { as, asOwner, evaluate as evaluateAs, mayOwn, runScript } from './support/own-process';

const isRoot = process.getuid!() === 0;
const owning = needing(mayOwn, 'user namespaces');

/** As the root of its namespaces, where not said otherwise. */
function evaluate<T>(source: string, wrapper: readonly string[] = asOwner): T {
  return evaluateAs<T>(source, wrapper);
}

const link = (kind: string): string => `fs.readlinkSync('/proc/thread-self/ns/${kind}')`;

describe('unshare gives the calling thread new namespaces', () => {
  for (const { kind, name } of namespaceKinds) {
    if (kind === 'user' || kind === 'pid' || kind === 'time') continue;
    owning(`of kind ${kind}`, () => {
      const [before, after] = evaluate<string[]>(
        `const before = ${link(kind)}; nsclone.unshareSync(nsclone.Flags.${name}); return [before, ${link(kind)}];`,
      );
      expect(after).toMatch(new RegExp(`^${kind}:\\[\\d+\\]$`));
      expect(after).not.toBe(before);
    });
  }

  owning('several at once, done when the function returns', () => {
    const same = evaluate<boolean[]>(`
      const look = () => [${link('uts')}, ${link('net')}, ${link('ipc')}];
      const before = look();
      const promise = nsclone.unshare(nsclone.Flags.NEWUTS | nsclone.Flags.NEWNET);
      const after = look();
      await promise;
      return after.map((id, i) => id === before[i]);`);
    expect(same).toEqual([false, false, true]);
  });

  owning('for children only, of kind pid: the next one is pid 1, and the thread pool still works', () => {
    const result = evaluate<{ output: string; file: string }>(`
      nsclone.unshareSync(nsclone.Flags.NEWPID);
      const child = await nsclone.clone('/bin/sh', ['-c', 'echo $$; read wait'], { stdio: ['pipe', 'pipe', 'inherit'] });
      const output = String(await new Promise((resolve) => child.stdout.once('data', resolve)));
      const file = await fs.promises.readFile('/proc/sys/kernel/ostype', 'utf8');
      child.stdin.end();
      await child.exited;
      return { output, file };`);
    expect(result).toEqual({ output: '1\n', file: 'Linux\n' });
  });

  owning('and children are born into them', () => {
    const [own, child] = evaluate<string[]>(`
      nsclone.unshareSync(nsclone.Flags.NEWUTS);
      const child = await nsclone.clone('readlink', ['/proc/self/ns/uts']);
      let text = '';
      for await (const chunk of child.stdout) text += chunk;
      return [${link('uts')}, text.trim()];`);
    expect(child).toBe(own);
  });

  owning('and the thread pool stays behind, although nothing has started it yet', () => {
    const [before, own, pool] = evaluate<string[]>(`
      const before = ${link('net')};
      nsclone.unshareSync(nsclone.Flags.NEWNET);
      return [before, ${link('net')}, await fs.promises.readlink('/proc/thread-self/ns/net')];`);
    expect(pool).toBe(before);
    expect(own).not.toBe(before);
  });

  it('does nothing for no flags', async () => {
    await expect(unshare(Flags.NONE)).resolves.toBeUndefined();
  });
});

describe('unshare refuses', () => {
  it('where the threads of the pool could not be started first, of which libuv would abort', () => {
    const told = evaluate<string[]>(
      `require('node:child_process').execFileSync('prlimit', ['--pid', String(process.pid), '--nproc=1:1']);
       try { nsclone.unshareSync(nsclone.Flags.NEWUTS); return []; } catch ({ code, syscall }) { return [code, syscall]; }`,
      isRoot ? as(4711) : [],
    );
    expect(told).toEqual(['EAGAIN', 'pthread_create']);
  });
  // An ordinary user has other processes, which count as well.
  rootOnly('and not where there is room for just these', () => {
    const told = evaluate<string[]>(
      `const { execFileSync } = require('node:child_process');
       const most = fs.readdirSync('/proc/self/task').length + 4;
       execFileSync('prlimit', ['--pid', String(process.pid), '--nproc=' + most + ':' + most]);
       try { nsclone.unshareSync(nsclone.Flags.NEWUTS); return []; } catch ({ code, syscall }) { return [code, syscall]; }`,
      as(4712),
    );
    expect(told).toEqual(['EPERM', 'unshare']);
  });

  it.each([
    ['NEWUSER', /use clone\(\) with Flags\.NEWUSER/],
    ['FILES', /thread pool/],
    ['VM', /process with threads/],
    ['THREAD', /process with threads/],
    ['SIGHAND', /process with threads/],
    ['VFORK', /unshare\(2\) does not know it/],
  ] as const)('%s, with the reason', (name, reason) => {
    expect(() => unshareSync(Flags[name])).toThrow(reason);
    expect(() => unshareSync(Flags[name])).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE', option: 'flags' }),
    );
  });

  it.each([[NaN], ['NEWNET'], [1.5], [2 ** 32], [undefined], [1n]])('%p as flags', async (value) => {
    await expect(unshare(value as number)).rejects.toMatchObject({ option: 'flags' });
  });

  it('never throws synchronously from the Promise form', async () => {
    let promise: Promise<void> | undefined;
    expect(() => (promise = unshare(Flags.NEWUSER))).not.toThrow();
    await expect(promise).rejects.toThrow(/NEWUSER/);
  });

  owning('a second pid namespace, which the kernel makes only below that of the thread', () => {
    const error = evaluate(`
      const before = ${link('uts')};
      nsclone.unshareSync(nsclone.Flags.NEWPID);
      try { nsclone.unshareSync(nsclone.Flags.NEWPID | nsclone.Flags.NEWUTS); } catch ({ code, syscall, option, message, hint }) {
        return { code, syscall, option, is: message.split(': ')[1], hint, uts: ${link('uts')} === before };
      }`);
    expect(error).toEqual({
      code: 'EINVAL',
      syscall: 'unshare',
      option: 'flags',
      is: 'invalid argument, unshare CLONE_NEWUTS|CLONE_NEWPID (flags)',
      hint: 'the children of this thread are in another pid namespace than itself already: setns() back first',
      uts: true,
    });
  });

  owning('a start whose set-up would be the first process of the new pid namespace, which lives on', () => {
    const told = evaluate<unknown[]>(`
      const { clone, createNamespaces, Flags, run } = nsclone;
      nsclone.unshareSync(Flags.NEWPID);
      const told = [];
      for (const flags of [Flags.NEWPID, Flags.NEWTIME])
        await clone('true', [], { flags }).catch(({ code, step, message }) => told.push({ code, step, message }));
      await createNamespaces(Flags.NEWTIME).catch(({ code, step, message }) => told.push({ code, step, message }));
      const first = await clone('sleep', ['60']);
      told.push((await run('true', [], { flags: Flags.NEWPID })).code);
      first.kill('SIGKILL');
      await first.exited;
      return told;`);
    const error = {
      code: 'EINVAL',
      step: 'clone',
      message: expect.stringMatching(/^EINVAL: the first process of the pid namespace that this thread/) as string,
    };
    expect(told).toEqual([error, error, error, 0]);
  });

  owning('children to come, once their pid 1 has ended, with the way back', () => {
    const errors = evaluate<unknown[]>(`
      nsclone.unshareSync(nsclone.Flags.NEWPID);
      require('node:child_process').execSync('true');
      const calls = [() => nsclone.clone('true'), () => nsclone.createNamespaces(nsclone.Flags.NEWUTS)];
      const told = [];
      for (const call of calls) await call().catch(({ code, step, hint }) => told.push({ code, step, hint }));
      nsclone.setnsSync('/proc/self/ns/pid');
      return [...told, (await nsclone.run('true')).code];`);
    const error = {
      code: 'ENOMEM',
      step: 'clone',
      hint: "the pid 1 of the pid namespace that this thread has its children in has ended: none can be born there any more: setns('/proc/thread-self/ns/pid') leads back",
    };
    expect(errors).toEqual([error, error, 0]);
  });

  it('more namespaces than there may be, with the sysctl', () => {
    const error = evaluate(
      `fs.writeFileSync('/proc/sys/user/max_uts_namespaces', '0');
       try { nsclone.unshareSync(nsclone.Flags.NEWUTS); } catch ({ code, syscall, hint }) { return { code, syscall, hint }; }`,
      ['unshare', '--user', '--map-root-user'],
    );
    expect(error).toEqual({
      code: 'ENOSPC',
      syscall: 'unshare',
      hint: 'sysctl user.max_uts_namespaces is 0: set it to 10000, for one',
    });
  });

  it('what the kernel refuses, naming the call, the flags and what to do', () => {
    const wrapper = isRoot ? ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'] : [];
    const { stdout, stderr } = runScript(
      `try { nsclone.unshareSync(nsclone.Flags.NEWNET); } catch ({ code, syscall, message }) {
         console.log(JSON.stringify({ code, syscall, message })); }`,
      wrapper,
    );
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({
      code: 'EPERM',
      syscall: 'unshare',
      message:
        'EPERM: operation not permitted, unshare CLONE_NEWNET (flags): needs CAP_SYS_ADMIN; an ordinary user gets ' +
        'namespaces with clone() and Flags.NEWUSER',
    });
  });
});
