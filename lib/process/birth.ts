// What a child is told of how it came about.
import type { ClonedProcess } from '../../types/child';
import type { SyscallError } from '../errors/syscall-error';
import type { EndingOptions } from './ending';
import type { Pipes } from './pipes';
import type { StartDescriptor } from './start-descriptor';

/** What differs between a command and a recorded child, and what only its maker knows. */
export interface Birth<R> {
  readonly spawnfile: string;
  readonly spawnargs: string[];
  readonly pipes: Pipes | undefined;
  /** Whether its peak memory use is its own. */
  readonly ownMemory: boolean;
  /** A thread of Node: no signal reaches it alone. */
  readonly thread: boolean;
  /** Where it can be ended by a signal or a time. */
  readonly ending: EndingOptions | undefined;
  /** Whether the stub waits for start() in the instruction where it waits now. */
  isHeld(): boolean;
  /** What starts it beside start(): it then outlives us. */
  readonly starter?: StartDescriptor | undefined;
  /** start() ends the stop that it is in. */
  goes?(child: ClonedProcess<R>, id: number): void;
  /** Does what the stub waits for; `whenEnded` takes what stops it. @throws what the call rejects with */
  serve(pid: number, whenEnded: (stop: () => void) => void, id: number): void | Promise<void>;
  /** What the child brought back, read at the moment it started. */
  results(id: number): R;
  /** Why it did not start, from the mailbox, and from what is left of the child. */
  failure(id: number): SyscallError;
  resolve(child: ClonedProcess<R>): void;
  reject(error: Error): void;
}
