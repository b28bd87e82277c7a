// No name in a container leads to a folder of the host: a working directory, or a command, that is a link to a descriptor
// which the set-up may have open (CVE-2024-21626).
import { closeSync, copyFileSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';

import { clone, type ClonedProcess, type CloneOptions, type Step } from '../../lib';
import { addon } from '../support/addon';
import { containers, nextLine, ownCgroup } from '../support/attack';
import { needing, rootOnly } from '../support/capability';
import { removeCgroup } from '../support/cgroups';
import { leavesNothing } from '../support/leftovers';

leavesNothing();

const isRoot = process.getuid!() === 0;
const cgroup = ownCgroup();
const numbers = Array.from({ length: 58 }, (_, index) => index + 3);

/** What the host has, and no container: a file, and a program that ends with 42 when it is called with that. */
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(joinPath(tmpdir(), 'nsclone-host-'));
  writeFileSync(joinPath(folder, 'secret'), 'secret');
  copyFileSync('/bin/sh', joinPath(folder, 'program'));
  if (cgroup !== undefined) mkdirSync(cgroup);
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  if (cgroup !== undefined) await removeCgroup(cgroup);
});

/** A root of its own, with the programs of the host and links to descriptors of whoever follows them: /3, /4, … */
const ownRoot = `set -e
  mount -t tmpfs none /mnt
  cd /mnt
  mkdir usr proc old
  mount --rbind /usr usr
  for name in bin sbin lib lib64; do
    if [ -L /$name ]; then cp -P /$name .; elif [ -d /$name ]; then mkdir $name; mount --rbind /$name $name; fi
  done
  mount -t proc proc proc
  for number in ${numbers.join(' ')}; do ln -s /proc/self/fd/$number $number; done
  pivot_root . old
  cd /
  umount -l old
  echo ready
  exec cat`;

