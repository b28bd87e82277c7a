// Hosts whose seccomp profile refuses clone3(2), as containers' do, or execve(2).
import { syscalls, type SyscallName } from '../../lib/kernel/syscalls';
import { evaluate } from '../support/own-process';
import { compiled, withCompiler } from '../support/compiled';

const ENOSYS = 38;
const EPERM = 1;
const E2BIG = 7;

const refuse = compiled('robustness/refuse', ['-shared', '-fPIC']);

type Refusals = Partial<Record<SyscallName, number | 'kill'>>;

/** Runs a script whose JavaScript thread cannot make these calls; `failure` turns a rejection into what can be compared. */
function evaluateWithout<T>(refused: Refusals, source: string): T {
  const rules = Object.entries(refused).map(([name, answer]) => `${syscalls[name as SyscallName]}=${answer}`);
  return evaluate<T>(`
    const { clone, Flags } = nsclone;
    process.env.REFUSE = ${JSON.stringify(rules.join(' '))};
    // It is no addon; loading it is all that is needed.
    try { process.dlopen({ exports: {} }, ${JSON.stringify(refuse.path)}); } catch {}
    const failure = (promise) => promise.then(() => 'no failure', ({ code, syscall, signal, step }) => ({ code, syscall, signal, step }));
    const output = async (child) => {
      let text = '';
      for await (const part of child.stdout) text += part;
      return [text.trim(), (await child.exited).code];
    };
    ${source}`);
}

const namespaces = `{
  flags: Flags.NEWUSER | Flags.NEWPID | Flags.NEWNS | Flags.NEWUTS | Flags.NEWNET | Flags.NEWIPC | Flags.NEWCGROUP | Flags.NEWTIME,
  uidMap: 'root', gidMap: 'root', hostname: 'box', loopback: true,
}`;

describe.each([
  ['ENOSYS', ENOSYS],
  ['EPERM', EPERM],
])('clone3 refused with %s', (_name, errno) => {
  withCompiler('a command starts all the same, and again', () => {
    const script = `const ends = [];
      for (let i = 0; i < 3; i++) ends.push(await output(await clone('/bin/sh', ['-c', 'echo here; exit 4'])));
      return ends;`;
    expect(evaluateWithout({ clone3: errno }, script)).toEqual(Array.from({ length: 3 }, () => ['here', 4]));
  });

  withCompiler('in all namespaces too', () => {
    const script = `return output(await clone('/bin/sh', ['-c', 'uname -n; echo $$; id -u; exit 5'], ${namespaces}));`;
    expect(evaluateWithout({ clone3: errno }, script)).toEqual(['box\n1\n0', 5]);
  });

  withCompiler('a recorded child runs in place all the same', () => {
    const script = `const { record, constants: { AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM } } = nsclone;
      const program = record((c) => ({ socket: c.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), pid: c.getpid() }));
      const found = [];
      for (const flags of [Flags.NONE, Flags.VM, Flags.VM | Flags.FILES, Flags.VM | Flags.SIGHAND | Flags.THREAD, Flags.VM | Flags.VFORK]) {
        const { pid, results, exited } = await clone(program, { flags });
        found.push([results.socket > 2, results.pid === (flags & Flags.THREAD ? process.pid : pid), (await exited).code]);
      }
      return found;`;
    expect(evaluateWithout({ clone3: errno }, script)).toEqual(Array.from({ length: 5 }, () => [true, true, 0]));
  });

  withCompiler('it is clone(2) that is called instead', () => {
    // glibc starts threads by clone3(2), or by clone(2) where that is ENOSYS: all there are have started before the filter is set.
    const script = `return failure(clone('/bin/true'));`;
    expect(evaluateWithout({ clone3: errno, clone: E2BIG }, script)).toMatchObject({
      code: errno === EPERM ? 'EPERM' : 'E2BIG',
      step: 'clone',
    });
  });

  withCompiler('the end of a child is told as ever', () => {
    const script = `const child = await clone('/bin/sh', ['-c', 'kill -9 $$']); const { code, signal } = await child.exited;
      return [code, signal, child.pidfd];`;
    expect(evaluateWithout({ clone3: errno }, script)).toEqual([null, 'SIGKILL', -1]);
  });
});

describe('clone refused as well', () => {
  withCompiler('with EPERM: the call rejects with it', () => {
    const script = `return failure(clone('/bin/true', [], { stdio: 'ignore' }));`;
    expect(evaluateWithout({ clone3: EPERM, clone: EPERM }, script)).toMatchObject({ code: 'EPERM', step: 'clone' });
  });
});

describe('execve refused', () => {
  withCompiler('with EPERM: the call rejects with it', () => {
    const script = `return [await failure(clone('/bin/true')), await failure(clone('/bin/true', [], ${namespaces}))];`;
    const failed = { code: 'EPERM', syscall: 'execve', step: 'command' };
    expect(evaluateWithout({ execve: EPERM }, script)).toEqual([failed, failed]);
  });

  withCompiler('by death: the command is reported as never started', () => {
    const script = `const results = [];
      for (let i = 0; i < 10; i++) results.push(await failure(clone('/bin/true', [], i % 2 === 0 ? {} : ${namespaces})));
      return results;`;
    const failed = { code: 'ECHILD', signal: 'SIGSYS', syscall: 'execve', step: 'command' };
    expect(evaluateWithout({ execve: 'kill' }, script)).toEqual(Array.from({ length: 10 }, () => failed));
  });
});
