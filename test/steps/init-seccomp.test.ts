// Step `init` with `init.seccomp`: the filters of the program are those of pid 1 too.
import { clone, type CloneOptions, Flags, type SeccompProfile, type SyscallError } from '../../lib';
import { syscalls } from '../../lib/kernel/syscalls';
import { notifying, supervisors } from '../seccomp/supervisor';
import { withCompiler } from '../support/compiled';
import { calls, failAt } from '../support/fault';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted } from '../support/listing';
import { planning, refusal } from '../support/refusal';

const supervisor = supervisors();
leavesNothing();

const init = { seccomp: true } as const;
const mounted: CloneOptions = {
  ...owned(Flags.NEWPID | Flags.NEWNS),
  mounts: [{ type: 'proc', target: '/proc' }],
};
const refusing: SeccompProfile = {
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_ERRNO' }],
};
/** What pid 1 needs, and no more. */
const needed = 'close exit_group getpgid getsid kill rt_sigtimedwait setpgid waitid write'.split(' ');

/** `struct sock_filter[1]`: return this. */
function returning(answer: number): Buffer {
  const filter = Buffer.alloc(8);
  filter.writeUInt16LE(0x06, 0);
  filter.writeUInt32LE(answer, 4);
  return filter;
}

describe('init.seccomp rejects', () => {
  test.each([1, 'true', null])('%p', (seccomp) => {
    expect(planning({ ...mounted, init: { seccomp }, seccomp: refusing })).toThrow(
      refusal('ERR_INVALID_ARG_TYPE', 'init.seccomp'),
    );
  });
  test('nothing to install', () => {
    for (const seccomp of [undefined, []])
      expect(planning({ ...mounted, init, seccomp })).toThrow(
        refusal('ERR_INVALID_ARG_VALUE', 'init.seccomp', 'needs filters'),
      );
  });
  test.each(needed)('a filter that does not let %s through, and names it', (name) => {
    for (const action of ['SCMP_ACT_ERRNO', 'SCMP_ACT_KILL_PROCESS', 'SCMP_ACT_TRACE'] as const) {
      const seccomp = [
        returning(0x7fff_0000),
        { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: [name], action }] },
      ];
      expect(planning({ ...mounted, init, seccomp })).toThrow(
        refusal('ERR_INVALID_ARG_VALUE', 'init.seccomp', `seccomp[1] does not let through what pid 1 needs: ${name}`),
      );
      expect(planning({ ...mounted, init: true, seccomp })).not.toThrow();
    }
  });
  test('a filter before another one that does not let seccomp through', () => {
    const first: SeccompProfile = {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['seccomp'], action: 'SCMP_ACT_ERRNO' }],
    };
    expect(planning({ ...mounted, init, seccomp: [refusing, first] })).not.toThrow();
    expect(planning({ ...mounted, init, seccomp: [first, refusing] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'init.seccomp', 'seccomp[0] does not let through what pid 1 needs: seccomp'),
    );
  });
  test('a filter of which it cannot be known', () => {
    const jumps = Buffer.alloc(24);
    // If the number is that in X, kill; else allow: BPF_JMP|BPF_JEQ|BPF_X.
    [[0x1d, 0, 1, 0] as const, [0x06, 0, 0, 0x8000_0000] as const, [0x06, 0, 0, 0x7fff_0000] as const].forEach(
      ([code, yes, no, value], index) => {
        jumps.writeUInt16LE(code, index * 8);
        jumps[index * 8 + 2] = yes;
        jumps[index * 8 + 3] = no;
        jumps.writeUInt32LE(value, index * 8 + 4);
      },
    );
    expect(planning({ ...mounted, init, seccomp: jumps })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'init.seccomp', needed.join(', ')),
    );
  });
});

describe('init.seccomp emits', () => {
  test('nothing where it is not asked for', () => {
    const seccomp = refusing;
    const lines = (options: CloneOptions): string[] => emitted('init', { ...mounted, seccomp, ...options });
    expect(lines({ init: { seccomp: false } })).toEqual(lines({ init: true }));
    expect(lines({ init })).not.toEqual(lines({ init: true }));
  });
});

describe('init.seccomp, seen from inside', () => {
  const status = (of: string): string => `awk '/^Seccomp_filters:/ { print $2 }' /proc/${of}/status`;
  const script = `${status('1')}; ${status('self')}; awk '/^NoNewPrivs/ { print $2 }' /proc/1/status`;

  test('pid 1 has as many filters as the program, and none without', async () => {
    const before = Number(await inside(status('self')));
    const options = { ...mounted, seccomp: [refusing, returning(0x7fff_0000)] };
    expect(await inside(script, { ...options, init })).toBe(`${before + 2}\n${before + 2}\n1`);
    expect(await inside(script, { ...options, init: true })).toBe(`${before}\n${before + 2}\n1`);
  });
  test('with noNewPrivileges false, which is of the program alone', async () => {
    const before = Number(await inside(status('self')));
    const options = { ...mounted, init, noNewPrivileges: false } as const;
    expect(await inside(script, { ...options, seccomp: refusing })).toBe(`${before + 1}\n${before + 1}\n1`);
  });
  test('pid 1 reaps, forwards and ends by what it needs alone', async () => {
    const seccomp: SeccompProfile = {
      defaultAction: 'SCMP_ACT_ALLOW',
      // What else the stub can call.
      syscalls: [{ names: ['prctl', 'chdir', 'close_range', 'seccomp'], action: 'SCMP_ACT_KILL_PROCESS' }],
    };
    const options = { ...mounted, init: { seccomp: true, until: 'last' }, seccomp } as const;
    expect(await inside('(while kill -0 $$; do :; done 2>/dev/null; echo late) & (exit 3); echo $?', options)).toBe(
      '3\nlate',
    );
    const child = await clone('/bin/sh', ['-c', 'trap "exit 5" TERM; echo; read line'], {
      ...options,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => child.stdout!.once('data', resolve));
    child.kill('SIGTERM');
    expect(await child.exited).toMatchObject({ code: 5 });
  });
  withCompiler('what it would notify of goes to the supervisor of the program, which pid 1 never asks', async () => {
    const { path, ended } = await supervisor(13);
    const options = { ...mounted, init, seccomp: notifying(path, 'uname') };
    expect(await inside('uname -n || echo $$', options)).toBe('2');
    expect((await ended()).asked.map(({ number }) => number)).toEqual([syscalls.uname]);
  });
});

describe('init.seccomp, when the kernel refuses', () => {
  test('what pid 1 is told is told, and nothing has started', async () => {
    // A jump out of the filter.
    const bad = Buffer.concat([returning(0x7fff_0000), Buffer.from([0x05, 0, 0, 0, 9, 0, 0, 0])]);
    const error = await clone('/bin/true', { ...mounted, init, seccomp: bad }).then(
      () => undefined,
      (failure: SyscallError) => failure,
    );
    expect(error).toMatchObject({
      code: 'EINVAL',
      syscall: 'seccomp',
      step: 'init',
      option: 'init.seccomp',
      hint: 'the kernel refuses this filter: a bad instruction, or a jump out of it',
    });
  });
  test('a pid 1 that has gone is no success', async () => {
    const read = calls('read(');
    expect(await failAt({ ...mounted, init, seccomp: refusing }, read, 'EIO')).toMatchObject({ step: 'init' });
  });
});
