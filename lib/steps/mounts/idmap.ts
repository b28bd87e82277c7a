// The field `idmap` of a bind: its check, who can apply it where, and why it was refused.
import { plainObject } from '../../check';
import { invalidArgType, invalidArgValue, refusedOption } from '../../errors/argument-error';
import type { Hint } from '../../errors/hint';
import { Flags } from '../../flags';
import { mountOf, mountTable } from '../../host/mount-table';
import { holdsEverywhere } from '../../host/ourselves';
import { checkTarget } from '../../join-target';
import { constants } from '../../kernel/constants';
import type { IdMapping } from '../../../types/options';
import type { Idmap } from '../../assembly/idmap';
import { changeable } from '../../assembly/fact';
import type { IdMap } from '../../assembly/ids';
import type { Request } from '../../assembly/request';
import { idmapping, type MappedMount, nameOf } from '../../assembly/settings';
import { isTop, namesOf } from '../../assembly/target';
import type { Label } from '../../program/writer';
import { whyForbidden } from '../forbidden-user-namespaces';
import { checkRanges } from '../id-maps';
import { explain } from '../id-map-writers';
import { whyNoProcess } from '../why-no-process';

/** And those that come back to where we were. */
export const returning = 'go back to';

export function checkIdmap(value: unknown, option: string): Idmap {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalidArgType(option, 'an instance of Namespace, or an object with uidMap and gidMap', value);
  if ('kind' in value && 'fd' in value) return { namespace: checkTarget(value, option, Flags.NEWUSER) };
  const given = plainObject(value, option, ['uidMap', 'gidMap']);
  return {
    uids: checkRanges(given.uidMap, `${option}.uidMap`),
    gids: checkRanges(given.gidMap, `${option}.gidMap`),
  };
}

/** The last entry before this one that covers what its source is in; undefined where that is one of our own mounts. */
function coverOf({ root, mounts }: Request, index: number, path: string | undefined): number | undefined {
  const before = mounts.slice(0, index);
  // Sources are outside of another root.
  const goesOut = root !== undefined || before.some(({ make, target }) => make !== undefined && isTop(target));
  if (path === undefined || goesOut) return undefined;
  const names = namesOf(path);
  const found = before.findLastIndex(
    ({ isMount, target }) => isMount && namesOf(target).every((name, at) => names[at] === name),
  );
  return found < 0 ? undefined : found;
}

/** As {@link coverOf}. What is bound there has the file system of somewhere else, where it gets its ids before there is that bind. */
function mountedBy(request: Request, index: number, path: string | undefined): number | undefined {
  const cover = coverOf(request, index, path);
  if (cover === undefined || request.mounts[cover]!.type !== 'bind') return cover;
  if (!request.creates(Flags.NEWUSER) && !request.joinsUser) return undefined;
  const reason = `is in what mounts[${cover}] binds, and is to have its ids before that is there: name the folder that is bound there`;
  throw refusedOption(`mounts[${index}].source`, reason);
}

/** Ranges whose `hostID` is ours, with those that the new user namespace has for them; undefined where it has none for one. */
function rangesInside(ranges: readonly IdMapping[], map: IdMap | undefined): IdMapping[] | undefined {
  const found: IdMapping[] = [];
  for (const range of ranges) {
    for (let done = 0; done < range.size;) {
      const id = range.hostID + done;
      const line = map?.ranges.find(({ hostID, size }) => id >= hostID && id < hostID + size);
      if (line === undefined) return undefined;
      const size = Math.min(range.size - done, line.hostID + line.size - id);
      found.push({ containerID: range.containerID + done, hostID: line.containerID + id - line.hostID, size });
      done += size;
    }
  }
  return found;
}

/** The ids as whoever makes the mount has to write them. */
function idsFor(mount: MappedMount, request: Request): Idmap {
  const { idmap } = mount.mapped;
  if ('namespace' in idmap || request.mappedFirst.includes(mount)) return idmap;
  const option = `${nameOf(mount)}.idmap`;
  if (request.joinsUser)
    throw refusedOption(
      option,
      'must be a Namespace here: the maps of the user namespace that is joined are not ours to know',
    );
  if (!request.creates(Flags.NEWUSER)) return idmap;
  const uids = rangesInside(idmap.uids, request.uidMap);
  const gids = rangesInside(idmap.gids, request.gidMap);
  if (uids !== undefined && gids !== undefined) return { uids, gids };
  if (mount.within === undefined) return idmap;
  const [name, given] = uids === undefined ? (['uidMap', idmap.uids] as const) : (['gidMap', idmap.gids] as const);
  throw invalidArgValue(`${option}.${name}`, given, `must have host ids that the option ${name} has a place for`);
}

