// Step `time`: the new time namespace and its offsets.
import { readFileSync, readlinkSync } from 'node:fs';

import { clone, Flags, plan } from '../../lib';
import { rootOnly, userOnly } from '../support/capability';
import { calls, failAt, fieldsOf } from '../support/fault';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted, linesOf, openingProc } from '../support/listing';
import { planning, refusal } from '../support/refusal';
import { slow } from '../support/slow';

leavesNothing();

const options = owned(Flags.NEWTIME);

describe('time rejects', () => {
  test('offsets without the namespace, and for one that is joined: it has its own', () => {
    const timeOffsets = { boottime: { seconds: 1 } };
    for (const more of [{}, { flags: Flags.NEWPID }, { join: '/proc/self/ns/time' }]) {
      expect(planning({ ...more, timeOffsets })).toThrow(
        refusal('ERR_INVALID_ARG_VALUE', 'timeOffsets', 'needs Flags.NEWTIME in flags: the offsets are those of a new'),
      );
    }
  });
  test('a clock that has no offset, with the nearest', () => {
    expect(planning({ ...options, timeOffsets: { boottme: { seconds: 1 } } })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'timeOffsets.boottme', 'did you mean "boottime"?'),
    );
    expect(planning({ ...options, timeOffsets: { realtime: { seconds: 1 } } })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'timeOffsets.realtime', 'is unknown'),
    );
  });
  test.each([5, null, true, 'boottime', []])('the offsets %p', (timeOffsets) => {
    expect(planning({ ...options, timeOffsets })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'timeOffsets'));
  });
  test.each([5, null, '5', []])('the offset %p', (boottime) => {
    expect(planning({ ...options, timeOffsets: { boottime } })).toThrow(
      refusal('ERR_INVALID_ARG_TYPE', 'timeOffsets.boottime'),
    );
  });
  test('seconds and nanoseconds that are none', () => {
    const offset = (boottime: unknown): (() => unknown) => planning({ ...options, timeOffsets: { boottime } });
    for (const seconds of [undefined, null, '1', 1n]) {
      expect(offset({ seconds })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'timeOffsets.boottime.seconds'));
    }
    for (const seconds of [0.5, NaN, 2 ** 33, -(2 ** 33)]) {
      expect(offset({ seconds })).toThrow(refusal('ERR_OUT_OF_RANGE', 'timeOffsets.boottime.seconds'));
    }
    expect(offset({ seconds: 0, nanoseconds: '1' })).toThrow(
      refusal('ERR_INVALID_ARG_TYPE', 'timeOffsets.boottime.nanoseconds'),
    );
    for (const nanoseconds of [-1, 1e9, 0.5]) {
      expect(offset({ seconds: 0, nanoseconds })).toThrow(
        refusal('ERR_OUT_OF_RANGE', 'timeOffsets.boottime.nanoseconds'),
      );
    }
    expect(offset({ seconds: 0, microseconds: 1 })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'timeOffsets.boottime.microseconds'),
    );
  });
  test('nothing where there is none', () => {
    expect(planning({ flags: Flags.NEWTIME })).not.toThrow();
    expect(planning({ flags: Flags.NEWTIME, timeOffsets: {} })).not.toThrow();
    expect(planning({ timeOffsets: {} })).not.toThrow();
  });
});

