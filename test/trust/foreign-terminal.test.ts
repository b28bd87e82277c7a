// A terminal of a container is one of its devpts: whatever its root has put in the place of /dev/ptmx, /dev/pts and what lies in there, no
// file of his is taken for one, none of ours is reached, and nothing hangs.
import { text } from 'node:stream/consumers';

import { clone, type ClonedProcess, type CloneOptions, Flags } from '../../lib';
import { containers } from '../support/attack';
import { rootOnly } from '../support/capability';
import { leavesNothing } from '../support/leftovers';
import { slow } from '../support/slow';

leavesNothing();

const { mounts } = containers['root of a user namespace'];
const stdio = ['pipe', 'pipe', 'inherit'] as const;

/** A container whose root has done this to its /dev, and waits. */
async function container(script: string, sort: keyof typeof containers): Promise<ClonedProcess> {
  const child = await clone('/bin/sh', ['-e', '-c', `${script}\necho done; exec sleep 100`], {
    ...containers[sort],
    mounts: [...mounts, { type: 'dev', target: '/dev' }],
    stdio,
  });
  let said = '';
  for await (const part of child.stdout) {
    said += String(part);
    if (said.includes('done')) break;
  }
  expect(said).toContain('done');
  return child;
}

/** What `tty` says at a terminal of it, or how that was refused. */
async function answer(script: string, sort: keyof typeof containers, more: CloneOptions = {}): Promise<string> {
  const victim = await container(script, sort);
  try {
    const child = await clone('/bin/sh', ['-c', 'tty; echo $(ls /proc/self/fd)'], {
      join: victim,
      ...more,
      pty: { from: 'container' },
      timeout: slow(10_000),
    });
    const output = (await text(child.pty)).replaceAll('\r', '');
    await child.exited;
    return output;
  } catch (error) {
    const { code, path } = error as { code: string; path: string };
    return `${code} ${path}`;
  } finally {
    victim.kill('SIGKILL');
    await victim.exited;
  }
}

/** What it has is stdio, and the folder that is listed. */
const itsOwn = '/dev/pts/0\n0 1 2 3\n';

function attacks(sort: keyof typeof containers): void {
  test.each([
    ['a FIFO that nobody ever opens', 'rm /dev/ptmx; mkfifo /dev/ptmx'],
    ['a link to a disk of ours', 'ln -sf /proc/1/root/dev/null /dev/ptmx'],
    ['nothing', 'rm /dev/ptmx'],
  ])('/dev/ptmx is %s: it is not looked at', async (_, script) => {
    await expect(answer(script, sort)).resolves.toBe(itsOwn);
  });

  test.each([
    ['another file system, with a FIFO in it', 'mount -t tmpfs none /dev/pts; mkfifo /dev/pts/ptmx', 'ENODEV /dev/pts'],
    [
      'a folder with a link to the real one in it',
      'mount -t tmpfs none /dev/pts; ln -s /proc/1/fd/0 /dev/pts/ptmx',
      'ENODEV /dev/pts',
    ],
    ['a /proc', 'mount --bind /proc/1 /dev/pts', 'ENODEV /dev/pts'],
    ['a file', 'umount /dev/pts; rmdir /dev/pts; : > /dev/pts', 'ENOTDIR /dev/pts'],
    ['a FIFO', 'umount /dev/pts; rmdir /dev/pts; mkfifo /dev/pts', 'ENOTDIR /dev/pts'],
    ['nothing', 'umount /dev/pts; rmdir /dev/pts', 'ENOENT /dev/pts'],
    [
      'a link that leaves by a process',
      'umount /dev/pts; rmdir /dev/pts; ln -s /proc/1/root/dev/pts /dev/pts',
      'EXDEV /dev/pts',
    ],
  ])('/dev/pts is %s', async (_, script, refused) => {
    await expect(answer(script, sort)).resolves.toBe(refused);
  });

  test('a link that would lead out of its root leads to its own', async () => {
    const script =
      'mkdir /dev/shm/pts; mount --bind /dev/pts /dev/shm/pts; umount /dev/pts; rmdir /dev/pts; ln -s ../../../../dev/shm/pts /dev/pts';
    // ttyname(3) knows no such path.
    await expect(answer(script, sort)).resolves.toMatch(/^not a tty\n0 1 2 3\n$|^\/dev\/(shm\/)?pts\/0\n0 1 2 3\n$/);
  });

  test.each([
    ['a device', 'mount --bind /dev/null /dev/pts/ptmx'],
    ['a FIFO', 'mkfifo /dev/shm/fifo; mount --bind /dev/shm/fifo /dev/pts/ptmx'],
    ['what opens terminals elsewhere', 'mount --bind /dev/pts/ptmx /dev/pts/ptmx'],
  ])('%s is mounted upon what opens terminals', async (_, script) => {
    await expect(answer(script, sort)).resolves.toBe('EXDEV /dev/pts/ptmx');
  });

  test('nothing of ours is open in the program, with closeFds: false either', async () => {
    const output = await answer('', sort, { closeFds: false });
    expect(output).toMatch(/^\/dev\/pts\/0\n/);
    expect(output).not.toContain('ptmx');
  });
}

