// fork(): a Node module in new namespaces, with a channel for messages.
import type { ForkedModule, ForkOptions, ForkStdio } from '../types/fork';
import type { PtyOption } from '../types/stdio';
import { type Note, noteCaller, ofCall } from './errors/caller';
import { startForked } from './process/start-forked';

/**
 * Starts Node with a module, with namespaces and all else of its own that `options` ask for, and a channel for messages to it:
 * `send()`, 'message', `disconnect()` and 'disconnect', as `child_process.fork()` has them. Handles are not sent.
 *
 * Resolves once Node has been **executed**: what becomes of the module is told by its messages and its end. Rejects otherwise, naming
 * the option and the system call, with the child reaped and nothing left. Never throws synchronously.
 *
 * What a child sends is not trusted. A message that is too large or none at all closes the channel: then comes 'error', where somebody
 * listens for it, else a warning, and 'disconnect'. While nobody listens for 'message', 1 MiB is kept, and no more read.
 * @param modulePath a path, relative to the working directory of the child, or a `file:` URL
 * @throws ArgumentError for what cannot be; SyscallError for what the kernel refused
 */
export function fork<
  const S extends ForkStdio | undefined = undefined,
  const P extends PtyOption = false,
  const Silent extends boolean = false,
>(
  modulePath: string | URL,
  args: readonly string[] | undefined,
  options?: ForkOptions<S, P, Silent>,
): Promise<ForkedModule<S, P, Silent>>;
/**
 * Starts Node with a module without arguments, with namespaces and all else of its own that `options` ask for, and a channel for
 * messages to it.
 *
 * Resolves once Node has been **executed**. Rejects otherwise, naming the option and the system call, with the child reaped and
 * nothing left. Never throws synchronously.
 * @param modulePath a path, relative to the working directory of the child, or a `file:` URL
 * @throws ArgumentError for what cannot be; SyscallError for what the kernel refused
 */
export function fork<
  const S extends ForkStdio | undefined = undefined,
  const P extends PtyOption = false,
  const Silent extends boolean = false,
>(modulePath: string | URL, options?: ForkOptions<S, P, Silent>): Promise<ForkedModule<S, P, Silent>>;
export async function fork(modulePath: unknown, args?: unknown, options?: unknown): Promise<unknown> {
  let note: Note | undefined;
  try {
    const starting = startForked(modulePath, args, options);
    note = noteCaller(fork);
    return await starting;
  } catch (error) {
    throw ofCall(error, fork, note);
  }
}
