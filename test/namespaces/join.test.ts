// A set of namespaces, joined: by commands, by several at once, by this thread, by recorded children.
import { readlinkSync } from 'node:fs';
import { connect } from 'node:net';

import {
  clone,
  createNamespaces,
  constants,
  Flags,
  type JoinTarget,
  Namespace,
  type NamespaceSet,
  perform,
  plan,
  record,
  type Recorder,
  run,
  setns,
  setnsSync,
} from '../../lib';
import { kindsOf } from '../../lib/flags';
import { rootOnly } from '../support/capability';
import { inside } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { evaluate } from '../support/own-process';
import { planning, refusal } from '../support/refusal';

leavesNothing();

const { NEWCGROUP, NEWIPC, NEWNET, NEWNS, NEWTIME, NEWUSER, NEWUTS } = Flags;
const every = NEWCGROUP | NEWIPC | NEWNET | NEWNS | NEWTIME | NEWUSER | NEWUTS;
const owned = { uidMap: 'root', gidMap: 'root' } as const;

let set: NamespaceSet;

beforeAll(async () => {
  set = await createNamespaces(every, { ...owned, hostname: 'shared', loopback: true });
});
afterAll(() => set.close());

const look = (flags: number): string =>
  `readlink ${kindsOf(flags)
    .map((kind) => `/proc/self/ns/${kind}`)
    .join(' ')}`;
const links = (made: NamespaceSet): string[] => [...made].map(({ kind, id }) => `${kind}:[${id}]`);

