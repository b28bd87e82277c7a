// Step `loopback`: the loopback interface of the new network namespace.
import { Flags } from '../../lib';
import { failAt, calls } from '../support/fault';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted } from '../support/listing';
import { planning, refusal } from '../support/refusal';

leavesNothing();

const net = owned(Flags.NEWNET);
const addresses = 'grep -c 127.0.0.1 /proc/self/net/fib_trie || true';

describe('loopback rejects', () => {
  test('true without the namespace, naming the flag', () => {
    expect(planning({ loopback: true })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'loopback', 'needs Flags.NEWNET in flags'),
    );
    expect(planning({ loopback: true, flags: Flags.NEWUTS })).toThrow(/Flags\.NEWNET/);
  });
  test('but not false', () => {
    expect(planning({ loopback: false })).not.toThrow();
  });
  test.each([1, 'true', null, {}])('%p', (value) => {
    expect(planning({ ...net, loopback: value })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'loopback'));
  });
});

describe('loopback emits', () => {
  test('nothing by default', () => {
    expect(emitted('loopback', net)).toEqual([]);
    expect(emitted('loopback', { ...net, loopback: false })).toEqual([]);
  });
  test('a socket, the flags, the end of the socket', () => {
    expect(emitted('loopback', { flags: Flags.NEWNET, loopback: true })).toEqual([
      'loopback: socket(AF_INET, SOCK_DGRAM|SOCK_CLOEXEC, 0) = r0',
      expect.stringMatching(/^loopback: ioctl\(r0, SIOCSIFFLAGS, /),
      'loopback: close(r0)',
    ]);
  });
});

describe('loopback, seen from inside', () => {
  test('the interface is up and has its address', async () => {
    expect(Number(await inside(addresses, { ...net, loopback: true }))).toBeGreaterThan(0);
  });
  test('by default it is down', async () => {
    expect(await inside(addresses, net)).toBe('0');
  });
  test('no descriptor of it is left', async () => {
    expect((await inside('ls /proc/self/fd', { ...net, loopback: true })).split('\n')).toEqual(['0', '1', '2', '3']);
  });
});

describe('loopback, when the kernel refuses', () => {
  test.each(['socket', 'ioctl', 'close'])('%s', async (syscall) => {
    const matches = calls(`${syscall}(`);
    const error = await failAt(
      { ...net, loopback: true },
      (line) => line.step === 'loopback' && matches(line),
      'EPERM',
    );
    expect(error).toMatchObject({ code: 'EPERM', step: 'loopback', option: 'loopback', syscall });
    expect(error.message).toBe(`EPERM: operation not permitted, ${syscall} lo (loopback)`);
    expect(error.path).toBeUndefined();
  });
});
