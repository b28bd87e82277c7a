// createNamespaces(): namespaces that are made, set up and held, with no process in them.
import { readFileSync, readlinkSync } from 'node:fs';

import { expectTypeOf } from 'expect-type';

import {
  createNamespaces,
  Flags,
  type Namespace,
  type NamespaceKind,
  type NamespaceOptions,
  NamespaceSet,
  type SyscallError,
} from '../../lib';
import { checkNamespaces, type namespaceOptions } from '../../lib/assembly/assemble';
import { kindsOf, namespaceKinds } from '../../lib/flags';
import { errnoByName } from '../../lib/kernel/errno';
import { makePlan } from '../../lib/plan';
import { addon } from '../support/addon';
import { rootOnly, userOnly } from '../support/capability';
import { killed, nodeKilled, stopped } from '../support/fault';
import { inside } from '../support/inside';
import { leavesNothing, ourChildren, ourDescriptors } from '../support/leftovers';
import { isCall, type Line, linesOf } from '../support/listing';
import { evaluate, root, withTestBuild } from '../support/own-process';
import { refusal } from '../support/refusal';

leavesNothing();

const { NEWCGROUP, NEWIPC, NEWNET, NEWNS, NEWPID, NEWTIME, NEWUSER, NEWUTS } = Flags;
const every = NEWCGROUP | NEWIPC | NEWNET | NEWNS | NEWTIME | NEWUSER | NEWUTS;
/** Root inside, whoever we are. */
const owned = { uidMap: 'root', gidMap: 'root' } as const;
const whole = {
  ...owned,
  hostname: 'made',
  domainname: 'example',
  timeOffsets: { boottime: { seconds: 1000 } },
  loopback: true,
  sysctl: { 'net.ipv4.ip_default_ttl': '77', 'kernel.msgmax': '4096' },
} as const satisfies NamespaceOptions;

const link = (kind: string): string => readlinkSync(`/proc/self/ns/${kind}`);

async function withSet<T>(
  flags: number,
  options: NamespaceOptions | undefined,
  use: (set: NamespaceSet) => T | Promise<T>,
): Promise<T> {
  const set = await createNamespaces(flags, options);
  try {
    return await use(set);
  } finally {
    set.close();
  }
}

