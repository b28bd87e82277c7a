// The error of a launch that failed before there was a child: which call of ours it was, as the addon tells.
import { SyscallError } from '../errors/syscall-error';
import { errnoName } from '../kernel/errno';
import { syscallName } from '../kernel/syscalls';
import { Mail } from '../native-interface';
import { mailbox } from '../watch';

const clones = new Set(['clone', 'clone3']);

/** Reads the mailbox. @param cloneHint what can be done where it was the clone itself, beside limits */
export function launchFailure(
  errno: number,
  cloneStep: string,
  option?: string,
  cloneHint?: (code: string) => string | undefined,
): SyscallError {
  const syscall = syscallName(mailbox[Mail.Call]!);
  const code = errnoName(errno);
  if (mailbox[Mail.Call] === 0) return new SyscallError({ errno, step: 'launch', ...withoutCall(code) });
  if (syscall !== undefined && clones.has(syscall)) {
    const hint = cloneHint?.(code) ?? (code === 'EAGAIN' ? processLimit : descriptorHint(code));
    return new SyscallError({ errno, step: cloneStep, option, syscall, hint });
  }
  return new SyscallError({ errno, step: 'launch', syscall, hint: descriptorHint(code) });
}

const processLimit = 'a limit on processes is reached; see RLIMIT_NPROC and pids.max of the cgroup';

function descriptorHint(code: string): string | undefined {
  if (code === 'EMFILE') return 'too many open files; see RLIMIT_NOFILE';
  if (code === 'ENFILE') return 'too many open files on this host; see the sysctl fs.file-max';
  return undefined;
}

/** What was refused before any call was made. */
function withoutCall(code: string): { option?: string; reason?: string } {
  if (code === 'E2BIG')
    return { reason: 'the program is too large: its arguments, environment and data have more than 64 MiB' };
  if (code === 'EAGAIN') return { reason: '128 children of this kind are on their way already' };
  if (code === 'ESHUTDOWN') return { reason: 'the environment that this runs in is ending' };
  return {};
}
