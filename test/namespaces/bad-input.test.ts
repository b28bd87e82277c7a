// What is no namespace, or none any more: told at once, by code, call and name, and nothing is left open.
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs';

import { clone, constants, createNamespaces, Flags, Namespace, run, setnsSync, type SyscallError } from '../../lib';
import { hasCapability, rootOnly, userOnly } from '../support/capability';
import { owned } from '../support/inside';
import { leavesNothing, ourDescriptors } from '../support/leftovers';
import { asUser, evaluate, root } from '../support/own-process';
import { temporaryFolder } from '../support/temporary-folder';

leavesNothing();
const folder = temporaryFolder();

const { NEWNET, NEWPID, NEWUSER, NEWUTS } = Flags;

/** The fields that an error has of these, or what was returned in its place. */
async function told(attempt: () => unknown): Promise<Record<string, unknown>> {
  try {
    await attempt();
  } catch (error) {
    const { code, syscall, option, path } = error as SyscallError;
    return { code, syscall, option, path };
  }
  throw new Error('it should have failed');
}

/** The three who enter or open what they are given. */
const takers = [
  ['open', (target: never, kind: 'net') => Namespace.open(target, kind)],
  ['join', (target: never) => run('/bin/true', [], { join: target })],
  ['setns', (target: never) => setnsSync(target)],
] as const;
const optionOf = { open: 'source', join: 'join', setns: 'target' };

test.each<[name: string, target: unknown, option: string]>([
  ['a namespace that says it is of another kind', { fd: 'NET', kind: 'uts' }, 'target'],
  ['of no kind that there is', { fd: 'NET', kind: Symbol('uts') }, 'target.kind'],
  [
    'a set of something else',
    {
      *[Symbol.iterator]() {
        yield null;
      },
      close() {},
    },
    'target',
  ],
  ['what cannot be iterated', { [Symbol.iterator]: 5, close: 1 }, 'close'],
])('setns of %s', async (_, target, option) => {
  const namespace = Namespace.current('net');
  const given = (target as { fd?: unknown }).fd === 'NET' ? { ...(target as object), fd: namespace.fd } : target;
  expect(await told(() => setnsSync(given as never))).toMatchObject({ option: expect.stringContaining(option) });
  namespace.close();
});

test('of the name that ip-netns(8) has for one: its path', async () => {
  await expect(run('true', [], { join: 'blue' })).rejects.toMatchObject({
    code: 'ENOENT',
    hint: 'of a name of ip-netns(8) the path is /run/netns/blue',
  });
});

test('of what is in the prototype of all objects: it is no part of a target, nor of the options of a Worker', () => {
  const outcome = evaluate<unknown[]>(
    `const child = await nsclone.clone('sleep', ['100'], { flags: ${NEWUSER | NEWUTS}, uidMap: 'root', gidMap: 'root', hostname: 'there', stdio: 'ignore' });
     Object.prototype.fd = fs.openSync('/proc/self/ns/net');
     Object.prototype.kind = 'net';
     Object.prototype.flags = ${NEWUTS};
     try {
       const { stdout } = await nsclone.run('hostname', { join: { pid: child.pid, flags: undefined } });
       const worker = new nsclone.NamespaceWorker("require('node:worker_threads').parentPort.postMessage(require('node:fs').readlinkSync('/proc/thread-self/ns/uts'))", { eval: true });
       const uts = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
       return [stdout, uts === fs.readlinkSync('/proc/self/ns/uts')];
     } finally {
       for (const name of ['fd', 'kind', 'flags']) delete Object.prototype[name];
       child.kill('SIGKILL');
     }`,
  );
  expect(outcome).toEqual(['there\n', true]);
});

test('of what a filter answers for, in the place of the kernel, that it is a namespace of no kind', async () => {
  const NS_GET_NSTYPE = 0xb703;
  const seccomp = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [
      {
        names: ['ioctl'],
        action: 'SCMP_ACT_ERRNO',
        errnoRet: 0,
        args: [{ index: 1, value: NS_GET_NSTYPE, op: 'SCMP_CMP_EQ' }],
      },
    ],
  } as const;
  const script = `const { Namespace, run, runIn, setnsSync, NamespaceWorker } = require(${JSON.stringify(root)});
    const path = '/proc/self/ns/net';
    const join = { join: path };
    const calls = [
      () => Namespace.open(path),
      () => runIn(path, () => {}),
      () => setnsSync(path),
      () => new NamespaceWorker('', { eval: true, ...join }),
    ];
    for (const call of calls) { try { call(); console.log('done'); } catch ({ code }) { console.log(code); } }
    run('true', [], join).then(() => 'done', ({ code }) => code).then(console.log);`;
  const { stdout } = await run(process.execPath, ['-e', script], { seccomp });
  expect(stdout).toBe('ERR_INVALID_ARG_VALUE\n'.repeat(5));
});

