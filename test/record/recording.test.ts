// Recording: what the callback may say, what is refused at once, and how the line reads.
import { constants, record, type Recorder, type Result, type SignalName, type Value } from '../../lib';
import { refusal } from '../support/refusal';

const { AF_INET, AT_EMPTY_PATH, AT_FDCWD, MS_PRIVATE, MS_REC, O_CLOEXEC, O_PATH, SOCK_CLOEXEC, SOCK_STREAM } =
  constants;

/** The lines of a program without number, step and option. */
function lines(callback: (c: Recorder) => void): string[] {
  return String(record(callback))
    .split('\n')
    .map((line) => line.replace(/^ *\d+ {2}program {2}program\[\d+\] +/, ''));
}

/** A recorder that takes anything, as JavaScript does. */
type Untyped = Record<string, (...args: unknown[]) => unknown>;
const recording = (callback: (c: Untyped) => unknown) => () =>
  record((c) => callback(c as unknown as Untyped) as Value);

test('the callback runs at once, and once', () => {
  let runs = 0;
  const program = record(() => void runs++);
  expect(runs).toBe(1);
  expect(String(program)).toBe('');
});

test('each call is a line, with the number of the recorded call', () => {
  const program = record((c) => {
    const sock = c.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    c.bind(sock, { address: '127.0.0.1', port: 80 });
    c.listen(sock, 128);
  });
  expect(String(program).split('\n')).toEqual([
    '0  program  program[0]  socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, 0) = r0',
    '1  program  program[1]  bind(r0, {AF_INET, 127.0.0.1:80}, 16)',
    '2  program  program[2]  listen(r0, 128)',
  ]);
});

test('files and mounts read as in C', () => {
  expect(
    lines((c) => {
      const directory = c.openat(AT_FDCWD, '/tmp', O_PATH | O_CLOEXEC);
      c.mkdirat(directory, 'new\n', 0o755).accept('EEXIST', 'EPERM').accept('EEXIST');
      c.mount(null, '/', null, MS_REC | MS_PRIVATE);
      c.mount('proc', '/proc', 'proc', 0);
      c.mount_setattr(directory, '', AT_EMPTY_PATH, { attr_set: 1, userns_fd: directory });
    }),
  ).toEqual([
    'openat(AT_FDCWD, "/tmp", O_RDONLY|O_CLOEXEC|O_PATH, 0) = r0',
    'mkdirat(r0, "new\\n", 0755)  # EEXIST, EPERM: go on',
    'mount(NULL, "/", NULL, MS_PRIVATE|MS_REC, NULL)',
    'mount("proc", "/proc", "proc", 0, NULL)',
    expect.stringMatching(/^data\[\d+\] = r0$/),
    'mount_setattr(r0, "", AT_EMPTY_PATH, {attr_set=MOUNT_ATTR_RDONLY}, 32)',
  ]);
});

test('addresses of all families read as what they are', () => {
  expect(
    lines((c) => {
      c.bind(3, { address: '::ffff:1.2.3.4', port: 8 });
      c.bind(3, { address: 'fe80::1%2', port: 8 });
      c.bind(3, { path: '/run/x' });
      c.bind(3, { path: '\0x' });
      c.bind(3, { abstract: 'x' });
      c.bind(3, { groups: 1 });
      c.bind(3, Buffer.from([40, 0, 0, 0]));
    }),
  ).toEqual([
    'bind(3, {AF_INET6, [::ffff:102:304]:8}, 28)',
    'bind(3, {AF_INET6, [fe80::1]:8}, 28)',
    'bind(3, {AF_UNIX, "/run/x"}, 9)',
    'bind(3, {AF_UNIX, "@x"}, 4)',
    'bind(3, {AF_UNIX, "@x"}, 4)',
    'bind(3, {AF_NETLINK, pid=0, groups=0x1}, 12)',
    'bind(3, <28000000>, 4)',
  ]);
});

