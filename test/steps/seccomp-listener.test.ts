// Step `seccomp listener`: a filter's notifications are answered by somebody who gets the listener at a Unix socket.
import { once } from 'node:events';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, connect, type Server } from 'node:net';

import { clone, type CloneOptions, constants, Flags, perform, plan, record, type SeccompProfile } from '../../lib';
import { syscalls } from '../../lib/kernel/syscalls';
import { failureOf, notifying, supervisors } from '../seccomp/supervisor';
import { rootOnly, userOnly } from '../support/capability';
import { withCompiler } from '../support/compiled';
import { calls, failAt } from '../support/fault';
import { inside, owned, read } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { linesOf, notesOf } from '../support/listing';
import { planning, refusal } from '../support/refusal';
import { inTime, slow, until } from '../support/slow';
import { temporaryFolder } from '../support/temporary-folder';

const supervisor = supervisors();
leavesNothing();
const folder = temporaryFolder();

const EACCES = 13;
const silent = { stdio: 'ignore' } as const;
/** By which programs end and start, and we send: nothing of it is let through. */
const all = (listenerPath: string): SeccompProfile => ({ defaultAction: 'SCMP_ACT_NOTIFY', listenerPath });

describe('a listener is refused', () => {
  test.each([
    ['', 'ERR_INVALID_ARG_VALUE', 'must not be empty'],
    ['a\0b', 'ERR_INVALID_ARG_VALUE', 'null bytes'],
    ['x'.repeat(108), 'ERR_INVALID_ARG_VALUE', 'must not be longer than 107 bytes'],
    ['ä'.repeat(54), 'ERR_INVALID_ARG_VALUE', 'must not be longer than 107 bytes'],
    [5, 'ERR_INVALID_ARG_TYPE', ''],
    [null, 'ERR_INVALID_ARG_TYPE', ''],
  ] as const)('at %p', (listenerPath, code, message) => {
    const seccomp = { ...notifying('', 'mkdir'), listenerPath };
    expect(planning({ seccomp })).toThrow(refusal(code, 'seccomp.listenerPath', message));
  });
  test('without a path, whose notifications nobody would answer', () => {
    const { listenerPath: _, ...nowhere } = notifying('', 'mkdir');
    expect(planning({ seccomp: nowhere })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'seccomp', 'no listenerPath'));
    expect(planning({ seccomp: [{ defaultAction: 'SCMP_ACT_NOTIFY' }] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'seccomp[0]', 'no listenerPath'),
    );
    expect(planning({ seccomp: { defaultAction: 'SCMP_ACT_ALLOW', listenerMetadata: 'a' } })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'seccomp.listenerMetadata', 'which is not given'),
    );
  });
  test('without a rule that notifies', () => {
    expect(planning({ seccomp: { defaultAction: 'SCMP_ACT_ALLOW', listenerPath: '/run/agent' } })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'seccomp.listenerPath', 'SCMP_ACT_NOTIFY, which no rule says'),
    );
  });
  test('where there is one already', () => {
    const one = notifying('/run/agent', 'mkdir');
    expect(planning({ seccomp: [one, { defaultAction: 'SCMP_ACT_ALLOW' }, one] })).toThrow(
      refusal(
        'ERR_INVALID_ARG_VALUE',
        'seccomp[2].listenerPath',
        'the kernel takes one for a process, and seccomp[0] has it',
      ),
    );
  });
  test('behind a filter that has no room for a door', () => {
    const refusing = Buffer.alloc(4090 * 8);
    // return ERRNO, and what is never reached.
    for (let at = 0; at < refusing.length; at += 8) {
      refusing.writeUInt16LE(6, at);
      refusing.writeUInt32LE(0x5_0001, at + 4);
    }
    const seccomp = [refusing, notifying('/run/agent', 'mkdir')];
    expect(planning({ seccomp })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'seccomp[0]', 'sendmsg and close'));
    expect(planning({ seccomp: seccomp.reverse() })).not.toThrow();
  });
  test('as to the flag about notifications, where there are none', () => {
    const flags = ['LOG', 'WAIT_KILLABLE_RECV'] as const;
    expect(planning({ seccomp: { defaultAction: 'SCMP_ACT_ALLOW', flags } })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'seccomp.flags[1]', 'is about notifications'),
    );
    expect(planning({ seccomp: { ...notifying('/run/agent', 'mkdir'), flags } })).not.toThrow();
  });
});

