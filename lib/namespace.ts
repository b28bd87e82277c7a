// A namespace, held by a descriptor.
import { debuglog, inspect } from 'node:util';

import type { NamespaceKind } from '../types/flags';
import type { ClonedProcess } from '../types/child';
import type { SpawnedTarget } from '../types/join-target';
import type { ListedNamespace, NamespaceHandle } from '../types/namespace';
import { addon } from './addon';
import { integer, oneOf, string } from './check';
import { asCall } from './errors/caller';
import { checkOurs, ours } from './errors/illegal-constructor';
import { invalidArgType, invalidArgValue, refusedOption } from './errors/argument-error';
import { SyscallError } from './errors/syscall-error';
import { namespaceKinds } from './flags';
import { handedNamespace, hasHandedOver } from './handed-namespaces';
import { isSpawned, pidOfSpawned } from './node-child';
import { keepNamespace } from './keep-namespace';
import { constants } from './kernel/constants';
import { listNamespaces } from './list-namespaces';
import { ownerOf, ownerUidOf, parentOf } from './namespace-relations';
import { type FileIdentity, identify } from './open-file';
import { askProc, namespaceId, openProc, procError } from './proc';

const ENOENT = 2;
const ESRCH = 3;

const kinds = namespaceKinds.map(({ kind }) => kind);

function identityOf({ fd, kind }: Pick<NamespaceHandle, 'fd' | 'kind'>): FileIdentity {
  if (fd === -1) throw new SyscallError({ code: 'EBADF', syscall: 'fstat', reason: `the ${kind} namespace is closed` });
  return identify(fd);
}

type Calls<Name extends string> = Readonly<Record<Name, () => unknown>>;

const debug = debuglog('nsclone');

/** What is left of one that nobody has closed. */
interface Dropped extends FileIdentity {
  readonly kind: NamespaceKind;
  readonly descriptor: number;
}

/** Closes it, unless somebody else has: the number may be that of another file then. */
function closeDropped({ kind, descriptor, dev, ino }: Dropped): void {
  try {
    const now = identify(descriptor);
    if (now.dev !== dev || now.ino !== ino) return;
  } catch {
    return;
  }
  addon().close(descriptor);
  debug('a Namespace was dropped while it was open (%s, %s): close() it, or declare it with using', kind, String(ino));
}

/** Of what is given for a process, where it has one. @throws SyscallError ESRCH where it has ended */
function pidOfProcess(source: Partial<Pick<ClonedProcess, 'pid' | 'pidfd'>> | SpawnedTarget | null): unknown {
  const isOfNode = typeof source === 'object' && source !== null && !('pidfd' in source) && isSpawned(source);
  return isOfNode ? pidOfSpawned(source, 'source', 'open') : source?.pid;
}

let unclosed: FinalizationRegistry<Dropped> | undefined;

/** -1 once it is closed. Not in a private field: with one, the type of `namespace()` of a child, an interface, would be no Namespace. */
const descriptors = new WeakMap<NamespaceHandle, number>();

/** @throws SyscallError EBADF */
function openDescriptor(namespace: NamespaceHandle): number {
  identityOf(namespace);
  return namespace.fd;
}

/** @internal Makes a Namespace of a descriptor that is known to be one of this kind, which is its own from here on. */
export let adoptNamespace: <K extends NamespaceKind>(kind: K, descriptor: number) => Namespace<K>;

/** Of a process, below a /proc that is ours. */
function ofProcess(path: string, wanted: NamespaceKind, option?: 'source'): Namespace {
  const descriptor = openProc(path.slice('/proc/'.length));
  // A process that has ended is in no namespace any more, reaped or not.
  const isGone = descriptor === -ENOENT && namespaceId(`self/ns/${wanted}`) > 0;
  if (descriptor < 0) throw procError(isGone ? ESRCH : -descriptor, { syscall: 'open', option, path });
  return ofDescriptor(descriptor, path, wanted);
}

function atPath(path: string, wanted: NamespaceKind | undefined): Namespace {
  const descriptor = addon().openAt(constants.AT_FDCWD, path);
  if (descriptor < 0) throw new SyscallError({ errno: -descriptor, syscall: 'open', option: 'source', path });
  return ofDescriptor(descriptor, path, wanted);
}

function ofDescriptor(descriptor: number, path: string, wanted: NamespaceKind | undefined): Namespace {
  const type = addon().namespaceType(descriptor);
  const kind = namespaceKinds.find(({ flag }) => Number(flag) === type)?.kind;
  if (kind !== undefined && (wanted === undefined || wanted === kind)) return adoptNamespace(kind, descriptor);
  addon().close(descriptor);
  if (kind === undefined) throw invalidArgValue('source argument', path, 'must be a namespace');
  throw invalidArgValue('kind argument', wanted, `must be '${kind}', which ${path} is`);
}

