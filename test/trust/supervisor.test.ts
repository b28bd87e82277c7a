// Who answers the notifications of a filter may be a stranger, and so may who is supervised: neither makes us say what is not so, and
// the way by which a listener leaves is nobody's but ours.
import { clone, type CloneOptions, Flags, type SeccompProfile } from '../../lib';
import { syscalls } from '../../lib/kernel/syscalls';
import { failureOf, notifying, supervisors } from '../seccomp/supervisor';
import { compiled, withCompiler } from '../support/compiled';
import { asRoot } from '../support/attack';
import { owned, read } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { evaluate } from '../support/own-process';

const supervisor = supervisors();
const calls = compiled('seccomp/call');
leavesNothing();

describe('a supervisor that answers execve(2) as if it had been made', () => {
  const refused = { name: 'SyscallError', step: 'command', syscall: 'execve' };

  withCompiler('has nothing be started', async () => {
    const sorts: CloneOptions[] = [{}, owned(Flags.NEWPID), { ...owned(Flags.NEWPID), init: true }];
    for (const options of sorts) {
      const { path, ended } = await supervisor('pretend');
      const seccomp = notifying(path, 'execve', 'execveat');
      expect(await failureOf(clone('/bin/true', [], { ...options, seccomp, stdio: 'ignore' }))).toMatchObject(refused);
      expect((await ended()).asked[0]!.number).toBe(syscalls.execve);
    }
  });
  withCompiler('has start() reject after a stop', async () => {
    const { path, ended } = await supervisor('pretend');
    const child = await clone('/bin/true', [], { hold: true, seccomp: notifying(path, 'execve'), stdio: 'ignore' });
    expect(await failureOf(child.start())).toMatchObject(refused);
    await child.exited;
    await ended();
  });
});

describe('a supervisor', () => {
  test('is told no number of another pid namespace: where /proc is of one, nothing is started', () => {
    const seccomp = notifying('/run/agent', 'uname');
    const error = evaluate<object>(
      `return nsclone.clone('/bin/true', { stdio: 'ignore', seccomp: ${JSON.stringify(seccomp)} })
         .then(() => 'started', ({ code, step, option, path, hint }) => ({ code, step, option, path, hint }));`,
      [...asRoot, 'unshare', '--pid', '--fork', '--kill-child'],
    );
    expect(error).toEqual({
      code: 'ESRCH',
      step: 'proc',
      option: 'seccomp.listenerPath',
      path: '/proc',
      hint: 'mount a /proc of ours',
    });
  });
});

describe('who is supervised', () => {
  /** What is open is closed by it, and what may not be sent is not. */
  const ask = [
    [syscalls.close, 1000],
    [syscalls.sendmsg, 1000],
    [syscalls.sendmsg, 1],
  ] as const;
  const words = ['0 0 0', '1 2 3', `${2 ** 32 - 1} ${2 ** 32 - 1} ${2 ** 32 - 1}`];
  const lines = ask.flatMap(([number, descriptor]) => words.map((last) => `${number} ${descriptor} 0 0 ${last}\n`));

  withCompiler('finds the door shut by which its listener left', async () => {
    const { path, ended } = await supervisor(0);
    const seccomp: SeccompProfile = {
      defaultAction: 'SCMP_ACT_ALLOW',
      listenerPath: path,
      syscalls: [
        { names: ['sendmsg'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 },
        {
          names: ['close'],
          action: 'SCMP_ACT_ERRNO',
          errnoRet: 40,
          args: [{ index: 0, value: 1000, op: 'SCMP_CMP_EQ' }],
        },
        { names: ['uname'], action: 'SCMP_ACT_NOTIFY' },
      ],
    };
    const child = await clone(calls.path, [], { seccomp, stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.end(lines.join(''));
    expect((await read(child.stdout)).trim().split('\n')).toEqual([
      ...words.map(() => '40'),
      ...words.map(() => '38'),
      ...words.map(() => '38'),
    ]);
    await child.exited;
    await ended();
  });
  withCompiler('has nothing of the memory in which what opens it was', async () => {
    const { path, ended } = await supervisor(0);
    const child = await clone('/bin/cat', ['/proc/self/maps'], {
      seccomp: notifying(path, 'sendmsg'),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const maps = await read(child.stdout);
    await child.exited;
    await ended();
    expect(maps).not.toMatch(/nsclone|memfd/);
  });
});