describe('a listener emits', () => {
  const steps = (seccomp: CloneOptions['seccomp'], options: CloneOptions = {}): string[] =>
    linesOf(plan('/bin/true', [], { ...options, seccomp }))
      .filter(({ step }) => step.startsWith('seccomp'))
      .map(({ call }) => /^\w+/.exec(call)![0]);
  const door = /has a door for the calls that send the listener/;

  test('what takes it to the socket, right after the filter', () => {
    const seccomp = notifying('/run/agent', 'mkdir');
    const taken = 'socket fcntl close connect ioctl openat fcntl close';
    const sent = 'readlinkat data data data close seccomp data sendmsg close close close close fail';
    expect(steps(seccomp).join(' ')).toBe(`${taken} ${sent}`);
    expect(notesOf(plan('/bin/true', [], { seccomp }))).not.toContainEqual(expect.stringMatching(door));
    const [line] = linesOf(plan('/bin/true', [], { seccomp })).filter(({ call }) => call.startsWith('sendmsg'));
    expect(line).toMatchObject({ option: 'seccomp.listenerPath', call: expect.stringMatching(/SCM_RIGHTS of 1/) });
  });
  test.each(['sendmsg', 'close'])('a door where the filter would not let %s through, and says so', (name) => {
    const seccomp = notifying('/run/agent', name);
    expect(steps(seccomp)).toEqual(expect.arrayContaining(['getrandom']));
    expect(notesOf(plan('/bin/true', [], { seccomp }))).toContainEqual(expect.stringMatching(door));
    expect(steps([seccomp, { defaultAction: 'SCMP_ACT_ERRNO' }])).toEqual(expect.arrayContaining(['getrandom']));
  });
  test('no door for filters that come later', () => {
    const later = { defaultAction: 'SCMP_ACT_ERRNO' } as const;
    expect(steps([notifying('/run/agent', 'mkdir'), later])).not.toContain('getrandom');
    expect(steps([later, notifying('/run/agent', 'mkdir')])).toContain('getrandom');
  });
  test('nothing where there is none', () => {
    expect(steps({ defaultAction: 'SCMP_ACT_ALLOW' })).toEqual(['seccomp']);
  });
});

