// Step `join`: the namespaces of others that the child enters.
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';

import { clone, type ClonedProcess, type CloneOptions, Flags, type JoinTarget, Namespace, plan } from '../../lib';
import { kindsOf } from '../../lib/flags';
import { rootOnly, userOnly } from '../support/capability';
import { calls, failAt, fieldsOf } from '../support/fault';
import { hosts, onHost } from '../support/host';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted } from '../support/listing';
import { evaluate } from '../support/own-process';
import { planning, refusal } from '../support/refusal';

leavesNothing();

const { NEWCGROUP, NEWIPC, NEWNET, NEWNS, NEWPID, NEWTIME, NEWUSER, NEWUTS } = Flags;
const every = NEWCGROUP | NEWIPC | NEWNET | NEWNS | NEWPID | NEWTIME | NEWUSER | NEWUTS;
const quiet: CloneOptions = { stdio: 'ignore' };

const link = (kind: string, pid: number | 'self' = 'self'): string => readlinkSync(`/proc/${pid}/ns/${kind}`);
const links = (flags: number, pid: number): string[] => kindsOf(flags).map((kind) => link(kind, pid));
/** Prints the namespaces that it is in. */
const look = (flags: number): string =>
  `readlink ${kindsOf(flags)
    .map((kind) => `/proc/self/ns/${kind}`)
    .join(' ')}`;

/** A child that waits in namespaces of its own while something is done with it. */
async function withChild<T>(options: CloneOptions, use: (child: ClonedProcess) => T | Promise<T>): Promise<T> {
  const child = await clone('/bin/cat', [], { ...options, stdio: ['pipe', 'ignore', 'inherit'] });
  try {
    return await use(child);
  } finally {
    child.kill('SIGKILL');
    await child.exited;
  }
}

