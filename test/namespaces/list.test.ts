// Namespace.list(), beside what lsns(8) says.
import { execFileSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';

import { expectTypeOf } from 'expect-type';

import {
  clone,
  type ClonedProcess,
  createNamespaces,
  Flags,
  type ListedNamespace,
  Namespace,
  type NamespaceKind,
} from '../../lib';
import { namespaceKinds } from '../../lib/flags';
import { rootOnly, userOnly } from '../support/capability';
import { owned } from '../support/inside';
import { leavesNothing, ourDescriptors } from '../support/leftovers';
import { evaluate } from '../support/own-process';
import { until } from '../support/slow';

leavesNothing();

const { NEWCGROUP, NEWIPC, NEWNET, NEWNS, NEWPID, NEWTIME, NEWUSER, NEWUTS } = Flags;
const every = NEWCGROUP | NEWIPC | NEWNET | NEWNS | NEWPID | NEWTIME | NEWUSER | NEWUTS;

const idIn = (kind: NamespaceKind, pid: number | 'self' = 'self'): bigint =>
  BigInt(/\d+/.exec(readlinkSync(`/proc/${pid}/ns/${kind}`))![0]);

function find(list: readonly ListedNamespace[], kind: NamespaceKind, id: bigint): ListedNamespace | undefined {
  return list.find((one) => one.kind === kind && one.id === id);
}

/** A child that waits, with namespaces of its own. */
async function withChild<T>(flags: number, use: (child: ClonedProcess) => T | Promise<T>): Promise<T> {
  const child = await clone('/bin/cat', [], { ...owned(flags), stdio: ['pipe', 'ignore', 'inherit'] });
  try {
    return await use(child);
  } finally {
    child.kill('SIGKILL');
    await child.exited;
  }
}

interface Lsns {
  readonly ns: number;
  readonly type: NamespaceKind;
  readonly nprocs: number;
  readonly pid: number;
  readonly uid: number;
  readonly pns: number;
  readonly ons: number;
}

/** Fails now and then, where a process ends while it looks. */
function lsns(): Lsns[] {
  const columns = 'NS,TYPE,NPROCS,PID,UID,PNS,ONS';
  return (
    JSON.parse(execFileSync('lsns', ['--json', '--list', '--output', columns], { encoding: 'utf8' })) as {
      namespaces: Lsns[];
    }
  ).namespaces;
}

const lineOf = ({ kind, id, processes, pid, uid, parent, owner }: ListedNamespace): string =>
  [kind, id, processes, pid ?? 0, uid ?? 0, parent ?? 0, owner ?? 0].join(' ');
const lineOfLsns = ({ type, ns, nprocs, pid, uid, pns, ons }: Lsns): string =>
  [type, ns, nprocs, pid, uid, pns, ons].join(' ');

describe('Namespace.list', () => {
  test('has every one of our own, with us among its processes', () => {
    const list = Namespace.list();
    for (const { kind } of namespaceKinds) {
      const ours = find(list, kind, idIn(kind))!;
      expect(ours.processes).toBeGreaterThan(0);
      expect(ours.pid).toBeLessThanOrEqual(process.pid);
      expect(ours.paths).toEqual([]);
    }
  });

  test('says of each what a Namespace that is opened by it says', () =>
    withChild(every, () => {
      const list = Namespace.list().filter(({ pid }) => pid !== null);
      expect(list.length).toBeGreaterThanOrEqual(2 * namespaceKinds.length);
      for (const { kind, id, pid, owner, ownerUid, parent } of list) {
        let namespace;
        try {
          namespace = Namespace.open(pid!, kind);
        } catch {
          // A process of another job's, which has ended.
          continue;
        }
        if (namespace.id === id) {
          const [up, above] = [namespace.owner(), namespace.parent()];
          expect([kind, up?.id ?? null, namespace.ownerUid(), above?.id ?? null]).toEqual([
            kind,
            owner,
            ownerUid,
            parent,
          ]);
          up?.close();
          above?.close();
        }
        namespace.close();
      }
    }));

  test('has those of a child, all of them', () =>
    withChild(every, async (child) => {
      const user = idIn('user', child.pid);
      // With a pid namespace somebody stands between it and us for a moment.
      let list: ListedNamespace[] = [];
      await until(() => find((list = Namespace.list()), 'user', user)?.processes === 1);
      for (const { kind } of namespaceKinds) {
        expect(find(list, kind, idIn(kind, child.pid))).toEqual({
          kind,
          id: idIn(kind, child.pid),
          processes: 1,
          pid: child.pid,
          uid: process.getuid!(),
          paths: [],
          owner: kind === 'user' ? idIn('user') : user,
          ownerUid: process.getuid!(),
          parent: kind === 'user' || kind === 'pid' ? idIn(kind) : null,
        });
      }
    }));

  test('is what lsns lists, for all that we are not in ourselves, and all of that', async () => {
    await withChild(every, (first) =>
      withChild(NEWUSER | NEWNET, (second) =>
        until(() => {
          // Processes of others come and go: until both have seen the same.
          const before = Namespace.list();
          const lines = new Set(before.filter(({ pid }) => pid !== null).map(lineOf));
          let theirs: Lsns[];
          try {
            theirs = lsns();
          } catch {
            return false;
          }
          const own = new Set(namespaceKinds.map(({ kind }) => `${kind} ${idIn(kind)}`));
          const others = theirs.filter(({ type, ns }) => !own.has(`${type} ${ns}`));
          for (const child of [first, second])
            expect(others.filter(({ pid }) => pid === child.pid).length).toBeGreaterThan(1);
          const isSame =
            others.every((one) => lines.has(lineOfLsns(one))) &&
            // lsns is in each of ours, too.
            theirs.length === lines.size &&
            theirs.every(({ type, ns, pid }) => find(before, type, BigInt(ns))?.pid === pid);
          return isSame;
        }),
      ),
    );
  });

  test('in a pid namespace where nobody else is, it is all that lsns lists, to the number', () => {
    const { ours, theirs } = evaluate<{ ours: string[]; theirs: Lsns[] }>(
      `const { execFileSync } = require('node:child_process');
       const child = await nsclone.clone('/bin/cat', [], { flags: ${NEWNET | NEWUTS}, stdio: ['pipe', 'ignore', 'inherit'] });
       const list = nsclone.Namespace.list().filter(({ pid }) => pid !== null);
       const ours = list.map(({ kind, id, processes, pid, uid, parent, owner }) =>
         [kind, id, processes + (pid === process.pid ? 1 : 0), pid, uid, parent ?? 0, owner ?? 0].join(' '));
       const theirs = JSON.parse(execFileSync('lsns', ['--json', '--list', '--output', 'NS,TYPE,NPROCS,PID,UID,PNS,ONS'])).namespaces;
       child.kill('SIGKILL');
       await child.exited;
       return { ours, theirs };`,
      ['unshare', '--user', '--map-root-user', '--pid', '--fork', '--mount-proc'],
    );
    expect(ours.length).toBe(namespaceKinds.length + 2);
    expect(ours.sort()).toEqual(theirs.map(lineOfLsns).sort());
  });

  test('has a user namespace in which nobody is, by what it owns', () =>
    // The second one is of the user namespace that the first one has left.
    withChild(NEWUSER | NEWUTS, async (outer) => {
      const [user, uts] = [outer.namespace('user'), outer.namespace('uts')];
      const inner = await clone('unshare', ['--user', '--map-root-user', 'cat'], {
        join: [user, uts],
        stdio: ['pipe', 'ignore', 'inherit'],
      });
      await until(() => ![user.id, idIn('user')].includes(idIn('user', inner.pid)));
      outer.kill('SIGKILL');
      await outer.exited;
      const list = Namespace.list();
      expect(find(list, 'user', user.id)).toEqual({
        kind: 'user',
        id: user.id,
        processes: 0,
        pid: null,
        uid: null,
        paths: [],
        owner: idIn('user'),
        ownerUid: process.getuid!(),
        parent: idIn('user'),
      });
      expect(find(list, 'user', idIn('user', inner.pid))).toMatchObject({ parent: user.id, pid: inner.pid });
      expect(find(list, 'uts', uts.id)).toMatchObject({ owner: user.id, pid: inner.pid });
      inner.kill('SIGKILL');
      await inner.exited;
      user.close();
      uts.close();
    }));

  rootOnly('has those that only a mount keeps, with each of its paths', () => {
    const found = evaluate<Record<string, unknown>[]>(
      `const set = await nsclone.createNamespaces(${NEWNET | NEWUTS});
       fs.mkdirSync('/run/one');
       set.net.persist('/run/one/net');
       set.net.persist('/run/one/same net');
       set.uts.persist('/run/one/uts');
       const ids = [set.net.id, set.uts.id];
       set.close();
       const seen = () => nsclone.Namespace.list().filter(({ id }) => ids.includes(id)).map(({ id, owner, ...rest }) => rest);
       const before = seen();
       // What lies upon it is not what it is.
       require('node:child_process').execFileSync('mount', ['-t', 'tmpfs', 'cover', '/run/one']);
       fs.writeFileSync('/run/one/net', '');
       return [...before, ...seen()];`,
      inPrivateRun,
    );
    const kept = { processes: 0, pid: null, uid: null, ownerUid: 0, parent: null };
    expect(found).toEqual([
      { ...kept, kind: 'uts', paths: ['/run/one/uts'] },
      { ...kept, kind: 'net', paths: ['/run/one/net', '/run/one/same net'] },
      { ...kept, kind: 'uts', paths: [], ownerUid: null },
      { ...kept, kind: 'net', paths: [], ownerUid: null },
    ]);
  });

  rootOnly('opens nothing that has taken the place of a mount: no fifo, no device', () => {
    const kinds = evaluate<string[]>(
      `const { execFileSync } = require('node:child_process');
       const set = await nsclone.createNamespaces(${NEWNET});
       set.net.persist('/run/net');
       execFileSync('sh', ['-c', 'mkfifo /run/fifo; mount --bind /run/fifo /run/net']);
       return nsclone.Namespace.list().filter(({ id }) => id === set.net.id).map(({ paths }) => paths.length);`,
      inPrivateRun,
    );
    expect(kinds).toEqual([0]);
  });

  userOnly('has nothing of the processes of others', () => {
    const list = Namespace.list();
    expect(list.every(({ pid, uid }) => pid === null || uid === process.getuid!())).toBe(true);
  });

  test('is made of what was there: nothing is open afterwards', async () => {
    const set = await createNamespaces(NEWUSER | NEWNET);
    const before = ourDescriptors();
    Namespace.list();
    expect(ourDescriptors()).toEqual(before);
    // Held by nothing but a descriptor: nobody can be asked for it.
    expect(find(Namespace.list(), 'net', set.net.id)).toBeUndefined();
    set.close();
  });

  test('is in order: by kind, then by id', () => {
    const kinds = namespaceKinds.map(({ kind }) => kind);
    const keys = Namespace.list().map(({ kind, id }) => [kinds.indexOf(kind), Number(id)] as const);
    expect(keys).toEqual([...keys].sort(([a, x], [b, y]) => a - b || x - y));
  });

  rootOnly('says so where /proc is of another pid namespace, or none', () => {
    const codes = evaluate<string[]>(
      `const tell = () => { try { nsclone.Namespace.list(); } catch (error) { return error.code + ' ' + error.path; } };
       return [tell()];`,
      ['unshare', '--pid', '--fork', '--mount'],
    );
    expect(codes).toEqual(['ESRCH /proc']);
  });

  test('more processes than it has room for at first', async () => {
    const lines = evaluate<number>(
      `const native = require(${JSON.stringify(require.resolve('../../build/Release/nsclone.node'))});
       const few = new Float64Array(9);
       const count = native.processNamespaces(few);
       return few[0] > 0 && count > 1 ? 1 : 0;`,
    );
    expect(lines).toBe(1);
  });
});

test('types', () => {
  expectTypeOf(Namespace.list).returns.toEqualTypeOf<ListedNamespace[]>();
});

/** In a mount namespace with a /run of its own. */
const inPrivateRun = ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs private /run && exec "$@"', 'sh'];
