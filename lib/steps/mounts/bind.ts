// Type `bind`: the same files in a second place.
import { resolve } from 'node:path';

import { boolean, string } from '../../check';
import { constants } from '../../kernel/constants';
import * as call from '../../assembly/calls';
import { attributeFields, checkAttributes, setAttributes } from './attributes';
import type { MountType } from '../../assembly/mount-type';

const { AT_FDCWD, AT_RECURSIVE, OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE } = constants;

export const bind: MountType = {
  fields: ['source', 'recursive', 'create', ...attributeFields],
  isRoot: true,

  check(given, option) {
    const source = resolve(string(given['source'], `${option}.source`, { nonEmpty: true }));
    const recursive = given['recursive'] === undefined || boolean(given['recursive'], `${option}.recursive`);
    const attributes = checkAttributes(given, option, [], recursive);
    return {
      source,
      make(place) {
        const { writer } = place;
        const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
        writer.add(call.open_tree, AT_FDCWD, writer.addText(source), flags);
        const mount = place.leaveIfMissing().keep();
        setAttributes(writer, mount, attributes);
        return mount;
      },
      create: (place, target, mount) => place.makeLike(target, mount),
    };
  },
};