const noSource = (source: unknown): TypeError =>
  invalidArgType('source argument', 'a path, a pid or a child of clone()', source);

/** @internal @param option what errors of the kernel name: the argument, or nothing */
export function openNamespace(
  source: string | number | Pick<ClonedProcess, 'pid' | 'pidfd'> | SpawnedTarget,
  kind: NamespaceKind | undefined,
  option: 'source' | undefined,
): Namespace {
  const wanted = kind === undefined ? undefined : oneOf(kind, 'kind argument', kinds);
  const isProcess = typeof source === 'number' || (typeof source === 'object' && (source as unknown) !== null);
  if (!isProcess && typeof source !== 'string') throw noSource(source);
  if (typeof source === 'string') return atPath(string(source, 'source argument', { nonEmpty: true }), wanted);
  if (wanted === undefined)
    throw refusedOption('kind argument', 'must be given for a process: it has one of each kind');
  const pid = typeof source === 'number' ? source : pidOfProcess(source);
  if (typeof pid !== 'number') throw noSource(source);
  const path = `/proc/${integer(pid, 'source argument', 1, 2 ** 22)}/ns/${wanted}`;
  if (typeof source === 'number' || !('pidfd' in source)) return ofProcess(path, wanted, option);
  const gone = (): SyscallError =>
    new SyscallError({ code: 'ESRCH', syscall: 'open', option, path, hint: 'the child has ended' });
  if (source.pidfd < 0) throw gone();
  const handed = hasHandedOver(source) ? handedNamespace(source, wanted) : undefined;
  if (handed !== undefined) return adoptNamespace(wanted, handed);
  const opened = ofProcess(path, wanted, option);
  if (hasNumber(source.pidfd)) return opened;
  opened.close();
  throw gone();
}

/** Whether the process of a pidfd still has its number: one that is reaped may have ended some time before that is told. */
function hasNumber(pidfd: number): boolean {
  const text = askProc(`thread-self/fdinfo/${pidfd}`);
  return typeof text === 'string' && /^Pid:\t[1-9]/m.test(text);
}

/**
 * A namespace, see namespaces(7). It lives as long as this object is open, whether or not a process is in it.
 * Close it, or declare it with `using`.
 */
export class Namespace<K extends NamespaceKind = NamespaceKind> implements NamespaceHandle<K> {
  /** 'net', 'mnt', … */
  readonly kind: K;

  private constructor(given: symbol, kind: K, descriptor: number) {
    checkOurs(given, 'a Namespace is made by Namespace.open() and createNamespaces()');
    this.kind = kind;
    descriptors.set(this, descriptor);
    unclosed ??= new FinalizationRegistry(closeDropped);
    unclosed.register(this, { kind, descriptor, ...identify(descriptor) }, this);
  }

  static {
    adoptNamespace = (kind, descriptor) => new this(ours, kind, descriptor);
  }

  /**
   * Opens a namespace.
   * @param source a path (`/proc/PID/ns/net`, a bind mount of it), a pid, or a child of `clone()` or of Node's
   * @param kind which one; a path tells by itself
   * @throws ArgumentError, SyscallError ENOENT, ESRCH, EACCES
   */
  static open(path: string): Namespace;
  static open<K extends NamespaceKind>(
    source: string | number | Pick<ClonedProcess, 'pid' | 'pidfd'> | SpawnedTarget,
    kind: K,
  ): Namespace<K>;
  static open(
    source: string | number | Pick<ClonedProcess, 'pid' | 'pidfd'> | SpawnedTarget,
    kind?: NamespaceKind,
  ): Namespace {
    return asCall(ofClass.open, () => openNamespace(source, kind, 'source'));
  }

  /** The namespace that the calling thread is in. */
  static current<K extends NamespaceKind>(kind: K): Namespace<K> {
    return asCall(ofClass.current, () => {
      const checked = oneOf(kind, 'kind argument', kinds);
      return ofProcess(`/proc/thread-self/ns/${checked}`, checked) as Namespace<K>;
    });
  }

