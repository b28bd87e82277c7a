// The foreground of our terminal, which a child gets while it waits for it: we can tell whether it is ours to give.
import { addon } from '../addon';
import type { Request } from '../assembly/request';
import { SyscallError } from '../errors/syscall-error';
import { errnoByName } from '../kernel/errno';

const ENOTTY = errnoByName['ENOTTY']!;

/** Those that have it, or shall have it when they go on. */
const holders = new Set<number>();

/** Of a stop only SIGCHLD tells. */
function look(): void {
  for (const id of holders) if (addon().watchForeground(id) === 0) holders.delete(id);
  if (holders.size === 0) process.off('SIGCHLD', look);
}

function watch(id: number): void {
  if (holders.size === 0) process.on('SIGCHLD', look);
  holders.add(id);
}

/**
 * Keeps the first terminal among what a child inherits, which has just been cloned: as with all of stdio, what becomes of our descriptor
 * from then on is nothing to it. Returns 0, or -errno for {@link giveForeground} to tell.
 */
export function holdForeground(id: number, { stdio }: Request): number {
  for (const source of stdio) {
    if (source.kind !== 'descriptor') continue;
    const result = addon().holdForeground(id, source.descriptor);
    if (result !== -ENOTTY) return result;
  }
  return -ENOTTY;
}

/** Of that terminal; its end gives it back. @throws SyscallError ENOTTY, EBUSY, EMFILE */
export function giveForeground(id: number, held: number): void {
  const result = held === 0 ? addon().giveForeground(id) : held;
  if (result === 0) return watch(id);
  throw new SyscallError({
    errno: -result,
    step: 'foreground',
    option: 'foreground',
    syscall: 'ioctl',
    hint: hintFor(-result),
  });
}

function hintFor(errno: number): string | undefined {
  if (errno === ENOTTY) return 'nothing that it inherits by stdio is the terminal that controls our session';
  return errno === errnoByName['EBUSY']
    ? 'we are in the background ourselves, or another child is in the foreground: it is not ours to give'
    : undefined;
}
