// Type `bind`: the same files in a second place.
import { resolve } from 'node:path';

import { boolean, fileDescriptor, string } from '../../check';
import { invalidArgType } from '../../errors/argument-error';
import { constants } from '../../kernel/constants';
import type { Slot } from '../../program/writer';
import * as call from '../../assembly/calls';
import { type HeldSource, mountHeld } from '../../assembly/held-file';
import type { MountType, Parts } from '../../assembly/mount-type';
import type { Place } from '../../assembly/place';
import type { Request } from '../../assembly/request';
import { type Attributes, attributeFields, checkAttributes, setAttributes } from './attributes';

const { AT_FDCWD, AT_RECURSIVE, MS_PRIVATE, OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE } = constants;

/** A copy of a mount is shared as that is. Ours are private, where nobody has asked for more. */
function withPropagation(attributes: Attributes, request: Request): Attributes {
  if (attributes.propagation !== 0 || request.propagation === 'private') return attributes;
  return { ...attributes, propagation: MS_PRIVATE, propagatesBelow: true };
}

/** The kernel has one word for several things. */
function whyInvalid(recursive: boolean, request: Request, syscall: string | undefined): string | undefined {
  if (syscall === 'move_mount') return 'a directory is mounted on a directory only, and a file on a file';
  if (syscall !== 'open_tree') return undefined;
  if (request.propagation === 'unbindable') return "nothing is bound where propagation is 'unbindable'";
  return recursive
    ? undefined
    : 'in a user namespace a folder with mounts below it comes with them: recursive must not be false';
}

interface Source extends Pick<Parts, 'source' | 'held' | 'prepare'> {
  /** The mount of it, which has no place yet. */
  open(place: Place, prepared: readonly Slot[]): Slot;
}

function openDescriptor(descriptor: number, recursive: boolean): Source {
  const held: HeldSource = { descriptor, name: `descriptor ${descriptor}`, recursive };
  return {
    source: held.name,
    held,
    prepare: (place, request) => [mountHeld(place, request, held)],
    open: (_, [mount]) => mount!,
  };
}

function openPath(source: string, recursive: boolean): Source {
  return {
    source,
    open(place) {
      const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
      place.writer.add(call.open_tree, AT_FDCWD, place.writer.addText(source), flags);
      return place.leaveIfMissing().keep();
    },
  };
}

function sourceOf(value: unknown, option: string, recursive: boolean): Source {
  if (typeof value === 'number') return openDescriptor(fileDescriptor(value, option), recursive);
  if (typeof value === 'string') return openPath(resolve(string(value, option, { nonEmpty: true })), recursive);
  throw invalidArgType(option, 'of type string or number', value);
}

export const bind: MountType = {
  fields: ['source', 'recursive', 'create', ...attributeFields],
  isRoot: true,

  check(given, option) {
    const recursive = given['recursive'] === undefined || boolean(given['recursive'], `${option}.recursive`);
    const attributes = checkAttributes(given, option, [], recursive);
    const from = sourceOf(given['source'], `${option}.source`, recursive);
    return {
      ...from,
      make(place, request, prepared) {
        const mount = from.open(place, prepared);
        setAttributes(place.writer, mount, withPropagation(attributes, request));
        return mount;
      },
      create: (place, target, mount) => place.makeLike(target, mount),
      hint(code, request, syscall) {
        if (code === 'ENOENT' && syscall === 'open_tree') return 'the source is missing';
        return code === 'EINVAL' ? whyInvalid(recursive, request, syscall) : undefined;
      },
    };
  },
};
