// The error of a launch that failed before there was a child: which call of ours it was, as the addon tells.
import type { Hint } from '../errors/hint';
import { SyscallError, type SyscallErrorInit } from '../errors/syscall-error';
import { whyNotLaunched } from '../host/launching';
import { errnoName } from '../kernel/errno-texts';
import { syscallName } from '../kernel/syscalls';
import { Mail } from '../native-interface';
import { mailbox } from '../watch';

const clones = new Set(['clone', 'clone3']);

/** What is known where it is launched. */
interface About {
  /** The option that the flags of the clone are of. */
  readonly option?: string;
  /** What can be done where it was the clone itself, beside limits. */
  readonly hint?: (code: string) => Hint | undefined;
  /** The folder of what is to end with the child. */
  readonly cgroup?: string | undefined;
}

/** Reads the mailbox. */
export function launchFailure(errno: number, { option, hint: cloneHint, cgroup }: About = {}): SyscallError {
  const syscall = syscallName(mailbox[Mail.Call]!) ?? 'a call';
  const code = errnoName(errno);
  if (mailbox[Mail.Call]! < 0) return new SyscallError({ errno, step: 'launch', ...withoutCall(code, cgroup) });
  const isClone = clones.has(syscall);
  const hint = (isClone ? cloneHint?.(code) : undefined) ?? whyNotLaunched(code, syscall);
  return new SyscallError({
    errno,
    step: isClone ? 'clone' : 'launch',
    option: isClone ? option : undefined,
    syscall,
    hint,
  });
}

/** What was refused before any call was made. */
function withoutCall(code: string, cgroup: string | undefined): Pick<SyscallErrorInit, 'option' | 'path' | 'reason'> {
  if (code === 'E2BIG') {
    return {
      reason: 'the program is too large: its arguments, environment, files and other data have more than 64 MiB',
    };
  }
  if (code === 'EAGAIN') return { reason: '128 children of this kind are on their way already' };
  if (code === 'EBUSY')
    return { option: 'killTree', path: cgroup, reason: 'another child of this process has this cgroup for its own' };
  if (code === 'ENOTEMPTY') {
    const reason = 'there are processes in its cgroup already, which are not to end with it';
    return { option: 'killTree', path: cgroup, reason };
  }
  if (code === 'ENOTSUP')
    return { option: 'killTree', path: cgroup, reason: 'its cgroup is a threaded one, which does not end as a whole' };
  if (code === 'ESHUTDOWN') return { reason: 'the environment that this runs in is ending' };
  return {};
}
