// On a host that gives ordinary users no user namespaces (Debian's kernel.unprivileged_userns_clone): what needs one says so, and the
// rest works.
import { readFileSync } from 'node:fs';

import { clone, constants, createNamespaces, Flags, probe, run } from '../../lib';
import { hasCapability, needing } from '../support/capability';
import { owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';

leavesNothing();

function isForbidden(): boolean {
  try {
    return readFileSync('/proc/sys/kernel/unprivileged_userns_clone', 'utf8').trim() === '0';
  } catch {
    return false;
  }
}

const forbidden = needing(
  isForbidden() && !hasCapability(constants.CAP_SYS_ADMIN),
  'kernel.unprivileged_userns_clone = 0, and to be an ordinary user',
);
const hint = 'user namespaces are switched off for ordinary users: set sysctl kernel.unprivileged_userns_clone to 1';

describe('a host without user namespaces for ordinary users', () => {
  const calls: [string, () => Promise<unknown>][] = [
    ['a command in one', () => clone('/bin/true', [], owned(Flags.NEWPID | Flags.NEWNS))],
    ['namespaces alone', () => createNamespaces(Flags.NEWUSER | Flags.NEWNET)],
  ];
  for (const [name, call] of calls) {
    forbidden(`refuses ${name}, and names the setting`, async () => {
      await expect(call()).rejects.toMatchObject({ code: 'EPERM', hint: expect.stringContaining(hint) as string });
    });
  }
  forbidden('is told of by probe(), with the rest that is missing for that', async () => {
    const { namespaces, features } = await probe();
    expect(namespaces.user).toMatchObject({ available: false, cause: 'sysctl' });
    for (const answer of Object.values(namespaces)) expect(answer).toMatchObject({ available: false });
    for (const feature of ['clone3', 'pidfd', 'executableMemory', 'seccomp'] as const)
      expect(features[feature]).toMatchObject({ available: true });
  });
  forbidden('runs what needs none', async () => {
    const { stdout } = await run('/bin/sh', ['-c', 'ulimit -n; id -u'], {
      rlimits: { nofile: 64 },
      noNewPrivileges: true,
    });
    expect(stdout).toBe(`64\n${process.getuid!()}\n`);
  });
});
