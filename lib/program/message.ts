// The layout of `struct msghdr` with one `struct iovec` behind it, and of `struct cmsghdr` with descriptors behind that; see unix(7).
import { constants } from '../kernel/constants';
import type { Place, Writer } from './writer';

const { SCM_RIGHTS, SOL_SOCKET } = constants;

const msghdr = { vectors: 16, vectorCount: 24, control: 32, controlLength: 40, size: 56 };
const iovec = { base: 0, length: 8, size: 16 };
const cmsghdr = { length: 0, level: 8, type: 12, size: 16 };
const controlAt = msghdr.size + iovec.size;

/** Where the descriptors of a message are to be stored, four bytes each. */
export const descriptorsAt = controlAt + cmsghdr.size;

/** Writes a message of these bytes, with room for so many descriptors. */
export function writeMessage(writer: Writer, bytes: Place, length: number, descriptors: number): Place {
  // Not up to a multiple of 8: the kernel would put one more descriptor there, of which nobody knows.
  const control = descriptors === 0 ? 0 : cmsghdr.size + descriptors * 4;
  const place = writer.reserve(controlAt + control);
  const vector = place + msghdr.size;
  writer.point(place + msghdr.vectors, vector);
  writer.setInt64(place + msghdr.vectorCount, 1);
  writer.point(vector + iovec.base, bytes);
  writer.setInt64(vector + iovec.length, length);
  if (descriptors === 0) return place;
  writer.point(place + msghdr.control, place + controlAt);
  writer.setInt64(place + msghdr.controlLength, control);
  writer.setInt64(place + controlAt + cmsghdr.length, control);
  writer.setInt32(place + controlAt + cmsghdr.level, SOL_SOCKET);
  writer.setInt32(place + controlAt + cmsghdr.type, SCM_RIGHTS);
  return place;
}
