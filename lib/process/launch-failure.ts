// The error of a launch that failed before there was a child: which call of ours it was, as the addon tells.
import type { Hint } from '../errors/hint';
import { SyscallError } from '../errors/syscall-error';
import { whyNotLaunched } from '../host/launching';
import { errnoName } from '../kernel/errno-texts';
import { syscallName } from '../kernel/syscalls';
import { Mail } from '../native-interface';
import { mailbox } from '../watch';

const clones = new Set(['clone', 'clone3']);

/** Reads the mailbox. @param cloneHint what can be done where it was the clone itself, beside limits */
export function launchFailure(
  errno: number,
  cloneStep: string,
  option?: string,
  cloneHint?: (code: string) => Hint | undefined,
): SyscallError {
  const syscall = syscallName(mailbox[Mail.Call]!) ?? 'a call';
  const code = errnoName(errno);
  if (mailbox[Mail.Call]! < 0) return new SyscallError({ errno, step: 'launch', ...withoutCall(code) });
  const isClone = clones.has(syscall);
  const hint = (isClone ? cloneHint?.(code) : undefined) ?? whyNotLaunched(code, syscall);
  return new SyscallError({
    errno,
    step: isClone ? cloneStep : 'launch',
    option: isClone ? option : undefined,
    syscall,
    hint,
  });
}

/** What was refused before any call was made. */
function withoutCall(code: string): { option?: string; reason?: string } {
  if (code === 'E2BIG') {
    return {
      option: 'args',
      reason: 'the program is too large: its arguments, environment and data have more than 64 MiB',
    };
  }
  if (code === 'EAGAIN') return { reason: '128 children of this kind are on their way already' };
  if (code === 'EBUSY')
    return { option: 'killTree', reason: 'another child of this process has this cgroup for its own' };
  if (code === 'ENOTEMPTY') {
    return { option: 'killTree', reason: 'there are processes in its cgroup already, which are not to end with it' };
  }
  if (code === 'ESHUTDOWN') return { reason: 'the environment that this runs in is ending' };
  return {};
}
