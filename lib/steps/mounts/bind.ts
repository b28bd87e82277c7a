// Type `bind`: the same files in a second place.
import { resolve } from 'node:path';

import { boolean, string } from '../../check';
import { constants } from '../../kernel/constants';
import * as call from '../../assembly/calls';
import type { Request } from '../../assembly/request';
import { type Attributes, attributeFields, checkAttributes, setAttributes } from './attributes';
import type { MountType } from '../../assembly/mount-type';

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

export const bind: MountType = {
  fields: ['source', 'recursive', 'create', ...attributeFields],
  isRoot: true,

  check(given, option) {
    const source = resolve(string(given['source'], `${option}.source`, { nonEmpty: true }));
    const recursive = given['recursive'] === undefined || boolean(given['recursive'], `${option}.recursive`);
    const attributes = checkAttributes(given, option, [], recursive);
    return {
      source,
      make(place, request) {
        const { writer } = place;
        const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
        writer.add(call.open_tree, AT_FDCWD, writer.addText(source), flags);
        const mount = place.leaveIfMissing().keep();
        setAttributes(writer, mount, withPropagation(attributes, request));
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