describe('in a container whose root is root of a user namespace', () => {
  attacks('root of a user namespace');
});

rootOnly(
  'a container of the host’s root: an exact copy of what opens terminals is no way to those of the host',
  async () => {
    const victim = await container('mount --bind /proc/1/root/dev/pts/ptmx /dev/pts/ptmx', 'root of the host');
    try {
      await expect(clone('/usr/bin/tty', [], { join: victim, pty: { from: 'container' } })).rejects.toMatchObject({
        code: 'EXDEV',
        hint: 'something else is mounted there',
      });
    } finally {
      victim.kill('SIGKILL');
      await victim.exited;
    }
  },
);

test('a bystander in the container finds no end of it in a child that waits', async () => {
  const victim = await container('', 'root of a user namespace');
  try {
    const child = await clone('/usr/bin/tty', [], { join: victim, hold: true, pty: { from: 'container' } });
    const looking = await clone('/bin/sh', ['-c', 'for p in /proc/[0-9]*; do ls -l $p/fd; done 2>/dev/null'], {
      join: victim,
      stdio,
    });
    expect(await text(looking.stdout)).not.toContain('ptmx');
    await looking.exited;
    await child.start();
    expect(await text(child.pty)).toBe('/dev/pts/0\r\n');
    await child.exited;
  } finally {
    victim.kill('SIGKILL');
    await victim.exited;
  }
});

test('a program that is root there reaches no terminal of ours by its own', async () => {
  const options = { ...containers['root of a user namespace'], mounts: [...mounts, { type: 'dev', target: '/dev' }] };
  const child = await clone('/bin/sh', ['-c', 'cd /dev/pts; echo *'], {
    ...(options as CloneOptions),
    flags: Flags.NEWUSER | Flags.NEWPID | Flags.NEWNS,
    pty: { from: 'container' },
  });
  expect(await text(child.pty)).toBe('0 ptmx\r\n');
  await child.exited;
});

/** Root of a container that makes every terminal in it the controlling one of a session of his, as soon as he can open it. */
const taking = `for n in 1 2 3 4; do (while :; do for file in /dev/pts/[0-9]*; do
  [ -e "$file" ] && setsid sh -c ': <> "$0" && sleep 1' "$file" 2> /dev/null; done; done) & done`;

async function keepsItsTerminal(sort: keyof typeof containers): Promise<void> {
  const victim = await container(taking, sort);
  try {
    for (let round = 0; round < 5; round++) {
      const starting = clone('/bin/sh', ['-c', ': < /dev/tty && echo ours'], {
        join: victim,
        pty: { from: 'container' },
        timeout: slow(10_000),
      });
      // It waits for us to take our end.
      for (const end = performance.now() + 100; performance.now() < end;);
      const child = await starting;
      expect(await text(child.pty)).toBe('ours\r\n');
      await child.exited;
    }
  } finally {
    victim.kill('SIGKILL');
    await victim.exited;
  }
}

describe('a terminal controls the session of the program, whoever else opens it', () => {
  test('root of a user namespace', () => keepsItsTerminal('root of a user namespace'));
  rootOnly('root of the host', () => keepsItsTerminal('root of the host'));
});