describe('a set, joined', () => {
  test('is each of its namespaces, with the ids of root', async () => {
    const told = await inside(`${look(every)}; id -u; id -g`, { join: set });
    expect(told.split('\n')).toEqual([...links(set), '0', '0']);
  });

  test('by several children at once: they share it', async () => {
    const names = await Promise.all(
      Array.from({ length: 8 }, () => inside(`hostname; ${look(NEWUTS)}`, { join: set })),
    );
    expect(new Set(names)).toEqual(new Set([`shared\nuts:[${set.uts.id}]`]));
    // What one does there, the next one finds.
    await inside('hostname changed', { join: set });
    expect(await inside('hostname', { join: set })).toBe('changed');
    await inside('hostname shared', { join: set });
  });

  test('in a list, with namespaces beside it that are new', async () => {
    const two = await createNamespaces(NEWUSER | NEWUTS, { ...owned, hostname: 'two' });
    const told = await inside(`hostname; ${look(NEWUTS | NEWNET)}`, {
      join: [two],
      flags: NEWIPC,
    });
    expect(told.split('\n')).toEqual(['two', `uts:[${two.uts.id}]`, readlinkSync('/proc/self/ns/net')]);
    two.close();
  });

  test('by a plan, as often as it is started', async () => {
    const made = plan('/bin/sh', ['-c', look(NEWNET)], { join: set });
    for (let round = 0; round < 3; round++) {
      const child = await clone(made);
      let text = '';
      child.stdout.on('data', (chunk) => (text += chunk));
      await new Promise((resolve) => child.once('close', resolve));
      expect(text).toBe(`net:[${set.net.id}]\n`);
    }
  });

  test('a server in it is reached from in there, and from nowhere else', async () => {
    const server = await clone(
      process.execPath,
      [
        '-e',
        `const server = require('net').createServer((socket) => socket.end('from inside'));
         server.listen(0, '127.0.0.1', () => console.log(server.address().port));`,
      ],
      { join: set, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const port = Number(await new Promise((resolve) => server.stdout.once('data', resolve)));
    const client = `require('net').connect(${port}, '127.0.0.1').on('data', (text) => process.stdout.write(text))`;
    const { stdout } = await run(process.execPath, ['-e', client], { join: set });
    expect(stdout).toBe('from inside');
    // There the number may be that of somebody else's server.
    const outside = await new Promise<string>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.end());
      let text = '';
      socket.on('data', (chunk) => (text += String(chunk)));
      socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code!));
      socket.once('close', () => resolve(text));
    });
    expect(outside).not.toContain('from inside');
    server.kill('SIGKILL');
    await server.exited;
  });

  test('its members alone, and by their descriptors', async () => {
    for (const join of [
      [set.user, set.net],
      [{ fd: set.net.fd }, set.user],
      [`/proc/${process.pid}/fd/${set.user.fd}`, set.net],
    ] satisfies JoinTarget[][]) {
      expect(await inside(look(NEWNET), { join })).toBe(`net:[${set.net.id}]`);
    }
  });

  test('cannot be together with a new one of its kinds', () => {
    expect(planning({ join: set, flags: NEWNET })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'join', 'cannot enter CLONE_NEWNET that flags create'),
    );
    expect(planning({ join: [set, set.net] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'join[1]', 'enters CLONE_NEWNET a second time'),
    );
  });

  test('is refused once it is closed by a line that was recorded with it, whoever has its number then', async () => {
    using set = await createNamespaces(NEWUSER | NEWNET | NEWUTS, owned);
    const line = (c: Recorder): void => void c.setns(set.net, NEWNET);
    const program = record(line);
    const raw = record((c) => void c.syscall('setns', set.net, NEWNET));
    const within = record((c) => void c.sendmsg(1, { fds: [set.uts, set.net] }));
    const made = plan('/bin/true', [], { steps: [{ at: 'start', run: line }] });
    const number = set.net.fd;
    set.net.close();
    const others: Namespace[] = [];
    do others.push(Namespace.open(`/proc/self/fd/${set.uts.fd}`));
    while (others.at(-1)!.fd !== number);
    const closed = (syscall: string, option = 'program[0]'): unknown => ({
      code: 'EBADF',
      syscall,
      option,
      message: `EBADF: its descriptor is closed, ${syscall} (${option})`,
    });
    await expect(clone(program)).rejects.toMatchObject(closed('setns') as object);
    await expect(clone(raw)).rejects.toMatchObject(closed('setns') as object);
    await expect(clone(within)).rejects.toMatchObject(closed('sendmsg') as object);
    await expect(clone(record(line))).rejects.toMatchObject(closed('setns') as object);
    await expect(clone(made)).rejects.toMatchObject(closed('setns', 'steps[0]') as object);
    expect(() => perform(record((c) => void c.ioctl(set.net, 0xb703)))).toThrow('its descriptor is closed');
    for (const other of others) other.close();
  });
  test('is refused once it is closed, also by a plan that was made before', async () => {
    const closed = await createNamespaces(NEWUSER | NEWNET, owned);
    const made = plan('/bin/true', [], { join: [closed] });
    closed.close();
    const error = { code: 'EBADF', syscall: 'setns', option: 'join[0].net.fd' };
    await expect(clone(made)).rejects.toMatchObject(error);
    await expect(clone('/bin/true', [], { join: [closed] })).rejects.toMatchObject(error);
    await expect(setns(closed, NEWNET)).rejects.toMatchObject({ ...error, option: 'target.net.fd' });
  });

  test('by the calling thread: what a thread cannot enter is refused, by its kind', async () => {
    expect(() => setnsSync(set)).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'target', 'CLONE_NEWUSER'));
    const few = await createNamespaces(NEWUSER | NEWUTS);
    expect(() => setnsSync(few, NEWUTS | NEWNET)).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'target', 'has no CLONE_NEWNET'),
    );
    few.close();
  });

  rootOnly('by the calling thread: all of it, or the kinds that are asked for', () => {
    const told = evaluate<boolean[]>(
      `const { createNamespaces, Flags, Namespace, setnsSync } = nsclone;
       const set = await createNamespaces(Flags.NEWUTS | Flags.NEWNET);
       const before = Namespace.current('net');
       setnsSync(set, Flags.NEWUTS);
       const now = [Namespace.current('uts').equals(set.uts), Namespace.current('net').equals(before)];
       setnsSync(set);
       return [...now, Namespace.current('net').equals(set.net)];`,
    );
    expect(told).toEqual([true, true, true]);
  });

  test('a member is an argument of recorded calls', async () => {
    const { AF_INET, SOCK_DGRAM } = constants;
    const program = record((c) => {
      c.setns(set.user, NEWUSER);
      c.setns(set.net, NEWNET);
      const name = c.buffer(64);
      c.socket(AF_INET, SOCK_DGRAM, 0);
      return [c.readlinkat(constants.AT_FDCWD, '/proc/thread-self/ns/net', name), name];
    });
    const [length, name] = (await clone(program)).results;
    expect(name.toString('utf8', 0, length)).toBe(`net:[${set.net.id}]`);
  });
});