test('processes, signals and limits have their names', () => {
  expect(
    lines((c) => {
      c.kill(1, 'sigterm' as SignalName);
      c.rt_sigprocmask(2, ['SIGTERM', 'SIGRTMIN+1']);
      c.rt_sigaction('SIGRTMIN', { handler: 'ignore' });
      c.setgroups([1, 4294967294]);
      c.prlimit64(0, constants.RLIMIT_NOFILE, { rlim_cur: 10, rlim_max: 'unlimited' });
      c.sched_setaffinity(0, [0, 1]);
      c.seccomp(1, 0, Buffer.alloc(16));
      c.setns(5, constants.CLONE_NEWNET);
    }),
  ).toEqual([
    'kill(1, SIGTERM)',
    'rt_sigprocmask(SIG_SETMASK, [SIGTERM SIGRTMIN+1], NULL, 8)',
    'rt_sigaction(SIGRTMIN, {SIG_IGN}, NULL, 8)',
    'setgroups(2, [1, 4294967294])',
    'prlimit64(0, RLIMIT_NOFILE, {rlim_cur=10, rlim_max=RLIM_INFINITY}, NULL)',
    expect.stringMatching(/^sched_setaffinity\(0, 128, /),
    'seccomp(1, 0, {2 instructions})',
    'setns(5, CLONE_NEWNET)',
  ]);
});

test('an exec puts the signals in order before it, and shows no variables', () => {
  expect(lines((c) => void c.execve('/bin/sh', ['sh', '-c', 'x'], { SECRET: 'y', absent: undefined }))).toEqual([
    'prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0)',
    'rt_sigprocmask(SIG_SETMASK, [], NULL, 8)',
    'execve("/bin/sh", ["sh", "-c", "x"], [1 variables])',
  ]);
});

test('what the recording has set itself is left as it is by the exec', () => {
  const text = lines((c) => {
    c.prctl(constants.PR_SET_PDEATHSIG, 15);
    c.rt_sigprocmask(2, ['SIGHUP']);
    c.execve('/bin/true', ['true'], []);
  });
  expect(text).toHaveLength(3);
});

test('what is given is copied when it is recorded', () => {
  const bytes = Buffer.from('before');
  const argv = ['sh'];
  const program = record((c) => {
    c.write(1, bytes);
    c.execve('/bin/sh', argv, {});
    bytes.write('after!');
    argv.push('-x');
  });
  bytes.fill(0);
  expect(String(program)).toContain('write(1, "before", 6)');
  expect(String(program)).toContain('["sh"]');
});

test('the same errors accepted later belong to their own call', () => {
  expect(
    lines((c) => {
      const made = c.mkdirat(AT_FDCWD, '/x', 0o700);
      c.chdir('/x');
      expect(made.accept('EEXIST')).toBe(made);
    }),
  ).toEqual(['mkdirat(AT_FDCWD, "/x", 0700)  # EEXIST: go on', 'chdir("/x")']);
});

test('memory that a read filled is written as far as it was filled', () => {
  expect(
    lines((c) => {
      const buffer = c.buffer(64);
      const length = c.read(0, buffer);
      c.write(1, buffer, length);
      c.write(1, 'abc', 2);
    }),
  ).toEqual([
    expect.stringMatching(/^read\(0, &data\[\d+\], 64\) = r0$/),
    expect.stringMatching(/^write\(1, &data\[\d+\], r0\)$/),
    'write(1, "ab", 2)',
  ]);
});

test('a length that could be longer than its memory is refused', () => {
  const beyond = recording((c) => c['write']!(1, c['buffer']!(8), c['getpid']!()));
  expect(beyond).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'write[2]', 'wrote to this buffer'));
  expect(recording((c) => c['write']!(1, 'abc', 4))).toThrow(refusal('ERR_OUT_OF_RANGE', 'write[2]'));
});

test('nothing is recorded after exit, nor after the callback has returned', () => {
  expect(recording((c) => [c['exit']!(0), c['getpid']!()])).toThrow(
    refusal('ERR_INVALID_ARG_VALUE', 'getpid', 'c.exit() has ended the line'),
  );
  let kept: Recorder | undefined;
  let pid: Result | undefined;
  record((c) => {
    kept = c;
    pid = c.getpid();
  });
  expect(() => kept?.getpid()).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'getpid', 'the callback has returned'));
  expect(() => pid?.accept('EPERM')).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'errors', 'the callback has returned'));
});

test('an async callback is refused, and its promise is nobody else’s to catch', async () => {
  const late = recording(async (c) => {
    await Promise.resolve();
    c['getpid']!();
  });
  expect(late).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'callback', 'must not be async'));
  await new Promise(setImmediate);
});

test('a handle of another recording means nothing', () => {
  let other: unknown;
  let memory: unknown;
  record((c) => {
    other = c.getpid();
    memory = c.buffer(8);
  });
  for (const [callback, option] of [
    [(c: Untyped) => c['close']!(other), 'close[0]'],
    [(c: Untyped) => c['read']!(0, memory), 'read[1]'],
    [() => other, 'returned'],
    [() => ({ deep: [memory] }), 'returned.deep[0]'],
  ] as const) {
    expect(recording(callback)).toThrow(refusal('ERR_INVALID_ARG_VALUE', option, 'of this recording'));
  }
});

