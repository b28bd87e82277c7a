// What changes hands changes owner: after a change of ids a child opens its own pipes by their names in /dev, and no others.
import { fstatSync } from 'node:fs';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';

import { clone, type CloneOptions, constants, Flags, type IdMapping } from '../../lib';
import { subordinateRanges } from '../../lib/steps/subordinate-ids';
import { hasCapability, rootOnly } from '../support/capability';
import { leavesNothing } from '../support/leftovers';
import { evaluate } from '../support/own-process';

leavesNothing();

const { NEWNS, NEWPID, NEWUSER } = Flags;
const isRoot = hasCapability(constants.CAP_SYS_ADMIN);
const proc: CloneOptions['mounts'] = [{ type: 'proc', target: '/proc' }];

/** Ids that are not our own: those that were lent to us, or as root any. */
function others(): number | undefined {
  if (isRoot) return 100_000;
  try {
    return Math.max(...(['/etc/subuid', '/etc/subgid'] as const).map((path) => subordinateRanges(path, '')[0]!.start));
  } catch {
    return undefined;
  }
}
const start = others();
const lent = (size: number): IdMapping[] => [{ containerID: 0, hostID: start ?? 0, size }];
/** Our own id and the lent ones, which 'auto' finds by itself where root has any. */
const auto = isRoot
  ? [{ containerID: 0, hostID: 0, size: 1 }, ...lent(2000).map((range) => ({ ...range, containerID: 1 }))]
  : 'auto';

type Sort = readonly [name: string, needs: 'root' | 'lent ids', options: CloneOptions];
const without: CloneOptions = { flags: NEWUSER, uidMap: lent(2000), gidMap: lent(2000) };
const sorts: Sort[] = [
  ['another uid and gid', 'root', { uid: 1000, gid: 1000 }],
  ['another uid', 'root', { uid: 1000 }],
  ['another uid, as pid 1', 'root', { flags: NEWPID | NEWNS, mounts: proc, uid: 1000, gid: 1000 }],
  ["'auto' and uid 1000 inside", 'lent ids', { flags: NEWUSER, uidMap: auto, gidMap: auto, uid: 1000, gid: 1000 }],
  ['maps that leave out the own id', 'lent ids', without],
  ['maps that leave out the own id, and uid 1000 inside', 'lent ids', { ...without, uid: 1000, gid: 1000 }],
  [
    'the same beside a pid 1',
    'lent ids',
    { ...without, flags: NEWUSER | NEWPID | NEWNS, mounts: proc, uid: 1000, gid: 1000, init: true },
  ],
];

function runs([, needs]: Sort): string | undefined {
  if (needs === 'root' && !isRoot) return 'needs CAP_SYS_ADMIN';
  return needs === 'lent ids' && start === undefined ? 'needs ids in /etc/subuid and /etc/subgid' : undefined;
}

const opened = `echo out > /dev/stdout && echo more >> /dev/stdout && echo err > /dev/stderr && cat /dev/stdin`;

for (const sort of sorts) {
  const [name, , options] = sort;
  const missing = runs(sort);
  const one = missing === undefined ? test : test.skip;
  describe(`${name}${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
    one('/dev/stdout, /dev/stderr and /dev/stdin can be opened', async () => {
      const child = await clone('/bin/sh', ['-c', opened], options);
      child.stdin!.end('in\n');
      const [out, err, { code }] = await Promise.all([text(child.stdout!), text(child.stderr!), child.exited]);
      expect({ out, err, code }).toEqual({ out: 'out\nmore\nin\n', err: 'err\n', code: 0 });
    });

    // Nobody without privilege outside can give away what an id owns that has no place inside.
    const canBeGiven = isRoot || options.uidMap !== without.uidMap;
    (canBeGiven ? one : test.skip)('its user owns them', async () => {
      const script = `stat -L -c %u /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2; id -u`;
      const child = await clone('/bin/sh', ['-c', script], options);
      child.stdin!.end();
      const [lines] = await Promise.all([text(child.stdout!), text(child.stderr!), child.exited]);
      const [stdin, stdout, stderr, uid] = lines.trimEnd().split('\n');
      expect([stdin, stdout, stderr]).toEqual([uid, uid, uid]);
    });
  });
}

rootOnly('what is inherited of ours stays ours', () => {
  const [before, after] = evaluate<[number[], number[]]>(`
    const owners = () => [0, 1, 2].map((number) => fs.fstatSync(number).uid);
    const before = owners();
    const options = { stdio: 'inherit', uid: 1000, gid: 1000 };
    await (await nsclone.clone('/bin/true', [], options)).exited;
    return [before, owners()];`);
  expect(after).toEqual(before);
});

rootOnly('a pipe of another child that is passed on stays that one’s', async () => {
  const one = await clone('/bin/cat', [], { stdio: ['pipe', 'pipe', 'inherit'] });
  const stdout = one.stdout as Socket & { readonly _handle: { readonly fd: number } };
  const { fd } = stdout._handle;
  const before = fstatSync(fd).uid;
  const two = await clone('/bin/cat', [], { stdio: [stdout, 'pipe', 'inherit'], uid: 1000, gid: 1000 });
  expect(fstatSync(fd).uid).toBe(before);
  one.stdin.end('through\n');
  expect(await text(two.stdout)).toBe('through\n');
  stdout.destroy();
  await Promise.all([one.exited, two.exited]);
});
