// Step `time`: the new time namespace.
import { readlinkSync } from 'node:fs';

import { clone, Flags, plan } from '../../lib';
import { rootOnly, userOnly } from '../support/capability';
import { calls, failAt } from '../support/fault';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted, linesOf } from '../support/listing';
import { planning } from '../support/refusal';

leavesNothing();

const options = owned(Flags.NEWTIME);

describe('time rejects', () => {
  test('nothing: it has no option of its own', () => {
    expect(planning({ flags: Flags.NEWTIME })).not.toThrow();
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

describe('time, seen from inside', () => {
  test('the program is in it, and not only its children', async () => {
    const [own, children] = (
      await inside('readlink /proc/self/ns/time /proc/self/ns/time_for_children', options)
    ).split('\n');
    expect(own).toMatch(/^time:\[\d+\]$/);
    expect(own).not.toBe(readlinkSync('/proc/self/ns/time'));
    expect(children).toBe(own);
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
});
