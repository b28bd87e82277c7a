// Why no child came about at all: what the host shows, or what the error alone tells.
import type { Refusal } from '../../types/probe';
import { whyNoMoreProcesses } from './control-groups';
import { whyTooOld } from './kernel-version';
import { whoRefuses } from './ourselves';

/** A launch asks for nothing that takes privilege, so a refusal is a filter's. */
export function whyNotLaunched(code: string, call: string): Refusal | undefined {
  switch (code) {
    case 'EAGAIN':
      return whyNoMoreProcesses();
    case 'EMFILE':
      return { cause: 'limit', detail: 'too many open files', hint: 'see RLIMIT_NOFILE' };
    case 'ENFILE':
      return { cause: 'limit', detail: 'too many open files on this host', hint: 'see the sysctl fs.file-max' };
    case 'EPERM':
    case 'EACCES':
    case 'ENOSYS':
    case 'EINVAL':
      return whyTooOld(code, call) ?? (code === 'EINVAL' ? undefined : whoRefuses(code, call));
    default:
      return undefined;
  }
}
