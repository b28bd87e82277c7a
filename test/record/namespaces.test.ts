// New namespaces of a recorded child, seen from inside it; and the way into one from another.
import { createConnection, createServer, type Server } from 'node:net';
import { text } from 'node:stream/consumers';
import { readlinkSync } from 'node:fs';

import { clone, constants, Flags, type Program, record, type Recorder } from '../../lib';
import { namespaceKinds } from '../../lib/flags';
import { rootOnly, userOnly } from '../support/capability';
import { leavesNothing } from '../support/leftovers';

const { AF_INET, AT_FDCWD, IFF_UP, O_CLOEXEC, O_RDONLY, SIOCSIFFLAGS, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_STREAM } =
  constants;

leavesNothing();

/** What a namespace of the child is called: 'net:[4026531840]'. */
async function namespaceOf(name: string, flags: number): Promise<string> {
  const program = record((c) => {
    const link = c.buffer(64);
    return [c.readlinkat(AT_FDCWD, `/proc/thread-self/ns/${name}`, link), link];
  });
  const [length, link] = (await clone(program, { flags })).results;
  return link.toString('utf8', 0, length);
}

for (const { kind, flag, name } of namespaceKinds) {
  for (const [memory, shared] of [
    ['a copy of our memory', 0],
    ['our memory', Flags.VM],
  ] as const) {
    // A child that shares memory cannot be in another time namespace than we: its children are.
    const link = kind === 'time' && shared !== 0 ? 'time_for_children' : kind;
    rootOnly(`Flags.${name} gives a child with ${memory} a namespace of its own`, async () => {
      const ours = readlinkSync(`/proc/self/ns/${kind}`);
      expect(await namespaceOf(link, shared)).toBe(ours);
      const theirs = await namespaceOf(link, shared | flag);
      expect(theirs).toMatch(new RegExp(`^${kind}:\\[\\d+\\]$`));
      expect(theirs).not.toBe(ours);
    });
  }
}

rootOnly('the first process of a pid namespace is 1 there and has no parent', async () => {
  const child = await clone(
    record((c) => [c.getpid(), c.getppid()]),
    { flags: Flags.VM | Flags.NEWPID },
  );
  expect(child.results).toEqual([1, 0]);
  expect(child.pid).toBeGreaterThan(1);
});

rootOnly('a new uts namespace keeps its name to itself', async () => {
  const program = record((c) => {
    c.sethostname('inside');
    const names = c.buffer(390);
    c.uname(names);
    return names;
  });
  const { results } = await clone(program, { flags: Flags.NEWUTS });
  expect(results.toString('utf8', 65, 71)).toBe('inside');
  expect(readlinkSync('/proc/self/ns/uts')).toBe(await namespaceOf('uts', 0));
});

userOnly('an ordinary user is told what is missing', async () => {
  await expect(
    clone(
      record(() => {}),
      { flags: Flags.NEWNET },
    ),
  ).rejects.toMatchObject({
    code: 'EPERM',
    syscall: 'clone3',
    option: 'flags',
    hint: expect.stringContaining('Flags.NEWUSER'),
  });
});

// ---- sockets of another network namespace

const sharing = Flags.VM | Flags.FILES;

async function run<R>(program: Program<R>, flags = sharing): Promise<R> {
  return (await clone(program, { flags })).results;
}

/** A new network namespace with its loopback up, as a descriptor of ours. */
function newNetwork(): Promise<number> {
  return run(
    record((c) => {
      const socket = c.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC);
      c.ioctl(socket, SIOCSIFFLAGS, { name: 'lo', flags: IFF_UP });
      c.close(socket);
      return c.openat(AT_FDCWD, '/proc/thread-self/ns/net', O_RDONLY | O_CLOEXEC);
    }),
    sharing | Flags.NEWNET,
  );
}

async function close(descriptor: number): Promise<void> {
  await run(record((c) => void c.close(descriptor)));
}

const listening = (server: Server, fd: number): Promise<void> =>
  new Promise((resolve) => server.listen({ fd }, resolve));
const closed = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()));

rootOnly('a server of ours serves in another network namespace', async () => {
  const netns = { fd: await newNetwork() };
  const port = 80;
  const program = record((c) => {
    c.setns(netns, Flags.NEWNET);
    const sock = c.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    c.bind(sock, { address: '127.0.0.1', port });
    c.listen(sock, 128);
    return { sock };
  });
  const { results } = await clone(program, { flags: Flags.VM | Flags.FILES });
  const server = createServer((connection) => {
    connection.once('data', (question) => connection.end(`you said ${question.toString()}`));
  });
  try {
    await listening(server, results.sock);
    // From inside: a child of its own that joins the namespace.
    const [length, answer] = await run(
      record((c) => {
        c.setns(netns, Flags.NEWNET);
        const sock = c.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC);
        c.connect(sock, { address: '127.0.0.1', port });
        c.write(sock, 'hello');
        const buffer = c.buffer(64);
        return [c.read(sock, buffer), buffer];
      }),
      Flags.VM,
    );
    expect(answer.toString('utf8', 0, length)).toBe('you said hello');
    // From outside nobody is there.
    const outside = createConnection(port, '127.0.0.1');
    await expect(text(outside)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  } finally {
    await closed(server);
    await close(netns.fd);
  }
});

rootOnly('a port of another network namespace is free there', async () => {
  const netns = { fd: await newNetwork() };
  const outside = createServer();
  await new Promise<void>((resolve) => outside.listen(0, '127.0.0.1', resolve));
  const { port } = outside.address() as { port: number };
  const bind = (c: Recorder): void => {
    c.bind(c.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC), { address: '127.0.0.1', port });
  };
  try {
    await expect(run(record(bind), Flags.VM)).rejects.toThrow(
      `EADDRINUSE: address already in use, bind 127.0.0.1:${port} (program[1])`,
    );
    await run(
      record((c) => {
        c.setns(netns, Flags.NEWNET);
        bind(c);
      }),
      Flags.VM,
    );
  } finally {
    await closed(outside);
    await close(netns.fd);
  }
});

rootOnly('Node itself stays in its network namespace', async () => {
  const before = readlinkSync('/proc/self/ns/net');
  await close(await newNetwork());
  expect(readlinkSync('/proc/self/ns/net')).toBe(before);
});

rootOnly('a thread joins alone', async () => {
  const netns = { fd: await newNetwork() };
  try {
    const thread = Flags.VM | Flags.SIGHAND | Flags.THREAD;
    const found = await run(
      record((c) => {
        c.setns(netns, Flags.NEWNET);
        const link = c.buffer(64);
        c.readlinkat(AT_FDCWD, '/proc/thread-self/ns/net', link);
        return link;
      }),
      thread,
    );
    expect(String(found).replaceAll('\0', '')).toBe(readlinkSync(`/proc/self/fd/${netns.fd}`));
    expect(String(found)).not.toContain(readlinkSync('/proc/self/ns/net'));
  } finally {
    await close(netns.fd);
  }
});