test.each([
  [
    'a path where a descriptor is wanted',
    (c: Untyped) => c['setns']!('/proc/1/ns/net', 0),
    'setns[0]',
    'open the path first',
  ],
  ['a number that is no string', (c: Untyped) => c['chdir']!(5), 'chdir[0]', 'of type string'],
  ['memory that is not of the recording', (c: Untyped) => c['read']!(0, Buffer.alloc(8)), 'read[1]', 'c.buffer()'],
  ['an address that is none', (c: Untyped) => c['bind']!(3, '127.0.0.1'), 'bind[1]', 'a plain object'],
  [
    'a word of a pipe as memory',
    (c: Untyped) => c['read']!(0, (c['pipe2']!() as unknown[])[0]),
    'read[1]',
    'c.buffer()',
  ],
  ['a result that is no handle', () => 5, 'returned', 'a handle of this recording'],
  ['an instance of a class', () => new Map(), 'returned', 'a handle of this recording'],
] as const)('%s is refused', (_name, callback, option, message) => {
  expect(recording(callback)).toThrow(refusal('ERR_INVALID_ARG_TYPE', option, message));
});

test.each([
  ['a NUL in a string', (c: Untyped) => c['chdir']!('a\0b'), 'chdir[0]', 'null bytes'],
  ['one argument too many', (c: Untyped) => c['close']!(3, 4), 'close[1]', 'one too many'],
  [
    'an address that is no IP address',
    (c: Untyped) => c['bind']!(3, { address: 'localhost', port: 1 }),
    'bind[1].address',
    'IPv4',
  ],
  [
    'an IPv4 address out of range',
    (c: Untyped) => c['bind']!(3, { address: '1.2.3.256', port: 1 }),
    'bind[1].address',
    'IPv4',
  ],
  [
    'a unix path that is too long',
    (c: Untyped) => c['bind']!(3, { path: 'x'.repeat(108) }),
    'bind[1].path',
    '107 bytes',
  ],
  ['an unknown field', (c: Untyped) => c['openat2']!(3, 'x', { flgas: 1 }), 'flgas', 'did you mean "flags"'],
  ['an unknown error', (c: Untyped) => (c['getpid']!() as Result).accept('EEXITS'), 'errors', 'did you mean "EEXIST"'],
  ['an unknown system call', (c: Untyped) => c['syscall']!('opennat'), 'name', 'did you mean "openat"'],
  ['fork, which leaves the line twice', (c: Untyped) => c['syscall']!('clone3'), 'name', 'one report'],
  ['the exit that says nothing', (c: Untyped) => c['syscall']!('exit_group', 0), 'name', 'use c.exit()'],
  ['more than six arguments', (c: Untyped) => c['syscall']!('getpid', 1, 2, 3, 4, 5, 6, 7), 'args', 'more than six'],
] as const)('%s is refused', (_name, callback, option, message) => {
  expect(recording(callback)).toThrow(refusal('ERR_INVALID_ARG_VALUE', option, message));
});

test.each([
  ['NaN', (c: Untyped) => c['close']!(NaN), 'close[0]'],
  ['a fraction', (c: Untyped) => c['listen']!(3, 1.5), 'listen[1]'],
  ['more than 53 bits', (c: Untyped) => c['ftruncate']!(3, 2 ** 53), 'ftruncate[1]'],
  ['more than 64 bits', (c: Untyped) => c['syscall']!('getpid', 2n ** 64n), 'args[0]'],
  ['a descriptor beyond 31 bits', (c: Untyped) => c['close']!(2 ** 31), 'close[0]'],
  ['a port beyond 16 bits', (c: Untyped) => c['bind']!(3, { address: '::', port: 65536 }), 'bind[1].port'],
  ['an exit code beyond 8 bits', (c: Untyped) => c['exit']!(256), 'code'],
  ['memory of no size', (c: Untyped) => c['buffer']!(0), 'size'],
  ['memory that is too small for its call', (c: Untyped) => c['uname']!(c['buffer']!(65)), 'uname[0]'],
] as const)('%s is refused', (_name, callback, option) => {
  expect(recording(callback)).toThrow(refusal('ERR_OUT_OF_RANGE', option));
});

test('a signal that does not exist is refused', () => {
  expect(recording((c) => c['kill']!(1, 'SIGTREM'))).toThrow(
    refusal('ERR_UNKNOWN_SIGNAL', 'kill[1]', 'did you mean "SIGTERM"'),
  );
});

test('what the callback throws comes out of record()', () => {
  expect(
    recording(() => {
      throw new RangeError('mine');
    }),
  ).toThrow(new RangeError('mine'));
  expect(() => record(undefined as unknown as () => void)).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'callback'));
});
