// A namespace, held by a descriptor.
import type { NamespaceKind } from './flags';

/** A namespace, see namespaces(7). It lives as long as this object is open, whether or not a process is in it. */
export interface NamespaceHandle<K extends NamespaceKind = NamespaceKind> {
  /** 'net', 'mnt', … */
  readonly kind: K;
  /** The descriptor; -1 once closed. */
  readonly fd: number;
  /** The inode number, which names the namespace while it lives. */
  readonly id: bigint;
  /** Whether both are the same namespace. */
  equals(other: NamespaceHandle): boolean;
  /** Lets go of it. Closing twice does nothing. */
  close(): void;
  [Symbol.dispose](): void;
}
