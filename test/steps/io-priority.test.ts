// Step `ioPriority`: which requests to a disk come first.
import { spawnSync } from 'node:child_process';

import { type CloneOptions, constants, Flags, type IoPriority, plan, record } from '../../lib';
import { hasCapability, needing, withoutCapability } from '../support/capability';
import { calls, failAt, fieldsOf } from '../support/fault';
import { hosts, onHost } from '../support/host';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted, linesOf } from '../support/listing';
import { planning, refusal } from '../support/refusal';

leavesNothing();

const given = (ioPriority: unknown): (() => unknown) => planning({ ioPriority });

describe('ioPriority rejects', () => {
  test('a class that is none, with the nearest', () => {
    expect(given({ class: 'IOPRIO_CLASS_BR' })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'ioPriority.class', 'did you mean "IOPRIO_CLASS_BE"?'),
    );
    for (const name of [undefined, 2, 'IOPRIO_CLASS_NONE'])
      expect(given({ class: name })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'ioPriority.class'));
  });
  test.each([-1, 8, 1.5, NaN])('the priority %p', (priority) => {
    expect(given({ class: 'IOPRIO_CLASS_BE', priority })).toThrow(refusal('ERR_OUT_OF_RANGE', 'ioPriority.priority'));
  });
  test('what is no field, and no object', () => {
    expect(given({ class: 'IOPRIO_CLASS_BE', level: 4 })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'ioPriority.level'));
    expect(given({ class: 'IOPRIO_CLASS_BE', priority: '4' })).toThrow(
      refusal('ERR_INVALID_ARG_TYPE', 'ioPriority.priority'),
    );
    for (const value of ['IOPRIO_CLASS_BE', 4, null, [], true])
      expect(given(value)).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'ioPriority'));
  });
});

describe('ioPriority emits', () => {
  test('nothing where it is not given', () => {
    expect(emitted('ioPriority', {})).toEqual([]);
  });
  test.each<[IoPriority, string]>([
    [{ class: 'IOPRIO_CLASS_RT', priority: 0 }, 'IOPRIO_CLASS_RT, 0'],
    [{ class: 'IOPRIO_CLASS_BE', priority: 7 }, 'IOPRIO_CLASS_BE, 7'],
    [{ class: 'IOPRIO_CLASS_BE' }, 'IOPRIO_CLASS_BE, 4'],
    [{ class: 'IOPRIO_CLASS_IDLE' }, 'IOPRIO_CLASS_IDLE, 4'],
  ])('one call for %j', (ioPriority, value) => {
    expect(emitted('ioPriority', { ioPriority })).toEqual([
      `ioPriority: ioprio_set(IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(${value}))`,
    ]);
  });
  test('as a recorded one is listed', () => {
    expect(String(record((c) => void c.ioprio_set(1, 0, (3 << 13) | 2)))).toContain(
      'ioprio_set(IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 2))',
    );
  });
  test('before the user namespace, where the privilege for it ends', () => {
    const options: CloneOptions = { ...owned(Flags.NEWPID), ioPriority: { class: 'IOPRIO_CLASS_RT' } };
    const steps = linesOf(plan('/bin/true', [], options)).map(({ step }) => step);
    expect(steps.indexOf('ioPriority')).toBeGreaterThan(0);
    expect(steps.indexOf('ioPriority')).toBeLessThan(steps.indexOf('user'));
  });
});

const ionice = spawnSync('ionice', ['--version']).status === 0;
const places: readonly (readonly [string, CloneOptions])[] = [
  ['', {}],
  [' in namespaces of its own', owned(Flags.NEWPID)],
  [' beside a pid 1', { ...owned(Flags.NEWPID), init: true }],
];
const withIonice = needing(ionice, 'ionice(1)');
const mayBeFirst = [constants.CAP_SYS_NICE, constants.CAP_SYS_ADMIN].some(hasCapability);
const first = needing(ionice && mayBeFirst, 'ionice(1), and CAP_SYS_NICE or CAP_SYS_ADMIN');

describe('ioPriority, seen from inside', () => {
  const seen = (ioPriority: IoPriority, options: CloneOptions): Promise<string> =>
    inside('exec ionice', { ...options, ioPriority });

  for (const [name, options] of places) {
    withIonice(`what an ordinary user may ask for${name}`, async () => {
      expect(await seen({ class: 'IOPRIO_CLASS_BE', priority: 6 }, options)).toBe('best-effort: prio 6');
      expect(await seen({ class: 'IOPRIO_CLASS_IDLE' }, options)).toBe('idle');
    });
    first(`the real-time class${name}`, async () => {
      expect(await seen({ class: 'IOPRIO_CLASS_RT', priority: 1 }, options)).toBe('realtime: prio 1');
    });
  }
});

describe('ioPriority, when the kernel refuses', () => {
  const refused = (code: string, name: IoPriority['class'] = 'IOPRIO_CLASS_RT') =>
    failAt({ ioPriority: { class: name } }, calls('ioprio_set'), code);

  test('names the call, and what it takes', async () => {
    const hint = "'IOPRIO_CLASS_RT' needs CAP_SYS_NICE or CAP_SYS_ADMIN, outside of any user namespace";
    expect(fieldsOf(await onHost({ files: hosts.ubuntu }, () => refused('EPERM')))).toEqual({
      code: 'EPERM',
      errno: -1,
      step: 'ioPriority',
      option: 'ioPriority',
      syscall: 'ioprio_set',
      hint,
      message: `EPERM: operation not permitted, ioprio_set (ioPriority): ${hint}`,
    });
    expect((await onHost({ files: hosts.free }, () => refused('EPERM'))).hint).toBeUndefined();
    expect((await onHost({ files: hosts.ubuntu }, () => refused('EPERM', 'IOPRIO_CLASS_BE'))).hint).toBeUndefined();
  });
  test('a kernel without disks', async () => {
    const folder = { mode: 0o40755, uid: 0, gid: 0 };
    const without = { modes: { '/sys/devices': folder } };
    expect((await onHost(without, () => refused('ENOSYS'))).hint).toContain('CONFIG_BLOCK');
    const having = { modes: { '/sys/devices': folder, '/sys/block': folder } };
    expect((await onHost(having, () => refused('ENOSYS'))).hint).toBeUndefined();
  });
  withoutCapability('CAP_SYS_NICE', 'the real-time class to an ordinary user', async () => {
    await expect(inside('true', { ioPriority: { class: 'IOPRIO_CLASS_RT' } })).rejects.toMatchObject({
      code: 'EPERM',
      option: 'ioPriority',
    });
  });
});