async function withContainer(options: CloneOptions, use: (other: ClonedProcess) => Promise<void>): Promise<void> {
  const other = await clone('/bin/sh', ['-c', ownRoot], { ...options, stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    expect(await nextLine(other.stdout!)).toBe('ready');
    await use(other);
  } finally {
    other.kill('SIGKILL');
    await other.exited;
  }
}

const up = '/..'.repeat(20);

/** The numbers that lead out: of all children that end with 42. */
async function escapes(start: (number: number) => Promise<ClonedProcess>): Promise<number[]> {
  const found: number[] = [];
  for (const number of numbers) {
    try {
      if ((await (await start(number)).exited).code === 42) found.push(number);
    } catch (error) {
      // There is no such folder: that is as it should be.
      expect(error).toMatchObject({ code: expect.stringMatching(/^(?:ENOENT|ENOTDIR|EACCES|ELOOP)$/) });
    }
  }
  return found;
}

const reads = (): string => `[ -r .${up}${folder}/secret ] && exit 42; exit 0`;

type Options = Omit<CloneOptions, 'cgroup'>;
const shapes: [string, Options][] = [
  ["['ignore', 'inherit', 'inherit']", { stdio: ['ignore', 'inherit', 'inherit'] }],
  ['four entries', { stdio: ['ignore', 'ignore', 'inherit', 'pipe'] }],
  ['closeFds: false', { stdio: ['ignore', 'inherit', 'inherit'], closeFds: false }],
  ['nothing inherited', { stdio: 'ignore' }],
];

for (const [root, container] of Object.entries(containers)) {
  const own = root === 'root of a user namespace';
  const attack = own ? test : rootOnly;
  const underRules = needing(
    addon().landlockAbi() > 0 && (own || isRoot),
    'Landlock, and root for a container of root',
  );
  const withCgroup = (name: string, body: () => Promise<void>): void => {
    if (cgroup === undefined) test.skip(`${name} (skipped: needs a cgroup v2 hierarchy that we may write)`, body);
    else rootOnly(name, body);
  };

  describe(`in a container with a root of its own, by ${root}`, () => {
    for (const [shape, options] of shapes) {
      attack(`with ${shape}: no working directory leads to the host`, () =>
        withContainer(container, async (join) => {
          const found = escapes((number) => clone('/bin/sh', ['-c', reads()], { ...options, join, cwd: `/${number}` }));
          expect(await found).toEqual([]);
        }),
      );
      withCgroup(`with ${shape}, in a cgroup: no working directory leads to the host`, () =>
        withContainer(container, async (join) => {
          const given = { ...options, join, cgroup: cgroup! };
          const found = escapes((number) => clone('/bin/sh', ['-c', reads()], { ...given, cwd: `/${number}` }));
          expect(await found).toEqual([]);
        }),
      );
      withCgroup(`with ${shape}, in a cgroup by its descriptor: no working directory leads to the host`, () =>
        withContainer(container, async (join) => {
          const descriptor = openSync(cgroup!, 'r');
          try {
            const given = { ...options, join, cgroup: descriptor };
            const found = escapes((number) => clone('/bin/sh', ['-c', reads()], { ...given, cwd: `/${number}` }));
            expect(await found).toEqual([]);
          } finally {
            closeSync(descriptor);
          }
        }),
      );
    }

    for (const [shape, options] of shapes) {
      underRules(
        `with ${shape}, under rules for a folder of the host by its descriptor: no working directory leads to it`,
        () =>
          withContainer(container, async (join) => {
            const descriptor = openSync(folder, 'r');
            try {
              const given: CloneOptions = {
                ...options,
                join,
                landlock: {
                  rules: [
                    { path: '/', access: ['read', 'execute', 'write'] },
                    { path: descriptor, access: ['read'] },
                  ],
                  minimumAbi: 1,
                },
              };
              const found = escapes((number) =>
                clone('/bin/sh', ['-c', '[ -r secret ] && exit 42; exit 0'], { ...given, cwd: `/${number}` }),
              );
              expect(await found).toEqual([]);
            } finally {
              closeSync(descriptor);
            }
          }),
      );
    }

    /** With a folder of the host, by its descriptor. */
    const entering = async (
      start: (descriptor: number) => (number: number) => Promise<ClonedProcess>,
    ): Promise<void> => {
      const descriptor = openSync(folder, 'r');
      try {
        expect(await escapes(start(descriptor))).toEqual([]);
      } finally {
        closeSync(descriptor);
      }
    };
    const finds = ['-c', '[ -r secret ] && exit 42; exit 0'];

    attack('beside a pid 1 that keeps a folder of the host: no working directory leads to it', () =>
      entering((descriptor) => (number) => {
        const init = { keep: [descriptor] };
        return clone('/bin/sh', finds, { ...container, init, stdio: 'ignore', cwd: `/proc/self/fd/${number}` });
      }),
    );
    for (const closeFds of [true, false]) {
      const name = `with closeFds: ${closeFds}, after a line that uses a folder of the host: no working directory leads to it`;
      attack(name, () =>
        withContainer(container, (join) =>
          entering((descriptor) => (number) => {
            const steps: readonly Step[] = [{ at: 'start', run: (c) => c.faccessat(descriptor, 'secret', 0) }];
            return clone('/bin/sh', finds, { join, closeFds, steps, stdio: 'ignore', cwd: `/${number}` });
          }),
        ),
      );
    }

    withCgroup('in a cgroup: no command is one of the host', () =>
      withContainer(container, async (join) => {
        const given: CloneOptions = { stdio: ['ignore', 'inherit', 'inherit'], join, cgroup: cgroup! };
        const found = escapes((number) => clone(`/${number}${up}${folder}/program`, ['-c', 'exit 42'], given));
        expect(await found).toEqual([]);
      }),
    );

    withCgroup('in a cgroup, held: no link leads to the host for a process of the container', () =>
      withContainer(container, async (join) => {
        const stdio: CloneOptions['stdio'] = ['ignore', 'inherit', 'inherit'];
        const child = await clone('/bin/true', { stdio, join, cgroup: cgroup!, hold: true });
        try {
          // The container's own root looks where the links of the held child lead to.
          const script = `for process in /proc/[0-9]*; do for link in $process/fd/* $process/cwd; do
            [ -r $link${up}${folder}/secret ] && exit 42; done; done; exit 0`;
          const { code } = await (await clone('/bin/sh', ['-c', script], { stdio: 'ignore', join })).exited;
          expect(code).toBe(0);
        } finally {
          child.kill('SIGKILL');
          await child.exited;
        }
      }),
    );
  });
}