/** Looks at all entries that have it. */
export function settleMapped(request: Request): void {
  const all: MappedMount[] = [];
  if (request.root?.mapped !== undefined) {
    const { root } = request;
    const { mapped } = request.root;
    all.push({
      option: 'root',
      index: -1,
      parts: root,
      mapped,
      idmap: mapped.idmap,
      target: '/',
      optional: false,
      within: undefined,
    });
  }
  request.mounts.forEach((parts, index) => {
    const { mapped, target, optional } = parts;
    if (mapped === undefined) return;
    const within = mountedBy(request, index, mapped.path);
    all.push({ option: 'mounts', index, parts, mapped, idmap: mapped.idmap, target, optional, within });
  });
  request.mappedMounts = all;
  if (all.length === 0) return;
  request.mappedMounts = all.map((mount) => ({ ...mount, idmap: idsFor(mount, request) }));
  request.idmapTargets = request.mappedMounts.flatMap((mount) =>
    'namespace' in mount.idmap ? [{ option: `${nameOf(mount)}.idmap`, ...mount.idmap.namespace }] : [],
  );
  if (request.idmapTargets.length > 0) request.facts.push(changeable);
  const { propagation } = request;
  if (request.mappedFirst.length > 0 && (propagation === 'shared' || propagation === 'unchanged')) {
    const reason = `cannot be '${propagation}' beside the ids of ${nameOf(request.mappedFirst[0]!)}: they need mounts of our own, which are not shared`;
    throw refusedOption('propagation', reason);
  }
}

/** The file systems at a path: 'ext4 on /srv, proc on /srv/proc'. */
function fileSystemsAt(path: string, recursive: boolean): string[] {
  const below = mountTable().filter(
    ({ target }) => target.startsWith(`${path === '/' ? '' : path}/`) && target !== path,
  );
  const all = [mountOf(path === '/' ? path : `${path}/`), ...(recursive ? below : [])].filter(
    (mount) => mount !== undefined,
  );
  return all.map(({ type, target }) => `${type} on ${target}`);
}

/** How many an error lists. */
const mostListed = 5;

function whyUnfit({ mapped, within }: MappedMount): string {
  if (within !== undefined)
    return `mounts[${within}] is of a file system that has no ids of a mount's own on this kernel`;
  if (mapped.path === undefined) return "its file system, or one below it, has no ids of a mount's own on this kernel";
  const found = fileSystemsAt(mapped.path, mapped.recursive);
  if (found.length === 1) return `the file system ${found[0]} has no ids of a mount's own on this kernel`;
  const listed = found.length > mostListed ? [...found.slice(0, mostListed), '…'] : found;
  return `one of the file systems ${listed.join(', ')} has no ids of a mount's own on this kernel; with recursive: false only the first one needs them`;
}

function whyNotAllowed(hasOurRights: boolean): string {
  if (hasOurRights && holdsEverywhere(constants.CAP_SYS_ADMIN))
    return 'its files have other ids already, or the user namespace is the first one';
  return 'this takes CAP_SYS_ADMIN in the user namespace that the file system belongs to (for most, root of the host), and in that of the ids';
}

/** Why maps were not taken, by whoever has our rights. */
function whyNotWritten(code: string, { idmap }: MappedMount): Hint | undefined {
  if ('namespace' in idmap) return undefined;
  const explained = (ranges: readonly IdMapping[], kind: 'uid' | 'gid'): Hint | undefined =>
    explain(code, { ranges, writer: 'parent' }, kind).hint;
  return explained(idmap.uids, 'uid') ?? explained(idmap.gids, 'gid');
}

/** What a failure of one of its calls means. */
export function whyNotMapped(
  code: string,
  { verb, option }: Label,
  request: Request,
  syscall: string | undefined,
): Hint | undefined {
  if (verb === returning)
    return code === 'EACCES'
      ? 'who has the ids of the child may not search it; the option cwd says another one'
      : 'it was removed, or something is mounted over it; the option cwd says another one';
  const mount = verb === idmapping ? request.mappedMounts.find((one) => nameOf(one) === option) : undefined;
  if (mount === undefined) return undefined;
  if (syscall === 'clone') return whyForbidden(code) ?? whyNoProcess(code, request);
  if (syscall === 'mount_setattr' && code === 'EINVAL') return whyUnfit(mount);
  const hasOurRights = request.mappedFirst.includes(mount) || !(request.creates(Flags.NEWUSER) || request.joinsUser);
  const unwritten = syscall === 'write' && (hasOurRights || code !== 'EPERM') ? whyNotWritten(code, mount) : undefined;
  return unwritten ?? (code === 'EPERM' ? whyNotAllowed(hasOurRights) : undefined);
}
