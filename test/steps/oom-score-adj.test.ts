// Step `oomScoreAdj`: how soon the child is chosen when memory is short.
import { readFileSync } from 'node:fs';

import { clone, Flags, plan } from '../../lib';
import { withCapability, withoutCapability } from '../support/capability';
import { calls, failAt, fieldsOf } from '../support/fault';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted, linesOf, openingProc } from '../support/listing';
import { planning, refusal } from '../support/refusal';

leavesNothing();

const file = '/proc/self/oom_score_adj';
const ours = (): string => readFileSync(file, 'utf8').trim();
const options = { oomScoreAdj: 800 };

describe('oomScoreAdj rejects', () => {
  test.each([-1001, 1001, 0.5, NaN])('%p', (oomScoreAdj) => {
    expect(planning({ oomScoreAdj })).toThrow(refusal('ERR_OUT_OF_RANGE', 'oomScoreAdj'));
  });
  test.each(['5', null, true, [], {}])('%p', (oomScoreAdj) => {
    expect(planning({ oomScoreAdj })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'oomScoreAdj'));
  });
});

describe('oomScoreAdj emits', () => {
  test('nothing where it is not given', () => {
    expect(emitted('oomScoreAdj', {})).toEqual([]);
  });
  test.each([-1000, 0, 1000])('the file with %i', (oomScoreAdj) => {
    const size = String(oomScoreAdj).length;
    expect(emitted('oomScoreAdj', { oomScoreAdj })).toEqual([
      `oomScoreAdj: ${openingProc(file.slice('/proc/'.length))} = r0  # EAGAIN: once more`,
      `oomScoreAdj: write(r0, "${oomScoreAdj}", ${size})  # at least ${size}`,
      'oomScoreAdj: close(r0)',
    ]);
  });
  test('before the user namespace, where the privilege for it ends', () => {
    const steps = linesOf(plan('/bin/true', [], { ...owned(Flags.NEWPID), ...options })).map(({ step }) => step);
    expect(steps.indexOf('oomScoreAdj')).toBeLessThan(steps.indexOf('user'));
  });
});

describe("oomScoreAdj, seen from inside, is only the child's", () => {
  test.each([
    ['without namespaces', {}],
    ['in a pid namespace', owned(Flags.NEWPID)],
    ['in all of them', owned(Flags.NEWPID | Flags.NEWNS | Flags.NEWTIME | Flags.NEWCGROUP)],
  ])('%s', async (_name, namespaces) => {
    const before = ours();
    expect(await inside(`cat ${file}`, { ...namespaces, ...options })).toBe('800');
    expect(ours()).toBe(before);
  });
  test('while it is held, too', async () => {
    const before = ours();
    const child = await clone('/bin/true', { ...options, hold: true, stdio: 'ignore' });
    expect(readFileSync(`/proc/${child.pid}/oom_score_adj`, 'utf8')).toBe('800\n');
    expect(ours()).toBe(before);
    await child.start();
    expect(await child.exited).toMatchObject({ code: 0 });
    expect(ours()).toBe(before);
  });
  test('without the option it is ours', async () => {
    expect(await inside(`cat ${file}`)).toBe(ours());
  });
  withCapability('CAP_SYS_RESOURCE', 'a lower value than ours', async () => {
    expect(await inside(`cat ${file}`, { oomScoreAdj: -900 })).toBe('-900');
    expect(await inside(`cat ${file}`, { oomScoreAdj: -900, ...owned(Flags.NEWPID) })).toBe('-900');
  });
});

describe('oomScoreAdj, when the kernel refuses', () => {
  const hint = 'a lower value than ours needs CAP_SYS_RESOURCE outside of any user namespace';

  withoutCapability('CAP_SYS_RESOURCE', 'a lower value than ours', async () => {
    for (const namespaces of [{}, owned(Flags.NEWPID)]) {
      const error = await clone('/bin/true', { ...namespaces, oomScoreAdj: -1000 }).catch((reason: unknown) => reason);
      expect(fieldsOf(error as never)).toEqual({
        code: 'EACCES',
        errno: -13,
        step: 'oomScoreAdj',
        option: 'oomScoreAdj',
        syscall: 'write',
        path: file,
        hint,
        message: `EACCES: permission denied, write ${file} (oomScoreAdj): ${hint}`,
      });
    }
  });
  test.each([
    ['openat2(proc, "self/oom_score_adj"', 'openat2'],
    ['write(r0', 'write'],
    ['close(r0', 'close'],
  ])('%s', async (call, syscall) => {
    const error = await failAt(options, calls(call), 'EIO');
    expect(error).toMatchObject({ code: 'EIO', step: 'oomScoreAdj', option: 'oomScoreAdj', syscall, path: file });
  });
});
