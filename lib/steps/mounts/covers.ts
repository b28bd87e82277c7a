// Types that change how something is seen that is there: `mask`, `readonly` and `remount`.
import { boolean } from '../../check';
import { invalidArgType } from '../../errors/argument-error';
import { constants } from '../../kernel/constants';
import * as call from '../../assembly/calls';
import { checkAttributes, makeReadonly, noAttributes, setAttributes } from './attributes';
import { mountOfNode, whyNoNode } from './device-node';
import { newFileSystem } from './file-systems';
import type { MountType } from '../../assembly/mount-type';
import { isTop } from '../../assembly/target';

const {
  AT_EMPTY_PATH,
  AT_RECURSIVE,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
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

export const readonly: MountType = {
  fields: ['recursive'],

  check(given, option) {
    const recursive = given['recursive'] === undefined || boolean(given['recursive'], `${option}.recursive`);
    return {
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
