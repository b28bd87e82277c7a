// c.memory(), c.sendmsg(), c.recvmsg() and .expect(): structs, descriptors on their way, and calls that must fail.
import { closeSync, readdirSync, readlinkSync } from 'node:fs';

import { clone, constants, Flags, perform, record, type Recorder, type Value } from '../../lib';
import { leavesNothing } from '../support/leftovers';
import { refusal } from '../support/refusal';

leavesNothing();

const {
  AF_UNIX,
  AT_FDCWD,
  F_GETLK,
  F_WRLCK,
  MFD_CLOEXEC,
  MSG_CMSG_CLOEXEC,
  O_CLOEXEC,
  O_RDWR,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_STREAM,
} = constants;

type Untyped = Record<string, (...args: unknown[]) => Value>;
const recording = (callback: (c: Untyped) => unknown) => () =>
  record((c) => callback(c as unknown as Untyped) as Value);

async function resultOf<T>(callback: (c: Recorder) => T): Promise<unknown> {
  const child = await clone(record(callback as (c: Recorder) => Value));
  await child.exited;
  return child.results;
}

describe('memory()', () => {
  test('lays its fields out as C does', async () => {
    const bytes = await resultOf((c) =>
      c.memory([{ u8: 0xff }, { u16: 0x1234 }, { u8: -1 }, { u32: 0x89abcdef }, { u64: 2n ** 63n }, { u8: 1 }]),
    );
    expect((bytes as Buffer).toString('hex')).toBe(
      `ff003412ff000000efcdab8900000000000000000000008001${'00'.repeat(7)}`,
    );
  });

  test('fills bytes up to their size', async () => {
    const bytes = await resultOf((c) => c.memory([{ bytes: 'eth0', size: 6 }, { bytes: Buffer.from([7]) }]));
    expect(bytes).toEqual(Buffer.from('eth0\0\0\x07'));
  });

  test('takes what earlier calls return, 32 and 64 bits of it', async () => {
    const found = (await resultOf((c) => {
      const none = c.close(-1).accept('EBADF');
      const [one] = c.pipe2(O_CLOEXEC);
      const memory = c.memory([{ u32: none }, { u32: one }, { u64: none }]);
      // What is stored is stored before the next call.
      c.getpid();
      return { memory, one };
    })) as { memory: Buffer; one: number };
    expect(found.memory.readInt32LE(0)).toBe(-9);
    expect(found.memory.readInt32LE(4)).toBe(found.one);
    expect(found.memory.readBigInt64LE(8)).toBe(-9n);
  });

  test('has addresses of other memory, which a call follows', async () => {
    const text = (await resultOf((c) => {
      const [out, into] = c.pipe2(O_CLOEXEC);
      const vectors = c.memory([{ pointer: 'one ' }, { u64: 4 }, { pointer: Buffer.from('two') }, { u64: 3 }]);
      c.syscall('writev', into, vectors, 2);
      const buffer = c.buffer(7);
      c.read(out, buffer);
      return buffer;
    })) as Buffer;
    expect(text.toString()).toBe('one two');
  });

  test.each([
    ['nothing', [], 'ERR_INVALID_ARG_VALUE', 'fields'],
    ['no list', {}, 'ERR_INVALID_ARG_TYPE', 'fields'],
    ['no field', [1], 'ERR_INVALID_ARG_TYPE', 'fields[0]'],
    ['two in one', [{ u8: 1, u16: 2 }], 'ERR_INVALID_ARG_VALUE', 'fields[0]'],
    ['an unknown width', [{ u8: 1 }, { u24: 1 }], 'ERR_INVALID_ARG_VALUE', 'u24'],
    ['more than fits', [{ u8: 256 }], 'ERR_OUT_OF_RANGE', 'fields[0].u8'],
    ['less than fits', [{ u16: -32769 }], 'ERR_OUT_OF_RANGE', 'fields[0].u16'],
    ['more than 64 bits', [{ u64: 2n ** 64n }], 'ERR_OUT_OF_RANGE', 'fields[0].u64'],
    ['bytes larger than their size', [{ bytes: 'abc', size: 2 }], 'ERR_OUT_OF_RANGE', 'fields[0].size'],
    ['a size of a number', [{ u8: 1, size: 2 }], 'ERR_INVALID_ARG_VALUE', 'fields[0]'],
    ['an address that is a number', [{ pointer: 5 }], 'ERR_INVALID_ARG_TYPE', 'fields[0].pointer'],
    ['too much', [{ bytes: 'x', size: 70_000 }], 'ERR_OUT_OF_RANGE', 'fields[0].size'],
  ] as const)('refuses %s', (_, fields, code, option) => {
    expect(recording((c) => c['memory']!(fields))).toThrow(refusal(code, option));
  });

  test('refuses a result where there is no room for one', () => {
    expect(recording((c) => c['memory']!([{ u16: c['getpid']!() }]))).toThrow(
      refusal('ERR_INVALID_ARG_TYPE', 'fields[0].u16'),
    );
  });
});