describe('createNamespaces', () => {
  test('gives one of each kind that was asked for, new and of that kind, and leaves no process', async () => {
    const children = ourChildren();
    await withSet(every, owned, (set) => {
      expect(ourChildren()).toEqual(children);
      expect(set).toBeInstanceOf(NamespaceSet);
      expect([...set].map(({ kind }) => kind)).toEqual(kindsOf(every));
      for (const namespace of set) {
        expect(namespace).toBe(set[namespace.kind as Exclude<NamespaceKind, 'pid'>]);
        const own = `${namespace.kind}:[${namespace.id}]`;
        expect(readlinkSync(`/proc/self/fd/${namespace.fd}`)).toBe(own);
        expect(own).not.toBe(link(namespace.kind));
      }
    });
  });

  test.each(namespaceKinds.filter(({ kind }) => kind !== 'pid'))('makes one $kind namespace alone', ({ kind, flag }) =>
    withSet(flag | NEWUSER, undefined, (set) => {
      expect([...set].map((one) => one.kind).sort()).toEqual([...new Set([kind, 'user'])].sort());
    }),
  );

  rootOnly('needs no user namespace where we are privileged', () =>
    withSet(every & ~NEWUSER, undefined, (set) => {
      expect([...set].map(({ kind }) => kind)).toEqual(kindsOf(every & ~NEWUSER));
      expect(set.net.ownerUid()).toBe(0);
    }),
  );

  test('the user namespace owns the others, and is ours', () =>
    withSet(NEWUSER | NEWNET | NEWTIME, owned, (set) => {
      for (const namespace of set) {
        expect(namespace.ownerUid()).toBe(process.getuid!());
        const owner = namespace.owner()!;
        expect(`user:[${owner.id}]`).toBe(namespace.kind === 'user' ? link('user') : `user:[${set.user.id}]`);
        owner.close();
      }
    }));

  test('sets them up as clone() does', () =>
    withSet(every, whole, async (set) => {
      const script = `hostname; cat /proc/sys/kernel/domainname /proc/sys/net/ipv4/ip_default_ttl /proc/sys/kernel/msgmax
        cat /sys/class/net/lo/flags; cat /proc/self/uid_map /proc/self/gid_map; cat /proc/self/timens_offsets`;
      const lines = (await inside(script, { join: set })).split('\n').map((line) => line.trim().split(/\s+/).join(' '));
      expect(lines.slice(0, 4)).toEqual(['made', 'example', '77', '4096']);
      expect(lines.slice(5)).toEqual([
        `0 ${process.getuid!()} 1`,
        `0 ${process.getgid!()} 1`,
        'monotonic 0 0',
        'boottime 1000 0',
      ]);
      expect(await inside('cat /proc/net/fib_trie', { join: set })).toContain('127.0.0.1');
    }));

  test('in a new time namespace the time since boot is another', () =>
    withSet(NEWUSER | NEWTIME, { ...owned, timeOffsets: { boottime: { seconds: 1_000_000 } } }, async (set) => {
      const [uptime] = (await inside('cat /proc/uptime', { join: set })).split(' ').map(Number);
      const [ours] = readFileSync('/proc/uptime', 'utf8').split(' ').map(Number);
      expect(Math.abs(uptime! - ours! - 1_000_000)).toBeLessThan(1000);
    }));

  test('maps that leave out our own id need no uid: nobody is anything there', async () => {
    const lines = (uidMap: NamespaceOptions['uidMap']): string[] =>
      linesOf(makePlan(checkNamespaces(NEWUSER, { uidMap }))).map(({ call }) => call);
    expect(lines([{ containerID: 5, hostID: 100_000, size: 1 }]).join('\n')).toContain('uid_map');
  });

  rootOnly('such a map can be joined', () => {
    const map = [{ containerID: 5, hostID: 100_000, size: 2 }];
    return withSet(NEWUSER | NEWUTS, { uidMap: map, gidMap: map, hostname: 'five' }, async (set) => {
      expect(await inside('id -u; hostname', { join: set, uid: 6, gid: 5 })).toBe('6\nfive');
    });
  });

  test('twenty at once are twenty', async () => {
    const sets = await Promise.all(Array.from({ length: 20 }, () => createNamespaces(NEWUSER | NEWUTS)));
    expect(new Set(sets.map((set) => set.uts.id)).size).toBe(20);
    for (const set of sets) set.close();
  });
});

describe('a set', () => {
  test('is open until it is closed, once or twice; then its members are closed, and say so', async () => {
    const before = ourDescriptors();
    const set = await createNamespaces(NEWUSER | NEWNET);
    const { net } = set;
    expect(ourDescriptors()).toHaveLength(before.length + 2);
    set.close();
    set[Symbol.dispose]();
    expect(ourDescriptors()).toEqual(before);
    expect([set.net, net.fd, [...set].length]).toEqual([net, -1, 2]);
    expect(() => set.net.id).toThrow(expect.objectContaining({ code: 'EBADF', syscall: 'fstat' }));
  });

  test('has no kind that was not asked for, and says what it has', async () => {
    await withSet(NEWUSER | NEWNET, undefined, (set) => {
      for (const kind of ['mnt', 'uts', 'ipc', 'cgroup', 'time'] as const)
        expect(() => set[kind]).toThrow(
          refusal('ERR_INVALID_ARG_VALUE', 'flags', /no \w+ namespace; it has net, user$/),
        );
      expect(() => (set as { pid?: unknown }).pid).toThrow(
        refusal('ERR_INVALID_ARG_VALUE', 'flags', /lives by its pid 1/),
      );
    });
  });

  test('types', () => {
    expectTypeOf<NamespaceSet['net']>().toEqualTypeOf<Namespace<'net'>>();
    expectTypeOf<NamespaceSet>().toExtend<Iterable<Namespace>>();
    // @ts-expect-error -- a pid namespace lives by its pid 1
    expectTypeOf<NamespaceSet['pid']>().toBeAny();
    expectTypeOf<keyof NamespaceOptions>().toEqualTypeOf<(typeof namespaceOptions)[number]>();
  });
});