/** What is done in a folder of its own. */
async function inFolder<T>(use: (folder: string) => T | Promise<T>): Promise<T> {
  const folder = mkdtempSync(joinPath(tmpdir(), 'nsclone-test-'));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A pid that is no process' any more. */
async function deadPid(): Promise<number> {
  const child = await clone('/bin/true', quiet);
  await child.exited;
  return child.pid;
}

describe('join rejects', () => {
  test.each([5, null, true, [null], [5]])('%p as a target', (value) => {
    const option = Array.isArray(value) ? 'join[0]' : 'join';
    expect(planning({ join: value })).toThrow(refusal('ERR_INVALID_ARG_TYPE', option, 'fd, pid and pidfd'));
  });
  test.each([{}, { fd: 1, pid: 1 }, { pid: 1, pidfd: 1 }, { flags: NEWNET }])(
    '%p: exactly one way is wanted',
    (value) => {
      expect(planning({ join: value })).toThrow(
        refusal('ERR_INVALID_ARG_VALUE', 'join', 'exactly one of fd, pid and pidfd'),
      );
    },
  );
  test.each([
    ['an empty path', '', 'join'],
    ['a path with a NUL byte', '/proc/self/ns/\0', 'join'],
    ['an unknown key, with the nearest', { pidd: 1 }, 'join.pidd'],
    ['pid 0', { pid: 0 }, 'join.pid'],
    ['a pid that is no integer', { pid: 1.5 }, 'join.pid'],
    ['a negative descriptor', { fd: -5 }, 'join.fd'],
    ['flags of a descriptor, which is one namespace', { fd: 3, flags: NEWNET }, 'join.flags'],
    ['flags that are no namespaces', { pid: 1, flags: Flags.FS }, 'join.flags'],
    ['flags that are no number', { pid: 1, flags: 'net' }, 'join.flags'],
  ])('%s', (_name, value, option) => {
    expect(planning({ join: value })).toThrow(expect.objectContaining({ option }));
    expect(planning({ join: ['/proc/self/ns/uts', value] })).toThrow(
      expect.objectContaining({ option: option.replace('join', 'join[1]') }),
    );
  });
  test('a kind that flags create too', () => {
    const message = 'cannot enter CLONE_NEWUTS that flags create';
    expect(planning({ join: '/proc/self/ns/uts', flags: NEWUTS | NEWNET })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'join', message),
    );
    expect(planning({ join: { pid: process.pid, flags: NEWUTS | NEWIPC }, flags: NEWUTS })).toThrow(message);
  });
  test('a kind that is joined twice, naming the second one', () => {
    expect(planning({ join: ['/proc/self/ns/uts', { pid: process.pid, flags: NEWUTS | NEWNET }] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'join[1]', 'enters CLONE_NEWUTS a second time'),
    );
  });
  test('what is no namespace: a file, a folder, a descriptor of something else', () => {
    const descriptor = openSync(__filename, 'r');
    try {
      for (const target of [__filename, '/', '/dev/null', { fd: descriptor }]) {
        expect(planning({ join: target })).toThrow(/must be a namespace/);
      }
      expect(planning({ join: { pidfd: descriptor } })).toThrow(
        refusal('ERR_INVALID_ARG_VALUE', 'join.pidfd', 'must be a descriptor of a process'),
      );
    } finally {
      closeSync(descriptor);
    }
  });
  test('a fifo, at once: an open that waits for its other end would stop Node', () =>
    inFolder((folder) => {
      const fifo = joinPath(folder, 'fifo');
      execFileSync('mkfifo', [fifo]);
      expect(planning({ join: [fifo] })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'join[0]', 'must be a namespace'));
    }));
  test('what is not there, with the error of the kernel', async () => {
    expect(planning({ join: '/proc/self/ns/nothing' })).toThrow(/^ENOENT: .*open \/proc\/self\/ns\/nothing \(join\)/);
    expect(planning({ join: [{ fd: 123_456 }] })).toThrow(/^EBADF: .*\(join\[0\]\.fd\)/);
    expect(planning({ join: { pidfd: 123_456 } })).toThrow(/^EBADF: .*\(join\.pidfd\)/);
    expect(planning({ join: { pid: await deadPid() } })).toThrow(/^ESRCH: .*pidfd_open \/proc\/\d+ \(join\)/);
  });
  test('a namespace that was closed and a child that has ended', async () => {
    const namespace = Namespace.current('uts');
    namespace.close();
    expect(planning({ join: namespace })).toThrow(expect.objectContaining({ code: 'EBADF', option: 'join.fd' }));
    const child = await clone('/bin/true', quiet);
    await child.exited;
    expect(planning({ join: [child] })).toThrow(expect.objectContaining({ code: 'ESRCH', option: 'join[0].pidfd' }));
    await expect(clone('/bin/true', { join: child })).rejects.toMatchObject({ code: 'ESRCH', option: 'join.pidfd' });
  });
  test('a child that has ended and is not reaped yet', async () => {
    const child = await clone('/bin/cat', owned(NEWUTS));
    child.kill('SIGKILL');
    while (readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]![0] !== 'Z');
    expect(planning({ join: child })).toThrow(expect.objectContaining({ code: 'ESRCH' }));
    expect(planning({ join: { pid: child.pid } })).toThrow(expect.objectContaining({ code: 'ESRCH' }));
    await child.exited;
  });
});

