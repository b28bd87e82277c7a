// Keeps a namespace beyond every process and descriptor: by a bind mount of it, as ip-netns(8) does.
import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, normalize } from 'node:path';

import type { NamespaceKind } from '../types/flags';
import { addon } from './addon';
import type { Hint } from './errors/hint';
import { SyscallError, type SyscallErrorInit } from './errors/syscall-error';
import { mountOf } from './host/mount-table';
import { holds, whoRefuses } from './host/ourselves';
import { constants } from './kernel/constants';
import { errnoName } from './kernel/errno-texts';
import { syscallName } from './kernel/syscalls';
import { identify } from './open-file';
import { isOwnWithinOurs } from './within-ours';
import { namespaceId } from './proc';

/** Where ip-netns(8) has its own. It makes the folder, and a shared mount of it, when it first keeps one. */
const foldersOfIp = ['/run/netns', '/var/run/netns'];

/** @throws SyscallError */
export function keepNamespace(descriptor: number, kind: NamespaceKind, path: string): void {
  const folder = dirname(path);
  const shares = kind === 'net' && foldersOfIp.includes(normalize(folder));
  const call = new Int32Array(1);
  // The root has no name, and is there already.
  const result = addon().keepNamespace(descriptor, folder, basename(path) || '.', shares, call);
  if (result === 0) return;
  const code = errnoName(-result);
  const syscall = syscallName(call[0]!);
  const error = { code, errno: -result, syscall, option: 'path', path };
  if (kind === 'mnt' && (code === 'ELOOP' || code === 'EINVAL'))
    throw new SyscallError({ ...error, ...(passesOn(folder, code) ?? loopOf(descriptor)) });
  throw new SyscallError({ ...error, hint: hintFor(code, syscall, folder) });
}

function isOnShared(folder: string): boolean {
  try {
    return mountOf(`${realpathSync(folder)}/`)?.isShared === true;
  } catch {
    return false;
  }
}

/** Where its mount has peers in other namespaces the new one would have to be there too, which the kernel does not do for this kind. */
function passesOn(folder: string, code: string): SyscallErrorInit | undefined {
  if (code !== 'EINVAL' || !isOnShared(folder)) return undefined;
  const reason =
    'its folder is on a shared mount, and what keeps a mount namespace is not passed on to the peers of that';
  return {
    reason,
    hint: `keep it in a folder with a private mount: mount --bind ${folder} ${folder}; mount --make-private ${folder}`,
  };
}

/** The two would hold each other for ever. */
function loopOf(descriptor: number): SyscallErrorInit {
  const isOurs = Number(identify(descriptor).ino) === namespaceId('thread-self/ns/mnt');
  if (isOurs) return { reason: 'a mount namespace cannot be kept in itself' };
  return { reason: 'a mount namespace cannot be kept in one that was made after it', hint: madeBefore };
}

/** Its number tells which one came first, and each processor has a range of them. */
const madeBefore = 'Linux 6.18 may take a newer one for older, where another processor made it: make it anew then';

function hintFor(code: string, syscall = 'open_tree', folder = ''): Hint | undefined {
  switch (code) {
    case 'ENOSYS':
      return whoRefuses(code, syscall);
    case 'EPERM':
      if (holds(constants.CAP_SYS_ADMIN) === true && isOwnWithinOurs('mnt')) return whoRefuses(code, syscall);
      return 'needs CAP_SYS_ADMIN in the user namespace that owns our mount namespace';
    case 'EEXIST':
      return 'something is there already; where it is a namespace, umount(8) and rm(1) take it away';
    case 'ENOENT':
      return existsSync(folder) ? 'nobody can make a file in its folder' : 'its folder is missing';
    case 'EAGAIN':
      return syscall === 'flock' ? 'somebody else holds a lock of its folder, see flock(2) and lslocks(8)' : undefined;
    default:
      return undefined;
  }
}