describe('createNamespaces refuses', () => {
  const attempt = (flags: unknown, options?: unknown): Promise<NamespaceSet> =>
    createNamespaces(flags as number, options as NamespaceOptions);

  test.each([
    ['nothing', 0, 'must have one of Flags.NEW… at least'],
    ['a pid namespace, with what works', NEWPID | NEWNET, 'clone() a command with Flags.NEWPID and hold: true'],
    ['what is no namespace', Flags.VM | NEWNET, 'cannot have CLONE_VM: it is no namespace'],
  ])('%s', async (_, flags, message) => {
    await expect(attempt(flags)).rejects.toEqual(refusal('ERR_INVALID_ARG_VALUE', 'flags', message));
  });
  test('flags that are no number', async () => {
    for (const flags of ['NEWNET', undefined, null, {}])
      await expect(attempt(flags)).rejects.toEqual(refusal('ERR_INVALID_ARG_TYPE', 'flags'));
  });
  test('options that are none, unknown, or about a command', async () => {
    await expect(attempt(NEWUSER, 5)).rejects.toEqual(refusal('ERR_INVALID_ARG_TYPE', 'options'));
    await expect(attempt(NEWUSER, [])).rejects.toEqual(refusal('ERR_INVALID_ARG_TYPE', 'options'));
    await expect(attempt(NEWUSER, { hostnam: 'x' })).rejects.toEqual(
      refusal('ERR_INVALID_ARG_VALUE', 'hostnam', 'did you mean "hostname"?'),
    );
    await expect(attempt(NEWUSER, { mounts: [] })).rejects.toEqual(
      refusal('ERR_INVALID_ARG_VALUE', 'mounts', 'is an option of clone(): nothing is executed'),
    );
    await expect(attempt(NEWUSER, { flags: NEWNET })).rejects.toEqual(refusal('ERR_INVALID_ARG_VALUE', 'flags'));
    await withSet(NEWUSER, { hostname: undefined }, () => {});
  });
  test.each([
    [{ hostname: 'x' }, 'hostname', 'needs Flags.NEWUTS'],
    [{ domainname: 'x' }, 'domainname', 'needs Flags.NEWUTS'],
    [{ loopback: true }, 'loopback', 'needs Flags.NEWNET'],
    [{ timeOffsets: { boottime: { seconds: 1 } } }, 'timeOffsets', 'needs Flags.NEWTIME'],
    [{ sysctl: { 'net.ipv4.ip_forward': '1' } }, 'sysctl.net.ipv4.ip_forward', 'needs Flags.NEWNET'],
    [{ setgroups: 'allow' }, 'setgroups', 'cannot be'],
  ])('%j without its namespace', async (options, option, message) => {
    await expect(attempt(NEWUSER, options)).rejects.toEqual(refusal('ERR_INVALID_ARG_VALUE', option, message));
  });
  test('maps without a user namespace', async () => {
    await expect(attempt(NEWUTS, owned)).rejects.toEqual(
      refusal('ERR_INVALID_ARG_VALUE', 'uidMap', 'needs Flags.NEWUSER'),
    );
  });
  test('never by throwing', () => {
    expect(attempt('x').catch(() => {})).toBeInstanceOf(Promise);
  });
  userOnly('of the kernel: whoever has no right to it', async () => {
    await expect(createNamespaces(NEWNET)).rejects.toMatchObject({
      code: 'EPERM',
      syscall: 'unshare',
      step: 'namespaces',
      option: 'flags',
      hint: 'needs CAP_SYS_ADMIN; add Flags.NEWUSER, with uidMap and gidMap',
    });
  });
  test('of the kernel: a parameter that there is not', async () => {
    const sysctl = { 'net.ipv4.no_such': '1' };
    await expect(createNamespaces(NEWUSER | NEWNET, { ...owned, sysctl })).rejects.toMatchObject({
      code: 'ENOENT',
      step: 'sysctl',
      option: 'sysctl.net.ipv4.no_such',
      path: '/proc/sys/net/ipv4/no_such',
    });
  });
  test('with the stack of the caller, and no frame of ours', async () => {
    const error: Error = (await createNamespaces(NEWUSER, { hostname: 'x' }).catch((reason: Error) => reason)) as Error;
    expect(error.stack).toContain('create.test.ts');
    expect(error.stack).not.toContain('/lib/');
  });
});

