// unshare(2) on the calling thread.
import { addon } from '../addon';
import { flags as checkFlags } from '../check';
import { refusedOption } from '../errors/argument-error';
import { Flags, formatFlags, namespaceMask } from '../flags';
import { unshareFailure } from './failure';
import { startThreadPool } from './pool';
import { type Reasons, refuseFlags, refuseWithoutPool } from './refuse';

const refused: Reasons = [
  [
    Flags.NEWUSER,
    'the kernel refuses it to a process with threads, which Node always has; use clone() with Flags.NEWUSER',
  ],
  [
    Flags.FILES,
    'it would cut this thread off from the descriptors that the thread pool opens; a child of clone() has descriptors of its own',
  ],
  [
    Flags.VM | Flags.THREAD | Flags.SIGHAND,
    'the kernel refuses it to a process with threads, which Node always has; a child of clone() has memory and signals of its own',
  ],
];

/** What unshare(2) knows and what does not only hurt here. */
const allowed = namespaceMask | Flags.FS | Flags.SYSVSEM;

/** @throws ArgumentError, SyscallError */
export function leaveNamespaces(flags: unknown): void {
  const value = checkFlags(flags, 'flags argument');
  refuseFlags('flags argument', value, refused);
  const other = (value & ~allowed) >>> 0;
  if (other !== 0)
    throw refusedOption('flags argument', `cannot have ${formatFlags(other)}: unshare(2) does not know it`);
  refuseWithoutPool('unshare()', value);
  const native = addon();
  if (value === 0) return;
  startThreadPool();
  const result = native.unshare(value);
  if (result < 0) throw unshareFailure(-result, value);
}
