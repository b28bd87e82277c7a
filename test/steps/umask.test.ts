// Step `umask`: the permission bits that new files do not get.
import { Flags, plan } from '../../lib';
import { calls, failAt, fieldsOf } from '../support/fault';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted, linesOf } from '../support/listing';
import { planning, refusal } from '../support/refusal';

leavesNothing();

const ours = (): string => process.umask().toString(8).padStart(4, '0');

describe('umask rejects', () => {
  test.each([-1, 0o1000, 0.5, NaN])('%p', (umask) => {
    expect(planning({ umask })).toThrow(refusal('ERR_OUT_OF_RANGE', 'umask'));
  });
  test.each(['022', null, true, [], {}])('%p', (umask) => {
    expect(planning({ umask })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'umask'));
  });
});

describe('umask emits', () => {
  test('nothing where it is not given', () => {
    expect(emitted('umask', {})).toEqual([]);
  });
  test('one call, in octal', () => {
    expect(emitted('umask', { umask: 0o27 })).toEqual(['umask: umask(027)']);
    expect(emitted('umask', { umask: 0 })).toEqual(['umask: umask(0)']);
  });
  test('after all that set-up makes', () => {
    const options = {
      ...owned(Flags.NEWNS | Flags.NEWPID),
      umask: 0o77,
      mounts: [{ type: 'proc', target: '/proc' }],
    } as const;
    const steps = linesOf(plan('/bin/true', [], options)).map(({ step }) => step);
    expect(steps.indexOf('umask')).toBeGreaterThan(steps.lastIndexOf('mounts'));
  });
});

describe('umask, seen from inside', () => {
  test.each([0, 0o27, 0o777])('%i', async (umask) => {
    const before = ours();
    expect(await inside('umask', { umask })).toBe(umask.toString(8).padStart(4, '0'));
    expect(ours()).toBe(before);
  });
  test('what it is for', async () => {
    expect(await inside('f=$(mktemp -u) && : > $f && stat -c %a $f && rm -f $f', { umask: 0o77 })).toBe('600');
    expect(await inside('f=$(mktemp -u) && : > $f && stat -c %a $f && rm -f $f', { umask: 0o22 })).toBe('644');
  });
  test('in namespaces of its own', async () => {
    expect(await inside('umask', { ...owned(Flags.NEWPID | Flags.NEWNS), umask: 0o27 })).toBe('0027');
  });
  test('without the option it is ours', async () => {
    expect(await inside('umask')).toBe(ours());
  });
});

describe('umask, when the kernel refuses', () => {
  test('names the call', async () => {
    expect(fieldsOf(await failAt({ umask: 0 }, calls('umask'), 'EPERM'))).toEqual({
      code: 'EPERM',
      errno: -1,
      step: 'umask',
      option: 'umask',
      syscall: 'umask',
      message: 'EPERM: operation not permitted, umask (umask)',
    });
  });
});