describe('whatever fails', () => {
  const lines = linesOf(makePlan(checkNamespaces(every, whole))).filter(isCall);
  /** The first answer is for whoever it is that is asked. */
  const failing = lines.filter(({ call }) => !/^exit|retries|go on|go to/.test(call));

  const attempt = async (line: Line, errno: number): Promise<SyscallError> => {
    addon().setFault!(line.number, errno);
    try {
      (await createNamespaces(every, whole)).close();
    } catch (error) {
      return error as SyscallError;
    }
    throw new Error(`instruction ${line.number} was to fail: ${line.call}`);
  };

  test('there is something to fail', () => {
    expect(failing.length).toBeGreaterThan(30);
    expect(new Set(failing.map(({ step }) => step))).toEqual(
      new Set('user time process namespaces hostname domainname loopback sysctl propagation handover'.split(' ')),
    );
  });
  test('is told with its step, option and call, and leaves nothing', async () => {
    for (const line of failing) {
      const error = await attempt(line, errnoByName['ENOMEM']!);
      expect([error.code, error.step, error.option ?? '']).toEqual(['ENOMEM', line.step, line.option]);
    }
  });
  test('so is a child that is killed', async () => {
    for (const line of [failing[0]!, failing.at(-1)!, ...failing.filter(({ call }) => call.startsWith('unshare'))]) {
      const error = await attempt(line, killed);
      expect([error.code, error.signal, error.step]).toEqual(['ECHILD', 'SIGKILL', line.step]);
    }
  });
});

describe('ending', () => {
  test('an aborted signal: nothing is made', async () => {
    const signal = AbortSignal.abort();
    await expect(createNamespaces(NEWUSER, { signal })).rejects.toMatchObject({ code: 'ABORT_ERR' });
  });
  test('a signal in the middle ends the child; the promise rejects and nothing is left', async () => {
    const ends: string[] = [];
    for (let round = 0; round < 10; round++) {
      const controller = new AbortController();
      const making = createNamespaces(every, { ...whole, signal: controller.signal });
      if (round > 0) await new Promise((resolve) => setTimeout(resolve, round / 3));
      controller.abort();
      // Or it was done by then.
      ends.push(
        await making.then(
          (set) => (set.close(), 'made'),
          ({ code }: SyscallError) => code,
        ),
      );
    }
    expect(ends.filter((end) => end !== 'ABORT_ERR' && end !== 'made')).toEqual([]);
  });
  test('a time that is over, told with the step', async () => {
    const { number } = linesOf(makePlan(checkNamespaces(every, whole))).find(({ step }) => step === 'hostname')!;
    for (let timeout = 100, step: string | undefined; step !== 'hostname'; timeout *= 2) {
      addon().setFault!(number, stopped);
      const error = await createNamespaces(every, { ...whole, timeout }).then(
        () => undefined,
        (late: SyscallError) => late,
      );
      expect(error).toMatchObject({ code: 'ETIMEDOUT', option: 'timeout' });
      step = error!.step;
    }
  });
  test('of Node, at any instruction: no process is left', () => {
    const { count } = makePlan(checkNamespaces(every, whole)).writer;
    // In a pid namespace of its own, where there are no others. What is left over there becomes a child of the script.
    const ended = evaluate<[signal: string | null, printed: string][]>(
      `const { spawnSync } = require('node:child_process');
       const isAlive = (pid) => pid !== String(process.pid) && !/ Z /.test(fs.readFileSync('/proc/' + pid + '/stat', 'utf8'));
       const ended = [];
       for (let instruction = 0; instruction < ${count}; instruction += 4) {
         const { stdout, signal } = spawnSync(process.execPath, ['-e', \`
           ${withTestBuild}
           const { createNamespaces, Flags } = require(${JSON.stringify(root)});
           createNamespaces(Flags.NEWUSER).then(() => {
             require(process.env.NSCLONE_ADDON).setFault(\${instruction}, ${nodeKilled});
             return createNamespaces(${every}, ${JSON.stringify(whole)});
           }).then(() => console.log('made'));\`], { encoding: 'utf8' });
         await until(() => !fs.readdirSync('/proc').some((pid) => Number(pid) > 0 && isAlive(pid)));
         ended.push([signal, stdout]);
       }
       return ended;`,
      ['unshare', '--user', '--map-root-user', '--pid', '--fork', '--mount-proc'],
    );
    // One that is no system call is passed by.
    const dead = ended.filter(([signal]) => signal === 'SIGKILL');
    expect(dead.length).toBeGreaterThan(8);
    for (const [signal, printed] of ended) expect(printed).toBe(signal === null ? 'made\n' : '');
  });
});
