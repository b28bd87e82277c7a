// The thread pool of libuv, before the calling thread moves.
import { addon } from '../addon';
import { SyscallError } from '../errors/syscall-error';
import { hasLibuv } from '../runtime';

/**
 * Starts the pool where the process is: its threads are born where the thread is that has the first job for it, and stay there. After
 * a move that would be the wrong place for all of the process; and libuv aborts where it cannot start them any more.
 */
export function startThreadPool(): void {
  if (!hasLibuv) return;
  const result = addon().startThreadPool();
  if (result < 0) throw new SyscallError({ errno: -result, syscall: 'pthread_create' });
}
