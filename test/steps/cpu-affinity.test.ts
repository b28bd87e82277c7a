// Step `cpuAffinity`: the processors that the child may run on.
import { readFileSync } from 'node:fs';

import { clone, Flags, plan } from '../../lib';
import { calls, failAt, fieldsOf } from '../support/fault';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted } from '../support/listing';
import { planning, refusal } from '../support/refusal';

leavesNothing();

const allowed = (status: string): string => /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)![1]!;
const ours = (): string => allowed(readFileSync('/proc/thread-self/status', 'utf8'));
/** '0-2,5' → [0, 1, 2, 5] */
const numbers = (list: string): number[] =>
  list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number) as [number, number?];
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
const processors = numbers(ours());
const last = processors.at(-1)!;

describe('cpuAffinity rejects', () => {
  test('no processor at all', () => {
    expect(planning({ cpuAffinity: [] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'cpuAffinity', 'must name at least one processor'),
    );
  });
  test.each([-1, 8192, 0.5, NaN])('the processor %p', (processor) => {
    expect(planning({ cpuAffinity: [0, processor] })).toThrow(refusal('ERR_OUT_OF_RANGE', 'cpuAffinity[1]'));
  });
  test.each(['0', null, [0]])('the processor %p', (processor) => {
    expect(planning({ cpuAffinity: [processor] })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'cpuAffinity[0]'));
  });
  test.each([0, '0', null, {}, new Set([0])])('%p', (cpuAffinity) => {
    expect(planning({ cpuAffinity })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'cpuAffinity'));
  });
});

describe('cpuAffinity emits', () => {
  /** The mask that a plan hands to the kernel. */
  const maskOf = (cpuAffinity: number[]): [size: number, set: number[]] => {
    const made = plan('/bin/true', [], { cpuAffinity });
    const [, size, place] = /^sched_setaffinity\(0, (\d+), &data\[(\d+)\]\)$/.exec(
      emitted('cpuAffinity', { cpuAffinity })[0]!.replace('cpuAffinity: ', ''),
    )!;
    const mask = made.writer.data.subarray(Number(place), Number(place) + Number(size));
    const set = [...mask].flatMap((byte, at) =>
      [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => (byte >> bit) & 1).map((bit) => at * 8 + bit),
    );
    return [Number(size), set];
  };

  test('nothing where it is not given', () => {
    expect(emitted('cpuAffinity', {})).toEqual([]);
  });
  test.each<[number[], number]>([
    [[0], 8],
    [[7, 8, 63], 8],
    [[64], 16],
    [[1, 127, 128], 24],
    [[8191], 1024],
  ])('a mask of whole words for %j', (cpuAffinity, size) => {
    expect(maskOf(cpuAffinity)).toEqual([size, cpuAffinity]);
  });
  test('each processor once, in whatever order', () => {
    expect(maskOf([5, 3, 5, 3])).toEqual([8, [3, 5]]);
  });
});

describe('cpuAffinity, seen from inside', () => {
  test.each([...new Set([processors[0]!, last])])('processor %i alone', async (processor) => {
    const before = ours();
    expect(allowed(await inside('cat /proc/self/status', { cpuAffinity: [processor] }))).toBe(String(processor));
    expect(ours()).toBe(before);
  });
  test('one that is not there, beside one that is', async () => {
    expect(allowed(await inside('cat /proc/self/status', { cpuAffinity: [last, 8191] }))).toBe(String(last));
  });
  test('in namespaces of its own', async () => {
    const status = await inside('cat /proc/self/status', { ...owned(Flags.NEWPID), cpuAffinity: [last] });
    expect(allowed(status)).toBe(String(last));
  });
  test('without the option they are ours', async () => {
    expect(allowed(await inside('cat /proc/self/status'))).toBe(ours());
  });
});

describe('cpuAffinity, when the kernel refuses', () => {
  test('processors that are not there', async () => {
    const error = await clone('/bin/true', { cpuAffinity: [8190, 8191] }).catch((reason: unknown) => reason);
    const hint = 'none of these processors is there, or in the cpuset of our cgroup';
    expect(fieldsOf(error as never)).toEqual({
      code: 'EINVAL',
      errno: -22,
      step: 'cpuAffinity',
      option: 'cpuAffinity',
      syscall: 'sched_setaffinity',
      hint,
      message: `EINVAL: invalid argument, sched_setaffinity (cpuAffinity): ${hint}`,
    });
  });
  test('for another reason', async () => {
    const error = await failAt({ cpuAffinity: [last] }, calls('sched_setaffinity'), 'EPERM');
    expect(error).toMatchObject({ code: 'EPERM', step: 'cpuAffinity', option: 'cpuAffinity' });
    expect(error.hint).toBeUndefined();
  });
});
