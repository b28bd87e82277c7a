// Steps of a terminal that the child opens by itself: `pty` with `from: 'container'`, `sendTo` and `stderr`.
import { closeSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

import { clone, type ClonedProcess, type CloneOptions, constants, Flags, perform, plan, record, run } from '../../lib';
import { rootOnly } from '../support/capability';
import { calls, failAt, fieldsOf } from '../support/fault';
import { fewDescriptors } from '../support/few-descriptors';
import { owned, read } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted, linesOf } from '../support/listing';
import { evaluate } from '../support/own-process';
import { planning, refusal } from '../support/refusal';
import { proc, programs } from '../support/root-folder';
import { slow } from '../support/slow';

// Before it is looked for.
const opened: number[] = [];
afterEach(() => {
  for (const descriptor of opened.splice(0)) closeSync(descriptor);
});

leavesNothing();

const { AF_UNIX, MSG_CMSG_CLOEXEC, MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_STREAM } = constants;

const inView = {
  ...owned(Flags.NEWPID | Flags.NEWNS),
  mounts: [
    { type: 'proc', target: '/proc' },
    { type: 'dev', target: '/dev' },
  ],
} satisfies CloneOptions;
const inRoot = {
  ...owned(Flags.NEWPID | Flags.NEWNS),
  root: { type: 'tmpfs' },
  mounts: [
    ...programs,
    proc,
    { type: 'dir', target: '/dev' },
    { type: 'devpts', target: '/dev/pts', create: true },
    { type: 'symlink', target: '/dev/ptmx', to: 'pts/ptmx' },
  ],
} satisfies CloneOptions;
const sorts: [string, CloneOptions][] = [
  ['with a /dev of its own', inView],
  ['in another root', inRoot],
  ['beside a pid 1', { ...inView, init: true }],
];

/** What appears at the terminal, and how it ended. */
async function screen(child: ClonedProcess): Promise<string> {
  // Until then its number is nobody else's.
  const closed = once(child, 'close');
  const output = await text(child.pty!);
  expect(await child.exited).toMatchObject({ code: 0, signal: null });
  await closed;
  return output.replaceAll('\r', '');
}

/** Two ends that are connected, closed when the test is done. */
function sockets(type: number = SOCK_STREAM): readonly [number, number] {
  const pair = perform(record((c) => c.socketpair(AF_UNIX, type | SOCK_CLOEXEC)));
  opened.push(...pair);
  return pair;
}

/** As a console socket's owner takes it. */
function receive(socket: number): { readonly name: string; readonly fds: readonly number[] } {
  const { buffer, length, fds } = perform(
    record((c) => {
      const room = c.buffer(64);
      return { buffer: room, ...c.recvmsg(socket, { buffer: room, fds: 2 }, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) };
    }),
  );
  const there = fds.filter((descriptor) => descriptor >= 0);
  opened.push(...there);
  return { name: buffer.toString('latin1', 0, length), fds: there };
}

describe('pty rejects', () => {
  test.each(['Host', '', 1, null, true])('from: %p', (from) => {
    expect(planning({ ...inView, pty: { from } })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'pty.from'));
  });
  test.each(['3', null, {}, true])('sendTo: %p', (sendTo) => {
    expect(planning({ pty: { sendTo } })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'pty.sendTo'));
  });
  test.each([-1, 1.5, 2 ** 31])('sendTo: %p', (sendTo) => {
    expect(planning({ pty: { sendTo } })).toThrow(refusal('ERR_OUT_OF_RANGE', 'pty.sendTo'));
  });
  test.each(['inherit', 'ignore', 'pty'])('stderr: %p', (stderr) => {
    expect(planning({ pty: { stderr } })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'pty.stderr'));
  });
  test('one of a devpts that the child has not', () => {
    const because =
      "cannot be 'container' without root, a mount of type 'dev' or 'devpts', or a mount namespace in join";
    for (const options of [
      {},
      owned(Flags.NEWNS),
      { ...owned(Flags.NEWNS | Flags.NEWPID), mounts: [{ type: 'proc', target: '/proc' }] },
      { join: '/proc/self/ns/net' },
    ]) {
      expect(planning({ ...options, pty: { from: 'container' } })).toThrow(
        refusal('ERR_INVALID_ARG_VALUE', 'pty.from', because),
      );
    }
    for (const options of [inView, inRoot, { join: '/proc/self/ns/mnt' }])
      expect(planning({ ...options, pty: { from: 'container' } })).not.toThrow();
  });
  test('words that are near to one', () => {
    expect(planning({ pty: { sendto: 3 } })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'pty.sendto', 'sendTo'));
  });
});

