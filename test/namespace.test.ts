// Namespace: a namespace held by a descriptor, and namespace() of a child.
import { fstatSync, mkdtempSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expectTypeOf } from 'expect-type';

import { clone, type ClonedProcess, Flags, Namespace, type NamespaceHandle } from '../lib';
import { namespaceKinds } from '../lib/flags';
import { rootOnly, userOnly } from './support/capability';
import { owned } from './support/inside';
import { leavesNothing, ourDescriptors } from './support/leftovers';
import { evaluate } from './support/own-process';

leavesNothing();

const kinds = namespaceKinds.map(({ kind }) => kind);
const link = (kind: string, pid: number | 'thread-self' = 'thread-self'): string =>
  readlinkSync(`/proc/${pid}/ns/${kind}`);

/** Uses a namespace and closes it. */
function using<N extends NamespaceHandle, T>(namespace: N, use: (namespace: N) => T): T {
  try {
    return use(namespace);
  } finally {
    namespace.close();
  }
}

async function withChild(flags: number, use: (child: ClonedProcess) => void | Promise<void>): Promise<void> {
  const child = await clone('/bin/cat', [], { ...owned(flags), stdio: ['pipe', 'ignore', 'inherit'] });
  try {
    await use(child);
  } finally {
    child.kill('SIGKILL');
    await child.exited;
  }
}

describe('Namespace.current', () => {
  test.each(kinds)('is the %s namespace of this thread', (kind) => {
    using(Namespace.current(kind), (namespace) => {
      expect(namespace).toBeInstanceOf(Namespace);
      expect(namespace.kind).toBe(kind);
      expect(namespace.fd).toBeGreaterThan(2);
      expect(`${kind}:[${namespace.id}]`).toBe(link(kind));
      expect(readlinkSync(`/proc/self/fd/${namespace.fd}`)).toBe(link(kind));
    });
  });
  test('is close-on-exec', () => {
    using(Namespace.current('net'), ({ fd }) => {
      const flags = execFileSync('/bin/cat', [`/proc/${process.pid}/fdinfo/${fd}`], { encoding: 'utf8' });
      expect(Number.parseInt(/^flags:\s*(\d+)$/m.exec(flags)![1]!, 8) & 0o2000000).not.toBe(0);
    });
  });
  test.each(['nett', '', 5, undefined, null])('of %p is refused', (kind) => {
    expect(() => Namespace.current(kind as 'net')).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE', option: 'kind' }),
    );
  });
  test('names the nearest kind', () => {
    expect(() => Namespace.current('mount' as 'mnt')).toThrow(/must be one of: 'mnt', 'uts'/);
    expect(() => Namespace.current('nets' as 'net')).toThrow(/did you mean "net"\?/);
  });
  rootOnly('is another one after the thread has moved', () => {
    const same = evaluate<boolean[]>(
      `const before = nsclone.Namespace.current('uts');
       nsclone.unshareSync(nsclone.Flags.NEWUTS);
       const after = nsclone.Namespace.current('uts');
       return [before.equals(after), before.id === after.id];`,
    );
    expect(same).toEqual([false, false]);
  });
});