describe.each(takers)('%s', (name, take) => {
  const option = optionOf[name];
  const failure = (target: unknown): Promise<Record<string, unknown>> => told(() => take(target as never, 'net'));

  test('of a path that is no namespace: a file, a folder, a device, a fifo that nobody writes to', async () => {
    mkdirSync(folder.at('folder'));
    writeFileSync(folder.at('file'), '');
    execFileSync('mkfifo', [folder.at('fifo')]);
    const before = ourDescriptors();
    for (const path of [
      folder.at('folder'),
      folder.at('file'),
      folder.at('fifo'),
      '/dev/null',
      '/proc/self/status',
      '/proc/self/ns',
    ])
      expect([path, await failure(path)]).toMatchObject([path, { code: 'ERR_INVALID_ARG_VALUE', option }]);
    expect(ourDescriptors()).toEqual(before);
  });

  test('of a path that leads nowhere', async () => {
    expect(await failure(folder.at('missing'))).toEqual({
      code: 'ENOENT',
      syscall: 'open',
      option,
      path: folder.at('missing'),
    });
    writeFileSync(folder.at('file'), '');
    expect(await failure(folder.at('file/net'))).toMatchObject({ code: 'ENOTDIR', syscall: 'open', option });
  });

  userOnly('of a file that we may not read', async () => {
    expect(await failure('/proc/1/ns/net')).toMatchObject({ code: 'EACCES', option, path: '/proc/1/ns/net' });
  });

  test('of a child that has ended, which was never anybody else', async () => {
    const child = await clone('/bin/true', [], { stdio: 'ignore' });
    await child.exited;
    expect(await failure(child)).toMatchObject({ code: 'ESRCH' });
  });
});

describe('a descriptor', () => {
  test('that is no namespace, or not open', async () => {
    const file = openSync('/dev/null', 'r');
    for (const attempt of [() => run('/bin/true', [], { join: { fd: file } }), () => setnsSync({ fd: file })])
      expect(await told(attempt)).toMatchObject({
        code: 'ERR_INVALID_ARG_VALUE',
        option: expect.stringMatching(/\.fd$/),
      });
    closeSync(file);
    for (const attempt of [() => run('/bin/true', [], { join: { fd: file } }), () => setnsSync({ fd: file })])
      expect(await told(attempt)).toMatchObject({
        code: 'EBADF',
        syscall: 'setns',
        option: expect.stringMatching(/\.fd$/),
      });
  });

  test('of a Namespace whose number is another file by now is not entered', async () => {
    const namespace = Namespace.current('uts');
    closeSync(namespace.fd);
    const file = openSync('/dev/null', 'r');
    expect(file).toBe(namespace.fd);
    expect(await told(() => run('/bin/true', [], { join: namespace }))).toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
      option: 'join.fd',
    });
    namespace.close();
  });
});

