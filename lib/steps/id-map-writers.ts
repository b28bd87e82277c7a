// Who writes the id maps of a waiting stub: we, with privilege, or newuidmap(1) and newgidmap(1).
import { childProcess } from '../builtin';
import { SyscallError } from '../errors/syscall-error';
import { procError, readProc, whyNotOurs, writeProc } from '../proc';
import type { IdMap, Request } from './request';

type Kind = 'uid' | 'gid';

/** Bytes. */
const smallestPage = 4096;

/** The lines of a map file. */
export function mapText(map: IdMap): string {
  return map.ranges.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join('');
}

/** The index of the range that is not within one range of our own user namespace, as the kernel wants it; -1 for none. */
function strangeRange(map: IdMap, kind: Kind): number {
  const ours = (readProc(`self/${kind}_map`) ?? '')
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/ +/).map(Number))
    .map(([first, , count]) => ({ first: first!, end: first! + count! }));
  return map.ranges.findIndex(
    ({ hostID, size }) => !ours.some(({ first, end }) => first <= hostID && hostID + size <= end),
  );
}

/** What was refused, and why, from the kernel's error. */
function explain(code: string | undefined, map: IdMap, kind: Kind): { option: string; hint?: string } {
  const option = `${kind}Map`;
  const length = mapText(map).length;
  if (code === 'EINVAL' && length >= smallestPage)
    return { option, hint: `its text has ${length} bytes, and the kernel takes less than a page` };
  if (code !== 'EPERM') return { option };
  const index = strangeRange(map, kind);
  if (index < 0) return { option, hint: 'needs CAP_SYS_ADMIN over the new user namespace; CAP_SETFCAP to map id 0' };
  const { hostID, size } = map.ranges[index]!;
  const ids = size === 1 ? `id ${hostID} has` : `ids ${hostID} to ${hostID + size - 1} have`;
  return {
    option: `${option}[${index}]`,
    hint: `${ids} no place in our own user namespace, see /proc/self/${kind}_map`,
  };
}

function write(pid: number, kind: Kind, map: IdMap): void {
  const path = `/proc/${pid}/${kind}_map`;
  try {
    writeProc(`${pid}/${kind}_map`, mapText(map));
  } catch (cause) {
    const { errno, code, syscall } = cause as NodeJS.ErrnoException;
    throw new SyscallError({ errno, step: 'user', ...explain(code, map, kind), syscall, path, cause });
  }
}

/** Whether no program that we execute gets more than we have, set-user-ID or not; see PR_SET_NO_NEW_PRIVS in prctl(2). */
function hasNoNewPrivileges(): boolean {
  return /^NoNewPrivs:\t1$/m.test(readProc('thread-self/status') ?? '');
}

/** Runs the helper, which is set-user-ID root and holds the ranges against /etc/subuid and /etc/subgid. */
function help(pid: number, kind: Kind, map: IdMap, whenEnded: (stop: () => void) => void): Promise<void> {
  const helper = `new${kind}map`;
  const ranges = map.ranges.flatMap(({ containerID, hostID, size }) => [containerID, hostID, size]);
  return new Promise((resolve, reject) => {
    const running = childProcess().execFile(
      helper,
      [String(pid), ...ranges.map(String)],
      { encoding: 'utf8' },
      (error, _stdout, stderr) => {
        if (error === null) return resolve();
        const missing = error.code === 'ENOENT';
        reject(
          new SyscallError({
            code: missing ? 'ENOENT' : 'EPERM',
            step: 'user',
            option: `${kind}Map`,
            syscall: 'execve',
            path: helper,
            reason: missing
              ? `there is no ${helper} in PATH`
              : stderr.trim() || `${helper} ended with ${error.code ?? error.signal}`,
            hint: missing
              ? 'an ordinary user maps more than the own id with it; install the package uidmap'
              : hasNoNewPrivileges()
                ? `no_new_privs is set on us, so ${helper} has no privilege to write it`
                : `the ranges must be those of /etc/sub${kind} for our user`,
            cause: error,
          }),
        );
      },
    );
    // Its real user id stays ours, so we may.
    whenEnded(() => running.kill('SIGKILL'));
  });
}

/** Writes what the stub cannot; the order does not matter to the kernel. */
export function serveMaps(
  pid: number,
  { uidMap, gidMap }: Request,
  whenEnded: (stop: () => void) => void,
): void | Promise<void> {
  // Under another pid namespace's /proc the number of the stub is somebody else's: the map would be written for him.
  const refused = whyNotOurs();
  if (refused !== 0) {
    const hint = "mount a /proc of ours; or, for the own group alone, setgroups: 'deny'";
    const option = uidMap === undefined || uidMap.writer === 'stub' ? 'gidMap' : 'uidMap';
    throw procError(refused, { step: 'user', option, syscall: 'openat', path: '/proc', hint });
  }
  if (uidMap?.writer === 'parent') write(pid, 'uid', uidMap);
  if (gidMap?.writer === 'parent') write(pid, 'gid', gidMap);
  // After what may throw: nobody would hear of a helper that fails then.
  const helped: Promise<void>[] = [];
  if (uidMap?.writer === 'helper') helped.push(help(pid, 'uid', uidMap, whenEnded));
  if (gidMap?.writer === 'helper') helped.push(help(pid, 'gid', gidMap, whenEnded));
  return helped.length === 0 ? undefined : Promise.all(helped).then(() => undefined);
}
