// Step `propagation`: whether mounts of the new mount namespace reach other ones. By default none does.
import { oneOf } from '../check';
import { Flags } from '../flags';
import { constants } from '../kernel/constants';
import * as call from '../assembly/calls';
import { needs } from '../assembly/needs';
import type { Step } from '../assembly/step';

const { AT_FDCWD, AT_RECURSIVE, MS_PRIVATE, MS_SHARED, MS_SLAVE, MS_UNBINDABLE } = constants;

const flagOf = { private: MS_PRIVATE, slave: MS_SLAVE, shared: MS_SHARED, unbindable: MS_UNBINDABLE } as const;

const words = ['private', 'slave', 'shared', 'unbindable', 'unchanged'] as const;

/** `struct mount_attr`: attr_set, attr_clr, propagation, userns_fd. */
const mountAttrSize = 32;
const mountAttrPropagation = 16;

export const propagation: Step = {
  name: 'propagation',
  options: ['propagation'],
  after: { namespaces: 'the mounts of the host must stay as they are' },

  check(given, request) {
    request.propagation = oneOf(given.propagation, 'propagation', words);
  },

  settle(request) {
    if (request.propagation !== undefined) {
      needs(request, 'propagation', Flags.NEWNS, 'without it the mounts of the host would be changed');
    } else if (request.creates(Flags.NEWNS)) {
      request.propagation = 'private';
    }
  },

  emit(writer, request) {
    if (request.propagation === undefined || request.propagation === 'unchanged') return;
    writer.about(this.name, 'propagation').subject('/');
    const attributes = writer.reserve(mountAttrSize);
    writer.setInt64(attributes + mountAttrPropagation, flagOf[request.propagation]);
    // systemd makes / shared: without this, mounts made here would appear on the host.
    writer.add(call.mount_setattr, AT_FDCWD, writer.addText('/'), AT_RECURSIVE, attributes, mountAttrSize);
  },

  hint: (code) =>
    code === 'EINVAL' ? 'our root is no mount point (inside chroot?); bind-mount it to itself first' : undefined,
};
