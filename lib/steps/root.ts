// Step `root`: another root for the program. Mounts are made in it; then step `root switch` goes there.
import { resolve } from 'node:path';

import { oneOf, plainObject, string } from '../check';
import { invalidArgType } from '../errors/argument-error';
import { Flags } from '../flags';
import { needs } from '../assembly/needs';
import type { Step } from '../assembly/step';
import { Place } from '../assembly/place';
import { whyNotHeld } from '../assembly/held-file';
import { whyNotPlaced } from '../assembly/target';
import { attachAsRoot, checkPropagation } from './mounts/attributes';
import { makeBeforeRoot } from './mounts/before-root';
import { settleMapped, whyNotMapped } from './mounts/idmap';
import { rootTypes, types } from './mounts/types';

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
    request.root = { propagation: checkPropagation(given, 'root'), ...kind.check(given, 'root') };
    request.changesRoot = true;
  },

  settle(request) {
    if (request.root === undefined) return;
    needs(request, 'root', Flags.NEWNS, 'the host would get another root');
    request.root.settle?.(request, 'root', '/');
    settleMapped(request);
  },

  emit(writer, request) {
    if (request.root === undefined) return;
    writer.about(this.name, 'root');
    const place = new Place(writer, undefined);
    writer.subject(request.root.source, undefined, 'mount');
    const prepared = request.root.prepare?.(place, request) ?? [];
    writer.subject(request.root.source, '/', 'mount');
    const mount = request.root.make!(place, request, prepared);
    makeBeforeRoot(place, request);
    writer.about(this.name, 'root').subject(request.root.source, '/', 'mount');
    attachAsRoot(place, mount, request.root);
    place.end();
    request.rootSlot = place.root;
  },

  hint: (code, label, request, syscall) =>
    whyNotHeld(code, label, request.root?.held) ??
    whyNotMapped(code, label, request, syscall) ??
    request.root?.hint?.(code, request, syscall) ??
    whyNotPlaced(code, syscall),
};
