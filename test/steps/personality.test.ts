// Step `personality`: the execution domain.
import { readFileSync } from 'node:fs';

import { clone, constants, Flags } from '../../lib';
import { calls, failAt, fieldsOf } from '../support/fault';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted } from '../support/listing';
import { planning, refusal } from '../support/refusal';

leavesNothing();

const { ADDR_NO_RANDOMIZE } = constants;
const ofSelf = async (options: object): Promise<number> => {
  const child = await clone('/bin/sh', ['-c', 'echo; exec sleep 100'], {
    ...options,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    return parseInt(readFileSync(`/proc/${child.pid}/personality`, 'utf8'), 16);
  } finally {
    child.kill('SIGKILL');
    child.stdout.destroy();
    await child.exited;
  }
};

describe('personality rejects', () => {
  test.each([-1, 0xffff_ffff, 0.5, NaN])('%p', (personality) => {
    expect(planning({ personality })).toThrow(refusal('ERR_OUT_OF_RANGE', 'personality'));
  });
  test.each(['ADDR_NO_RANDOMIZE', null, true, [], {}])('%p', (personality) => {
    expect(planning({ personality })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'personality'));
  });
});

describe('personality emits', () => {
  test('nothing where it is not given', () => {
    expect(emitted('personality', {})).toEqual([]);
  });
  test('one call, by its names', () => {
    expect(emitted('personality', { personality: ADDR_NO_RANDOMIZE })).toEqual([
      'personality: personality(ADDR_NO_RANDOMIZE)',
    ]);
    expect(emitted('personality', { personality: 0 })).toHaveLength(1);
  });
});

describe('personality, seen from inside', () => {
  test('the value, in namespaces too', async () => {
    expect(await ofSelf({ personality: ADDR_NO_RANDOMIZE })).toBe(ADDR_NO_RANDOMIZE);
    expect(await ofSelf({ personality: ADDR_NO_RANDOMIZE, ...owned(Flags.NEWPID) })).toBe(ADDR_NO_RANDOMIZE);
  });
  test('what it is for: the same addresses each time', async () => {
    const stack = (): Promise<string> =>
      inside("grep '\\[stack\\]' /proc/self/maps", { personality: ADDR_NO_RANDOMIZE, env: { PATH: '/usr/bin:/bin' } });
    expect(await stack()).toBe(await stack());
  });
  test('ours stays what it is, and is what a child has without the option', async () => {
    const before = parseInt(readFileSync('/proc/self/personality', 'utf8'), 16);
    expect(await ofSelf({})).toBe(before);
    await ofSelf({ personality: ADDR_NO_RANDOMIZE });
    expect(parseInt(readFileSync('/proc/self/personality', 'utf8'), 16)).toBe(before);
  });
});

describe('personality, when the kernel refuses', () => {
  test('names the call', async () => {
    expect(fieldsOf(await failAt({ personality: 0 }, calls('personality'), 'EINVAL'))).toEqual({
      code: 'EINVAL',
      errno: -22,
      step: 'personality',
      option: 'personality',
      syscall: 'personality',
      message: 'EINVAL: invalid argument, personality (personality)',
    });
  });
});
