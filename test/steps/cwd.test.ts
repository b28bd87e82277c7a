// Step `cwd`: the working directory.
import { pathToFileURL } from 'node:url';

import { clone } from '../../lib';
import { calls, failAt, fieldsOf } from '../support/fault';
import { inside } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted } from '../support/listing';
import { planning, refusal } from '../support/refusal';

leavesNothing();

describe('cwd rejects', () => {
  test.each([5, null, true, {}, ['/']])('%p', (value) => {
    expect(planning({ cwd: value })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'cwd'));
  });
  test.each(['', '/a\0b', new URL('http://localhost/'), new URL('file:///a%00b'), new URL('file:///a%2Fb')])(
    '%p',
    (value) => {
      expect(planning({ cwd: value })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'cwd'));
    },
  );
});

describe('cwd emits', () => {
  test('nothing by default', () => {
    expect(emitted('cwd', {})).toEqual([]);
  });
  test('one call', () => {
    expect(emitted('cwd', { cwd: '/usr' })).toEqual(['cwd: chdir("/usr")']);
    expect(emitted('cwd', { cwd: pathToFileURL('/a b/ü') })).toEqual(['cwd: chdir("/a b/ü")']);
  });
});

describe('cwd, seen from inside', () => {
  test.each(['/usr', 'file:///usr'])('%s', async (cwd) => {
    expect(await inside('pwd', { cwd: cwd.startsWith('file:') ? new URL(cwd) : cwd })).toBe('/usr');
  });
  test('a relative one starts at ours', async () => {
    expect(await inside('pwd', { cwd: 'lib/steps' })).toBe(`${process.cwd()}/lib/steps`);
  });
  test('by default it is ours, and ours stays as it is', async () => {
    const before = process.cwd();
    expect(await inside('pwd')).toBe(before);
    await inside('true', { cwd: '/' });
    expect(process.cwd()).toBe(before);
  });
});

describe('cwd, when the kernel refuses', () => {
  test('names the directory', async () => {
    expect(fieldsOf(await failAt({ cwd: '/usr' }, calls('chdir'), 'EACCES'))).toEqual({
      code: 'EACCES',
      errno: -13,
      step: 'cwd',
      option: 'cwd',
      syscall: 'chdir',
      path: '/usr',
      message: 'EACCES: permission denied, chdir /usr (cwd)',
    });
  });
  test('a directory that is missing, or none', async () => {
    await expect(clone('/bin/true', { cwd: '/nonexistent' })).rejects.toMatchObject({ code: 'ENOENT', step: 'cwd' });
    await expect(clone('/bin/true', { cwd: '/etc/passwd' })).rejects.toMatchObject({ code: 'ENOTDIR', step: 'cwd' });
  });
});
