// Step `root`: another root, and the way into it, see pivot_root(2). Nothing of the old one can be reached afterwards.
import { resolve } from 'node:path';

import { oneOf, plainObject, string } from '../check';
import { invalidArgType, refusedOption } from '../errors/argument-error';
import { Flags } from '../flags';
import { constants } from '../kernel/constants';
import * as call from '../assembly/calls';
import { needs } from '../assembly/needs';
import type { Step } from '../assembly/step';
import { Place } from '../assembly/place';
import { rootTypes, types } from './mounts/types';

const { MNT_DETACH } = constants;

export const root: Step = {
  name: 'root',
  options: ['root'],
  onlyWhenGiven: true,
  after: { propagation: 'a mount made while mounts are shared would appear on the host' },

  check({ root: value }, request) {
    if (typeof value !== 'string' && (typeof value !== 'object' || value === null)) {
      throw invalidArgType('root', 'of type string or a mount without target', value);
    }
    const mount =
      typeof value === 'string'
        ? { type: 'bind', source: resolve(string(value, 'root', { nonEmpty: true })) }
        : plainObject(value, 'root');
    const type = oneOf((mount as { type?: unknown }).type, 'root.type', rootTypes);
    const kind = types[type]!;
    const given = plainObject(mount, 'root', ['type', ...kind.fields.filter((field) => field !== 'create')]);
    request.root = kind.check(given, 'root');
    request.changesRoot = true;
  },

  settle(request) {
    if (request.root !== undefined) needs(request, 'root', Flags.NEWNS, 'the host would get another root');
  },

  emit(writer, request) {
    if (request.root === undefined) return;
    writer.about(this.name, 'root');
    const place = new Place(writer, undefined);
    writer.subject(request.root.source, '/', 'mount');
    place.attachRoot(request.root.make!(place, request));
    place.end();
    request.rootSlot = place.root;
  },

  hint(code, label, request) {
    const own = request.root?.hint?.(code, request);
    if (own !== undefined) return own;
    if (code === 'EINVAL' && label.verb === 'mount')
      return 'in a user namespace a folder with mounts below it comes with them: recursive must not be false';
    return undefined;
  },
};

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
