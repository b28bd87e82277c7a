// What createNamespaces() makes: namespaces that belong together.
import { inspect } from 'node:util';

import type { NamespaceKind } from '../types/flags';
import type { NamespaceSetTarget } from '../types/join-target';
import { refusedOption } from './errors/argument-error';
import { checkOurs, ours } from './errors/illegal-constructor';
import { namespaceKinds } from './flags';
import type { Namespace } from './namespace';

/** @internal What only createNamespaces() does. */
export let makeSet: (members: readonly Namespace[]) => NamespaceSet;

/**
 * Namespaces that were made together, see {@link createNamespaces}. They live as long as this object is open, whether or not a
 * process is in them. Close it, or declare it with `using`.
 *
 * It is a target of `join` and of `setns()`, and lists its members: `for (const namespace of set)`.
 */
export class NamespaceSet implements NamespaceSetTarget {
  readonly #members: readonly Namespace[];

  private constructor(given: symbol, members: readonly Namespace[]) {
    checkOurs(given, 'a NamespaceSet is made by createNamespaces()');
    this.#members = members;
  }

  static {
    makeSet = (members) => new this(ours, members);
  }

  #of<K extends NamespaceKind>(kind: K): Namespace<K> {
    const member = this.#members.find((one) => one.kind === kind);
    if (member !== undefined) return member as Namespace<K>;
    const { name } = namespaceKinds.find((one) => one.kind === kind)!;
    const kinds = this.#members.map((one) => one.kind).join(', ');
    throw refusedOption(
      'flags argument',
      `had no Flags.${name}, so this set has no ${kind} namespace; it has ${kinds}`,
    );
  }

  /** The mount namespace. @throws ArgumentError where none was asked for */
  get mnt(): Namespace<'mnt'> {
    return this.#of('mnt');
  }

  /** The uts namespace, of host and domain name. @throws ArgumentError where none was asked for */
  get uts(): Namespace<'uts'> {
    return this.#of('uts');
  }

  /** The ipc namespace. @throws ArgumentError where none was asked for */
  get ipc(): Namespace<'ipc'> {
    return this.#of('ipc');
  }

  /** The network namespace. @throws ArgumentError where none was asked for */
  get net(): Namespace<'net'> {
    return this.#of('net');
  }

  /** The user namespace, which owns the others. @throws ArgumentError where none was asked for */
  get user(): Namespace<'user'> {
    return this.#of('user');
  }

  /** The cgroup namespace. @throws ArgumentError where none was asked for */
  get cgroup(): Namespace<'cgroup'> {
    return this.#of('cgroup');
  }

  /** The time namespace. @throws ArgumentError where none was asked for */
  get time(): Namespace<'time'> {
    return this.#of('time');
  }

  /** Its members, open or closed. */
  [Symbol.iterator](): IterableIterator<Namespace> {
    return this.#members[Symbol.iterator]();
  }

  /** Lets go of all of them. Closing twice does nothing. */
  close(): void {
    for (const member of this.#members) member.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** @internal `console.log()` shows the members. */
  [inspect.custom](): string {
    return `NamespaceSet { ${this.#members.map((one) => inspect(one)).join(', ')} }`;
  }
}

// No type has it; without types it would be undefined, which `join` takes for nothing.
Object.defineProperty(NamespaceSet.prototype, 'pid', {
  get(): never {
    throw refusedOption(
      'flags argument',
      'had no Flags.NEWPID: a pid namespace lives by its pid 1, so no set has one; clone() a command with hold',
    );
  },
});
