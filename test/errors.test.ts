// The errors: their messages, names and fields.
import { join } from 'node:path';

import { AbortError } from '../lib/errors/abort-error';
import {
  featureUnavailable,
  invalidArgType,
  invalidArgValue,
  isArgumentError,
  outOfRange,
  refusedOption,
  unknownOption,
  unknownSignal,
} from '../lib/errors/argument-error';
import { didYouMean, nearest } from '../lib/errors/nearest';
import { printable } from '../lib/errors/printable';
import { receivedType } from '../lib/errors/received';
import { SyscallError } from '../lib/errors/syscall-error';

describe('SyscallError', () => {
  test('says on one line what was refused and what to do', () => {
    const error = new SyscallError({
      errno: 1,
      syscall: 'move_mount',
      verb: 'mount',
      step: 'mounts',
      option: 'mounts[0]',
      path: 'proc',
      dest: '/proc',
      hint: 'a fresh proc needs an own pid namespace; add Flags.NEWPID',
    });
    expect(error.message).toBe(
      'EPERM: operation not permitted, mount proc -> /proc (mounts[0]): ' +
        'a fresh proc needs an own pid namespace; add Flags.NEWPID',
    );
    expect({ ...error }).toEqual({
      code: 'EPERM',
      errno: -1,
      syscall: 'move_mount',
      step: 'mounts',
      option: 'mounts[0]',
      path: 'proc',
      dest: '/proc',
      hint: 'a fresh proc needs an own pid namespace; add Flags.NEWPID',
    });
  });

  test.each([
    [{ errno: 1, syscall: 'unshare' }, 'EPERM: operation not permitted, unshare'],
    [{ code: 'ENOENT', syscall: 'open', path: '/a' }, 'ENOENT: no such file or directory, open /a'],
    [
      { errno: -2, syscall: 'execve', path: 'x', option: 'command' },
      'ENOENT: no such file or directory, execve x (command)',
    ],
    [{ errno: 22, option: 'nice' }, 'EINVAL: invalid argument (nice)'],
    [{ errno: 22, hint: 'see dmesg' }, 'EINVAL: invalid argument: see dmesg'],
    [{ errno: 110, reason: 'no exec after 50 ms', syscall: 'mount' }, 'ETIMEDOUT: no exec after 50 ms, mount'],
    [
      { code: 'ECHILD', signal: 'SIGKILL', step: 'mounts' },
      'ECHILD: the child was killed by SIGKILL before its command ran',
    ],
  ])('leaves out what is absent: %j', (init, message) => {
    expect(new SyscallError(init).message).toBe(message);
  });

  test('has only the fields that it was given', () => {
    expect(Object.keys(new SyscallError({ errno: 5, syscall: 'read' }))).toEqual(['errno', 'code', 'syscall']);
  });

  test('keeps a path from breaking the line', () => {
    const error = new SyscallError({ errno: 2, syscall: 'open', path: '/a\n\u001b[31m\u202e' });
    expect(error.message).toBe('ENOENT: no such file or directory, open /a\\n\\x1b[31m\\u202e');
    expect(error.path).toBe('/a\n\u001b[31m\u202e');
  });

  test('is an Error with its own name, and keeps a cause', () => {
    const cause = new Error('why');
    const error = new SyscallError({ errno: 1, cause });
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe('SyscallError');
    expect(error.cause).toBe(cause);
    expect(error.stack).toMatch(/^SyscallError: EPERM: operation not permitted\n/);
    expect('cause' in new SyscallError({ errno: 1 })).toBe(false);
  });
});

