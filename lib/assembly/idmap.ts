// Other ids for the files of a mount, see MOUNT_ATTR_IDMAP in mount_setattr(2): they are those of a user namespace.
import { Flags } from '../flags';
import { constants } from '../kernel/constants';
import type { Target } from '../join-target';
import type { Slot, Writer } from '../program/writer';
import * as call from './calls';
import type { Place } from './place';
import type { Request } from './request';
import { type IdmapRanges, newUserNamespace } from './user-namespace';

const { AT_EMPTY_PATH, AT_RECURSIVE, MOUNT_ATTR_IDMAP } = constants;

/** Of a user namespace that is given, or of one that is made for it. */
export type Idmap = { readonly namespace: Target } | IdmapRanges;

/** What a mount with other ids is made of. */
export interface MappedSource {
  readonly idmap: Idmap;
  /** Where the file is; undefined where it is held by a descriptor. */
  readonly path: string | undefined;
  readonly recursive: boolean;
  /** Makes the mount, which has no place yet, with its ids and its attributes. */
  open(place: Place, request: Request): Slot;
}

/** `struct mount_attr`: attr_set, attr_clr, propagation, userns_fd. */
const size = 32;
const usernsAt = 24;

function setIdmap(writer: Writer, mount: Slot, namespace: Slot, recursive: boolean): void {
  const attributes = writer.reserve(size);
  writer.setInt64(attributes, MOUNT_ATTR_IDMAP);
  writer.store(namespace, attributes + usernsAt, 8);
  const flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
  writer.add(call.mount_setattrOf, mount, writer.addText(''), flags, attributes, size);
}

/** Gives a mount that has no place yet the ids of a user namespace; of a given one, where its copy is kept. */
export function mapIds(place: Place, mount: Slot, mapped: MappedSource, request: Request): void {
  const mapping = request.mappedMounts.find((one) => one.mapped === mapped)!;
  const { idmap } = mapping;
  // In a new user namespace a change of ids has closed us to others, and what is ours in /proc to us. Where nothing was joined nobody else
  // is there, and nobody outside has rights in a namespace below.
  const isClosed =
    request.creates(Flags.NEWUSER) && request.joins.length === 0 && !request.mappedFirst.includes(mapping);
  const namespace =
    'namespace' in idmap ? place.take(request.idmapSlots.get(idmap)!) : newUserNamespace(place, idmap, isClosed);
  setIdmap(place.writer, mount, namespace, mapped.recursive);
  place.close(namespace);
}