  /**
   * All namespaces of this host that we may see, by kind, as lsns(8) finds them: those of processes, those that a mount keeps, and
   * what these belong to. Of the processes of others an ordinary user sees nothing. A namespace that is held by nothing but a
   * descriptor, or a thread that is not its process' first, is not found.
   *
   * It opens nothing that stays open, and takes some tens of microseconds for each process of the host, for which the event loop waits.
   * @throws SyscallError where /proc is not that of our pid namespace
   */
  static list(): ListedNamespace[] {
    return asCall(ofClass.list, listNamespaces);
  }

  /** The descriptor; -1 once closed. It stays ours: what is to outlive this object must be duplicated. */
  get fd(): number {
    return descriptors.get(this) ?? -1;
  }

  /**
   * The inode number, which names the namespace while it lives.
   * @throws SyscallError EBADF once closed
   */
  get id(): bigint {
    return identityOf(this).ino;
  }

  /**
   * Whether both are the same namespace.
   * @throws SyscallError EBADF where one of them is closed
   */
  equals(other: NamespaceHandle): boolean {
    return asCall(own.equals, () => {
      if (typeof other?.fd !== 'number') throw invalidArgType('other argument', 'an instance of Namespace', other);
      const [a, b] = [identityOf(this), identityOf(other)];
      return a.ino === b.ino && a.dev === b.dev;
    });
  }

  /**
   * The namespace that this one is nested in: of a pid namespace a pid namespace, of a user namespace a user namespace. It is opened
   * for the caller to close.
   *
   * Null where there is none, as of every other kind, or none that we may see: the first one has none, and the kernel shows
   * nobody what is above his own. See ioctl_ns(2).
   * @throws SyscallError EBADF once closed, EMFILE
   */
  parent(): Namespace<K> | null {
    const parent = asCall(own.parent, () => parentOf(openDescriptor(this), this.kind));
    return parent === undefined ? null : adoptNamespace(this.kind, parent);
  }

  /**
   * The user namespace that owns this one: whoever has a capability there has it over this. Of a user namespace it is the parent. It is
   * opened for the caller to close.
   *
   * Null where there is none that we may see: the first user namespace has none, and the kernel shows nobody what is above
   * his own. See ioctl_ns(2).
   * @throws SyscallError EBADF once closed, EMFILE
   */
  owner(): Namespace<'user'> | null {
    const owner = asCall(own.owner, () => ownerOf(openDescriptor(this)));
    return owner === undefined ? null : adoptNamespace('user', owner);
  }

  /**
   * The id of the user who owns this namespace, as we see ids: who made it, of a user namespace; of any other who made the user
   * namespace that owns it. 65534, the overflow id, where that user has no id in our own user namespace.
   *
   * Null where that user namespace is none that we may see, see {@link owner}.
   * @throws SyscallError EBADF once closed, EMFILE
   */
  ownerUid(): number | null {
    return asCall(own.ownerUid, () => ownerUidOf(openDescriptor(this), this.kind));
  }

  /**
   * Keeps the namespace beyond this object and every process: by a bind mount of it on `path`, a file that is made for it. Open it with
   * `Namespace.open(path)`, join it by the path.
   *
   * A network namespace at `/run/netns/NAME` is one of `ip netns`: that folder is made where it is missing, and a shared mount, as
   * ip-netns(8) does, so that it is seen in other mount namespaces too. Any other folder has to be there; who sees the mount is a
   * matter of that folder's propagation.
   *
   * What is there already is refused, as `ip netns` does. Where it fails nothing is left. To take it away: `umount path`, then
   * `rm path`, which is what `ip netns delete` does.
   * @throws SyscallError EPERM without CAP_SYS_ADMIN, EEXIST, ENOENT; EINVAL or ELOOP for a mount namespace that is our own, or older
   */
  persist(path: string): void {
    asCall(own.persist, () => {
      const checked = string(path, 'path argument', { nonEmpty: true });
      keepNamespace(openDescriptor(this), this.kind, checked);
    });
  }

  /** Lets go of it. Closing twice does nothing. */
  close(): void {
    const { fd } = this;
    if (fd < 0) return;
    unclosed?.unregister(this);
    descriptors.set(this, -1);
    addon().close(fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

// As functions whose frames an error is without.
const own = Namespace.prototype as unknown as Calls<'equals' | 'parent' | 'owner' | 'ownerUid' | 'persist'>;
const ofClass = Namespace as unknown as Calls<'open' | 'current' | 'list'>;

// What console.log() shows: no member by its type, as that is no interface's.
Object.defineProperty(Namespace.prototype, inspect.custom, {
  value(this: Namespace): string {
    return this.fd < 0 ? `Namespace { ${this.kind}, closed }` : `Namespace { ${this.kind}:[${this.id}] }`;
  },
});
