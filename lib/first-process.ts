// Whether the next child of this thread would be pid 1 of a pid namespace that was made for its children.
import { addon } from './addon';
import { SyscallError } from './errors/syscall-error';
import { namespaceId } from './proc';

export function isNextChildFirst(): boolean {
  // There is none to be named before its first process.
  return addon().hasMadePid() === 1 && namespaceId('thread-self/ns/pid_for_children') <= 0;
}

/** Of a set-up whose first process makes the next one and ends: as pid 1 it could not, and the pid namespace would end with it. */
export function wouldBeFirst(): SyscallError {
  return new SyscallError({
    code: 'EINVAL',
    step: 'clone',
    reason: 'the first process of the pid namespace that this thread has made would be one of the set-up, which ends',
    hint: 'start one without a cgroup and new pid and time namespaces before, and keep it; or make none for the thread, as Flags.NEWPID makes one here',
  });
}
