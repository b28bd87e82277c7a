// Types that change how something is seen that is there: `mask`, `readonly` and `remount`.
import { boolean } from '../../check';
import { invalidArgType, refusedOption } from '../../errors/argument-error';
import { constants } from '../../kernel/constants';
import * as call from '../../assembly/calls';
import { checkAttributes, makeReadonly, noAttributes, setAttributes } from './attributes';
import { mountOfNode, whyNoNode } from './device-node';
import { newFileSystem } from './file-systems';
import type { MountType } from '../../assembly/mount-type';
import type { Request } from '../../assembly/request';
import { isTop } from '../../assembly/target';

const {
  AT_EMPTY_PATH,
  AT_RECURSIVE,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  MS_UNBINDABLE,
  O_PATH,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} = constants;

const closed = {
  ...noAttributes,
  alone: { set: MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, clear: 0 },
};

export const mask: MountType = {
  fields: [],
  hides: true,

  check: () => ({
    emit(place, target) {
      const hidden = place.open(target, O_PATH);
      place.leaveAt('ENOENT', 'ENOTDIR');
      place.whetherDirectory(hidden, {
        directory() {
          const cover = newFileSystem(place, 'tmpfs', [], closed);
          place.attach(cover, hidden);
          place.close(cover);
        },
        other() {
          // Whatever an entry before has put there.
          const cover = mountOfNode(place, '/dev/null', 1, 3);
          place.attach(cover, hidden);
          place.close(cover);
        },
      });
      place.close(hidden);
    },
    hint: whyNoNode,
  }),
};

/** What is laid over the target is a copy, of all that is mounted below it but what is unbindable. By the paths: no link is looked through. */
function refuseUncovering({ mounts }: Request, option: string, target: string): void {
  const below = (path: string): string => `${path.replace(/\/+$/, '')}/`;
  for (let index = Number(/\d+/.exec(option)) - 1; index >= 0; index--) {
    const { isMount, optional, propagation, target: other } = mounts[index]!;
    // That covers what was mounted before.
    if (isMount && below(target).startsWith(below(other))) return;
    if (optional || propagation?.propagation !== MS_UNBINDABLE || !below(other).startsWith(below(target))) continue;
    throw refusedOption(
      `${option}.target`,
      `would show what mounts[${index}] hides: that is unbindable, and no part of a copy`,
    );
  }
}

export const readonly: MountType = {
  fields: ['recursive'],

  check(given, option) {
    const recursive = given['recursive'] === undefined || boolean(given['recursive'], `${option}.recursive`);
    return {
      settle: refuseUncovering,
      emit(place, target) {
        const { writer } = place;
        if (isTop(target)) return makeReadonly(writer, place.root, recursive);
        const there = place.open(target, O_PATH);
        place.leaveIfMissing();
        // With all that is mounted below, in any case: among that may be what hides something.
        const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE;
        writer.add(call.open_treeOf, there, writer.addText(''), flags);
        const mount = place.keep();
        makeReadonly(writer, mount, recursive);
        place.attach(mount, there);
        place.close(mount);
        place.close(there);
      },
    };
  },
};

export const remount: MountType = {
  fields: ['attributes'],

  check(given, option) {
    if (given['attributes'] === undefined)
      throw invalidArgType(`${option}.attributes`, 'an instance of Array', undefined);
    const attributes = checkAttributes(given, option, [], false);
    return {
      detail: (given['attributes'] as readonly string[]).join(),
      emit(place, target) {
        if (isTop(target)) return setAttributes(place.writer, place.root, attributes);
        const there = place.open(target, O_PATH);
        place.leaveIfMissing();
        setAttributes(place.writer, there, attributes);
        place.close(there);
      },
      hint: (code, _request, syscall) =>
        code === 'EINVAL' && syscall === 'mount_setattr' ? 'the target is no mount point' : undefined,
    };
  },
};
