// Type `bind`: the same files in a second place.
import { resolve } from 'node:path';

import { boolean, fileDescriptor, string } from '../../check';
import { invalidArgType } from '../../errors/argument-error';
import { constants } from '../../kernel/constants';
import type { Slot, Writer } from '../../program/writer';
import * as call from '../../assembly/calls';
import { type HeldSource, mountHeld } from '../../assembly/held-file';
import { type Idmap, type MappedSource, mapIds } from '../../assembly/idmap';
import type { MountType, Parts } from '../../assembly/mount-type';
import type { Place } from '../../assembly/place';
import type { Request } from '../../assembly/request';
import { idmapping } from '../../assembly/settings';
import { type Attributes, attributeFields, checkAttributes, noAttributes, setAttributes } from './attributes';
import { checkIdmap } from './idmap';

const {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  F_GETFD,
  MS_PRIVATE,
  MS_SHARED,
  MS_SLAVE,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} = constants;

/**
 * A copy of a mount is shared as that is. Ours are private, where nobody has asked for more: what was held was copied before ours were
 * made so.
 */
function withPropagation(attributes: Attributes, request: Request, isHeld: boolean): Attributes {
  if (attributes.propagation !== 0 || (request.propagation === 'private' && !isHeld)) return attributes;
  return { ...attributes, propagation: MS_PRIVATE, propagatesBelow: true };
}

/** The kernel has one word for several things. */
function whyInvalid(recursive: boolean, request: Request, syscall: string | undefined): string | undefined {
  if (syscall !== 'open_tree') return undefined;
  if (request.propagation === 'unbindable') return "nothing is bound where propagation is 'unbindable'";
  return recursive
    ? undefined
    : 'in a user namespace a folder with mounts below it comes with them: recursive must not be false';
}

/**
 * What is mounted below a copy that was held is shared with the host as that is, also where a word is about the copy alone: of all of
 * it then nothing goes to the host.
 */
function partBelow(writer: Writer, mount: Slot, { propagation, propagatesBelow }: Attributes): void {
  if (propagation === 0 || propagation === MS_SHARED || propagatesBelow) return;
  const all = propagation === MS_SLAVE ? MS_SLAVE : MS_PRIVATE;
  setAttributes(writer, mount, { ...noAttributes, propagation: all, propagatesBelow: true });
}

interface Source extends Pick<Parts, 'held'> {
  readonly source: string;
  /** Undefined where it is held. */
  readonly path?: string;
  /** The mount of it, which has no place yet. */
  open(place: Place, request: Request): Slot;
}

function openDescriptor(descriptor: number, recursive: boolean): Source {
  const held: HeldSource = { descriptor, name: `descriptor ${descriptor}`, recursive };
  return {
    source: held.name,
    held,
    open: (place, request) => mountHeld(place, request, held),
  };
}

const cloning = (recursive: boolean): number => OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0);

/** That there is no link in it is what the kernel sees to, at the moment at which it counts. */
function openPlain(place: Place, path: string, recursive: boolean): Slot {
  const { writer } = place;
  const file = place.openPlain(path);
  writer.add(call.open_treeOf, file, writer.addText(''), cloning(recursive) | AT_EMPTY_PATH);
  const mount = place.keep();
  place.close(file);
  return mount;
}

function openPath(source: string, recursive: boolean): Source {
  return {
    source,
    path: source,
    open(place) {
      place.writer.add(call.open_tree, AT_FDCWD, place.writer.addText(source), cloning(recursive));
      return place.leaveIfMissing().keep();
    },
  };
}

function sourceOf(value: unknown, option: string, recursive: boolean): Source {
  if (typeof value === 'number') return openDescriptor(fileDescriptor(value, option), recursive);
  if (typeof value === 'string') return openPath(resolve(string(value, option, { nonEmpty: true })), recursive);
  throw invalidArgType(option, 'of type string or number', value);
}

function plain(from: Source, recursive: boolean, attributes: Attributes): Parts {
  return {
    source: from.source,
    ...(from.path !== undefined && {
      looksUp: true,
      plain: { path: from.path, open: (place: Place) => openPlain(place, from.path!, recursive) },
    }),
    ...(from.held !== undefined && {
      held: from.held,
      // Before an entry can cover it.
      prepare: (place: Place, request: Request) => [from.open(place, request)],
    }),
    make(place, request, prepared) {
      const mount = prepared[0] ?? from.open(place, request);
      if (from.held !== undefined) partBelow(place.writer, mount, attributes);
      setAttributes(place.writer, mount, withPropagation(attributes, request, from.held !== undefined));
      return mount;
    },
  };
}

/** With other ids: what is set of it is set with them, which may be before a user namespace is entered, and is locked there then. */
function withIds(from: Source, idmap: Idmap, recursive: boolean, attributes: Attributes): Parts {
  const mapped: MappedSource = {
    idmap,
    path: from.path,
    recursive,
    open(place, request) {
      const mount = from.open(place, request);
      place.writer.verb(idmapping);
      mapIds(place, mount, mapped, request);
      place.writer.verb('mount');
      setAttributes(place.writer, mount, { ...attributes, propagation: 0 });
      return mount;
    },
  };
  const isFirst = (request: Request): boolean => request.mappedFirst.some((one) => one.mapped === mapped);
  return {
    source: from.source,
    ...(from.path !== undefined && { looksUp: true }),
    mapped,
    ...(from.held !== undefined && {
      held: from.held,
      prepare: (place: Place, request: Request) => (isFirst(request) ? [] : [mapped.open(place, request)]),
    }),
    make(place, request, prepared) {
      const { writer } = place;
      const mount = isFirst(request)
        ? takeMapped(place, mapped, request)
        : (prepared[0] ?? mapped.open(place, request));
      if (from.held !== undefined) partBelow(writer, mount, attributes);
      const { propagation, propagatesBelow } = withPropagation(attributes, request, from.held !== undefined);
      setAttributes(writer, mount, { ...noAttributes, propagation, propagatesBelow });
      return mount;
    },
  };
}

/** What was made before the user namespace was entered; nothing where the source was missing. */
function takeMapped(place: Place, mapped: MappedSource, request: Request): Slot {
  const mount = request.mapped.get(mapped)!;
  place.writer.add(call.fcntlOf, mount, F_GETFD);
  place.leaveIfMissing('EBADF');
  return place.take(mount);
}

export const bind: MountType = {
  fields: ['source', 'recursive', 'idmap', 'create', ...attributeFields],
  isRoot: true,

  check(given, option) {
    const recursive = given['recursive'] === undefined || boolean(given['recursive'], `${option}.recursive`);
    const attributes = checkAttributes(given, option, [], recursive);
    const from = sourceOf(given['source'], `${option}.source`, recursive);
    const idmap = given['idmap'] === undefined ? undefined : checkIdmap(given['idmap'], `${option}.idmap`);
    return {
      ...(idmap === undefined ? plain(from, recursive, attributes) : withIds(from, idmap, recursive, attributes)),
      create: (place, target, mount) => place.makeLike(target, mount),
      hint(code, request, syscall) {
        if (code === 'ENOENT' && syscall === 'open_tree') return 'the source is missing';
        return code === 'EINVAL' ? whyInvalid(recursive, request, syscall) : undefined;
      },
    };
  },
};
