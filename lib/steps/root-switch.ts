// Step `root switch`: the way into another root, see pivot_root(2). Nothing of the old one can be reached afterwards.
import { refusedOption } from '../errors/argument-error';
import { constants } from '../kernel/constants';
import * as call from '../assembly/calls';
import { isTop } from '../assembly/target';
import type { Request } from '../assembly/request';
import type { Step } from '../assembly/step';
import type { Writer } from '../program/writer';

const { AT_FDCWD, MNT_DETACH } = constants;

/** Of `struct statx`: its size, `stx_mnt_id`, and what asks for that; see linux/stat.h. */
const statxSize = 256;
const mountID = { at: 144, size: 8, mask: 0x1000 };

/** How many mounts have become the root one upon the other. */
function rootsOf({ root, mounts }: Request): number {
  return (
    (root === undefined ? 0 : 1) + mounts.filter((entry) => entry.make !== undefined && isTop(entry.target)).length
  );
}

/** The ID of the mount that a path leads to, in the data. */
function mountOf(writer: Writer, path: string): number {
  const found = writer.reserve(statxSize);
  writer.add(call.statx, AT_FDCWD, writer.addText(path), 0, mountID.mask, found);
  return found + mountID.at;
}

/** The process goes into the root that has been made, and lets go of the one that it had. */
export const rootSwitch: Step = {
  name: 'root switch',
  options: [],
  after: {
    root: 'it is what is gone into',
    mounts: 'their sources are outside',
    sysctl: 'it is written by paths that we have opened',
  },

  settle(request) {
    if (!request.changesRoot) return;
    if (request.propagation === 'shared' || request.propagation === 'unchanged') {
      throw refusedOption(
        'propagation',
        `cannot be '${request.propagation}' beside another root: pivot_root(2) wants mounts that are not shared`,
      );
    }
  },

  emit(writer, request) {
    const { rootSlot } = request;
    if (rootSlot === undefined || !request.changesRoot) return;
    const here = writer.about(this.name, 'root').addText('.');
    writer.add(call.fchdir, rootSlot);
    writer.add(call.close, rootSlot);
    // pivot_root(2), "pivot_root(".", ".")": the old root lies upon the new one for a moment, and goes. Upon it in turn lies what was the
    // root in between.
    writer.add(call.pivot_root, here, here);
    for (let left = rootsOf(request); left > 0; left--) writer.add(call.umount2, here, MNT_DETACH);
    // From the root `..` leads to what lies upon it: to nothing but itself.
    writer.subject('/', undefined, 'leave the old root');
    writer.compare(mountOf(writer, '/..'), mountOf(writer, '/'), mountID.size, 'EBUSY');
  },

  hint(code) {
    if (code === 'EBUSY') return 'a mount lies upon a root, where nobody can see it; its target may be a link to /';
    return code === 'EINVAL'
      ? 'our own root is no mount point (inside chroot?); bind-mount it to itself first'
      : undefined;
  },
};