describe('a process', () => {
  test('of somebody else: who may look at it', async () => {
    const wrapper = process.getuid!() === 0 ? asUser : [];
    const told = evaluate<unknown[]>(
      `const errors = [];
       for (const join of [{ pid: 1 }, '/proc/1/ns/net'])
         await nsclone.run('true', { join }).catch(({ code, hint }) => errors.push({ code, hint }));
       return errors;`,
      wrapper,
    );
    const hint = expect.stringMatching(/CAP_SYS_PTRACE; see ptrace\(2\)$/);
    expect(told).toEqual([
      { code: 'EACCES', hint },
      { code: 'EACCES', hint },
    ]);
  });
  test('that was reaped', async () => {
    const child = await clone('/bin/true', [], { stdio: 'ignore' });
    await child.exited;
    expect(await told(() => Namespace.open(child.pid, 'net'))).toMatchObject({ code: 'ESRCH', option: 'source' });
    expect(await told(() => run('/bin/true', [], { join: { pid: child.pid } }))).toMatchObject({
      code: 'ESRCH',
      syscall: 'pidfd_open',
      option: 'join',
      path: `/proc/${child.pid}`,
    });
  });

  test('that is a zombie: it is in no namespace any more', () => {
    // Nobody reaps what a shell has started and then become another program.
    const codes = evaluate<string[]>(
      `const shell = require('node:child_process').spawn('sh', ['-c', 'sleep 0.1 & echo $!; exec sleep 100'], { stdio: ['ignore', 'pipe', 'inherit'] });
       const pid = Number(await new Promise((resolve) => shell.stdout.once('data', resolve)));
       await until(() => / Z /.test(fs.readFileSync('/proc/' + pid + '/stat', 'utf8')));
       const tell = async (attempt) => { try { await attempt(); return 'nothing'; } catch ({ code, option }) { return code + ' ' + option; } };
       const told = [
         await tell(() => nsclone.Namespace.open(pid, 'net')),
         await tell(() => nsclone.run('true', [], { join: { pid } })),
         await tell(() => nsclone.run('true', [], { join: { pid, flags: nsclone.Flags.NEWNET } })),
       ];
       const listed = nsclone.Namespace.list().filter(({ pid: lowest }) => lowest === pid).length;
       shell.kill('SIGKILL');
       return [...told, listed];`,
    );
    expect(codes).toEqual(['ESRCH source', 'ESRCH join', 'ESRCH join', 0]);
  });

  test('whose number is another process by now: a child never means that one', () => {
    const told = evaluate<unknown[]>(
      `const child = await nsclone.clone('true', [], { stdio: 'ignore' });
       await child.exited;
       const uts = await nsclone.createNamespaces(nsclone.Flags.NEWUTS);
       let other;
       await until(async () => {
         fs.writeFileSync('/proc/sys/kernel/ns_last_pid', String(child.pid - 1));
         other = await nsclone.clone('cat', [], { join: uts, stdio: ['pipe', 'ignore', 'inherit'] });
         if (other.pid === child.pid) return true;
         other.kill('SIGKILL');
         await other.exited;
       });
       const tell = async (attempt) => { try { await attempt(); return 'nothing'; } catch ({ code, option }) { return code + ' ' + option; } };
       const told = [
         await tell(() => nsclone.Namespace.open(child, 'uts')),
         await tell(() => child.namespace('uts')),
         await tell(() => nsclone.run('true', [], { join: child })),
         // Whoever gives a number gets who has it.
         nsclone.Namespace.open(child.pid, 'uts').equals(uts.uts),
       ];
       other.kill('SIGKILL');
       await other.exited;
       return told;`,
      ['unshare', '--user', '--map-root-user', '--pid', '--fork', '--mount-proc'],
    );
    expect(told).toEqual(['ESRCH source', 'ESRCH undefined', 'ESRCH join.pidfd', true]);
  });

  test.each([0, -1, 1.5, 2 ** 22 + 1, NaN])('of the number %p', async (pid) => {
    expect(await told(() => Namespace.open(pid, 'net'))).toMatchObject({ code: 'ERR_OUT_OF_RANGE', option: 'source' });
    expect(await told(() => run('/bin/true', [], { join: { pid } }))).toMatchObject({
      code: 'ERR_OUT_OF_RANGE',
      option: 'join.pid',
    });
  });
});

