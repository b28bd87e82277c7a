// Step `flags`: which namespaces are new; the flags that cannot meet an exec are refused.
import { flags as checkFlags } from '../check';
import { refusedOption } from '../errors/argument-error';
import { Flags, formatFlags, namespaceMask } from '../flags';
import type { Step } from '../assembly/step';

/** Memory is shared until the first exec anyway, and we never wait for the child. */
const meaningless = Flags.VM | Flags.VFORK;

const reasons: readonly (readonly [flag: number, reason: string])[] = [
  [Flags.THREAD, 'a thread that executes a program replaces Node itself'],
  [Flags.SIGHAND, 'the default handlers that a program needs would be those of Node too'],
  [Flags.FILES, 'the descriptors that a program gets would replace those of Node'],
  [Flags.FS, 'the working directory and umask of the program would be those of Node'],
  [Flags.SETTLS, 'the exec sets up its own thread-local storage'],
  [Flags.PARENT_SETTID | Flags.CHILD_SETTID | Flags.CHILD_CLEARTID, 'nsclone uses the thread id words itself'],
  [Flags.PIDFD, 'every child has a pidfd already: child.pidfd'],
  [Flags.DETACHED, 'the kernel ignores it since Linux 2.6.2'],
  [Flags.PARENT, 'Node would not be the parent of the child and could not tell how it ended'],
];

const refused = reasons.reduce((mask, [flag]) => mask | flag, 0);

/** @throws ArgumentError with the reason, for the first flag that has one */
function refuse(value: number): void {
  for (const [flag, reason] of reasons) {
    const bad = (value & flag) >>> 0;
    if (bad === 0) continue;
    throw refusedOption('flags', `cannot have ${formatFlags(bad)} with a command: ${reason}; record() a child for it`);
  }
}

export const flags: Step = {
  name: 'flags',
  options: ['flags'],
  after: {},

  check(given, request) {
    const value = checkFlags(given.flags, 'flags');
    if ((value & refused) !== 0) refuse(value);
    const other = (value & ~(namespaceMask | meaningless)) >>> 0;
    if (other !== 0) {
      throw refusedOption('flags', `cannot have ${formatFlags(other)} with a command; record() a child for it`);
    }
    request.flags = (value & namespaceMask) >>> 0;
  },
};
