// Step `stdio`: the program's descriptors, from 0 on. What its streams do is in test/clone/stdio.test.ts.
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { Socket } from 'node:net';
import { PassThrough } from 'node:stream';

import { calls, failAt, fieldsOf } from '../support/fault';
import { inside } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted } from '../support/listing';
import { planning, refusal } from '../support/refusal';

leavesNothing();

describe('stdio rejects', () => {
  test.each(['pip', 'socket', 'ipc', ''])('the word %p', (value) => {
    expect(planning({ stdio: value })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'stdio'));
  });
  test.each([5, null, true, {}, { 0: 'pipe' }, new Set()])('%p in the place of words', (value) => {
    expect(planning({ stdio: value })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'stdio'));
  });
  test('other words among the entries', () => {
    expect(planning({ stdio: ['pipe', 'pip'] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'stdio[1]', "must be 'pipe', 'overlapped', 'socket', 'inherit' or 'ignore'"),
    );
    expect(planning({ stdio: ['pipe', ''] })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'stdio[1]'));
  });
  test("'ipc', which only fork() has", () => {
    expect(planning({ stdio: ['pipe', 'pipe', 'pipe', 'ipc'] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'stdio[3]', 'fork()'),
    );
  });
  test.each([-1, 0.5, NaN, 2 ** 31, Infinity])('the descriptor %p', (value) => {
    expect(planning({ stdio: ['pipe', 'pipe', value] })).toThrow(refusal('ERR_OUT_OF_RANGE', 'stdio[2]'));
  });
  test.each([[true], [{}], [5n], [Symbol('a')], [Math.max], [['pipe']]])('the entry %p', (value: unknown) => {
    expect(planning({ stdio: ['pipe', value] })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'stdio[1]'));
  });
  test('streams that have no descriptor', async () => {
    expect(planning({ stdio: [new PassThrough()] })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'stdio[0]'));
    expect(planning({ stdio: [new Socket()] })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'stdio[0]'));
    const file = createReadStream('/etc/passwd');
    expect(planning({ stdio: [file] })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'stdio[0]', 'open'));
    file.destroy();
    await once(file, 'close');
    expect(planning({ stdio: [file] })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'stdio[0]', 'open'));
  });
  test('more entries than any program has', () => {
    expect(planning({ stdio: Array(1025).fill('ignore') })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'stdio'));
  });
});

describe('stdio emits', () => {
  test('three pipes by default', () => {
    expect(emitted('stdio', {})).toEqual([0, 1, 2].map((n) => `stdio[${n}]: dup3(source[${n}], ${n}, 0)`));
    for (const stdio of ['pipe', 'overlapped', [], ['pipe', null, undefined]] as const) {
      expect(emitted('stdio', { stdio })).toEqual(emitted('stdio', {}));
    }
  });
  test("close-on-exec and non-blocking off for 'inherit'", () => {
    expect(emitted('stdio', { stdio: 'inherit' })).toEqual(
      [0, 1, 2].flatMap((n) => [
        `stdio[${n}]: fcntl(${n}, F_SETFD, 0)`,
        `stdio[${n}]: ioctl(${n}, FIONBIO, [0])  # any error: go on`,
      ]),
    );
    expect(emitted('stdio', { stdio: [0, 1, 2] })).toEqual(emitted('stdio', { stdio: 'inherit' }));
  });
  test("one /dev/null for every 'ignore', opened first of all", () => {
    expect(emitted('stdio sources', { stdio: 'ignore' })).toEqual([
      expect.stringMatching(/^stdio\[0\]: openat\(AT_FDCWD, "\/dev\/null", .*\) = r0$/),
      'stdio[0]: fcntl(r0, F_DUPFD_CLOEXEC, 3) = r1',
      'stdio[0]: close(r0)',
    ]);
    expect(emitted('stdio', { stdio: 'ignore' })).toEqual([0, 1, 2].map((n) => `stdio[${n}]: dup3(r1, ${n}, 0)`));
  });
  test('a descriptor from outside', () => {
    expect(emitted('stdio', { stdio: ['pipe', 'pipe', 20] })[2]).toBe('stdio[2]: dup3(20, 2, 0)');
  });
  test('what is in the way is moved first', () => {
    expect(emitted('stdio', { stdio: [1, 0, 2] })).toEqual([
      'stdio[0]: fcntl(1, F_DUPFD_CLOEXEC, 3) = r0',
      'stdio[1]: fcntl(0, F_DUPFD_CLOEXEC, 3) = r1',
      'stdio[0]: dup3(r0, 0, 0)',
      'stdio[0]: ioctl(0, FIONBIO, [0])  # any error: go on',
      'stdio[1]: dup3(r1, 1, 0)',
      'stdio[1]: ioctl(1, FIONBIO, [0])  # any error: go on',
      'stdio[2]: fcntl(2, F_SETFD, 0)',
      'stdio[2]: ioctl(2, FIONBIO, [0])  # any error: go on',
    ]);
  });
});

describe('stdio, seen from inside', () => {
  test('entries that are left out are pipes for 0 to 2 and closed above', async () => {
    const output = await inside('for n in 0 1 2 3 4; do readlink /proc/$$/fd/$n || echo none; done', {
      stdio: ['ignore', undefined, 'pipe', undefined, null],
    });
    expect(output.split('\n')).toEqual([
      '/dev/null',
      expect.stringMatching(/^pipe:/),
      expect.stringMatching(/^pipe:/),
      'none',
      'none',
    ]);
  });
});

describe('stdio, when the kernel refuses', () => {
  test('names the entry', async () => {
    const matches = calls('dup3');
    const error = await failAt({}, (line) => line.option === 'stdio[1]' && matches(line), 'EMFILE');
    expect(fieldsOf(error)).toEqual({
      code: 'EMFILE',
      errno: -24,
      step: 'stdio',
      option: 'stdio[1]',
      syscall: 'dup3',
      message: 'EMFILE: too many open files, dup3 (stdio[1])',
    });
  });
  test('says what a bad descriptor is', async () => {
    const error = await failAt({ stdio: ['pipe', 'pipe', 'inherit'] }, calls('fcntl(2, F_SETFD'), 'EBADF');
    expect(error.message).toBe('EBADF: bad file descriptor, fcntl (stdio[2]): this descriptor is not open in Node');
  });
  test('names /dev/null', async () => {
    const error = await failAt({ stdio: 'ignore' }, calls('openat(AT_FDCWD, "/dev/null"'), 'ENOENT');
    expect(error).toMatchObject({ code: 'ENOENT', option: 'stdio[0]', syscall: 'openat', path: '/dev/null' });
  });
});
