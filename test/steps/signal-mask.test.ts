// Step `signal mask`: signals are blocked in set-up, and none is when the program starts.
import { readFileSync } from 'node:fs';

import { clone, Flags, plan } from '../../lib';
import { calls, failAt, fieldsOf } from '../support/fault';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted, linesOf } from '../support/listing';
import { planning } from '../support/refusal';

leavesNothing();

const call = 'rt_sigprocmask(SIG_SETMASK, [], NULL, 8)';
const maskOf = (pid: number): bigint =>
  BigInt(`0x${/^SigBlk:\t([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]}`);

describe('signal mask rejects', () => {
  test('nothing: it has no option', () => {
    expect(planning({})).not.toThrow();
  });
});

describe('signal mask emits', () => {
  test('one call, always', () => {
    expect(emitted('signal mask', {})).toEqual([call]);
    expect(emitted('signal mask', { ...owned(Flags.NEWPID), parentDeathSignal: 9, hold: true })).toEqual([call]);
  });
  test('when nothing is left but the filter and the exec', () => {
    const steps = linesOf(plan('/bin/true', [], { seccomp: new Uint8Array(8) })).map(({ step }) => step);
    expect([...new Set(steps.slice(steps.indexOf('signal mask') + 1))]).toEqual(['seccomp', 'command']);
  });
});

describe('signal mask, seen from inside', () => {
  test.each([
    ['without namespaces', {}],
    ['in a pid namespace', owned(Flags.NEWPID)],
    ['beside a pid 1 of ours', { ...owned(Flags.NEWPID), init: true }],
  ])('nothing is blocked %s', async (_name, options) => {
    expect(await inside('grep SigBlk: /proc/self/status', options)).toMatch(/^SigBlk:\t0+$/);
  });
  test('all that can be is blocked while it is held', async () => {
    const child = await clone('/bin/true', { hold: true, stdio: 'ignore' });
    const kill = 1n << 8n;
    const stop = 1n << 18n;
    expect(maskOf(child.pid) | kill | stop).toBe(2n ** 64n - 1n);
    await child.start();
    expect(await child.exited).toMatchObject({ code: 0 });
  });
});

describe('signal mask reports', () => {
  test('a signal that was waiting, and ends the child here', async () => {
    const child = await clone('/bin/true', { hold: true, stdio: 'ignore' });
    process.kill(child.pid, 'SIGTERM');
    await expect(child.start()).rejects.toMatchObject({ code: 'ECHILD', signal: 'SIGTERM', step: 'signal mask' });
    expect(await child.exited).toMatchObject({ code: null, signal: 'SIGTERM' });
  });
  test('the call, when the kernel refuses', async () => {
    expect(fieldsOf(await failAt({}, calls('rt_sigprocmask'), 'EINVAL'))).toEqual({
      code: 'EINVAL',
      errno: -22,
      step: 'signal mask',
      syscall: 'rt_sigprocmask',
      message: 'EINVAL: invalid argument, rt_sigprocmask',
    });
  });
});
