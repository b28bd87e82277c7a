// Step `mounts`: what is mounted and made, in the given order.
import { array, boolean, oneOf, plainObject, string } from '../check';
import { invalidArgValue } from '../errors/argument-error';
import { Flags } from '../flags';
import { constants } from '../kernel/constants';
import { needs } from '../assembly/needs';
import type { Request } from '../assembly/request';
import type { Step } from '../assembly/step';
import type { Checked } from '../assembly/mount-type';
import { isTop, Place } from '../assembly/place';
import { rootTypes, types } from './mounts/types';

const { O_DIRECTORY, O_NOFOLLOW, O_PATH } = constants;

const names = Object.keys(types);

/** Checks an entry. @param option 'mounts[0]' */
function checkEntry(value: unknown, option: string): Checked {
  // The type first: which fields there are depends on it.
  const type = oneOf(plainObject<'type'>(value, option).type, `${option}.type`, names);
  const kind = types[type]!;
  const given = plainObject(value, option, ['type', 'target', 'optional', ...kind.fields]);
  const target = string(given['target'], `${option}.target`, { nonEmpty: true });
  if (!target.startsWith('/')) throw invalidArgValue(`${option}.target`, target, 'must be an absolute path');
  const is = (name: string): boolean => given[name] !== undefined && boolean(given[name], `${option}.${name}`);
  const isMount = kind.fields.includes('propagation');
  if (isMount && isTop(target) && kind.isRoot !== true) {
    throw invalidArgValue(`${option}.target`, target, `cannot be the root: only types ${rootTypes.join(', ')} can`);
  }
  return { type, target, optional: is('optional'), creates: isMount && is('create'), ...kind.check(given, option) };
}

function emitMount(place: Place, entry: Checked, request: Request): void {
  const mount = entry.make!(place, request);
  if (isTop(entry.target)) return place.attachRoot(mount);
  if (entry.creates) entry.create!(place, entry.target, mount);
  const target = place.open(entry.target, entry.noLink === true ? O_PATH | O_DIRECTORY | O_NOFOLLOW : O_PATH);
  place.leaveIfMissing();
  place.attach(mount, target);
  place.close(mount);
  place.close(target);
}

export const mounts: Step = {
  name: 'mounts',
  options: ['mounts'],
  onlyWhenGiven: true,
  after: {
    propagation: 'a mount made while mounts are shared would appear on the host',
    root: 'they are made in it',
  },

  check(given, request) {
    request.mounts = array(given.mounts, 'mounts').map((mount, index) => checkEntry(mount, `mounts[${index}]`));
  },

  settle(request) {
    if (request.mounts.length === 0) return;
    needs(request, 'mounts', Flags.NEWNS, 'without it the host would get the mounts');
    if (request.mounts.some(({ make, target }) => make !== undefined && isTop(target))) request.changesRoot = true;
  },

  emit(writer, request) {
    if (request.mounts.length === 0) return;
    const place = new Place(writer.about(this.name, 'mounts'), request.rootSlot);
    for (let index = 0; index < request.mounts.length; index++) {
      const entry = request.mounts[index]!;
      const verb = entry.make === undefined ? entry.type : 'mount';
      writer.about(this.name, 'mounts', index).subject(entry.source, entry.target, verb);
      place.beginEntry(entry.optional);
      if (entry.make === undefined) entry.emit!(place, entry.target, request);
      else emitMount(place, entry, request);
      place.endEntry();
    }
    writer.about(this.name, 'mounts');
    place.end();
    if (place.isNew) request.rootSlot = place.root;
  },

  hint(code, label, request) {
    const index = Number(/\[(\d+)\]/.exec(label.option ?? '')?.[1]);
    const own = request.mounts[index]?.hint?.(code, request);
    if (own !== undefined) return own;
    if (code === 'ENOENT') return 'the target is missing; create: true makes it';
    if (code === 'ENOTDIR' && request.mounts[index]?.noLink === true)
      return 'a file system of the kernel is mounted on a directory, and on no link to one';
    return undefined;
  },
};