describe('join emits', () => {
  const userAndUts: JoinTarget[] = ['/proc/self/ns/uts', '/proc/self/ns/user'];

  test('nothing for nothing', () => {
    expect(emitted('join', { join: [] })).toEqual([]);
    expect(emitted('join', { join: undefined })).toEqual([]);
    // All that differ from ours.
    expect(emitted('join', { join: { pid: process.pid } })).toEqual([]);
  });
  test('a copy that is out of the way of stdio, and one call', () => {
    expect(emitted('join', { join: '/proc/self/ns/uts' })).toEqual([
      'join: fcntl(source[3], F_DUPFD_CLOEXEC, 3) = r0',
      'join: setns(r0, CLONE_NEWUTS)',
      'join: close(r0)',
    ]);
    expect(emitted('join', { join: '/proc/self/ns/uts', stdio: ['pipe', 'pipe', 'pipe', 'pipe', 'pipe'] })).toEqual([
      'join: fcntl(source[5], F_DUPFD_CLOEXEC, 5) = r0',
      'join: setns(r0, CLONE_NEWUTS)',
      'join: close(r0)',
    ]);
  });
  test('one call for several namespaces of a process', () => {
    expect(emitted('join', { join: { pid: process.pid, flags: NEWNET | NEWIPC } }).at(-2)).toBe(
      'join: setns(r0, CLONE_NEWIPC|CLONE_NEWNET)',
    );
  });
  test('every descriptor first; all but user, whatever comes of it; user; then the rest', () => {
    expect(emitted('join', { join: userAndUts })).toEqual([
      'join[0]: fcntl(source[3], F_DUPFD_CLOEXEC, 3) = r0',
      'join[1]: fcntl(source[4], F_DUPFD_CLOEXEC, 3) = r1',
      expect.stringMatching(/^join\[0\]: setns\(r0, CLONE_NEWUTS\) {2}# any error: go to \d+$/),
      'join[0]: close(r0)',
      'join[1]: setns(r1, CLONE_NEWUSER)',
      'join[1]: close(r1)',
      'join[1]: prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)',
      expect.stringMatching(/^join\[0\]: setns\(r0, CLONE_NEWUTS\) {2}# EBADF: go to \d+$/),
      'join[0]: close(r0)',
    ]);
  });
  test('a second clone for a pid namespace, and for no other', () => {
    const second = (flags: number): number => emitted('process', { join: { pid: process.pid, flags } }).length;
    expect(second(NEWPID)).toBeGreaterThan(0);
    expect(second(every & ~NEWPID)).toBe(0);
  });
  test('the ids 0 and 0 in a joined user namespace, where none are given', () => {
    expect(emitted('identity', { join: userAndUts })).toEqual(
      expect.arrayContaining(['gid: setresgid(0, 0, 0)', 'uid: setresuid(0, 0, 0)']),
    );
    expect(emitted('identity', { join: userAndUts, uid: 5, gid: 6 })).toEqual(
      expect.arrayContaining(['gid: setresgid(6, 6, 6)', 'uid: setresuid(5, 5, 5)']),
    );
    expect(emitted('identity', { join: '/proc/self/ns/uts' })).toEqual([]);
  });
  test('no supplementary groups, where the joined user namespace does not deny that', () => {
    const groups = (options: CloneOptions): string | undefined =>
      emitted('identity', { join: '/proc/self/ns/user', ...options }).find((line) => line.includes('setgroups'));
    expect(groups({})).toBe('uid: setgroups(0, [])  # EPERM: go on');
    // Of groups that somebody asked for, nothing is let go.
    expect(groups({ groups: [7] })).toMatch(/^groups: setgroups\(1, [^#]*$/);
  });
});

describe('join, seen from inside', () => {
  test.each([
    ['a child', (child: ClonedProcess): JoinTarget => child],
    ['a pid', ({ pid }: ClonedProcess): JoinTarget => ({ pid })],
    ['a pidfd', ({ pidfd }: ClonedProcess): JoinTarget => ({ pidfd })],
    ['a pid with flags', ({ pid }: ClonedProcess): JoinTarget => ({ pid, flags: NEWUSER | NEWUTS })],
    ['a pidfd with flags', ({ pidfd }: ClonedProcess): JoinTarget => ({ pidfd, flags: NEWUSER | NEWUTS })],
  ])('%s, with the user namespace that it is in', (_name, target) =>
    withChild({ ...owned(NEWUTS), hostname: 'joined' }, async (child) => {
      const output = await inside(`${look(NEWUSER | NEWUTS)}; uname -n; id -u; id -g`, { join: target(child) });
      expect(output.split('\n')).toEqual([...links(NEWUSER | NEWUTS, child.pid), 'joined', '0', '0']);
      expect(link('uts')).not.toBe(link('uts', child.pid));
    }),
  );
  test.each(['the user namespace first', 'the user namespace last'])('paths, descriptors and namespaces, %s', (order) =>
    withChild(owned(NEWUTS | NEWNET | NEWIPC), async (child) => {
      const descriptor = openSync(`/proc/${child.pid}/ns/net`, 'r');
      const namespace = child.namespace('ipc');
      try {
        const join: JoinTarget[] = [`/proc/${child.pid}/ns/uts`, { fd: descriptor }, namespace];
        const own = `/proc/${child.pid}/ns/user`;
        const flags = NEWUSER | NEWUTS | NEWNET | NEWIPC;
        const output = await inside(look(flags), {
          join: order.endsWith('first') ? [own, ...join] : [...join, own],
        });
        expect(output.split('\n')).toEqual(links(flags, child.pid));
        // Ours are as they were: nothing of the caller's is closed.
        expect(() => readlinkSync(`/proc/self/fd/${descriptor}`)).not.toThrow();
        expect(namespace.fd).toBeGreaterThan(2);
      } finally {
        closeSync(descriptor);
        namespace.close();
      }
    }),
  );
  test('every kind at once, pid through a second clone and time', () =>
    withChild({ ...owned(every), timeOffsets: { boottime: { seconds: 1_000_000 } } }, async (child) => {
      const output = await inside(`${look(every)}; echo $$; read up idle < /proc/uptime; echo \${up%.*}`, {
        join: child,
      });
      const lines = output.split('\n');
      expect(lines.slice(0, 8)).toEqual(links(every, child.pid));
      expect(Number(lines[8])).toBeGreaterThan(1);
      expect(Number(lines[9])).toBeGreaterThan(1_000_000);
    }));
  test('a pid namespace: the program is our own child, and known by its pid here', () =>
    withChild(owned(NEWPID), (child) =>
      withChild({ join: child }, (joined) => {
        const status = readFileSync(`/proc/${joined.pid}/status`, 'utf8');
        expect(/^PPid:\t(\d+)$/m.exec(status)![1]).toBe(String(process.pid));
        expect(/^NSpid:\t(.*)$/m.exec(status)![1]!.split('\t')).toEqual([String(joined.pid), '2']);
        expect(link('pid', joined.pid)).toBe(link('pid', child.pid));
      }),
    ));
  test('a pid namespace whose pid 1 has ended is told as such', async () => {
    const child = await clone('/bin/sleep', ['100'], { ...owned(NEWPID), stdio: 'ignore' });
    const [pid, user] = [child.namespace('pid'), child.namespace('user')];
    try {
      child.kill('SIGKILL');
      await child.exited;
      await expect(clone('/bin/true', { join: [user, pid] })).rejects.toMatchObject({
        code: 'ENOMEM',
        option: 'join[1]',
        hint: expect.stringContaining('pid 1 of the pid namespace that was joined has ended'),
      });
    } finally {
      pid.close();
      user.close();
    }
  });
  test('a mount namespace, from its root on', () =>
    withChild(
      { ...owned(NEWNS), mounts: [{ type: 'proc', target: '/proc' }], flags: NEWNS | NEWUSER | NEWPID },
      async (child) => {
        expect(await inside('pwd; ls -d /proc/[0-9]* | head -1', { join: child })).toBe('/\n/proc/1');
      },
    ));
  test('together with the creation of others', () =>
    withChild(owned(NEWNET), async (child) => {
      const output = await inside(`${look(NEWNET | NEWUSER)}; uname -n; echo $$; ls -d /proc/[0-9]* | wc -l`, {
        join: child,
        flags: NEWUTS | NEWPID | NEWNS,
        hostname: 'both',
        mounts: [{ type: 'proc', target: '/proc' }],
      });
      const [net, user, name, pid, processes] = output.split('\n');
      expect([net, user]).toEqual(links(NEWNET | NEWUSER, child.pid));
      expect([name, pid]).toEqual(['both', '1']);
      expect(Number(processes)).toBeLessThan(5);
    }));
  test('a hostname is set in a joined uts namespace', () =>
    withChild(owned(NEWUTS), async (child) => {
      await inside('true', { join: child, hostname: 'renamed' });
      expect(await inside('uname -n', { join: child })).toBe('renamed');
    }));
  rootOnly('a new user namespace beside what was joined', () =>
    withChild({ flags: NEWUTS }, async (child) => {
      const output = await inside(`${look(NEWUTS | NEWUSER)}; id -u`, { join: child, ...owned(0) });
      const [uts, user, id] = output.split('\n');
      expect(user).not.toBe(link('user'));
      expect([uts, id]).toEqual([link('uts', child.pid), '0']);
    }),
  );
  test('nothing of what was joined stays open in the program', () =>
    withChild(owned(NEWUTS), async (child) => {
      const namespace = child.namespace('user');
      try {
        const output = await inside('ls -l /proc/self/fd', {
          join: [namespace, { pid: child.pid, flags: NEWUTS }],
          closeFds: false,
        });
        expect(output).not.toMatch(/user:|uts:|pidfd/);
      } finally {
        namespace.close();
      }
    }));
  test('the program can be looked into by Node again', () =>
    withChild(owned(NEWUTS), (child) =>
      withChild({ join: child }, (joined) => {
        const namespace = joined.namespace('uts');
        expect(`uts:[${namespace.id}]`).toBe(link('uts', child.pid));
        namespace.close();
      }),
    ));
  rootOnly('namespaces of the host, without a user namespace', () =>
    withChild({ flags: NEWUTS | NEWNET | NEWPID, hostname: 'alone' }, async (child) => {
      const output = await inside(`${look(NEWUTS | NEWNET | NEWPID)}; uname -n; echo $$`, { join: child });
      expect(output.split('\n')).toEqual([...links(NEWUTS | NEWNET | NEWPID, child.pid), 'alone', '2']);
    }),
  );
  rootOnly('a namespace that an unrelated user namespace owns, with the rights that we have outside', () =>
    withChild(owned(NEWUTS), (one) =>
      withChild(owned(NEWNET), async (other) => {
        const target = [
          { pid: one.pid, flags: NEWUSER },
          { pid: other.pid, flags: NEWNET },
        ];
        for (const join of [target, target.toReversed()]) {
          expect(await inside(look(NEWNET | NEWUSER), { join })).toBe(
            `${link('net', other.pid)}\n${link('user', one.pid)}`,
          );
        }
      }),
    ),
  );
  rootOnly('a namespace of the host with the user namespace of a child', () =>
    withChild({ flags: NEWNET }, (one) =>
      withChild(owned(NEWUTS), async (other) => {
        const join = [other, { pid: one.pid, flags: NEWNET }];
        expect(await inside(`${look(NEWNET | NEWUTS)}; id -u`, { join })).toBe(
          `${link('uts', other.pid)}\n${link('net', one.pid)}\n0`,
        );
      }),
    ),
  );
  rootOnly('a user namespace with ranges: its root, or the ids that are given', () =>
    withChild(
      {
        flags: NEWUSER | NEWUTS,
        uidMap: [{ containerID: 0, hostID: 100_000, size: 10 }],
        gidMap: [{ containerID: 0, hostID: 100_000, size: 10 }],
      },
      async (child) => {
        expect(await inside('id -u; id -g; id -G', { join: child })).toBe('0\n0\n0');
        expect(await inside('id -u; id -g; id -G', { join: child, uid: 3, gid: 4, groups: [5, 6] })).toBe(
          '3\n4\n4 5 6',
        );
      },
    ),
  );
  test("where setgroups is 'deny' the groups stay, and explicit ones are refused by the kernel", () =>
    withChild({ ...owned(NEWUTS), setgroups: 'deny' }, async (child) => {
      expect(await inside('id -u; cat /proc/self/setgroups', { join: child })).toBe('0\ndeny');
      await expect(clone('/bin/true', { join: child, groups: [0] })).rejects.toMatchObject({
        code: 'EPERM',
        step: 'identity',
        option: 'groups',
        syscall: 'setgroups',
      });
    }));
  test('ids that the joined user namespace does not have are an error', () =>
    withChild(owned(NEWUTS), async (child) => {
      await expect(clone('/bin/true', { join: child, uid: 7 })).rejects.toMatchObject({
        code: 'EINVAL',
        step: 'identity',
        option: 'uid',
      });
    }));
  test('a plan opens its targets for each start', () =>
    withChild(owned(NEWUTS), async (child) => {
      const made = plan('/bin/sh', ['-c', look(NEWUTS)], { join: child, stdio: 'ignore' });
      for (let i = 0; i < 3; i++) expect(await (await clone(made)).exited).toMatchObject({ code: 0 });
    }));
});

describe('join of what goes away between plan and start', () => {
  test('a child: never what has its number now', async () => {
    const made = await withChild(owned(NEWUTS), (child) => plan('/bin/true', { join: child, stdio: 'ignore' }));
    await withChild(owned(NEWUTS), () =>
      expect(clone(made)).rejects.toMatchObject({ code: 'ESRCH', option: 'join.pidfd' }),
    );
  });
  test('a closed namespace: never what has its number now', async () => {
    const namespace = Namespace.current('uts');
    const made = plan('/bin/true', { join: namespace, stdio: 'ignore' });
    const { fd } = namespace;
    namespace.close();
    const other = Namespace.current('uts');
    expect(other.fd).toBe(fd);
    await expect(clone(made)).rejects.toMatchObject({ code: 'EBADF', option: 'join.fd' });
    other.close();
  });
  test('a descriptor that is closed, or is another kind of namespace now', async () => {
    const first = openSync('/proc/self/ns/uts', 'r');
    const made = plan('/bin/true', { join: { fd: first }, stdio: 'ignore' });
    closeSync(first);
    await expect(clone(made)).rejects.toMatchObject({ code: 'EBADF', option: 'join.fd' });
    const second = openSync('/proc/self/ns/net', 'r');
    expect(second).toBe(first);
    await expect(clone(made)).rejects.toMatchObject({
      option: 'join.fd',
      message: expect.stringContaining('must be CLONE_NEWUTS, but it is CLONE_NEWNET'),
    });
    closeSync(second);
  });
  test('a process, by its pid', async () => {
    const made = await withChild(owned(NEWUTS), (child) =>
      plan('/bin/true', { join: ['/proc/self/ns/uts', { pid: child.pid, flags: NEWUSER }], stdio: 'ignore' }),
    );
    for (let i = 0; i < 3; i++) await expect(clone(made)).rejects.toMatchObject({ code: 'ESRCH', option: 'join[1]' });
  });
  test('and the plan is as good as before once it is there', async () => {
    await withChild(owned(NEWUTS), (child) =>
      inFolder(async (folder) => {
        const path = joinPath(folder, 'uts');
        execFileSync('ln', ['-s', `/proc/${child.pid}/ns/uts`, path]);
        const made = plan('/bin/true', { join: [{ pid: child.pid, flags: NEWUSER }, path], stdio: 'ignore' });
        rmSync(path);
        for (let i = 0; i < 3; i++)
          await expect(clone(made)).rejects.toMatchObject({ code: 'ENOENT', option: 'join[1]', path });
        execFileSync('ln', ['-s', `/proc/${child.pid}/ns/uts`, path]);
        expect(await (await clone(made)).exited).toMatchObject({ code: 0 });
      }),
    );
  });
});

describe('join, when the kernel refuses', () => {
  test('names the target, its path and what is needed', async () => {
    const error = await onHost({ files: hosts.ubuntu }, () =>
      failAt({ join: ['/proc/self/ns/uts'] }, calls('setns'), 'EPERM'),
    );
    expect(fieldsOf(error)).toEqual({
      code: 'EPERM',
      errno: -1,
      step: 'join',
      option: 'join[0]',
      syscall: 'setns',
      path: '/proc/self/ns/uts',
      hint: 'it belongs to our own user namespace, in which that needs CAP_SYS_ADMIN',
      message:
        'EPERM: operation not permitted, setns /proc/self/ns/uts (join[0]): it belongs to our own user namespace, in which ' +
        'that needs CAP_SYS_ADMIN',
    });
  });
  test('a process that has ended after it was opened', async () => {
    const error = await failAt({ join: { pid: process.pid, flags: NEWUTS } }, calls('setns'), 'ESRCH');
    expect(error).toMatchObject({ code: 'ESRCH', step: 'join', option: 'join', path: `/proc/${process.pid}/ns` });
    expect(error.hint).toBe('the process has ended');
  });
  test('the copy of a descriptor', async () => {
    const error = await failAt({ join: '/proc/self/ns/uts' }, calls('fcntl'), 'EMFILE');
    expect(error).toMatchObject({ code: 'EMFILE', step: 'join', option: 'join', path: '/proc/self/ns/uts' });
  });
  test('the second try, when the first one failed too', () =>
    withChild(owned(NEWUTS), async (child) => {
      const options = { join: [`/proc/${child.pid}/ns/uts`, `/proc/${child.pid}/ns/user`] };
      // The first one is only a try: what is refused there is asked for again.
      const tried = failAt(options, calls('setns(r0, CLONE_NEWUTS)  # any error'), 'EPERM');
      await expect(tried).rejects.toThrow(/^the child started/);
      expect(await failAt(options, calls('setns(r1, CLONE_NEWUSER)'), 'EPERM')).toMatchObject({
        code: 'EPERM',
        option: 'join[1]',
        hint: 'needs CAP_SYS_ADMIN in the user namespace that owns it',
      });
    }));
  test('our own user namespace, in which we are already', async () => {
    await expect(clone('/bin/true', { join: '/proc/self/ns/user' })).rejects.toMatchObject({
      code: 'EINVAL',
      step: 'join',
      option: 'join',
      hint: expect.stringContaining('in this user namespace already'),
    });
  });
  userOnly('a namespace without the user namespace that owns it', () =>
    withChild(owned(NEWNET), (child) =>
      expect(clone('/bin/true', { join: `/proc/${child.pid}/ns/net` })).rejects.toMatchObject({
        code: 'EPERM',
        step: 'join',
        hint: expect.stringContaining('join that user namespace too'),
      }),
    ),
  );
  userOnly('the process of somebody else', async () => {
    await expect(clone('/bin/true', { join: { pid: 1 } })).rejects.toMatchObject({ code: 'EACCES', option: 'join' });
  });
  userOnly('a namespace that an unrelated user namespace owns', () =>
    withChild(owned(NEWUTS), (one) =>
      withChild(owned(NEWNET), (other) =>
        expect(clone('/bin/true', { join: [one, { pid: other.pid, flags: NEWNET }] })).rejects.toMatchObject({
          code: 'EPERM',
          option: 'join[1]',
        }),
      ),
    ),
  );
});

test('a target that dies while it is being joined is an ESRCH, or is joined', async () => {
  for (let round = 0; round < 20; round++) {
    const child = await clone('/bin/cat', { ...owned(NEWUTS), stdio: 'pipe' });
    const { pidfd } = child;
    const joined = clone('/bin/true', { join: { pidfd, flags: NEWUSER | NEWUTS }, stdio: 'ignore' });
    child.kill('SIGKILL');
    const [result] = await Promise.allSettled([joined]);
    if (result.status === 'rejected')
      expect(result.reason).toMatchObject({ code: 'ESRCH', step: 'join', option: 'join' });
    else await result.value.exited;
    await child.exited;
  }
});

test('a thousand starts with joins leave no descriptor', () => {
  expect(
    evaluate<number>(
      `const count = () => fs.readdirSync('/proc/self/fd').filter((fd) => {
         try { return !fs.readlinkSync('/proc/self/fd/' + fd).includes('memfd:'); } catch { return false; } }).length;
       const { Flags } = nsclone;
       const child = await nsclone.clone('cat', [], { flags: Flags.NEWUSER | Flags.NEWUTS, uidMap: 'root', gidMap: 'root', stdio: ['pipe', 'ignore', 'ignore'] });
       const options = { join: [child, '/proc/self/ns/net'], stdio: 'ignore' };
       const one = async () => { try { await (await nsclone.clone('true', [], options)).exited; } catch {} };
       await one();
       await new Promise(setImmediate);
       const before = count();
       for (let i = 0; i < 100; i++) await Promise.all(Array.from({ length: 10 }, one));
       await new Promise(setImmediate);
       const left = count() - before;
       child.kill('SIGKILL');
       return left;`,
    ),
  ).toBe(0);
});