describe('argument errors', () => {
  test('a wrong type is told as Node does', () => {
    const error = invalidArgType('hostname', 'of type string', 5);
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toBe('The "hostname" option must be of type string. Received type number (5)');
    expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE', option: 'hostname' });
  });

  test('the stack shows the code and begins where the error was asked for', () => {
    const lines = String(invalidArgType('hostname', 'of type string', 5).stack).split('\n');
    expect(lines[0]).toMatch(/^TypeError \[ERR_INVALID_ARG_TYPE\]: The "hostname" option/);
    expect(lines[1]).toContain('errors.test.ts');
  });

  test('only code and option are its own enumerable fields', () => {
    expect(Object.keys(invalidArgType('a', 'of type string', 5))).toEqual(['code', 'option']);
  });

  test('an argument is called an argument', () => {
    const error = invalidArgType('flags argument', 'of type number', '5');
    expect(error.message).toBe('The "flags" argument must be of type number. Received type string (\'5\')');
    expect(error.option).toBe('flags');
  });

  test('a wrong value is shown', () => {
    const error = invalidArgValue('propagation', 'foo', "must be one of: 'private', 'slave'");
    expect(error.message).toBe("The \"propagation\" option must be one of: 'private', 'slave'. Received 'foo'");
    expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
  });

  test('an option that cannot be used says why', () => {
    const error = refusedOption('hostname', 'needs Flags.NEWUTS');
    expect(error.message).toBe('The "hostname" option needs Flags.NEWUTS');
    expect(error.code).toBe('ERR_INVALID_ARG_VALUE');
  });

  test('an unknown option is told with the nearest known one', () => {
    const error = unknownOption('rlimits.nofiles', 'nofiles', ['nofile', 'nproc']);
    expect(error.message).toBe('The "rlimits.nofiles" option is unknown; did you mean "nofile"?');
    expect(error).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE', option: 'rlimits.nofiles' });
  });

  test('a number out of range is a RangeError', () => {
    const error = outOfRange('nice', '>= -20 && <= 19', 2 ** 33);
    expect(error).toBeInstanceOf(RangeError);
    expect(error.message).toBe(
      'The value of the "nice" option is out of range. It must be >= -20 && <= 19. Received 8_589_934_592',
    );
    expect(error.stack).toMatch(/^RangeError \[ERR_OUT_OF_RANGE\]: /);
  });

  test('an unknown signal is told with the nearest one', () => {
    const error = unknownSignal('killSignal', 'SIGTREM', ['SIGTERM', 'SIGINT']);
    expect(error.message).toBe('Unknown signal: SIGTREM; did you mean "SIGTERM"?');
    expect(error).toMatchObject({ code: 'ERR_UNKNOWN_SIGNAL', option: 'killSignal' });
  });

  test('another platform is told as Node does', () => {
    const error = featureUnavailable('clone');
    expect(error.message).toBe(
      'The feature clone is unavailable on the current platform, which is being used to run Node.js',
    );
    expect('option' in error).toBe(false);
  });

  test('the guard knows them, and nothing else', () => {
    expect(isArgumentError(invalidArgValue('a', 1))).toBe(true);
    expect(isArgumentError(featureUnavailable('clone'))).toBe(true);
    expect(isArgumentError(new SyscallError({ errno: 1 }))).toBe(false);
    expect(isArgumentError({ code: 'ERR_OUT_OF_RANGE' })).toBe(false);
    expect(isArgumentError(undefined)).toBe(false);
  });

  test('what was received cannot break the line', () => {
    expect(invalidArgValue('a\nb', 'c\u2028d').message).not.toMatch(/[\n\u2028]/);
  });
});

class Thing {}

const primitives = [
  undefined,
  null,
  5,
  -0,
  NaN,
  10n,
  'text',
  "it's",
  true,
  Symbol('s'),
  'x'.repeat(28),
  'x'.repeat(29),
];
const objects = [{}, [], new Map(), new Thing(), Object.create(null), () => {}, function named() {}];

test.each([...primitives.map((value) => [value]), ...objects.map((value) => [value])])(
  'received values are told in the words of Node: %p',
  (value: unknown) => {
    // Node tells what it received in its own message; strings it would take are asked for elsewhere.
    const ask = (): unknown =>
      typeof value === 'string' ? Buffer.alloc(value as unknown as number) : join(value as string);
    let message = '';
    try {
      ask();
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message.endsWith(receivedType(value))).toBe(true);
  },
);

describe('nearest', () => {
  const known = ['hostname', 'domainname', 'mounts', 'uid', 'gid'];

  test.each([
    ['hostnme', 'hostname'],
    ['hostNAME', 'hostname'],
    ['ohstname', 'hostname'],
    ['mount', 'mounts'],
    ['uidd', 'uid'],
    ['domianame', 'domainname'],
  ])('%s means %s', (name, meant) => {
    expect(nearest(name, known)).toBe(meant);
  });

  test.each([
    ['net_admin', ['CAP_NET_ADMIN', 'CAP_NET_RAW'], 'CAP_NET_ADMIN'],
    ['TERM', ['SIGHUP', 'SIGTERM'], 'SIGTERM'],
    ['RLIMIT_NOFILE', ['nofile', 'nproc'], 'nofile'],
    ['CLONE_NEWNET', ['NEWNS', 'NEWNET'], 'NEWNET'],
  ])('%s, with or without a prefix', (name, names, meant) => {
    expect(nearest(name, names)).toBe(meant);
  });

  test.each(['frobnicate', 'x', '', 'h'.repeat(10_000)])('%.20s means nothing known', (name) => {
    expect(nearest(name, known)).toBeUndefined();
    expect(didYouMean(name, known)).toBe('');
  });
});

test('printable leaves ordinary text alone and escapes what would act on a terminal', () => {
  expect(printable('/tmp/Grüße 日本 🙂')).toBe('/tmp/Grüße 日本 🙂');
  expect(printable(`\t\r\u0000\u007f\u009b\u200b${String.fromCharCode(0xd800)}\u{e0001}`)).toBe(
    '\\t\\r\\x00\\x7f\\x9b\\u200b\\ud800\\u{e0001}',
  );
});

test('AbortError is that of Node in name and code, with the reason as its cause', () => {
  const reason = new Error('enough');
  const error = new AbortError(reason);
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', message: 'The operation was aborted' });
  expect(error.cause).toBe(reason);
  expect('cause' in new AbortError()).toBe(false);
});