describe('a listener, seen from outside and inside', () => {
  withCompiler('tells who is supervised, and its answers are those of the kernel', async () => {
    const { path, ended } = await supervisor(EACCES);
    const seccomp = { ...notifying(path, 'uname'), listenerMetadata: 'a "b"\n\u{1f512} \\u0000' };
    const child = await clone('/bin/sh', ['-c', 'uname -n 2>&1 || echo refused'], { seccomp });
    expect(await read(child.stdout)).toMatch(/denied[^]*refused/);
    await child.exited;
    const { state, descriptors, asked } = await ended();
    expect(state).toEqual({
      ociVersion: '1.1.0',
      fds: ['seccompFd'],
      pid: child.pid,
      metadata: seccomp.listenerMetadata,
      state: { ociVersion: '1.1.0', id: `nsclone-${child.pid}`, status: 'creating', pid: child.pid, bundle: '' },
    });
    expect(descriptors).toBe(1);
    expect(asked.map(({ number }) => number)).toEqual([syscalls.uname]);
  });
  withCompiler('says nothing of metadata where there is none', async () => {
    const { path, ended } = await supervisor(0);
    await inside('true', { seccomp: notifying(path, 'uname') });
    expect(Object.keys((await ended()).state!)).toEqual(['ociVersion', 'fds', 'pid', 'state']);
  });
  withCompiler('may notify of every call, those by which it is sent too', async () => {
    for (const make of [all, (path: string) => notifying(path, 'sendmsg', 'close', 'execve', 'exit_group')]) {
      const { path, ended } = await supervisor(EACCES);
      const { code } = await (await clone('/bin/true', { seccomp: make(path), ...silent })).exited;
      expect(code).toBe(0);
      const { asked } = await ended();
      expect(asked[0]!.number).toBe(syscalls.execve);
      expect(asked.at(-1)!.number).toBe(syscalls.exit_group);
    }
  });
  withCompiler('may let through what the program needs and no more', async () => {
    const { path, ended } = await supervisor(EACCES);
    const names =
      'execve brk mmap mprotect munmap openat newfstatat fstat close read pread64 arch_prctl set_tid_address set_robust_list';
    const more = 'rseq prlimit64 getrandom access faccessat faccessat2 exit_group write futex getuid';
    const seccomp: SeccompProfile = {
      defaultAction: 'SCMP_ACT_ERRNO',
      listenerPath: path,
      syscalls: [
        { names: `${names} ${more}`.split(' '), action: 'SCMP_ACT_ALLOW' },
        { names: ['uname'], action: 'SCMP_ACT_NOTIFY' },
      ],
    };
    expect(await (await clone('uname', { seccomp, ...silent })).exited).toMatchObject({ code: 1 });
    expect((await ended()).asked).toHaveLength(1);
  });
  withCompiler('goes through filters that are there before, and supervises those that come later', async () => {
    const { path, ended } = await supervisor(EACCES);
    const before: SeccompProfile = {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['sendmsg'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 }],
    };
    const seccomp = [before, notifying(path, 'seccomp', 'uname'), { defaultAction: 'SCMP_ACT_ALLOW' } as const];
    await (
      await clone('uname', { seccomp, ...silent })
    ).exited;
    expect((await ended()).asked.map(({ number }) => number)).toEqual([syscalls.seccomp, syscalls.uname]);
  });
  withCompiler('with all flags', async () => {
    const { path, ended } = await supervisor(EACCES);
    const flags = ['TSYNC', 'LOG', 'SPEC_ALLOW', 'WAIT_KILLABLE_RECV'] as const;
    await inside('uname -n || true', { seccomp: { ...notifying(path, 'uname'), flags } });
    expect((await ended()).asked).toHaveLength(1);
  });
  withCompiler('tells the pid that it has outside, and not that of a pid 1 of ours', async () => {
    for (const init of [false, true]) {
      const { path, ended } = await supervisor(EACCES);
      const options: CloneOptions = { ...owned(Flags.NEWPID), init, stdio: ['pipe', 'pipe', 'ignore'] };
      const seccomp = notifying(path, 'uname');
      const child = await clone('/bin/sh', ['-c', 'read line; uname -n; echo $$'], { ...options, seccomp });
      const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8');
      child.stdin!.end('\n');
      expect(await read(child.stdout)).toMatch(init ? /^2\n$/ : /^1\n$/);
      await child.exited;
      expect((await ended()).state!.pid).toBe(init ? Number(children) : child.pid);
    }
  });
  withCompiler('is at a path of the host, whatever lies there in the child', async () => {
    const { path, ended } = await supervisor(EACCES);
    const mounts = [{ type: 'tmpfs', target: '/tmp' }] as const;
    await inside('uname -n || true', { ...owned(Flags.NEWNS), mounts, seccomp: notifying(path, 'uname') });
    expect((await ended()).state).toBeDefined();
  });
  withCompiler('leaves the program no descriptor, with closeFds and without', async () => {
    for (const closeFds of [true, false]) {
      for (const stdio of [
        ['ignore', 'pipe', 'pipe'],
        ['ignore', 'pipe', 'pipe', 'ignore', 'pipe', 'ignore', 'pipe'],
      ] as const) {
        const { path, ended } = await supervisor(0);
        const options: CloneOptions = { closeFds, stdio, seccomp: all(path) };
        const output = await inside('ls -l /proc/self/fd', options);
        const without = await inside('ls -l /proc/self/fd', { closeFds, stdio });
        expect(output.split('\n')).toHaveLength(without.split('\n').length);
        await ended();
      }
    }
  });
  withCompiler('comes at the end of a set-up that is held', async () => {
    const { path, ended, tell } = await supervisor('slow');
    const child = await clone('/bin/true', { ...silent, hold: true, seccomp: notifying(path, 'uname') });
    await child.start();
    await child.exited;
    tell();
    expect((await ended()).state!.pid).toBe(child.pid);
  });
  withCompiler('is a new one for each start of a plan', async () => {
    const server = await listening(folder.at('plan'));
    const made = plan('/bin/true', [], { ...silent, seccomp: notifying(folder.at('plan'), 'uname') });
    for (let i = 0; i < 3; i++) await (await clone(made)).exited;
    await server.close();
    expect(server.heard.map(({ pid }) => pid)).toHaveLength(3);
    expect(new Set(server.heard.map(({ pid }) => pid)).size).toBe(3);
  });
  rootOnly('is there before the identity with noNewPrivileges false', async () => {
    const { path, ended } = await supervisor(0);
    const identity = { uid: 1234, gid: 1234, capabilities: [] } as const;
    const seccomp = { ...all(path), flags: ['WAIT_KILLABLE_RECV'] as const };
    expect(await inside('id -u', { ...identity, seccomp, noNewPrivileges: false })).toBe('1234');
    const { asked } = await ended();
    expect(asked.map(({ number }) => number)).toEqual(expect.arrayContaining([syscalls.setresuid, syscalls.execve]));
  });
});

