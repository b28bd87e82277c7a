// Step `hold`: where the child waits for start(). What can be done with a held child is in test/clone/hold.test.ts.
import { readFileSync } from 'node:fs';

import { clone, Flags, plan } from '../../lib';
import { calls, failAt, fieldsOf } from '../support/fault';
import { owned, read } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted, linesOf } from '../support/listing';
import { planning, refusal } from '../support/refusal';

leavesNothing();

const status = (pid: number, field: string): string =>
  new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]!;

describe('hold rejects', () => {
  test.each([1, 0, null])('%p', (hold) => {
    expect(planning({ hold })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'hold'));
  });
  test.each(['true', [], ['exec', 'mount']])('%p', (hold) => {
    expect(planning({ hold })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', hold === 'true' || hold.length === 0 ? 'hold' : 'hold[1]'),
    );
  });
});

describe('hold emits', () => {
  test('nothing where it is not given', () => {
    expect(emitted('hold', {})).toEqual([]);
    expect(emitted('hold', { hold: false })).toEqual([]);
  });
  test('a wait', () => {
    expect(emitted('hold', { hold: true })).toEqual(['hold: wait for the parent']);
  });
  test('long before, that nobody looks into it', () => {
    for (const options of [{}, { join: '/proc/self/ns/net' }]) {
      expect(emitted('dumpable', { hold: true, ...options })).toEqual(['prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)']);
    }
    expect(emitted('dumpable', {})).toEqual([]);
  });
  test('when nothing is left but the death with Node, the signals, the filter and the exec', () => {
    const options = { ...owned(Flags.NEWPID), uid: 0, noNewPrivileges: true, cwd: '/', hold: true };
    const lines = linesOf(plan('/bin/true', [], { ...options, seccomp: new Uint8Array(8) })).map(({ step }) => step);
    expect([...new Set(lines.slice(lines.lastIndexOf('hold') + 1))]).toEqual([
      'parentDeathSignal',
      'signal mask',
      'seccomp',
      'command',
    ]);
  });
});

describe('hold, seen from outside', () => {
  test('the child is what it will be, but for the program', async () => {
    const child = await clone('/bin/sh', ['-c', 'echo started'], {
      ...owned(Flags.NEWPID | Flags.NEWUTS),
      hostname: 'box',
      noNewPrivileges: true,
      umask: 0o27,
      hold: true,
    });
    expect(readFileSync(`/proc/${child.pid}/comm`, 'utf8')).toMatch(/^nsclone\/[\w-]{7}\n$/);
    expect(status(child.pid, 'NSpid').split(/\s+/).at(-1)).toBe('1');
    expect([status(child.pid, 'NoNewPrivs'), status(child.pid, 'Umask')]).toEqual(['1', '0027']);
    expect(await Promise.race([read(child.stdout), Promise.resolve('nothing yet')])).toBe('nothing yet');
    await child.start();
    expect(await child.exited).toMatchObject({ code: 0 });
  });
});

describe('hold, when the kernel refuses', () => {
  test('the wait itself: the call rejects', async () => {
    expect(fieldsOf(await failAt({ hold: true }, calls('wait'), 'EIO'))).toMatchObject({
      code: 'EIO',
      step: 'hold',
      option: 'hold',
    });
  });
  test('what comes after it: start() rejects, and exited tells how the child ended', async () => {
    const child = await clone('/etc/passwd', [], { hold: true, stdio: 'ignore' });
    await expect(child.start()).rejects.toMatchObject({ code: 'EACCES', step: 'command', path: '/etc/passwd' });
    const { code, signal } = await child.exited;
    expect(code === 0 && signal === null).toBe(false);
  });
});