describe('a namespace', () => {
  rootOnly('of processes whose pid 1 is gone: nobody is born there', async () => {
    const child = await clone('/bin/cat', [], { flags: NEWPID, stdio: ['pipe', 'ignore', 'inherit'] });
    const pid = child.namespace('pid');
    child.kill('SIGKILL');
    await child.exited;
    expect(await told(() => run('/bin/true', [], { join: pid }))).toMatchObject({
      code: 'ENOMEM',
      syscall: 'clone',
      option: 'join',
    });
    const [parent, own] = [pid.parent()!, Namespace.current('pid')];
    expect(parent.equals(own)).toBe(true);
    for (const one of [pid, parent, own]) one.close();
  });

  test('that a foreign user namespace owns takes that one, too', async () => {
    const set = await createNamespaces(NEWUSER | NEWUTS, { uidMap: 'root', gidMap: 'root' });
    if (hasCapability(constants.CAP_SYS_ADMIN)) await run('/bin/true', [], { join: set.uts });
    else {
      expect(await told(() => run('/bin/true', [], { join: set.uts }))).toEqual({
        code: 'EPERM',
        syscall: 'setns',
        option: 'join',
        path: `uts:[${set.uts.id}]`,
      });
    }
    await run('/bin/true', [], { join: [set.uts, set.user] });
    set.close();
  });

  test('of whoever is above us is not told: no parent, no owner', async () => {
    const above = await clone(
      process.execPath,
      [
        '-e',
        `const { Namespace } = require(${JSON.stringify(require.resolve('../..'))});
         const user = Namespace.current('user');
         const net = Namespace.current('net');
         console.log(JSON.stringify([user.parent(), user.owner(), net.owner(), net.ownerUid(), user.ownerUid()]));`,
      ],
      { ...owned(0), stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let text = '';
    above.stdout!.on('data', (chunk) => (text += chunk));
    await above.exited;
    await new Promise((resolve) => above.once('close', resolve));
    // Who made it is root in there: that is how he is mapped.
    expect(JSON.parse(text)).toEqual([null, null, null, null, 0]);
  });

  test('that is closed: whatever it is asked', async () => {
    const namespace = Namespace.current('user');
    namespace.close();
    const closed = { code: 'EBADF', syscall: 'fstat' };
    for (const attempt of [
      () => namespace.id,
      () => namespace.parent(),
      () => namespace.owner(),
      () => namespace.ownerUid(),
      () => namespace.persist('/x'),
      () => namespace.equals(namespace),
    ])
      expect(await told(attempt)).toMatchObject(closed);
    expect(await told(() => run('/bin/true', [], { join: [namespace] }))).toEqual({
      code: 'EBADF',
      syscall: 'setns',
      option: 'join[0].fd',
      path: undefined,
    });
    expect(namespace.close()).toBeUndefined();
  });

  test('of a kind that is not nested has no parent', () => {
    for (const kind of ['mnt', 'uts', 'ipc', 'net', 'cgroup', 'time'] as const) {
      const namespace = Namespace.current(kind);
      expect([kind, namespace.parent()]).toEqual([kind, null]);
      namespace.close();
    }
  });

  test('is nested in that of its child and owned by its user namespace', async () => {
    const child = await clone('/bin/cat', [], { ...owned(NEWPID | NEWNET), stdio: ['pipe', 'ignore', 'inherit'] });
    const [pid, user, net, own] = [
      child.namespace('pid'),
      child.namespace('user'),
      child.namespace('net'),
      Namespace.current('pid'),
    ];
    const parent = pid.parent()!;
    const owner = net.owner()!;
    expect([parent.kind, parent.equals(own), owner.kind, owner.equals(user)]).toEqual(['pid', true, 'user', true]);
    expect([pid.ownerUid(), user.ownerUid()]).toEqual([process.getuid!(), process.getuid!()]);
    for (const one of [pid, user, net, own, parent, owner]) one.close();
    child.kill('SIGKILL');
    await child.exited;
  });

  test('more than there are numbers for: the error, and nothing is left', async () => {
    const codes = evaluate<string[]>(
      `const { createNamespaces, Flags, Namespace } = nsclone;
       (await createNamespaces(Flags.NEWUSER)).close();
       const uts = Namespace.current('uts');
       const files = [];
       try { for (;;) files.push(fs.openSync('/dev/null')); } catch {}
       const tell = async (attempt) => { try { await attempt(); return 'nothing'; } catch ({ code, syscall, step }) { return [code, syscall, step].join(' ').trim(); } };
       const told = [await tell(() => uts.owner()), await tell(() => uts.ownerUid()), await tell(() => Namespace.list())];
       const few = [];
       // From none on, one more each time, until there are enough.
       for (let free = 0; free < 40 && few.at(-1) !== 'nothing'; free++) {
         fs.closeSync(files.pop());
         few.push(await tell(async () => (await createNamespaces(Flags.NEWUSER | Flags.NEWNET | Flags.NEWUTS)).close()));
       }
       return [...told, [...new Set(few.map((text) => text.split(' ')[0]))].join()];`,
      ['prlimit', '--nofile=100:100'],
    );
    expect(codes).toEqual(['EMFILE ioctl', 'EMFILE ioctl', 'EMFILE openat', 'EMFILE,nothing']);
  });
});