describe('sendmsg() and recvmsg()', () => {
  const pair = (c: Recorder, type = SOCK_STREAM): readonly [Value, Value] => c.socketpair(AF_UNIX, type | SOCK_CLOEXEC);

  test('read as what is in them', () => {
    const program = record((c) => {
      const [a, b] = pair(c);
      c.sendmsg(a, { bytes: 'hello', fds: [0, a] });
      c.recvmsg(b, { buffer: c.buffer(16), fds: 3 }, MSG_CMSG_CLOEXEC);
      c.sendmsg(a, { bytes: 'x' });
    });
    const lines = String(program)
      .split('\n')
      .map((line) => line.replace(/^.*\] +/, ''));
    expect(lines.filter((line) => /^(send|recv)msg/.test(line))).toEqual([
      expect.stringMatching(/^sendmsg\(data\[\d+\], \{5 bytes, SCM_RIGHTS of 2\}, 0\)$/),
      expect.stringMatching(/^recvmsg\(data\[\d+\], \{16 bytes, SCM_RIGHTS of 3\}, MSG_CMSG_CLOEXEC\)$/),
      expect.stringMatching(/^sendmsg\(data\[\d+\], \{1 bytes\}, 0\)$/),
    ]);
  });

  test.each([1, 2, 3, 10])('bring %d descriptors across, with the bytes', async (count) => {
    const program = record((c) => {
      const [a, b] = pair(c);
      const files = Array.from({ length: count }, () => c.openat(AT_FDCWD, '/dev/null', O_RDWR | O_CLOEXEC));
      c.sendmsg(a, { bytes: 'hello', fds: files });
      const buffer = c.buffer(16);
      const { length, fds } = c.recvmsg(b, { buffer, fds: count }, MSG_CMSG_CLOEXEC);
      for (const file of [a, b, ...files]) c.close(file);
      return { buffer, length, fds };
    });
    const { results } = await clone(program, { flags: Flags.VM | Flags.FILES });
    expect(results.length).toBe(5);
    expect(results.buffer.toString('latin1', 0, 5)).toBe('hello');
    expect(results.fds).toHaveLength(count);
    for (const fd of results.fds) {
      expect(readlinkSync(`/proc/self/fd/${fd}`)).toBe('/dev/null');
      closeSync(fd);
    }
  });

  test.each([0, 1, 2, 3, 9])('take %d descriptors and no more, however many are sent', (count) => {
    const name = `sent-${count}`;
    const open = (): number =>
      readdirSync('/proc/self/fd').filter((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`).startsWith(`/memfd:${name}`);
        } catch {
          return false;
        }
      }).length;
    const fds = perform(
      record((c) => {
        const [a, b] = pair(c);
        const file = c.memfd_create(name, MFD_CLOEXEC);
        c.sendmsg(a, { fds: Array.from({ length: 11 }, () => file) });
        const received = c.recvmsg(b, { buffer: c.buffer(1), fds: count }, MSG_CMSG_CLOEXEC);
        for (const one of [a, b, file]) c.close(one);
        return received.fds;
      }),
    );
    expect(open()).toBe(count);
    for (const fd of fds) closeSync(fd);
    expect(open()).toBe(0);
  });

  test('tell -1 in the place of what does not come', async () => {
    const results = await resultOf((c) => {
      const [a, b] = pair(c);
      c.sendmsg(a, { fds: [0] });
      const { length, fds } = c.recvmsg(b, { buffer: c.buffer(1), fds: 3 }, MSG_CMSG_CLOEXEC);
      return { length, fds };
    });
    expect(results).toEqual({ length: 1, fds: [expect.any(Number), -1, -1] });
    expect((results as { fds: number[] }).fds[0]).toBeGreaterThan(2);
  });

  test('go to an address', async () => {
    const text = (await resultOf((c) => {
      const to = c.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC);
      const address = { abstract: `nsclone-message-${process.pid}` };
      c.bind(to, address);
      c.sendmsg(c.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC), { bytes: 'to you', address });
      const buffer = c.buffer(6);
      c.recvmsg(to, { buffer });
      return buffer;
    })) as Buffer;
    expect(text.toString()).toBe('to you');
  });

  test.each([
    ['what is no message', (c: Untyped) => c['sendmsg']!(0, 'text'), 'sendmsg[1]'],
    ['an unknown field', (c: Untyped) => c['sendmsg']!(0, { byte: 'x' }), 'byte'],
    ['what is no descriptor', (c: Untyped) => c['sendmsg']!(0, { fds: ['x'] }), 'sendmsg[1].fds[0]'],
    ['room of nobody', (c: Untyped) => c['recvmsg']!(0, { fds: 1 }), 'recvmsg[1].buffer'],
    ['room for too many', (c: Untyped) => c['recvmsg']!(0, { buffer: c['buffer']!(1), fds: 254 }), 'recvmsg[1].fds'],
  ])('refuse %s', (_, callback, option) => {
    expect(recording(callback)).toThrow(expect.objectContaining({ option }));
  });
});

test('a record lock is told by its fields', async () => {
  const results = await resultOf((c) => {
    const file = c.memfd_create('lock', constants.MFD_CLOEXEC);
    return c.fcntl(file, F_GETLK, { type: F_WRLCK, start: 1, len: 2 });
  });
  expect(results).toBe(0);
});

describe('expect()', () => {
  test('goes on where the call fails as it should', async () => {
    expect(await resultOf((c) => ({ one: c.close(-1).expect('EBADF'), two: c.getpid() }))).toEqual({
      one: -9,
      two: expect.any(Number),
    });
  });

  test('ends the line with EIO where it succeeds, at the call that it is of', async () => {
    const program = record((c) => {
      c.gettid();
      c.getpid().expect('EPERM', 'EACCES');
      c.gettid();
    });
    await expect(clone(program)).rejects.toMatchObject({
      code: 'EIO',
      option: 'program[1]',
      message: expect.stringContaining('getpid has not failed with EPERM or EACCES'),
    });
  });

  test('ends it with the error where that is another', async () => {
    const program = record((c) => void c.close(-1).expect('EPERM'));
    await expect(clone(program)).rejects.toMatchObject({ code: 'EBADF', syscall: 'close', option: 'program[0]' });
  });

  test.each([
    ['later', (c: Recorder) => [c.getpid(), c.getpid()][0]!.expect('EPERM')],
    ['twice', (c: Recorder) => c.getpid().expect('EPERM').expect('EPERM')],
    ['beside accept()', (c: Recorder) => c.getpid().accept('EPERM').expect('EPERM')],
    ['before accept()', (c: Recorder) => c.getpid().expect('EPERM').accept('EPERM')],
    ['of no error', (c: Recorder) => c.getpid().expect('EPREM')],
    ['of nothing', (c: Recorder) => (c.getpid() as unknown as { expect(): Value }).expect()],
  ])('is refused %s', (_, callback) => {
    expect(() => record((c) => void callback(c))).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'errors'));
  });
});
