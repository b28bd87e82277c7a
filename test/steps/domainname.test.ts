// Step `domainname`: the NIS domain name of the new uts namespace.
import { readFileSync } from 'node:fs';

import { Flags } from '../../lib';
import { calls, failAt, fieldsOf } from '../support/fault';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted } from '../support/listing';
import { planning, refusal } from '../support/refusal';

leavesNothing();

const uts = owned(Flags.NEWUTS);
const file = '/proc/sys/kernel/domainname';
const ours = (): string => readFileSync(file, 'utf8').trimEnd();

describe('domainname rejects', () => {
  test('a name without the namespace: that of the host would be changed', () => {
    expect(planning({ domainname: 'example' })).toThrow(
      refusal(
        'ERR_INVALID_ARG_VALUE',
        'domainname',
        'needs Flags.NEWUTS in flags: without it the domain name of the host would be changed',
      ),
    );
    expect(planning({ domainname: 'example', flags: Flags.NEWNET })).toThrow(/Flags\.NEWUTS/);
  });
  test('more than 64 bytes', () => {
    expect(planning({ ...uts, domainname: 'a'.repeat(64) })).not.toThrow();
    for (const domainname of ['a'.repeat(65), 'ü'.repeat(33)]) {
      expect(planning({ ...uts, domainname })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'domainname', '64 bytes'));
    }
  });
  test('a NUL byte', () => {
    expect(planning({ ...uts, domainname: 'a\0b' })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'domainname', 'null bytes'),
    );
  });
  test.each([5, null, true, ['example']])('%p', (domainname) => {
    expect(planning({ ...uts, domainname })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'domainname'));
  });
});

describe('domainname emits', () => {
  test('nothing where there is none', () => {
    expect(emitted('domainname', uts)).toEqual([]);
    expect(emitted('domainname', { ...uts, domainname: undefined })).toEqual([]);
  });
  test('one call, with its length in bytes', () => {
    expect(emitted('domainname', { ...uts, domainname: 'example' })).toEqual([
      'domainname: setdomainname("example", 7)',
    ]);
    expect(emitted('domainname', { ...uts, domainname: 'bäx' })).toEqual(['domainname: setdomainname("bäx", 4)']);
  });
});

describe('domainname, seen from inside', () => {
  test.each(['example', 'a'.repeat(64), 'bäx', ''])('%p', async (domainname) => {
    const before = ours();
    expect(await inside(`cat ${file}`, { ...uts, domainname })).toBe(domainname);
    expect(ours()).toBe(before);
  });
  test('beside a host name', async () => {
    expect(await inside(`uname -n; cat ${file}`, { ...uts, hostname: 'box', domainname: 'example' })).toBe(
      'box\nexample',
    );
  });
  test('without the option it is ours', async () => {
    expect(await inside(`cat ${file}`, uts)).toBe(ours());
  });
});

describe('domainname, when the kernel refuses', () => {
  test('names the call', async () => {
    expect(fieldsOf(await failAt({ ...uts, domainname: 'example' }, calls('setdomainname'), 'EPERM'))).toEqual({
      code: 'EPERM',
      errno: -1,
      step: 'domainname',
      option: 'domainname',
      syscall: 'setdomainname',
      message: 'EPERM: operation not permitted, setdomainname (domainname)',
    });
  });
});