describe('pty emits', () => {
  test('nothing of it for a terminal that we open', () => {
    for (const step of ['terminal socket', 'sent terminal', 'container terminal'])
      expect(emitted(step, { pty: true })).toEqual([]);
  });
  test('a terminal of the file system that lies on /dev/pts, and nothing that lies upon it', () => {
    const lines = emitted('container terminal', { ...inRoot, pty: { from: 'container' } });
    expect(lines.some((line) => /openat2\(r\d+, "\/dev\/pts", .*RESOLVE_IN_ROOT\}/.test(line))).toBe(true);
    expect(lines.some((line) => line.includes('ENODEV unless'))).toBe(true);
    expect(
      lines.some((line) => /openat2\(r\d+, "ptmx", .*RESOLVE_BENEATH\|RESOLVE_NO_SYMLINKS\|RESOLVE_NO_XDEV/.test(line)),
    ).toBe(true);
    expect(lines.at(-1)).toBe('pty.from: wait for the parent, which takes our end of the terminal');
  });
  test('no owner for what is no terminal yet', () => {
    const steps = linesOf(plan('/bin/true', [], { ...inRoot, pty: { from: 'container' } }));
    const owner = steps.findIndex(({ call }) => call.startsWith('fchown(0'));
    expect(owner).toBeGreaterThan(steps.findIndex(({ step }) => step === 'container terminal'));
  });
});

describe.each(sorts)('a terminal of the container, %s', (_, options) => {
  test('has a path there', async () => {
    const child = await clone(
      '/bin/sh',
      ['-c', 'tty; readlink /proc/self/fd/0; stty size; : < /dev/pts/0 && echo own'],
      {
        ...options,
        pty: { from: 'container', columns: 100, rows: 30 },
      },
    );
    expect(await screen(child)).toBe('/dev/pts/0\n/dev/pts/0\n30 100\nown\n');
  });

  test('hears what is typed, and has a window', async () => {
    const script = 'trap "stty size; exit" WINCH; read -r line; echo "read $line"; while :; do sleep 0.01; done';
    const child = await clone('/bin/sh', ['-c', script], { ...options, pty: { from: 'container' } });
    child.pty.write('hello\n');
    let output = '';
    for await (const chunk of child.pty) {
      output += String(chunk);
      if (output.includes('read hello')) child.pty.resize(132, 43);
    }
    expect(output).toContain('43 132');
    expect(await child.exited).toMatchObject({ code: 0 });
  });

  test('is the one that Ctrl-C arrives at', async () => {
    const script = 'trap "echo interrupted; exit" INT; echo ready; while :; do sleep 0.01; done';
    const child = await clone('/bin/sh', ['-c', script], { ...options, pty: { from: 'container' } });
    let output = '';
    for await (const chunk of child.pty) {
      output += String(chunk);
      if (output.endsWith('ready\r\n')) child.pty.write('\x03');
    }
    expect(output).toContain('interrupted');
  });

  test('hangs up when it is destroyed, or nobody has touched it', async () => {
    const child = await clone('/bin/cat', [], { ...options, pty: { from: 'container' } });
    child.pty.destroy();
    await child.exited;
    const untouched = await clone('/bin/sh', ['-c', 'echo unread'], { ...options, pty: { from: 'container' } });
    await once(untouched, 'close');
    expect(await text(untouched.pty)).toBe('unread\r\n');
  });
});

describe("a terminal of the container's", () => {
  test('is the console of its /dev', async () => {
    const child = await clone(
      '/bin/sh',
      ['-c', 'echo by console > /dev/console; stat -c %t:%T /dev/console /dev/pts/0'],
      {
        ...inView,
        pty: { from: 'container' },
      },
    );
    const [said, console_, terminal] = (await screen(child)).split('\n');
    expect([said, console_]).toEqual(['by console', terminal]);
  });

  test('belongs to whoever the program is', async () => {
    const uids = [{ containerID: 0, hostID: process.geteuid!(), size: 1 }];
    const child = await clone('/bin/sh', ['-c', 'stat -c %u /dev/pts/0; echo by path > "$(tty)"'], {
      ...inView,
      uidMap: uids,
      pty: { from: 'container' },
    });
    expect(await screen(child)).toBe('0\nby path\n');
  });

  rootOnly('belongs to another user too', async () => {
    const ids = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
    for (const options of [
      { ...inView, uidMap: ids, gidMap: ids },
      { ...inView, flags: Flags.NEWNS | Flags.NEWPID, uidMap: undefined, gidMap: undefined },
    ]) {
      const child = await clone('/bin/sh', ['-c', 'stat -c %u /dev/pts/0; echo by path > "$(tty)"'], {
        ...options,
        uid: 7,
        gid: 7,
        pty: { from: 'container' },
      });
      expect(await screen(child)).toBe('7\nby path\n');
    }
  });

  rootOnly(
    'belongs to who is somebody else in a second user namespace, which has no place for root of the first',
    async () => {
      const ids = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
      const few = [{ containerID: 0, hostID: 1000, size: 10 }];
      for (const [uid, init] of [
        [undefined, false],
        [7, true],
      ] as const) {
        const child = await clone('/bin/sh', ['-c', 'stat -c %u /dev/pts/0; echo by path > "$(tty)"'], {
          ...inView,
          flags: Flags.NEWUSER | Flags.NEWNS | Flags.NEWPID,
          uidMap: ids,
          gidMap: ids,
          inner: { uidMap: few, gidMap: few },
          uid,
          init,
          pty: { from: 'container' },
        });
        expect(await screen(child)).toBe(`${uid ?? 0}\nby path\n`);
      }
    },
  );

  test('is there while the child is held, from the stop after it on', async () => {
    const child = await clone('/usr/bin/tty', [], { ...inView, hold: ['mounts', 'exec'], pty: { from: 'container' } });
    expect(child.pty).toBeNull();
    await child.start();
    child.pty.resize(10, 10);
    await child.start();
    expect(await screen(child)).toBe('/dev/pts/0\n');
  });

  test('is one of a container that is joined', async () => {
    const container = await clone('/bin/sleep', ['100'], { ...inRoot, stdio: 'ignore' });
    try {
      for (const expected of ['/dev/pts/0\n', '/dev/pts/0\n']) {
        const child = await clone('/usr/bin/tty', [], { join: container, pty: { from: 'container' } });
        expect(await screen(child)).toBe(expected);
      }
    } finally {
      container.kill('SIGKILL');
      await container.exited;
    }
  });

  rootOnly('belongs to who the program is in a container that is joined, which has no place for us', async () => {
    const ids = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
    const flags = Flags.NEWUSER | Flags.NEWNS | Flags.NEWPID;
    const container = await clone('/bin/sleep', ['100'], {
      ...inView,
      flags,
      uidMap: ids,
      gidMap: ids,
      stdio: 'ignore',
    });
    try {
      for (const options of [{}, { uid: 7, gid: 7 }, { flags: Flags.NEWPID, init: true }]) {
        const child = await clone('/bin/sh', ['-c', 'stat -c %u "$(tty)"; echo by path > "$(tty)"'], {
          join: container,
          ...options,
          pty: { from: 'container' },
        });
        expect(await screen(child)).toBe(`${'uid' in options ? 7 : 0}\nby path\n`);
      }
    } finally {
      container.kill('SIGKILL');
      await container.exited;
    }
  });
});

describe("stderr: 'pipe'", () => {
  test.each([['of ours', {}] as const, ['of the container', { ...inView, from: 'container' }] as const])(
    'stays apart from a terminal %s',
    async (_, { from, ...options }: CloneOptions & { from?: 'container' }) => {
      const child = await clone(
        '/bin/sh',
        ['-c', 'tty >&2; for n in 0 1 2; do [ -t $n ] && echo $n; done; echo problem >&2'],
        {
          ...options,
          pty: { stderr: 'pipe', from },
        },
      );
      const [problems, output] = await Promise.all([read(child.stderr), text(child.pty)]);
      expect(output).toBe('0\r\n1\r\n');
      expect(problems).toMatch(/^\/dev\/pts\/\d+\nproblem\n$/);
      expect([child.stdin, child.stdout, child.stdio[2]]).toEqual([null, null, child.stderr]);
      expect(await child.exited).toMatchObject({ code: 0 });
    },
  );
});

describe.each([
  ['of ours', {}, undefined],
  ['of the container', inView, 'container'],
] as const)('a terminal %s, sent to a socket', (_, options, from) => {
  const start = (
    sendTo: number,
    script = 'echo "$(stty size)"; read -r line; echo "read $line"',
  ): Promise<ClonedProcess> =>
    clone('/bin/sh', ['-c', script], {
      ...options,
      pty: { from, sendTo, columns: 90, rows: 20 },
      timeout: slow(10_000),
    });

  test('arrives as one descriptor with a name, and is nobody else’s', async () => {
    const [theirs, ours] = sockets();
    const child = await start(ours);
    expect([child.pty, child.stdin, child.stdout, child.stderr]).toEqual([null, null, null, null]);
    const { name, fds } = receive(theirs);
    expect([name, fds.length]).toEqual(['/dev/ptmx', 1]);
    const screenful = Buffer.alloc(1000);
    let shown = '';
    const readOn = (): void => {
      shown += screenful.toString('latin1', 0, readSync(fds[0]!, screenful));
    };
    // The echo of what is typed comes between anything.
    while (!shown.includes('\n')) readOn();
    perform(record((c) => c.write(fds[0]!, 'hello\n')));
    await child.exited;
    // Until reading is at its end: nobody else has it.
    const readAll = (): void => {
      for (;;) readOn();
    };
    expect(readAll).toThrow(expect.objectContaining({ code: 'EIO' }));
    expect(shown).toContain('20 90\r\n');
    expect(shown).toContain('read hello\r\n');
  });

  test('hangs up with the last who has it', async () => {
    const [theirs, ours] = sockets();
    const child = await start(ours, 'exec cat');
    const { fds } = receive(theirs);
    closeSync(opened.splice(opened.indexOf(fds[0]!), 1)[0]!);
    await child.exited;
  });

  test('which is full: nobody waits', async () => {
    const [, ours] = sockets();
    perform(
      record((c) => {
        for (let i = 0; i < 600; i++) c.sendto(ours, Buffer.alloc(4096), MSG_DONTWAIT).accept('EAGAIN');
      }),
    );
    await expect(start(ours)).rejects.toMatchObject({
      code: 'EAGAIN',
      syscall: 'sendmsg',
      option: 'pty.sendTo',
      hint: 'it is full: who has the other end does not read',
    });
  });

  test('whose other end is closed', async () => {
    const [theirs, ours] = sockets();
    closeSync(opened.splice(opened.indexOf(theirs), 1)[0]!);
    await expect(start(ours)).rejects.toMatchObject({
      code: 'EPIPE',
      option: 'pty.sendTo',
      hint: 'nobody has its other end any more',
    });
  });

  test('which is closed itself', async () => {
    const [, ours] = sockets();
    closeSync(opened.splice(opened.indexOf(ours), 1)[0]!);
    await expect(start(ours)).rejects.toMatchObject({
      code: 'EBADF',
      option: 'pty.sendTo',
      hint: `descriptor ${ours} is not open in Node`,
    });
  });

  test('which is none, of another kind, or not connected', async () => {
    const file = openSync('/dev/null', 'r+');
    const alone = perform(record((c) => c.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)));
    opened.push(file, alone);
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client: Socket = connect((server.address() as { port: number }).port, '127.0.0.1');
    await once(client, 'connect');
    const { fd } = (client as unknown as { _handle: { fd: number } })._handle;
    try {
      for (const [socket, code, hint] of [
        [file, 'ENOTSOCK', 'it is no socket'],
        [fd, 'EAFNOSUPPORT', 'it is no Unix socket, and no other takes descriptors'],
        [sockets(SOCK_DGRAM)[0], 'EPROTOTYPE', 'it is no stream socket, as a console socket is one'],
        [alone, 'ENOTCONN', 'it is not connected'],
      ] as const)
        await expect(start(socket)).rejects.toMatchObject({ code, hint, option: 'pty.sendTo' });
    } finally {
      client.destroy();
      server.close();
    }
  });

  rootOnly('is open nowhere in a child that waits, with closeFds: false either', async () => {
    const [theirs, ours] = sockets();
    for (const sendTo of [ours, undefined]) {
      const child = await clone('/bin/true', { ...options, hold: true, closeFds: false, pty: { from, sendTo } });
      const files = readdirSync(`/proc/${child.pid}/fd`).map((name) => readlinkSync(`/proc/${child.pid}/fd/${name}`));
      expect(files.filter((file) => file.includes('ptmx'))).toEqual([]);
      expect(files.filter((file) => file.startsWith('/dev/pts/') || file === '/0').length).toBe(3);
      child.kill('SIGKILL');
      await child.exited;
    }
    expect(receive(theirs).fds).toHaveLength(1);
  });

  test('with stderr apart', async () => {
    const [theirs, ours] = sockets();
    const child = await clone('/bin/sh', ['-c', 'echo problem >&2'], {
      ...options,
      pty: { from, sendTo: ours, stderr: 'pipe' },
    });
    expect(await read(child.stderr)).toBe('problem\n');
    expect(receive(theirs).fds).toHaveLength(1);
    await child.exited;
  });
});

