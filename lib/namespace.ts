// A namespace, held by a descriptor.
import type { NamespaceKind } from '../types/flags';
import type { ClonedProcess } from '../types/child';
import type { NamespaceHandle } from '../types/namespace';
import { addon } from './addon';
import { integer, oneOf, string } from './check';
import { invalidArgType, invalidArgValue, refusedOption } from './errors/argument-error';
import { SyscallError } from './errors/syscall-error';
import { namespaceKinds } from './flags';
import { handedNamespace, hasHandedOver } from './handed-namespaces';
import { constants } from './kernel/constants';
import { type FileIdentity, identify } from './open-file';
import { openProc, procError } from './proc';

const kinds = namespaceKinds.map(({ kind }) => kind);

function identityOf({ fd }: Pick<NamespaceHandle, 'fd'>): FileIdentity {
  if (fd === -1) throw new SyscallError({ code: 'EBADF', syscall: 'fstat', reason: 'the namespace is closed' });
  return identify(fd);
}

/**
 * A namespace, see namespaces(7). It lives as long as this object is open, whether or not a process is in it.
 * Close it, or declare it with `using`.
 */
export class Namespace<K extends NamespaceKind = NamespaceKind> implements NamespaceHandle<K> {
  /** 'net', 'mnt', … */
  readonly kind: K;
  #descriptor: number;

  private constructor(kind: K, descriptor: number) {
    this.kind = kind;
    this.#descriptor = descriptor;
  }

  /**
   * Opens a namespace.
   * @param source a path (`/proc/PID/ns/net`, a bind mount of it), a pid, or a child of `clone()`
   * @param kind which one; a path tells by itself
   * @throws ArgumentError, SyscallError ENOENT, ESRCH, EACCES
   */
  static open(path: string): Namespace;
  static open<K extends NamespaceKind>(
    source: string | number | Pick<ClonedProcess, 'pid' | 'pidfd'>,
    kind: K,
  ): Namespace<K>;
  static open(source: string | number | Pick<ClonedProcess, 'pid' | 'pidfd'>, kind?: NamespaceKind): Namespace {
    const wanted = kind === undefined ? undefined : oneOf(kind, 'kind argument', kinds);
    if (typeof source === 'string') return Namespace.#at(string(source, 'source argument', { nonEmpty: true }), wanted);
    if (wanted === undefined)
      throw refusedOption('kind argument', 'must be given for a process: it has one of each kind');
    const pid = typeof source === 'number' ? source : source?.pid;
    if (typeof pid !== 'number') throw invalidArgType('source argument', 'a path, a pid or a child of clone()', source);
    const path = `/proc/${integer(pid, 'source argument', 1, 2 ** 22)}/ns/${wanted}`;
    if (typeof source !== 'number') {
      if (source.pidfd < 0) throw new SyscallError({ code: 'ESRCH', syscall: 'open', option: 'source', path });
      const handed = hasHandedOver(source) ? handedNamespace(source, wanted) : undefined;
      if (handed !== undefined) return new Namespace(wanted, handed);
    }
    return Namespace.#of(path, wanted);
  }

  /** The namespace that the calling thread is in. */
  static current<K extends NamespaceKind>(kind: K): Namespace<K> {
    const checked = oneOf(kind, 'kind argument', kinds) as K;
    return Namespace.#of(`/proc/thread-self/ns/${checked}`, checked) as Namespace<K>;
  }

  /** Of a process, below a /proc that is ours. */
  static #of(path: string, wanted: NamespaceKind): Namespace {
    const descriptor = openProc(path.slice('/proc/'.length));
    if (descriptor < 0) throw procError(-descriptor, { syscall: 'open', option: 'source', path });
    return Namespace.#from(descriptor, path, wanted);
  }

  static #at(path: string, wanted: NamespaceKind | undefined): Namespace {
    const descriptor = addon().openAt(constants.AT_FDCWD, path);
    if (descriptor < 0) throw new SyscallError({ errno: -descriptor, syscall: 'open', option: 'source', path });
    return Namespace.#from(descriptor, path, wanted);
  }

  static #from(descriptor: number, path: string, wanted: NamespaceKind | undefined): Namespace {
    const type = addon().namespaceType(descriptor);
    const kind = namespaceKinds.find(({ flag }) => Number(flag) === type)?.kind;
    if (kind !== undefined && (wanted === undefined || wanted === kind)) return new Namespace(kind, descriptor);
    addon().close(descriptor);
    if (kind === undefined) throw invalidArgValue('source argument', path, 'must be a namespace');
    throw invalidArgValue('kind argument', wanted, `must be '${kind}', which ${path} is`);
  }

  /** The descriptor; -1 once closed. It stays ours: what is to outlive this object must be duplicated. */
  get fd(): number {
    return this.#descriptor;
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
    if (typeof other?.fd !== 'number') throw invalidArgType('other argument', 'an instance of Namespace', other);
    const [a, b] = [identityOf(this), identityOf(other)];
    return a.ino === b.ino && a.dev === b.dev;
  }

  /** Lets go of it. Closing twice does nothing. */
  close(): void {
    if (this.#descriptor >= 0) addon().close(this.#descriptor);
    this.#descriptor = -1;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
