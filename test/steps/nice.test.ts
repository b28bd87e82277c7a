// Step `nice`: the scheduling priority.
import { getPriority } from 'node:os';

import { clone, Flags, plan, type SyscallError } from '../../lib';
import { withCapability, withoutCapability } from '../support/capability';
import { calls, failAt, fieldsOf } from '../support/fault';
import { hosts, onHost } from '../support/host';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted, linesOf } from '../support/listing';
import { planning, refusal } from '../support/refusal';

leavesNothing();

const own = getPriority();

describe('nice rejects', () => {
  test.each([-21, 20, 1.5, NaN, Infinity])('%p', (nice) => {
    expect(planning({ nice })).toThrow(refusal('ERR_OUT_OF_RANGE', 'nice'));
  });
  test.each(['5', null, true, [], {}])('%p', (nice) => {
    expect(planning({ nice })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'nice'));
  });
});

describe('nice emits', () => {
  test('nothing where it is not given', () => {
    expect(emitted('nice', {})).toEqual([]);
  });
  test.each([-20, 0, 19])('one call for %i', (nice) => {
    expect(emitted('nice', { nice })).toEqual([`nice: setpriority(PRIO_PROCESS, 0, ${nice})`]);
  });
  test('before the user namespace, where the privilege for it ends', () => {
    const steps = linesOf(plan('/bin/true', [], { ...owned(Flags.NEWPID), nice: 1 })).map(({ step }) => step);
    expect(steps.indexOf('nice')).toBeLessThan(steps.indexOf('user'));
  });
});

describe('nice, seen from inside', () => {
  test('the value, and ours stays what it is', async () => {
    const value = Math.min(19, own + 3);
    expect(await inside('nice', { nice: value })).toBe(String(value));
    expect(await inside('nice', { nice: 19, ...owned(Flags.NEWPID) })).toBe('19');
    expect(getPriority()).toBe(own);
  });
  test('without the option it is ours', async () => {
    expect(await inside('nice')).toBe(String(own));
  });
  withCapability('CAP_SYS_NICE', 'a lower value, in a new user namespace too', async () => {
    expect(await inside('nice', { nice: -5 })).toBe('-5');
    expect(await inside('nice', { nice: -5, ...owned(Flags.NEWPID) })).toBe('-5');
  });
});

describe('nice, when the kernel refuses', () => {
  test('names the call and what it takes', async () => {
    const hint = 'a lower value than ours needs CAP_SYS_NICE outside of any user namespace, or a limit of rlimits.nice';
    const refused = (): Promise<SyscallError> => failAt({ nice: 5 }, calls('setpriority'), 'EACCES');
    expect((await onHost({ files: hosts.free }, refused)).hint).toBeUndefined();
    expect(fieldsOf(await onHost({ files: hosts.ubuntu }, refused))).toEqual({
      code: 'EACCES',
      errno: -13,
      step: 'nice',
      option: 'nice',
      syscall: 'setpriority',
      hint,
      message: `EACCES: permission denied, setpriority (nice): ${hint}`,
    });
  });
  withoutCapability('CAP_SYS_NICE', 'a lower value than ours', async () => {
    await expect(clone('/bin/true', { nice: own - 1 })).rejects.toMatchObject({ code: 'EACCES', option: 'nice' });
    await expect(clone('/bin/true', { nice: own - 1, ...owned(Flags.NEWPID) })).rejects.toMatchObject({
      code: 'EACCES',
    });
  });
});