describe('Namespace.open', () => {
  test('takes a path, which tells its kind', () => {
    using(Namespace.open('/proc/self/ns/uts'), (namespace) => {
      expect([namespace.kind, `uts:[${namespace.id}]`]).toEqual(['uts', link('uts')]);
    });
    using(Namespace.open('/proc/self/ns/uts', 'uts'), ({ kind }) => expect(kind).toBe('uts'));
    // That is the namespace of children.
    using(Namespace.open('/proc/self/ns/pid_for_children'), ({ kind }) => expect(kind).toBe('pid'));
  });
  test('follows a link to it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'nsclone-test-'));
    symlinkSync('/proc/self/ns/net', join(folder, 'link'));
    using(Namespace.open(join(folder, 'link')), ({ kind }) => expect(kind).toBe('net'));
    rmSync(folder, { recursive: true });
  });
  test('takes a pid and a child, with a kind', () =>
    withChild(Flags.NEWNET, (child) => {
      for (const source of [child.pid, child, `/proc/${child.pid}/ns/net`]) {
        using(Namespace.open(source, 'net'), ({ id }) => expect(`net:[${id}]`).toBe(link('net', child.pid)));
      }
      using(Namespace.open(process.pid, 'net'), ({ id }) => expect(`net:[${id}]`).toBe(link('net')));
    }));
  test('needs a kind for a process', () => {
    expect(() => Namespace.open(process.pid as never)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE', option: 'kind' }),
    );
  });
  test('refuses a path of another kind, naming both', () => {
    expect(() => Namespace.open('/proc/self/ns/uts', 'net')).toThrow(/must be 'uts', which \/proc\/self\/ns\/uts is/);
  });
  test.each([null, undefined, {}, true, Symbol('x')])('refuses %p as a source', (source) => {
    const refused = expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE', option: 'source' });
    expect(() => Namespace.open(source as never, 'net')).toThrow(refused);
    // Of an object that might be a process the kind is asked for first.
    if (typeof source !== 'object' || source === null) expect(() => Namespace.open(source as never)).toThrow(refused);
  });
  test.each([0, -1, 1.5, NaN, 2 ** 32])('refuses %p as a pid', (pid) => {
    expect(() => Namespace.open(pid, 'net')).toThrow(
      expect.objectContaining({ code: 'ERR_OUT_OF_RANGE', option: 'source' }),
    );
  });
  test.each(['', '/proc/self/ns/net\0'])('refuses %p as a path', (path) => {
    expect(() => Namespace.open(path)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE', option: 'source' }),
    );
  });
  test('refuses what is no namespace, and opens a fifo without waiting for its other end', () => {
    const folder = mkdtempSync(join(tmpdir(), 'nsclone-test-'));
    const fifo = join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const before = ourDescriptors();
    for (const path of [fifo, __filename, '/', '/dev/null', '/proc/self/status']) {
      expect(() => Namespace.open(path)).toThrow(/"source" argument must be a namespace/);
    }
    expect(ourDescriptors()).toEqual(before);
    rmSync(folder, { recursive: true });
  });
  test('what is not there is the error of the kernel', async () => {
    expect(() => Namespace.open('/proc/self/ns/nothing')).toThrow(
      expect.objectContaining({ code: 'ENOENT', syscall: 'open', option: 'source', path: '/proc/self/ns/nothing' }),
    );
    const child = await clone('/bin/true', { stdio: 'ignore' });
    await child.exited;
    expect(() => Namespace.open(child.pid, 'net')).toThrow(expect.objectContaining({ code: 'ESRCH' }));
    expect(() => Namespace.open(child, 'net')).toThrow(
      expect.objectContaining({ code: 'ESRCH', option: 'source', path: `/proc/${child.pid}/ns/net` }),
    );
  });
  test('a child of Node itself, until it has ended', async () => {
    const child = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] });
    const same = using(Namespace.open(child, 'net'), (open) =>
      using(Namespace.current('net'), (own) => open.equals(own)),
    );
    expect(same).toBe(true);
    child.stdin.end();
    await once(child, 'exit');
    expect(() => Namespace.open(child, 'net')).toThrow(
      expect.objectContaining({ code: 'ESRCH', syscall: 'open', option: 'source' }),
    );
  });
  userOnly('the process of somebody else is the error of the kernel', () => {
    expect(() => Namespace.open(1, 'net')).toThrow(expect.objectContaining({ code: 'EACCES', path: '/proc/1/ns/net' }));
  });
});

