// Why no child came about at all: what the host shows, or what the error alone tells.
import type { Refusal } from '../../types/probe';
import { whyNoMoreProcesses } from './control-groups';
import { host } from './host';
import { whyTooOld } from './kernel-version';
import { whoRefuses } from './ourselves';

/** Where unshare() or setns() has sent the children of this thread, see pid_namespaces(7). */
function whyNoneIsBorn(): Refusal | undefined {
  const [own, next] = ['pid', 'pid_for_children'].map((kind) => host.readlink(`/proc/thread-self/ns/${kind}`));
  if (own === undefined || own === next) return undefined;
  return {
    cause: 'kernel',
    detail:
      'the pid 1 of the pid namespace that this thread has its children in has ended: none can be born there any more',
    hint: "setns('/proc/thread-self/ns/pid') leads back",
  };
}

/** A launch asks for nothing that takes privilege, so a refusal is a filter's. */
export function whyNotLaunched(code: string, call: string): Refusal | undefined {
  switch (code) {
    case 'EAGAIN':
      return whyNoMoreProcesses();
    case 'ENOMEM':
      return whyNoneIsBorn();
    case 'EMFILE':
      return { cause: 'limit', detail: 'too many open files', hint: 'see RLIMIT_NOFILE' };
    case 'ENFILE':
      return { cause: 'limit', detail: 'too many open files on this host', hint: 'see the sysctl fs.file-max' };
    case 'EINVAL':
      // F_DUPFD_CLOEXEC: the number is above the entries of stdio.
      if (call === 'fcntl')
        return { cause: 'limit', detail: 'RLIMIT_NOFILE allows no descriptor above those of stdio', hint: 'raise it' };
      return whyTooOld(code, call);
    case 'EPERM':
    case 'EACCES':
    case 'ENOSYS':
      return whyTooOld(code, call) ?? whoRefuses(code, call);
    default:
      return undefined;
  }
}