describe('time emits', () => {
  test('nothing without the namespace', () => {
    expect(emitted('time', { flags: Flags.NEWUSER })).toEqual([]);
  });
  test('the namespace, and the second clone that enters it', () => {
    expect(emitted('time', options)).toEqual(['flags: unshare(CLONE_NEWTIME)']);
    const lines = linesOf(plan('/bin/true', options)).map(({ call }) => call);
    const made = lines.indexOf('unshare(CLONE_NEWTIME)');
    expect(lines[made + 1]).toMatch(/^clone\(CLONE_PARENT\|CLONE_PARENT_SETTID, /);
  });
});

describe('time emits offsets', () => {
  const file = '/proc/self/timens_offsets';
  const writing = (text: string): string[] => [
    'flags: unshare(CLONE_NEWTIME)',
    `timeOffsets: ${openingProc(file.slice('/proc/'.length))} = r0  # EAGAIN: once more`,
    `timeOffsets: write(r0, "${text.replaceAll('\n', '\\n')}", ${text.length})  # at least ${text.length}`,
    'timeOffsets: close(r0)',
  ];
  const only = { flags: Flags.NEWTIME };

  test('none where none is given', () => {
    expect(emitted('time', { ...only, timeOffsets: {} })).toEqual(['flags: unshare(CLONE_NEWTIME)']);
  });
  test('one clock', () => {
    expect(emitted('time', { ...only, timeOffsets: { boottime: { seconds: 100 } } })).toEqual(
      writing('boottime 100 0\n'),
    );
  });
  test('both, in one write', () => {
    const timeOffsets = { boottime: { seconds: -5, nanoseconds: 7 }, monotonic: { seconds: 0, nanoseconds: 1 } };
    expect(emitted('time', { ...only, timeOffsets })).toEqual(writing('monotonic 0 1\nboottime -5 7\n'));
  });
  test('before anybody enters: afterwards they are fixed', () => {
    const lines = linesOf(plan('/bin/true', { ...options, timeOffsets: { boottime: { seconds: 1 } } }));
    const last = lines.findLast(({ step }) => step === 'time')!.number;
    expect(lines.findIndex(({ call }) => call.startsWith('clone('))).toBe(last + 1);
  });
});

describe('time, seen from inside', () => {
  test('the program is in it, and not only its children', async () => {
    const [own, children] = (
      await inside('readlink /proc/self/ns/time /proc/self/ns/time_for_children', options)
    ).split('\n');
    expect(own).toMatch(/^time:\[\d+\]$/);
    expect(own).not.toBe(readlinkSync('/proc/self/ns/time'));
    expect(children).toBe(own);
  });
  test('offsets', async () => {
    const before = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
    const output = await inside('cat /proc/self/timens_offsets /proc/uptime', {
      ...options,
      timeOffsets: { monotonic: { seconds: 86_400, nanoseconds: 5 }, boottime: { seconds: 1_000_000 } },
    });
    const [monotonic, boottime, uptime] = output.split('\n').map((line) => line.trim().split(/ +/));
    expect([monotonic, boottime]).toEqual([
      ['monotonic', '86400', '5'],
      ['boottime', '1000000', '0'],
    ]);
    // In hundredths, as it is written there.
    const later = Math.round((Number(uptime![0]) - before - 1_000_000) * 100);
    expect(later).toBeGreaterThanOrEqual(0);
    expect(later).toBeLessThan(slow(3000));
  });
  test('offsets into the past', async () => {
    const before = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
    const seconds = -Math.floor(before / 2);
    const timeOffsets = { boottime: { seconds } };
    const after = Number((await inside('cat /proc/uptime', { ...options, timeOffsets })).split(' ')[0]);
    expect(after - before - seconds).toBeLessThan(slow(30));
    expect(after).toBeLessThan(before);
  });
  test('ours are what they were', async () => {
    const before = readFileSync('/proc/self/timens_offsets', 'utf8');
    await inside('true', { ...options, timeOffsets: { boottime: { seconds: 5 } } });
    expect(readFileSync('/proc/self/timens_offsets', 'utf8')).toBe(before);
  });
  test('in all namespaces at once', async () => {
    const output = await inside('cat /proc/self/timens_offsets; uname -n', {
      ...owned(Flags.NEWTIME | Flags.NEWPID | Flags.NEWNS | Flags.NEWUTS),
      mounts: [{ type: 'proc', target: '/proc' }],
      hostname: 'box',
      timeOffsets: { boottime: { seconds: 7 } },
    });
    expect(output).toMatch(/^monotonic +0 +0\nboottime +7 +0\nbox$/);
  });
  test('without it the program is in ours', async () => {
    expect(await inside('readlink /proc/self/ns/time')).toBe(readlinkSync('/proc/self/ns/time'));
  });
  rootOnly('without a user namespace', async () => {
    const own = await inside('readlink /proc/self/ns/time', { flags: Flags.NEWTIME });
    expect(own).not.toBe(readlinkSync('/proc/self/ns/time'));
  });
});

describe('time, when the kernel refuses', () => {
  userOnly('the namespace without privilege: add a user namespace', async () => {
    await expect(clone('/bin/true', { flags: Flags.NEWTIME })).rejects.toMatchObject({
      code: 'EPERM',
      step: 'time',
      option: 'flags',
      syscall: 'unshare',
      hint: 'needs CAP_SYS_ADMIN; add Flags.NEWUSER',
    });
  });
  test('the namespace, and says nothing about a flag that is there', async () => {
    const error = await failAt(options, calls('unshare(CLONE_NEWTIME)'), 'EPERM');
    expect(error).toMatchObject({ code: 'EPERM', step: 'time', option: 'flags', syscall: 'unshare' });
    expect(error.message).not.toMatch(/add Flags\.NEWUSER/);
  });
  test('the namespace for its limits', async () => {
    const error = await failAt(options, calls('unshare(CLONE_NEWTIME)'), 'ENOSPC');
    expect(error).toMatchObject({ code: 'ENOSPC', step: 'time', option: 'flags', syscall: 'unshare' });
    expect(error.message).toMatch(
      /^ENOSPC: no space left on device, unshare CLONE_NEWTIME \(flags\): .*user\.max_time_namespaces/,
    );
  });
  test.each([
    ['before 0', -1_000_000_000],
    ['beyond what it counts', 4_611_686_018],
  ])('an offset that takes the clock %s', async (_name, seconds) => {
    const error = await clone('/bin/true', { ...options, timeOffsets: { boottime: { seconds } } }).catch(
      (reason: unknown) => reason as never,
    );
    const hint = 'the clock would be before 0, or too far ahead';
    expect(fieldsOf(error as never)).toEqual({
      code: 'ERANGE',
      errno: -34,
      step: 'time',
      option: 'timeOffsets',
      syscall: 'write',
      path: '/proc/self/timens_offsets',
      hint,
      message: `ERANGE: result too large, write /proc/self/timens_offsets (timeOffsets): ${hint}`,
    });
  });
  test.each(['openat2(proc, "self/timens_offsets"', 'write(', 'close('])('%s', async (call) => {
    const matches = (line: { step: string; call: string }): boolean =>
      line.step === 'time' && line.call.startsWith(call);
    const error = await failAt({ ...options, timeOffsets: { boottime: { seconds: 1 } } }, matches, 'EACCES');
    expect(error).toMatchObject({
      code: 'EACCES',
      step: 'time',
      option: 'timeOffsets',
      path: '/proc/self/timens_offsets',
    });
  });
});
