// Which kernel has which call: an old one refuses with EINVAL or ENOSYS, and does not say why.
import type { Refusal } from '../../types/probe';
import { isBefore } from './kernel-release';
import { host } from './host';

/** What all of the package needs; see README. */
const floor = '5.15';

/** The calls that came late, with the flags that we pass; see their man pages. */
const since: Readonly<Record<string, string>> = {
  clone3: '5.7',
  close_range: '5.11',
  fsconfig: '5.2',
  fsmount: '5.2',
  fsopen: '5.2',
  mount_setattr: '5.12',
  move_mount: '5.2',
  openat2: '5.6',
  pidfd_open: '5.3',
  setns: '5.8',
};

/** What a kernel answers that does not know a call, a flag of it, or a field of its structure. */
const unknown = new Set(['ENOSYS', 'EINVAL', 'E2BIG']);

/** Why a call is not known here; undefined where this kernel has it. */
export function whyTooOld(code: string, call: string | undefined): Refusal | undefined {
  if (call === undefined || !unknown.has(code)) return undefined;
  const release = host.release();
  const needed = since[call];
  if (needed === undefined || !isBefore(release, needed)) return undefined;
  return {
    cause: 'kernel',
    detail: `this kernel is ${release}, too old`,
    hint: `${call} as it is used here came with ${needed}, and nsclone needs ${floor}`,
  };
}
