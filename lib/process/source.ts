// A stream over a descriptor of ours, of the kind that there is in this runtime.
import type { AsyncResource } from 'node:async_hooks';
import type { Duplex } from 'node:stream';

import { addon } from '../addon';
import { net, tty } from '../builtin';
import { hasLibuv } from '../runtime';
import { type Referable, streamOverDescriptor, type Ways } from './descriptor-stream';

export type Source = Duplex & Referable;

/** libuv leaves the descriptor of a terminal's other end as it was opened. */
interface Handled {
  readonly _handle: { setBlocking(blocking: boolean): void };
}

/** Over a pipe or socket, which becomes the stream's to close; -1 for none. */
export function streamOver(descriptor: number, scope: AsyncResource, ways: Ways): Source {
  if (!hasLibuv) return streamOverDescriptor(descriptor, scope, ways);
  const fd = descriptor < 0 ? undefined : descriptor;
  // Its other half stays open until ours is done.
  const stream = new (net().Socket)({ fd, ...ways, allowHalfOpen: true });
  addon().give(descriptor);
  return stream;
}

/** Reads from a terminal, whose descriptor becomes the stream's to close. */
export function terminalReader(descriptor: number, scope: AsyncResource): Source {
  if (!hasLibuv) return streamOverDescriptor(descriptor, scope, { readable: true, writable: false });
  const source = new (tty().ReadStream)(descriptor);
  addon().give(descriptor);
  (source as unknown as Handled)._handle.setBlocking(false);
  return source;
}
