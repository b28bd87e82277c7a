// Type `device`: a device or a named pipe, see mknod(2).
import { integer, oneOf } from '../../check';
import { invalidArgValue, refusedOption } from '../../errors/argument-error';
import { Flags } from '../../flags';
import { changeable } from '../../assembly/fact';
import { deviceNumber, pathOfDevice } from '../../host/devices';
import { isInFirstUserNamespace } from '../../host/ourselves';
import { constants } from '../../kernel/constants';
import type { Slot } from '../../program/writer';
import * as call from '../../assembly/calls';
import type { Given, MountType } from '../../assembly/mount-type';
import type { Place } from '../../assembly/place';
import type { Request } from '../../assembly/request';
import { sameNode } from '../../assembly/same-file';
import { mountOfNode, whyNoNode } from './device-node';

const { AT_EMPTY_PATH, CAP_MKNOD, O_CLOEXEC, O_NOFOLLOW, O_PATH, S_IFBLK, S_IFCHR, S_IFIFO } = constants;

const types = { c: S_IFCHR, b: S_IFBLK, p: S_IFIFO } as const;
const kinds = Object.keys(types) as (keyof typeof types)[];

/** The kernel has 12 bits for one and 20 for the other, see MINORBITS in linux/kdev_t.h. */
const largestMajor = 0xfff;
const largestMinor = 0xfffff;
/** The one above means none. */
const largestId = 0xfffffffe;

interface Node {
  readonly kind: keyof typeof types;
  readonly major: number;
  readonly minor: number;
  readonly mode: number;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

function checkNode(given: Given, option: string): Node {
  const kind = oneOf(given['kind'], `${option}.kind`, kinds);
  const optional = (name: string, largest: number): number | undefined =>
    given[name] === undefined ? undefined : integer(given[name], `${option}.${name}`, 0, largest);
  const numberOf = (name: 'major' | 'minor', largest: number): number => {
    if (kind !== 'p') return integer(given[name], `${option}.${name}`, 0, largest);
    if (given[name] !== undefined) throw refusedOption(`${option}.${name}`, 'says nothing of a named pipe');
    return 0;
  };
  return {
    kind,
    major: numberOf('major', largestMajor),
    minor: numberOf('minor', largestMinor),
    mode: optional('mode', 0o777) ?? 0o666,
    uid: optional('uid', largestId),
    gid: optional('gid', largestId),
  };
}

/** The kernel lets nobody make a device in another user namespace than the first. */
function mayMake({ kind }: Node, request: Request): boolean {
  if (kind === 'p') return true;
  const isOurs = !request.creates(Flags.NEWUSER) && !request.joinsUser;
  return isOurs && request.own.has(CAP_MKNOD) && isInFirstUserNamespace();
}

function make(place: Place, target: string, { kind, major, minor, mode, uid, gid }: Node): void {
  const { writer } = place;
  const { parent, name } = place.makeParents(target);
  const path = writer.addText(name);
  // Permissions that it takes away could be given back by a path only, which may lead elsewhere by then.
  writer.add(call.umask, 0);
  const umask = place.keep();
  writer.add(call.mknodatOf, parent, path, types[kind] | mode, deviceNumber(major, minor)).accept('EEXIST');
  writer.add(call.umaskOf, umask);
  place.forget(umask);
  writer.add(call.openatOf, parent, path, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
  const made = place.keep();
  sameNode(writer, made, types[kind] | mode, major, minor, 'EEXIST');
  if (uid !== undefined || gid !== undefined) {
    writer.add(call.fchownatOf, made, writer.addText(''), uid ?? -1, gid ?? -1, AT_EMPTY_PATH);
  }
  place.close(made);
  place.closeParent(parent);
}

function mountNode(place: Place, target: string, node: Slot): void {
  place.makeFile(target);
  const there = place.open(target, O_PATH);
  place.attach(node, there);
  place.close(node);
  place.close(there);
}

export const device: MountType = {
  fields: ['kind', 'major', 'minor', 'mode', 'uid', 'gid'],

  check(given, option) {
    const node = checkNode(given, option);
    const { kind, major, minor } = node;
    const detail = kind === 'p' ? 'pipe' : `${kind} ${major}:${minor}`;
    return {
      detail,
      makes: true,

      settle(request, name, target) {
        if (kind === 'p' || mayMake(node, request)) return;
        const path = pathOfDevice(kind, major, minor);
        request.facts.push(changeable);
        const others = [...request.devicePaths].filter(([one]) => one !== node);
        request.devicePaths = new Map(path === undefined ? others : [...others, [node, path]]);
        if (path === undefined && given['optional'] !== true) {
          const reason =
            'must be of a device that is below /dev: in a user namespace that is mounted, as none can be made';
          throw invalidArgValue(name, detail, reason);
        }
        if (path !== undefined && (given['mode'] ?? node.uid ?? node.gid) !== undefined)
          request.note(`${name}: ${target} has the owner and the permissions of the host's ${path}`);
      },

      hint: (code) => (code === 'EEXIST' ? 'something else is there already' : whyNoNode(code)),

      prepare(place, request) {
        const path = request.devicePaths.get(node);
        if (path === undefined) return [];
        place.writer.subject(path, undefined, 'mount');
        return [mountOfNode(place, path, major, minor)];
      },

      emit(place, target, request, [mount]) {
        if (mount !== undefined) mountNode(place, target, mount);
        else if (mayMake(node, request)) make(place, target, node);
      },
    };
  },
};