/** Who listens and reads, in this process: the listener itself is dropped, as a stream of Node takes no descriptors. */
async function listening(path: string): Promise<{ heard: { pid: number }[]; close(): Promise<void> }> {
  const heard: { pid: number }[] = [];
  const open = new Set<Promise<unknown>>();
  const server = createServer((socket) => {
    let text = '';
    socket.on('data', (part) => (text += part.toString()));
    open.add(once(socket, 'close'));
    socket.on('end', () => text !== '' && heard.push(JSON.parse(text) as { pid: number }));
  }).listen(path);
  await once(server, 'listening');
  return {
    heard,
    async close() {
      server.close();
      await once(server, 'close');
      await Promise.all(open);
    },
  };
}

const closed = async (server: Server): Promise<void> => {
  server.close();
  await once(server, 'close');
};

describe('a listener that is not to be had', () => {
  const failure = (path: string, options: CloneOptions = {}): ReturnType<typeof failureOf> =>
    failureOf(clone('/bin/true', { ...silent, seccomp: notifying(path, 'uname'), ...options }));
  const place = { step: 'seccomp listener', option: 'seccomp.listenerPath', syscall: 'connect' };

  test('is told, and nothing is started', async () => {
    const path = folder.at('nothing');
    expect(await failure(path)).toMatchObject({ code: 'ENOENT', path, ...place });
    writeFileSync(path, '');
    expect(await failure(path)).toMatchObject({
      code: 'ECONNREFUSED',
      hint: 'nobody listens there, or it is no socket',
      ...place,
    });
    expect(await failure(`${path}/below`)).toMatchObject({ code: 'ENOTDIR', ...place });
  });
  test('as its socket is one of messages', async () => {
    const path = folder.at('datagrams');
    const { AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM } = constants;
    perform(
      record((c) => {
        const socket = c.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        c.bind(socket, { path });
        c.close(socket);
        return {};
      }),
    );
    // Nobody has it any more.
    expect(await failure(path)).toMatchObject({ code: 'ECONNREFUSED', ...place });
    const { socket } = perform(
      record((c) => {
        const held = c.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        c.bind(held, { path: `${path}-held` });
        return { socket: held };
      }),
    );
    expect(await failure(`${path}-held`)).toMatchObject({
      code: 'EPROTOTYPE',
      hint: 'it must be a socket of the type SOCK_STREAM',
      ...place,
    });
    perform(record((c) => void c.close(socket)));
  });
  withCompiler('as its backlog is full', async () => {
    const { path, tell, ended } = await supervisor('deaf');
    const waiting = connect(path);
    await once(waiting, 'connect');
    expect(await failure(path)).toMatchObject({
      code: 'EAGAIN',
      hint: expect.stringContaining('accepts no connection'),
      ...place,
    });
    waiting.destroy();
    tell();
    await ended();
  });
  userOnly('as we may not write to it', async () => {
    const path = folder.at('forbidden');
    const server = createServer().listen(path);
    await once(server, 'listening');
    chmodSync(path, 0o444);
    expect(await failure(path)).toMatchObject({ code: 'EACCES', ...place });
    await closed(server);
  });
  withCompiler('as it has gone before it was sent', async () => {
    for (const make of [(at: string) => notifying(at, 'uname'), all]) {
      const { path, tell, ended } = await supervisor('refuse');
      const child = await clone('/bin/true', { ...silent, hold: true, seccomp: make(path) });
      tell();
      await ended();
      expect(await failureOf(child.start())).toMatchObject({
        code: 'EPIPE',
        syscall: 'sendmsg',
        step: 'seccomp',
        option: 'seccomp.listenerPath',
        path,
        hint: 'who listened there has closed the connection',
      });
      expect(await child.exited).toBeDefined();
    }
  });
  withCompiler('any more when it is asked leaves the calls without an answer', async () => {
    const { path, ended } = await supervisor('drop');
    const child = await clone('/bin/sh', ['-c', 'read line; uname -n 2>&1'], { seccomp: notifying(path, 'uname') });
    await ended();
    child.stdin.end('\n');
    expect(await read(child.stdout)).toContain('Function not implemented');
    await child.exited;
  });
  withCompiler('any more for the exec is said', async () => {
    const { path, ended } = await supervisor('drop');
    const error = await failureOf(clone('/bin/true', { ...silent, seccomp: notifying(path, 'execve') }));
    expect(error).toMatchObject({
      code: 'ENOSYS',
      step: 'command',
      syscall: 'execve',
      hint: expect.stringContaining('who supervises it has gone without an answer'),
    });
    await ended();
  });
});