describe('pty reports', () => {
  const container = { from: 'container' } as const;
  const start = (mounts: CloneOptions['mounts']): Promise<ClonedProcess> =>
    clone('/bin/true', { ...inView, mounts, pty: container });

  test('a root without one', async () => {
    const error = await clone('/bin/true', { ...owned(Flags.NEWNS), root: { type: 'tmpfs' }, pty: container }).catch(
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({
      code: 'ENOENT',
      step: 'container terminal',
      option: 'pty.from',
      path: '/dev/pts',
      hint: "there is none in this root: mount one, { type: 'devpts', target: '/dev/pts' }",
    });
  });
  test('another file system in its place', async () => {
    const mounts = [...inView.mounts, { type: 'tmpfs', target: '/dev/pts' }] as const;
    await expect(start(mounts)).rejects.toMatchObject({ code: 'ENODEV', path: '/dev/pts', hint: 'it is no devpts' });
  });
  test('a mount upon what opens terminals', async () => {
    const mounts = [...inView.mounts, { type: 'bind', source: '/dev/null', target: '/dev/pts/ptmx' }] as const;
    await expect(start(mounts)).rejects.toMatchObject({
      code: 'EXDEV',
      path: '/dev/pts/ptmx',
      hint: 'something else is mounted there',
    });
  });
  test.each([
    ['openat2', 'ptmx', 'EACCES', 'this devpts is not for everybody'],
    ['openat2', 'ptmx', 'ENOSPC', 'as many terminals as may be'],
    ['sendmsg', '', 'ETOOMANYREFS', 'too many descriptors are on their way'],
  ])('%s(%s) that is refused', async (name, argument, code, hint) => {
    const error = await failAt(
      { ...inView, pty: container },
      ({ step, call }) => step === 'container terminal' && call.startsWith(name) && call.includes(argument),
      code,
    );
    expect(fieldsOf(error)).toMatchObject({ code, syscall: name, step: 'container terminal', option: 'pty.from' });
    expect(error.hint).toContain(hint);
  });
  test('a child killed while it hands it over', async () => {
    await expect(
      failAt({ ...inView, pty: container }, calls('wait for the parent, which takes'), -1),
    ).resolves.toMatchObject({
      code: 'ECHILD',
      signal: 'SIGKILL',
    });
  });
  test('no descriptor left for our end of it', () => {
    const error = evaluate<object>(
      `const { clone, Flags } = nsclone;
       const box = { flags: Flags.NEWUSER | Flags.NEWNS, uidMap: 'root', gidMap: 'root', mounts: [{ type: 'dev', target: '/dev' }] };
       const child = await clone('/bin/true', { ...box, pty: { from: 'container' }, hold: 'mounts' });
       const files = [];
       try { for (;;) files.push(fs.openSync('/dev/null', 'r')); } catch {}
       const error = await child.start().catch((reason) => reason);
       const { signal } = await child.exited;
       for (const file of files) fs.closeSync(file);
       return { code: error.code, step: error.step, option: error.option, signal };`,
      fewDescriptors,
    );
    expect(error).toEqual({ code: 'EMFILE', step: 'container terminal', option: 'pty', signal: 'SIGKILL' });
  });
});

test('run() still has none', async () => {
  await expect(run('true', [], { pty: { stderr: 'pipe' } } as never)).rejects.toMatchObject({ option: 'pty' });
});

rootOnly('a terminal of the container belongs to the program in a user namespace below', async () => {
  const map = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
  // Who is root of the first one has no place in the second.
  const below = [{ containerID: 0, hostID: 1000, size: 10 }];
  for (const init of [false, true]) {
    const child = await clone('/bin/sh', ['-c', 'tty; stat -c %u /dev/pts/0; : < /dev/pts/0 && echo own'], {
      flags: Flags.NEWUSER | Flags.NEWNS | Flags.NEWPID,
      uidMap: map,
      gidMap: map,
      inner: { uidMap: below, gidMap: below },
      mounts: [{ type: 'dev', target: '/dev' }],
      uid: 5,
      gid: 6,
      init,
      pty: { from: 'container' },
    });
    expect(await screen(child)).toBe('/dev/pts/0\n5\nown\n');
  }
});
