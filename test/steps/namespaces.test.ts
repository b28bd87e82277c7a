// Step `namespaces`: what a process can enter by itself.
import { readlinkSync } from 'node:fs';

import { clone, Flags } from '../../lib';
import { rootOnly, userOnly } from '../support/capability';
import { calls, failAt } from '../support/fault';
import { hosts, onHost } from '../support/host';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted } from '../support/listing';
import { planning } from '../support/refusal';

leavesNothing();

const kinds = [
  ['cgroup', 'NEWCGROUP'],
  ['mnt', 'NEWNS'],
  ['uts', 'NEWUTS'],
  ['ipc', 'NEWIPC'],
  ['net', 'NEWNET'],
] as const;
const links = kinds.map(([kind]) => `/proc/self/ns/${kind}`);
const ours = (): string[] => links.map((link) => readlinkSync(link));
const all = kinds.reduce((flags, [, name]) => flags | Flags[name], 0);

describe('namespaces rejects', () => {
  test('nothing: it has no option of its own', () => {
    expect(planning({ flags: all })).not.toThrow();
  });
});

describe('namespaces emits', () => {
  test('nothing without flags', () => {
    expect(emitted('namespaces', {})).toEqual([]);
  });
  test('one call each, cgroup first', () => {
    expect(emitted('namespaces', { flags: all })).toEqual(kinds.map(([, name]) => `flags: unshare(CLONE_${name})`));
  });
  test.each(kinds)('%s alone', (_kind, name) => {
    expect(emitted('namespaces', { flags: Flags[name] })).toEqual([`flags: unshare(CLONE_${name})`]);
  });
});

describe('namespaces, seen from inside', () => {
  test.each(kinds)('%s is new and all others are ours', async (kind, name) => {
    const found = (await inside(`readlink ${links.join(' ')}`, owned(Flags[name]))).split('\n');
    expect(found.map((link, index) => [kinds[index]![0], link === ours()[index]])).toEqual(
      kinds.map(([other]) => [other, other !== kind]),
    );
  });
  rootOnly('without a user namespace', async () => {
    const found = (await inside(`readlink ${links.join(' ')}`, { flags: all })).split('\n');
    for (const [index, link] of ours().entries()) expect(found[index]).not.toBe(link);
  });
  test('none is new without flags', async () => {
    expect(await inside(`readlink ${links.join(' ')}`)).toBe(ours().join('\n'));
  });
  test('ours stay what they are', async () => {
    const before = ours();
    await inside('true', owned(all));
    expect(ours()).toEqual(before);
  });
});

describe('namespaces, when the kernel refuses', () => {
  test.each(kinds)('%s for its limits', async (_kind, name) => {
    const error = await failAt(owned(all), calls(`unshare(CLONE_${name})`), 'ENOSPC');
    expect(error).toMatchObject({
      code: 'ENOSPC',
      errno: -28,
      step: 'namespaces',
      option: 'flags',
      syscall: 'unshare',
    });
    expect(error.message).toMatch(
      new RegExp(`^ENOSPC: no space left on device, unshare CLONE_${name} \\(flags\\): .*user\\.max_\\w+_namespaces`),
    );
  });
  test('one in a user namespace that has no power', async () => {
    const error = await onHost({ files: hosts.ubuntu }, () =>
      failAt(owned(all), calls('unshare(CLONE_NEWNET)'), 'EPERM'),
    );
    expect(error.hint).toMatch(/kernel\.apparmor_restrict_unprivileged_userns/);
  });
  test('nothing of a path, for there is none', async () => {
    const error = await failAt(owned(all), calls('unshare(CLONE_NEWNET)'), 'EPERM');
    expect(error.path).toBeUndefined();
  });
  userOnly('one without privilege: add a user namespace', async () => {
    await expect(clone('/bin/true', { flags: Flags.NEWNET })).rejects.toMatchObject({
      code: 'EPERM',
      step: 'namespaces',
      message:
        'EPERM: operation not permitted, unshare CLONE_NEWNET (flags): needs CAP_SYS_ADMIN; add Flags.NEWUSER, ' +
        'with uidMap and gidMap',
    });
  });
});