describe('a listener that never answers', () => {
  withCompiler('does not keep a command from its end', async () => {
    for (const flags of [[], ['WAIT_KILLABLE_RECV']] as const) {
      const { endedBy } = await inTime(async (timeout) => {
        const { path } = await supervisor('silent');
        const seccomp = { ...notifying(path, 'uname'), flags };
        const child = await clone('uname', { ...silent, seccomp, timeout, killGrace: slow(50) });
        return child.exited;
      });
      expect(endedBy).toBe('timeout');
    }
  });
  withCompiler('does not keep a set-up from its end', async () => {
    for (const make of [all, (path: string) => notifying(path, 'execve')]) {
      const { path, tell, ended } = await supervisor('silent');
      const controller = new AbortController();
      const { signal } = controller;
      const failed = failureOf(clone('/bin/true', { ...silent, signal, seccomp: make(path) }));
      await until(() => {
        const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ');
        return children.some((one) => readFileSync(`/proc/${one}/status`, 'utf8').includes('Seccomp:\t2'));
      });
      controller.abort();
      expect(await failed).toMatchObject({ name: 'AbortError' });
      tell();
      await ended();
      const other = await supervisor('silent');
      const late = failureOf(clone('/bin/true', { ...silent, timeout: slow(100), seccomp: make(other.path) }));
      expect(await late).toMatchObject({ code: 'ETIMEDOUT' });
    }
  });
  withCompiler('and does not read takes as much as there is room for, and the rest later', async () => {
    const listenerMetadata = 'x'.repeat(900_000);
    const ways = [await supervisor('slow'), await supervisor('slow')] as const;
    const seccomp = ways.map(({ path }) => ({ ...notifying(path, 'uname'), listenerMetadata }));
    const late = await failureOf(clone('/bin/true', { ...silent, seccomp: seccomp[0]!, timeout: slow(100) }));
    expect(late).toMatchObject({ code: 'ETIMEDOUT' });
    const started = clone('/bin/true', { ...silent, seccomp: seccomp[1]! });
    ways[1].tell();
    await (
      await started
    ).exited;
    expect((await ways[1].ended()).state!.metadata).toBe(listenerMetadata);
  });
});

describe('a listener reports', () => {
  const failing = async (call: string, errno: string, flags: SeccompProfile['flags'] = []): Promise<unknown> => {
    const server = await listening(folder.at('socket'));
    const seccomp = { ...notifying(folder.at('socket'), 'sendmsg'), flags };
    try {
      return await failAt({ ...silent, seccomp }, calls(call), errno);
    } finally {
      await server.close();
    }
  };
  test.each([
    ['seccomp(', 'EBUSY', { option: 'seccomp', hint: expect.stringContaining('we are supervised ourselves') }],
    ['getrandom(', 'ENOSYS', { option: 'seccomp.listenerPath', syscall: 'getrandom' }],
    ['readlinkat(', 'EACCES', { option: 'seccomp.listenerPath', syscall: 'readlinkat' }],
    ['sendmsg(', 'ETOOMANYREFS', { option: 'seccomp.listenerPath', syscall: 'sendmsg' }],
    ['socket(', 'EMFILE', { option: 'seccomp.listenerPath', syscall: 'socket', step: 'seccomp listener' }],
    ['connect(', 'ENOMEM', { option: 'seccomp.listenerPath', syscall: 'connect', step: 'seccomp listener' }],
    ['openat(proc, "self"', 'ENFILE', { path: '/proc/self', syscall: 'openat', step: 'seccomp listener' }],
  ])('%s with %s', async (call, code, fields) => {
    expect(await failing(call, code)).toMatchObject({ code, step: 'seccomp', ...fields });
  });
  test('a flag that the kernel is too old for', async () => {
    const hint = 'the kernel refuses this filter, or the flag WAIT_KILLABLE_RECV, which came with Linux 5.19';
    expect(await failing('seccomp(', 'EINVAL', ['WAIT_KILLABLE_RECV'])).toMatchObject({ option: 'seccomp', hint });
  });
});
