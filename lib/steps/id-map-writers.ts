// Who writes the id maps of a waiting stub: we, with privilege, or newuidmap(1) and newgidmap(1).
import { basename, resolve as resolvePath } from 'node:path';

import type { Refusal } from '../../types/probe';
import { childProcess } from '../builtin';
import type { Hint } from '../errors/hint';
import { SyscallError } from '../errors/syscall-error';
import { host } from '../host/host';
import { mountOf } from '../host/mount-table';
import { hasNoNewPrivileges, holds, isMapped, ownMap } from '../host/ourselves';
import { constants } from '../kernel/constants';
import { procError, whyNotOurs, writeProc } from '../proc';
import { whyPowerless } from './forbidden-user-namespaces';
import type { IdMap } from '../assembly/ids';
import type { Request } from '../assembly/request';

type Kind = 'uid' | 'gid';

/** Bytes. */
const smallestPage = 4096;
/** S_ISUID. */
const setUserID = 0o4000;
/** Milliseconds that an error waits for a better explanation. */
const longestLook = 1000;

/** The lines of a map file. */
export function mapText(map: IdMap): string {
  return map.ranges.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join('');
}

/** What the stub waits for: 'which writes uid_map "0 1000 1, 1 100000 65536" with newuidmap'. */
export function writingWhat({ uidMap, gidMap }: Request): string {
  const maps = [['uid', uidMap] as const, ['gid', gidMap] as const].flatMap(([kind, map]) => {
    if (map === undefined || map.writer === 'stub') return [];
    const ranges = mapText(map).trimEnd().replaceAll('\n', ', ');
    return [`${kind}_map "${ranges}"${map.writer === 'helper' ? ` with new${kind}map` : ''}`];
  });
  return `which writes ${maps.join(' and ')}`;
}

/** The first range that is not within one of our own user namespace, as the kernel wants it. */
function whyStrange(map: IdMap, kind: Kind): { index: number; hint: string } | undefined {
  if (ownMap(kind).length === 0) return undefined;
  const index = map.ranges.findIndex(({ hostID, size }) => !isMapped(kind, hostID, size));
  if (index < 0) return undefined;
  const { hostID, size } = map.ranges[index]!;
  const ids = size === 1 ? `id ${hostID} has` : `ids ${hostID} to ${hostID + size - 1} have`;
  return { index, hint: `${ids} no place in our own user namespace, see /proc/self/${kind}_map` };
}

/** Why root outside is not to be mapped: since Linux 5.12 that takes CAP_SETFCAP, see user_namespaces(7). */
function whyNoRoot(map: IdMap): Refusal | undefined {
  if (!map.ranges.some(({ hostID }) => hostID === 0) || holds(constants.CAP_SETFCAP) !== false) return undefined;
  return { cause: 'capability', detail: 'to map id 0 outside takes CAP_SETFCAP, which we do not have' };
}

/** What of a map was refused, and why, from the kernel's error. */
export function explain(code: string | undefined, map: IdMap, kind: Kind): { option: string; hint?: Hint | undefined } {
  const option = `${kind}Map`;
  const length = mapText(map).length;
  if (code === 'EINVAL' && length >= smallestPage)
    return { option, hint: `its text has ${length} bytes, and the kernel takes less than a page` };
  if (code !== 'EPERM') return { option };
  const strange = whyStrange(map, kind);
  if (strange !== undefined) return { option: `${option}[${strange.index}]`, hint: strange.hint };
  return { option, hint: (kind === 'uid' ? whyNoRoot(map) : undefined) ?? whyPowerless() };
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

/** Where commands are looked for: an empty folder would be the working directory, which is anybody's. */
function path(): string {
  const { PATH = '' } = process.env;
  return PATH === '' ? '/usr/bin:/bin' : PATH;
}

/** The file that is executed by this name. */
function findHelper(name: string): string | undefined {
  const folders = path().split(':');
  return folders.map((folder) => resolvePath(folder, name)).find((file) => host.stat(file) !== undefined);
}

/** Whether a file gives capabilities to who executes it; undefined where nobody can tell. */
function givesCapabilities(file: string): Promise<boolean | undefined> {
  const env = { ...process.env, PATH: `${path()}:/usr/sbin:/sbin` };
  return new Promise<boolean | undefined>((resolve) => {
    childProcess().execFile('getcap', [file], { encoding: 'utf8', env, timeout: longestLook }, (error, stdout) =>
      resolve(error === null ? stdout.includes('cap_set') : undefined),
    );
    // Where no process can be made, it throws.
  }).catch(() => undefined);
}

/** Why a helper has no more rights than we; undefined where it has them, or where we cannot tell. */
async function whyPlain(file: string): Promise<Refusal | undefined> {
  const cause = 'helper';
  if (hasNoNewPrivileges())
    return { cause, detail: `no_new_privs is set on us, so ${basename(file)} has no privilege to write it` };
  const status = host.stat(file);
  if (status === undefined) return undefined;
  const mount = mountOf(file);
  if (mount?.options.includes('nosuid') === true)
    return {
      cause,
      detail: `${file} is on ${mount.target}, which is mounted nosuid, so it has no privilege to write it`,
    };
  if ((status.mode & setUserID) !== 0)
    return status.uid === 0
      ? undefined
      : { cause, detail: `${file} is set-user-ID, but belongs to user ${status.uid} and not to root` };
  const given = await givesCapabilities(file);
  if (given === true) return undefined;
  const detail =
    given === false
      ? `${file} has neither its set-user-ID bit nor a file capability, so it has no privilege to write it`
      : `${file} has no set-user-ID bit, so only a file capability (getcap tells) would let it write it`;
  return { cause, detail };
}

const noHelper: Refusal = {
  cause: 'helper',
  detail: 'an ordinary user maps more than the own id with it',
  hint: 'install the package uidmap',
};

/** Why a map of many ids cannot be written for an ordinary user, as far as the helpers show it. */
export async function whyNoHelpers(): Promise<Refusal | undefined> {
  for (const helper of ['newuidmap', 'newgidmap']) {
    const file = findHelper(helper);
    if (file === undefined) return { ...noHelper, detail: `there is no ${helper} in PATH` };
    const plain = await whyPlain(file);
    if (plain !== undefined) return plain;
  }
  return undefined;
}

/** What a person can do about a helper that failed. */
async function whyNoHelp(
  error: { code?: unknown },
  helper: string,
  stderr: string,
  map: IdMap,
  kind: Kind,
): Promise<Hint | undefined> {
  if (error.code === 'ENOENT') return noHelper;
  const file = findHelper(helper);
  if (error.code === 'EACCES')
    return file === undefined ? undefined : { cause: 'helper', detail: `${file} is not executable` };
  // In its words: first it looks into the file of ranges, then it writes.
  if (stderr.includes('not allowed'))
    return { cause: 'subids', detail: `the ranges must be those of /etc/sub${kind} for our user` };
  const plain = file === undefined ? undefined : await whyPlain(file);
  return plain ?? whyStrange(map, kind)?.hint ?? whyPowerless();
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
        void whyNoHelp(error, helper, stderr, map, kind).then((hint) =>
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
              hint,
              cause: error,
            }),
          ),
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