describe('namespace() of a child', () => {
  const every = namespaceKinds.reduce((flags, { flag }) => flags | flag, 0);

  test.each(kinds)('is its %s namespace', (kind) =>
    withChild(every, (child) => {
      using(child.namespace(kind), (namespace) => {
        expect(namespace.kind).toBe(kind);
        expect(`${kind}:[${namespace.id}]`).toBe(link(kind, child.pid));
        expect(`${kind}:[${namespace.id}]`).not.toBe(link(kind));
      });
    }),
  );
  test('keeps it alive beyond the child', async () => {
    let namespace: NamespaceHandle<'net'> | undefined;
    await withChild(Flags.NEWNET, (child) => {
      namespace = child.namespace('net');
    });
    expect(namespace!.id).toBeGreaterThan(0n);
    using(namespace!, () => {});
  });
  test('is refused once it has ended, and for kinds that there are not', async () => {
    const child = await clone('/bin/true', { stdio: 'ignore' });
    expect(() => child.namespace('nett' as 'net')).toThrow(expect.objectContaining({ option: 'kind' }));
    await child.exited;
    expect(() => child.namespace('net')).toThrow(expect.objectContaining({ code: 'ESRCH' }));
  });
});

describe('two namespaces', () => {
  test('are equal where they are the same, whatever they were opened by', () => {
    using(Namespace.current('net'), (one) =>
      using(Namespace.open('/proc/self/ns/net'), (other) => {
        expect(one.fd).not.toBe(other.fd);
        expect([one.equals(other), other.equals(one), one.equals(one)]).toEqual([true, true, true]);
      }),
    );
  });
  test('are not where they are not', () =>
    withChild(Flags.NEWNET, (child) => {
      using(Namespace.current('net'), (ours) =>
        using(child.namespace('net'), (theirs) => {
          expect(ours.equals(theirs)).toBe(false);
          expect(ours.id).not.toBe(theirs.id);
        }),
      );
    }));
  test('of different kinds are never equal', () => {
    using(Namespace.current('net'), (one) =>
      using(Namespace.current('uts'), (other) => expect(one.equals(other)).toBe(false)),
    );
  });
});

describe('closing', () => {
  test('lets go of the descriptor, once', () => {
    const namespace = Namespace.current('net');
    const { fd } = namespace;
    namespace.close();
    expect(namespace.fd).toBe(-1);
    expect(() => fstatSync(fd)).toThrow(/EBADF/);
    // The number may be another's now, which must stay open.
    const other = Namespace.current('uts');
    expect(other.fd).toBe(fd);
    namespace.close();
    namespace[Symbol.dispose]();
    expect(readlinkSync(`/proc/self/fd/${fd}`)).toBe(link('uts'));
    other[Symbol.dispose]();
    expect(other.fd).toBe(-1);
  });
  test('leaves its kind, and no id', () => {
    const namespace = Namespace.current('net');
    namespace.close();
    expect(namespace.kind).toBe('net');
    const closed = expect.objectContaining({
      code: 'EBADF',
      message: expect.stringMatching(/^EBADF: the net namespace is closed/),
    });
    expect(() => namespace.id).toThrow(closed);
    using(Namespace.current('net'), (open) => {
      expect(() => open.equals(namespace)).toThrow(closed);
      expect(() => open.equals(null as never)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
      expect(() => namespace.equals(open)).toThrow(closed);
    });
  });
});

test('a thousand opened and closed leave nothing', () => {
  const before = ourDescriptors();
  for (let i = 0; i < 1000; i++) Namespace.current(kinds[i % kinds.length]!).close();
  expect(ourDescriptors()).toEqual(before);
});

test('types: the kind is known where it was given', () => {
  expectTypeOf(Namespace.current<'net'>).returns.toEqualTypeOf<Namespace<'net'>>();
  expectTypeOf<Namespace<'net'>>().toExtend<NamespaceHandle<'net'>>();
  expectTypeOf<Namespace['id']>().toEqualTypeOf<bigint>();
  expectTypeOf<ReturnType<ClonedProcess['namespace']>>().toExtend<NamespaceHandle>();
});
