// Signal names and numbers.
import { constants } from 'node:os';

import { signalName, signalNames, signalNumber } from '../../lib/kernel/signals';

test('standard signals have the numbers of the system', () => {
  for (const [name, number] of Object.entries(constants.signals)) expect(signalNumber(name)).toBe(number);
});

test('names are taken in any case, as Node does', () => {
  expect(signalNumber('sigterm')).toBe(15);
  expect(signalNumber('sigrtmin+1')).toBe(35);
});

test.each([
  ['SIGRTMIN', 34],
  ['SIGRTMIN+0', 34],
  ['SIGRTMIN+1', 35],
  ['SIGRTMIN+30', 64],
  ['SIGRTMAX-1', 63],
  ['SIGRTMAX-30', 34],
  ['SIGRTMAX', 64],
])('the real-time signal %s is %i', (name, number) => {
  expect(signalNumber(name)).toBe(number);
});

test.each(['SIGRTMIN+31', 'SIGRTMAX-31', 'SIGRTMIN-1', 'SIGRTMAX+1', 'SIGRTMIN+', 'SIGFOO', 'TERM', '', 'toString'])(
  '%p is no signal',
  (name) => {
    expect(signalNumber(name)).toBeUndefined();
  },
);

test('numbers from 1 to 64 are signals', () => {
  expect([1, 9, 32, 64].map(signalNumber)).toEqual([1, 9, 32, 64]);
  expect([0, -1, 65, 1.5, NaN].map(signalNumber)).toEqual([undefined, undefined, undefined, undefined, undefined]);
});

test('a number with two names has the common one', () => {
  expect(signalName(6)).toBe('SIGABRT');
  expect(signalName(29)).toBe('SIGIO');
});

test('every number from 1 to 64 has a name, and but for libc’s own two the name leads back', () => {
  for (let number = 1; number <= 64; number++) {
    const own = number === 32 || number === 33;
    expect(signalNumber(signalName(number))).toBe(own ? undefined : number);
  }
  expect([34, 35, 63, 64].map(signalName)).toEqual(['SIGRTMIN', 'SIGRTMIN+1', 'SIGRTMIN+29', 'SIGRTMAX']);
  expect(signalName(32)).toBe('SIG32');
});

test('the names to choose from are all signals', () => {
  for (const name of signalNames()) expect(signalNumber(name)).toBeDefined();
});
