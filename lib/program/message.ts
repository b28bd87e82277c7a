// The layout of `struct msghdr` with its `struct iovec`s behind it, and of `struct cmsghdr` with descriptors behind those; see unix(7).
import { constants } from '../kernel/constants';
import type { Place, Writer } from './writer';

const { SCM_RIGHTS, SOL_SOCKET } = constants;

const msghdr = { vectors: 16, vectorCount: 24, control: 32, controlLength: 40, size: 56 };
const iovec = { base: 0, length: 8, size: 16 };
const cmsghdr = { length: 0, level: 8, type: 12, size: 16 };

/** Where the descriptors of a message of one piece are, four bytes each. */
export const descriptorsAt = msghdr.size + iovec.size + cmsghdr.size;

/** A part of the bytes; where a call tells its length, that is 0 and is stored. */
export interface Piece {
  readonly place: Place;
  readonly length: number;
}

/** Room for a message. */
export interface ReservedMessage {
  readonly place: Place;
  /** Where the length of each piece is. */
  readonly lengths: readonly Place[];
  /** Where the descriptors are to be stored, four bytes each. */
  readonly descriptors: Place;
}

/** A message of these pieces, with room for so many descriptors. */
export function reserveMessage(writer: Writer, pieces: readonly Piece[], descriptors: number): ReservedMessage {
  // Not up to a multiple of 8: the kernel would put one more descriptor there, of which nobody knows.
  const control = descriptors === 0 ? 0 : cmsghdr.size + descriptors * 4;
  const controlAt = msghdr.size + pieces.length * iovec.size;
  const place = writer.reserve(controlAt + control);
  writer.point(place + msghdr.vectors, place + msghdr.size);
  writer.setInt64(place + msghdr.vectorCount, pieces.length);
  const lengths = pieces.map((piece, index) => {
    const vector = place + msghdr.size + index * iovec.size;
    writer.point(vector + iovec.base, piece.place);
    writer.setInt64(vector + iovec.length, piece.length);
    return vector + iovec.length;
  });
  if (descriptors > 0) {
    writer.point(place + msghdr.control, place + controlAt);
    writer.setInt64(place + msghdr.controlLength, control);
    writer.setInt64(place + controlAt + cmsghdr.length, control);
    writer.setInt32(place + controlAt + cmsghdr.level, SOL_SOCKET);
    writer.setInt32(place + controlAt + cmsghdr.type, SCM_RIGHTS);
  }
  return { place, lengths, descriptors: place + controlAt + cmsghdr.size };
}
