// `struct msghdr` of a message that takes descriptors along, see sendmsg(2) and unix(7).
import { constants } from '../kernel/constants';
import type { Place, Writer } from '../program/writer';

const { SCM_RIGHTS, SOL_SOCKET } = constants;

const msghdr = { vectors: 16, vectorCount: 24, control: 32, controlLength: 40, size: 56 };
const iovec = { length: 8, size: 16 };
const cmsghdr = { level: 8, type: 12, size: 16 };

/** A part of the text; where a call tells its length, that is 0 and is stored. */
export interface Piece {
  readonly place: Place;
  readonly length: number;
}

/** Room for it. */
export interface ReservedMessage {
  readonly place: Place;
  /** Where the length of each piece is. */
  readonly lengths: readonly Place[];
  /** Where the first of the descriptors goes. */
  readonly descriptors: Place;
}

export function reserveMessage(writer: Writer, pieces: readonly Piece[], count: number): ReservedMessage {
  const control = writer.reserve(cmsghdr.size + count * 4);
  writer.setInt64(control, cmsghdr.size + count * 4);
  writer.setInt32(control + cmsghdr.level, SOL_SOCKET);
  writer.setInt32(control + cmsghdr.type, SCM_RIGHTS);
  const vectors = writer.reserve(pieces.length * iovec.size);
  const lengths = pieces.map(({ place, length }, index) => {
    const vector = vectors + index * iovec.size;
    writer.point(vector, place);
    writer.setInt64(vector + iovec.length, length);
    return vector + iovec.length;
  });
  const place = writer.reserve(msghdr.size);
  writer.point(place + msghdr.vectors, vectors);
  writer.setInt64(place + msghdr.vectorCount, pieces.length);
  writer.point(place + msghdr.control, control);
  writer.setInt64(place + msghdr.controlLength, cmsghdr.size + count * 4);
  return { place, lengths, descriptors: control + cmsghdr.size };
}
