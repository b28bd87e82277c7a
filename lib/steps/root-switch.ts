// Step `root switch`: the way into another root, see pivot_root(2). Nothing of the old one can be reached afterwards.
import { refusedOption } from '../errors/argument-error';
import { constants } from '../kernel/constants';
import * as call from '../assembly/calls';
import type { Step } from '../assembly/step';

const { MNT_DETACH } = constants;

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
    // pivot_root(2), "pivot_root(".", ".")": the old root lies upon the new one for a moment, and goes.
    writer.add(call.pivot_root, here, here);
    writer.add(call.umount2, here, MNT_DETACH);
  },

  hint: (code) =>
    code === 'EINVAL' ? 'our own root is no mount point (inside chroot?); bind-mount it to itself first' : undefined,
};
