// What is set and cleared of a mount: the options and OCI's words for it, and the call, see mount_setattr(2).
import { array, boolean, oneOf } from '../../check';
import { constants } from '../../kernel/constants';
import type { Slot, Writer } from '../../program/writer';
import type { MountAttribute, MountPropagation } from '../../../types/mounts';
import * as call from '../../assembly/calls';
import type { Parts } from '../../assembly/mount-type';
import type { Place } from '../../assembly/place';

const {
  AT_EMPTY_PATH,
  AT_RECURSIVE,
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NODIRATIME,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_NOSYMFOLLOW,
  MOUNT_ATTR_RDONLY,
  MOUNT_ATTR_RELATIME,
  MOUNT_ATTR_STRICTATIME,
  MOUNT_ATTR__ATIME,
  MS_PRIVATE,
  MS_SHARED,
  MS_SLAVE,
  MS_UNBINDABLE,
} = constants;

/** A mount alone, or with all below it. */
export interface Change {
  readonly set: number;
  readonly clear: number;
}

/** How a mount is shared with others; 0 for no change. */
export interface PropagationChange {
  readonly propagation: number;
  readonly propagatesBelow: boolean;
}

export interface Attributes extends PropagationChange {
  readonly alone: Change;
  readonly below: Change;
}

/** How access times are written is one of several: who sets it clears what was. */
const atime = (set: number): Change => ({ set, clear: MOUNT_ATTR__ATIME });
const sets = (set: number): Change => ({ set, clear: 0 });
const clears = (clear: number): Change => ({ set: 0, clear });

const words: Readonly<Record<string, Change>> = {
  ro: sets(MOUNT_ATTR_RDONLY),
  rw: clears(MOUNT_ATTR_RDONLY),
  nosuid: sets(MOUNT_ATTR_NOSUID),
  suid: clears(MOUNT_ATTR_NOSUID),
  nodev: sets(MOUNT_ATTR_NODEV),
  dev: clears(MOUNT_ATTR_NODEV),
  noexec: sets(MOUNT_ATTR_NOEXEC),
  exec: clears(MOUNT_ATTR_NOEXEC),
  noatime: atime(MOUNT_ATTR_NOATIME),
  atime: atime(MOUNT_ATTR_RELATIME),
  relatime: atime(MOUNT_ATTR_RELATIME),
  norelatime: atime(MOUNT_ATTR_STRICTATIME),
  strictatime: atime(MOUNT_ATTR_STRICTATIME),
  nostrictatime: atime(MOUNT_ATTR_RELATIME),
  nodiratime: sets(MOUNT_ATTR_NODIRATIME),
  diratime: clears(MOUNT_ATTR_NODIRATIME),
  nosymfollow: sets(MOUNT_ATTR_NOSYMFOLLOW),
  symfollow: clears(MOUNT_ATTR_NOSYMFOLLOW),
};
const names = Object.keys(words).flatMap((word) => [word, `r${word}`]) as MountAttribute[];

const propagations = { private: MS_PRIVATE, slave: MS_SLAVE, shared: MS_SHARED, unbindable: MS_UNBINDABLE } as const;
const propagationNames = (Object.keys(propagations) as (keyof typeof propagations)[]).flatMap(
  (word) => [word, `r${word}`] as const,
) as MountPropagation[];

/** Those that are options by themselves, and the word of each. */
const options = { readonly: 'ro', nosuid: 'nosuid', nodev: 'nodev', noexec: 'noexec', noatime: 'noatime' } as const;

export const attributeFields = [...Object.keys(options), 'attributes', 'propagation'] as const;

const none: Change = { set: 0, clear: 0 };

/** Of a mount as the kernel makes it. */
export const noAttributes: Attributes = { alone: none, below: none, propagation: 0, propagatesBelow: false };

/** A change after another one: the later word counts. */
function then(before: Change, { set, clear }: Change): Change {
  return { set: (before.set & ~clear) | set, clear: (before.clear & ~set) | clear };
}

/**
 * @param presets what is so where the options do not say otherwise
 * @param recursive whether the options are about what is mounted below, too
 */
export function checkAttributes(
  given: Readonly<Record<string, unknown>>,
  option: string,
  presets: readonly (keyof typeof options)[],
  recursive: boolean,
): Attributes {
  let alone = none;
  let below = none;
  for (const name of Object.keys(options) as (keyof typeof options)[]) {
    const wanted = given[name] === undefined ? presets.includes(name) : boolean(given[name], `${option}.${name}`);
    if (!wanted) continue;
    if (recursive) below = then(below, words[options[name]]!);
    else alone = then(alone, words[options[name]]!);
  }
  if (given['attributes'] !== undefined) {
    array(given['attributes'], `${option}.attributes`).forEach((value, index) => {
      const name = oneOf(value, `${option}.attributes[${index}]`, names);
      const change = words[name];
      // What is said of a mount alone is not to be undone by what is said of all.
      if (change === undefined) below = then(below, words[name.slice(1)]!);
      else alone = then(alone, change);
    });
  }
  return { alone, below, ...checkPropagation(given, option) };
}

export function checkPropagation(given: Readonly<Record<string, unknown>>, option: string): PropagationChange {
  if (given['propagation'] === undefined) return { propagation: 0, propagatesBelow: false };
  const name = oneOf(given['propagation'], `${option}.propagation`, propagationNames);
  const propagatesBelow = !(name in propagations);
  const word = (propagatesBelow ? name.slice(1) : name) as keyof typeof propagations;
  return { propagation: propagations[word], propagatesBelow };
}

/** `struct mount_attr`: attr_set, attr_clr, propagation, userns_fd. */
const size = 32;
const at = { clear: 8, propagation: 16 };

function setattr(writer: Writer, mount: Slot, { set, clear }: Change, propagation: number, flags: number): void {
  if (set === 0 && clear === 0 && propagation === 0) return;
  const attributes = writer.reserve(size);
  writer.setInt64(attributes, set);
  writer.setInt64(attributes + at.clear, clear);
  writer.setInt64(attributes + at.propagation, propagation);
  writer.add(call.mount_setattrOf, mount, writer.addText(''), AT_EMPTY_PATH | flags, attributes, size);
}

/** Sets them before anybody can see the mount. */
export function setAttributes(writer: Writer, mount: Slot, attributes: Attributes): void {
  const { alone, below, propagatesBelow } = attributes;
  // On a shared mount the kernel mounts nothing that is unbindable: it becomes that there.
  const propagation = attributes.propagation === MS_UNBINDABLE ? 0 : attributes.propagation;
  setattr(writer, mount, below, propagatesBelow ? propagation : 0, AT_RECURSIVE);
  setattr(writer, mount, alone, propagatesBelow ? 0 : propagation, 0);
}

/**
 * Once it is in its place: what is mounted on a shared mount becomes shared with it, whatever it was before, see "MS_SHARED" in
 * mount_namespaces(7).
 */
export function keepPropagation(writer: Writer, mount: Slot, change: PropagationChange | undefined): void {
  if (change === undefined || change.propagation === MS_SHARED) return;
  setattr(writer, mount, none, change.propagation, change.propagatesBelow ? AT_RECURSIVE : 0);
}

export function attachAsRoot(place: Place, mount: Slot, { propagation }: Parts): void {
  place.attachRoot(mount);
  keepPropagation(place.writer, mount, propagation);
}

/** Makes a mount read-only, which may be in use. */
export function makeReadonly(writer: Writer, mount: Slot, recursive: boolean): void {
  setattr(writer, mount, sets(MOUNT_ATTR_RDONLY), 0, recursive ? AT_RECURSIVE : 0);
}
