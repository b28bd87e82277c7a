// Step `hostname`: the name of the new uts namespace.
import { hostname } from 'node:os';

import { Flags } from '../../lib';
import { calls, failAt, fieldsOf } from '../support/fault';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted } from '../support/listing';
import { planning, refusal } from '../support/refusal';

leavesNothing();

const uts = owned(Flags.NEWUTS);

describe('hostname rejects', () => {
  test('a name without the namespace: the host would be renamed', () => {
    expect(planning({ hostname: 'box' })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'hostname', 'needs Flags.NEWUTS in flags: without it the host would be renamed'),
    );
    expect(planning({ hostname: 'box', flags: Flags.NEWNET })).toThrow(/Flags\.NEWUTS/);
  });
  test('more than 64 bytes', () => {
    expect(planning({ ...uts, hostname: 'a'.repeat(64) })).not.toThrow();
    expect(planning({ ...uts, hostname: 'a'.repeat(65) })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'hostname', '64 bytes'),
    );
    expect(planning({ ...uts, hostname: 'ü'.repeat(33) })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'hostname'));
  });
  test('a NUL byte', () => {
    expect(planning({ ...uts, hostname: 'a\0b' })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'hostname', 'null bytes'));
  });
  test.each([5, null, true, ['box']])('%p', (value) => {
    expect(planning({ ...uts, hostname: value })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'hostname'));
  });
});

describe('hostname emits', () => {
  test('nothing where there is none', () => {
    expect(emitted('hostname', uts)).toEqual([]);
    expect(emitted('hostname', { ...uts, hostname: undefined })).toEqual([]);
  });
  test('one call, with its length in bytes', () => {
    expect(emitted('hostname', { ...uts, hostname: 'box' })).toEqual(['hostname: sethostname("box", 3)']);
    expect(emitted('hostname', { ...uts, hostname: 'bäx' })).toEqual(['hostname: sethostname("bäx", 4)']);
  });
});

describe('hostname, seen from inside', () => {
  test.each(['box', 'a'.repeat(64), 'bäx', ''])('%p', async (name) => {
    const before = hostname();
    expect(await inside('cat /proc/sys/kernel/hostname', { ...uts, hostname: name })).toBe(name);
    expect(hostname()).toBe(before);
  });
  test('without the option it is ours', async () => {
    expect(await inside('uname -n', uts)).toBe(hostname());
  });
});

describe('hostname, when the kernel refuses', () => {
  test('names the call', async () => {
    expect(fieldsOf(await failAt({ ...uts, hostname: 'box' }, calls('sethostname'), 'EPERM'))).toEqual({
      code: 'EPERM',
      errno: -1,
      step: 'hostname',
      option: 'hostname',
      syscall: 'sethostname',
      message: 'EPERM: operation not permitted, sethostname (hostname)',
    });
  });
});
