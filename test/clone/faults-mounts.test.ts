// A plan with a root and a mount of each type: each instruction fails in turn, with an error and by a kill, and nothing is left.
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { clone, type CloneOptions, constants, Flags, type Mount, plan, SyscallError } from '../../lib';
import { types } from '../../lib/steps/mounts/types';
import { hasCapability } from '../support/capability';
import { failureAt, killed } from '../support/fault';
import { owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { isCall, type Line, linesOf } from '../support/listing';
import { hostMounts } from '../support/mount-info';
import { removeFolder } from '../support/remove-folder';
import { proc, programs } from '../support/root-folder';
import { slow } from '../support/slow';

leavesNothing();

let host = '';
let root = '';
beforeAll(() => {
  host = mkdtempSync(join(tmpdir(), 'nsclone-'));
  chmodSync(host, 0o755);
  for (const name of ['root', 'root/masked', 'upper', 'work', 'lower', 'lower/below', 'source'])
    mkdirSync(join(host, name));
  for (const name of ['root/hidden', 'root/closed', 'source/file']) writeFileSync(join(host, name), 'content');
  root = join(host, 'root');
  symlinkSync('masked', join(root, 'same'));
});
afterAll(() => removeFolder(host));

const { NEWCGROUP, NEWIPC, NEWNET, NEWNS, NEWPID } = Flags;

/** What the host's root alone may mount. */
const mapped = (): Mount[] => {
  const idmap = { uidMap: [{ containerID: 0, hostID: 0, size: 1 }], gidMap: [{ containerID: 0, hostID: 0, size: 1 }] };
  if (!hasCapability(constants.CAP_SYS_ADMIN)) return [];
  return [
    { type: 'bind', source: join(host, 'source'), target: '/tmp/a/mapped', create: true, idmap, readonly: true },
    { type: 'bind', source: join(host, 'missing'), target: '/tmp', idmap, optional: true },
  ];
};

/** One of each type, and each of their ways. */
const mounts = (): Mount[] => [
  ...programs,
  { type: 'tmpfs', target: '/tmp', create: true, size: '1m', mode: 0o1777 },
  proc,
  { type: 'sysfs', target: '/sys', create: true, readonly: true },
  { type: 'devpts', target: '/dev/pts', create: true },
  { type: 'mqueue', target: '/dev/mqueue', create: true },
  { type: 'cgroup2', target: '/tmp/cgroup', create: true },
  { type: 'dev', target: '/tmp/dev', create: true },
  { type: 'device', target: '/tmp/dev/nothing', kind: 'c', major: 1, minor: 3 },
  { type: 'device', target: '/tmp/dev/pipe', kind: 'p' },
  {
    type: 'bind',
    source: join(host, 'source'),
    target: '/tmp/a/folder',
    create: true,
    readonly: true,
    propagation: 'rshared',
  },
  {
    type: 'bind',
    source: join(host, 'source/file'),
    target: '/tmp/a/file',
    create: true,
    attributes: ['ro', 'rnosuid'],
  },
  { type: 'bind', source: join(host, 'missing'), target: '/tmp', optional: true },
  { type: 'bind', source: join(host, 'source'), target: '/missing', optional: true },
  ...mapped(),
  { type: 'overlay', lower: [join(host, 'lower')], upper: 'tmpfs', target: '/tmp/changed', create: true },
  { type: 'overlay', lower: [join(host, 'lower')], target: '/tmp/seen', create: true },
  {
    type: 'overlay',
    lower: [join(host, 'lower')],
    upper: join(host, 'upper'),
    work: join(host, 'work'),
    target: '/tmp/disk',
    create: true,
  },
  {
    type: 'filesystem',
    fstype: 'tmpfs',
    source: 'named',
    target: '/tmp/named',
    create: true,
    options: { mode: '0700' },
  },
  { type: 'file', target: '/tmp/mounted', content: 'mounted', create: true },
  { type: 'file', target: '/tmp/copy', content: 'copy', create: true, writable: true, mode: 0o600 },
  { type: 'file', target: '/tmp/nsclone-placed', content: 'placed', place: true },
  { type: 'symlink', target: '/tmp/b/link', to: 'somewhere' },
  { type: 'symlink', target: '/same', to: 'masked' },
  { type: 'dir', target: '/tmp/b/folder', mode: 0o700 },
  { type: 'dir', target: '/tmp/b' },
  { type: 'chmod', target: '/tmp/b', mode: 0o711 },
  { type: 'mask', target: '/masked' },
  { type: 'mask', target: '/hidden' },
  { type: 'mask', target: '/missing' },
  { type: 'readonly', target: '/closed' },
  { type: 'remount', target: '/closed', attributes: ['ro', 'noexec'] },
  { type: 'readonly', target: '/', recursive: false },
];

const options = (): CloneOptions => ({
  ...owned(NEWNS | NEWPID | NEWNET | NEWIPC | NEWCGROUP),
  root: { type: 'bind', source: root, nosuid: true },
  mounts: mounts(),
  stdio: 'ignore',
});

/** Every file of the folders, with what is in it; but for the overlay's own. */
function contents(): string[] {
  return ['root', 'upper', 'lower', 'source'].flatMap((folder) =>
    readdirSync(join(host, folder), { recursive: true, withFileTypes: true })
      .map((entry) => {
        const path = join(entry.parentPath, entry.name);
        return entry.isFile() ? `${path}: ${readFileSync(path, 'utf8')}` : path;
      })
      .sort(),
  );
}

/** Lines that this child comes to: not those behind a jump, of a missing source, or of a kernel that has less. */
function isTaken(lines: readonly Line[], { number, call, step }: Line): boolean {
  if (step === 'command' && call.startsWith('execve("/bin/sh", ["/bin/sh", "/bin/true"')) return false;
  return (
    isCall({ call } as Line) &&
    !lines.some(({ number: from, call: jump }) => {
      const to = /^close\(-1\).*EBADF: go to (\d+)/.exec(jump)?.[1];
      return to !== undefined && number >= from && number < Number(to);
    })
  );
}

/** No rule of any instruction is about it. */
const unusual = 'E2BIG';

describe('a root and a mount of each type', () => {
  let whole: ReturnType<typeof plan>;
  let lines: readonly Line[];
  let taken: Line[];
  let before: { files: string[]; table: string[] };
  beforeAll(async () => {
    whole = plan('/bin/true', [], options());
    lines = linesOf(whole);
    taken = lines.filter((line) => isTaken(lines, line));
    // What is made in the root itself is there from now on.
    expect(await (await clone(whole)).exited).toMatchObject({ code: 0 });
    before = { files: contents(), table: hostMounts() };
  });

  test('every type of entry is among them', () => {
    const own = new Set(mounts().map(({ type }) => type));
    expect(Object.keys(types).filter((type) => !own.has(type as Mount['type']))).toEqual([]);
    expect(taken.length).toBeGreaterThan(200);
  });

  test(
    'names step and option at each instruction that fails, and the host is as before',
    async () => {
      let reached = 0;
      for (const { number, step, option, call } of taken) {
        if (call.includes('any error')) continue;
        const error = await failureAt(whole, number, unusual).catch((reason: unknown) => reason);
        // A way that this child does not take: what is missing here, or there already.
        if (!(error instanceof SyscallError)) continue;
        reached++;
        expect({ number, code: error.code, step: error.step, option: error.option ?? '' }).toEqual({
          number,
          code: unusual,
          step,
          option,
        });
      }
      expect(reached).toBeGreaterThan(taken.length * 0.85);
      expect(contents()).toEqual(before.files);
      expect(hostMounts()).toEqual(before.table);
    },
    slow(120_000),
  );

  test(
    'is never said to have started when it is killed at one, and the host is as before',
    async () => {
      let reached = 0;
      for (const { number, step } of taken) {
        const error = await failureAt(whole, number, killed).catch((reason: unknown) => reason);
        if (!(error instanceof SyscallError)) continue;
        reached++;
        expect({ number, code: error.code, signal: error.signal, step: error.step }).toEqual({
          number,
          code: 'ECHILD',
          signal: 'SIGKILL',
          step,
        });
      }
      expect(reached).toBeGreaterThan(taken.length * 0.85);
      expect(contents()).toEqual(before.files);
      expect(hostMounts()).toEqual(before.table);
    },
    slow(120_000),
  );

  test('starts where nothing fails, as often as one likes', async () => {
    for (let round = 0; round < 3; round++) expect(await (await clone(whole)).exited).toMatchObject({ code: 0 });
    expect(contents()).toEqual(before.files);
  });
});
