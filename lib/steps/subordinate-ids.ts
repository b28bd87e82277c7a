// The ids that an administrator has lent to a user, see subuid(5) and subgid(5).
import { SyscallError } from '../errors/syscall-error';
import { readRegularFile } from '../open-file';
import { ownName } from '../own-name';

export interface SubordinateRange {
  readonly start: number;
  readonly count: number;
}

/** A range of an entry `user:start:count`; undefined where it is none. */
function rangeOf(start: string | undefined, count: string | undefined): SubordinateRange | undefined {
  const isNumber = (text: string | undefined): boolean => text !== undefined && /^\d+$/.test(text);
  if (!isNumber(start) || !isNumber(count) || Number(count) === 0) return undefined;
  return { start: Number(start), count: Number(count) };
}

function read(file: string, option: string): string {
  try {
    return readRegularFile(file);
  } catch (cause) {
    const { errno, code, syscall } = cause as SyscallError;
    const hint = code === 'EINVAL' ? 'it has to be a regular file' : undefined;
    throw new SyscallError({ errno, step: 'user', option, syscall, path: file, hint, cause });
  }
}

/**
 * The ranges of our user, who is named by name or by uid, in both files.
 * @throws SyscallError ENOENT naming file and user where there is none
 */
export function subordinateRanges(file: '/etc/subuid' | '/etc/subgid', option: string): SubordinateRange[] {
  const uid = process.geteuid!();
  const name = ownName();
  const ranges = read(file, option)
    .split('\n')
    .map((line) => line.trim().split(':'))
    .filter(([user]) => user !== undefined && user !== '' && (user === name || user === String(uid)))
    .map(([, start, count]) => rangeOf(start, count))
    .filter((range) => range !== undefined);
  if (ranges.length > 0) return ranges;
  const user = name === undefined ? `uid ${uid}` : `${name} (uid ${uid})`;
  throw new SyscallError({
    code: 'ENOENT',
    step: 'user',
    option,
    path: file,
    reason: `no subordinate ids for ${user}`,
    hint: {
      cause: 'subids',
      hint: `add a line such as ${name ?? uid}:100000:65536 (usermod --add-subuids, --add-subgids)`,
    },
  });
}
