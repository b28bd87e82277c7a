// `struct msghdr`, of sendmsg(2) and recvmsg(2): bytes, and descriptors beside them; see unix(7).
import { array, integer, plainObject } from '../../check';
import { Kind } from '../format';
import { constants } from '../../kernel/constants';
import type { Place, Writer } from '../writer';
import { encodeBytes, encodeOut } from './memory';
import { data, encodeDescriptor } from './numbers';
import type { Operand, Sink } from './operand';
import { part } from './option';
import { socketAddress } from './socket-address';

const { SCM_RIGHTS, SOL_SOCKET } = constants;

/** Where the fields of `struct msghdr` lie, the one `struct iovec` behind it, and `struct cmsghdr` behind that. */
const msghdr = { name: 0, nameLength: 8, vectors: 16, vectorCount: 24, control: 32, controlLength: 40, size: 56 };
const iovec = { base: 0, length: 8, size: 16 };
const cmsghdr = { length: 0, level: 8, type: 12, size: 16 };
const controlAt = msghdr.size + iovec.size;
const descriptorsAt = controlAt + cmsghdr.size;
const nothing = new Uint8Array(1);
/** SCM_MAX_FD of the kernel. */
const mostDescriptors = 253;

function build(writer: Writer, memory: Operand, descriptors: number): Place {
  // Not up to a multiple of 8: the kernel would put one more descriptor there, of which nobody knows.
  const control = descriptors === 0 ? 0 : cmsghdr.size + descriptors * 4;
  const place = writer.reserve(controlAt + control);
  const vector = place + msghdr.size;
  writer.point(place + msghdr.vectors, vector);
  writer.setInt64(place + msghdr.vectorCount, 1);
  writer.point(vector + iovec.base, Number(memory.value));
  writer.setInt64(vector + iovec.length, memory.length);
  if (descriptors === 0) return place;
  writer.point(place + msghdr.control, place + controlAt);
  writer.setInt64(place + msghdr.controlLength, control);
  writer.setInt64(place + controlAt + cmsghdr.length, control);
  writer.setInt32(place + controlAt + cmsghdr.level, SOL_SOCKET);
  writer.setInt32(place + controlAt + cmsghdr.type, SCM_RIGHTS);
  return place;
}

/** What is sent: `{ bytes?, fds?, address? }`. */
export function encodeMessage(sink: Sink, value: unknown, option: string): Operand {
  const { bytes, fds, address } = plainObject(value, option, ['bytes', 'fds', 'address']);
  const { writer } = sink;
  // The kernel passes no descriptor without a byte.
  const memory = encodeBytes(sink, bytes ?? nothing, part(option, '.bytes'));
  const given = fds === undefined ? [] : array(fds, part(option, '.fds'));
  const descriptors = given.map((fd, index) => encodeDescriptor(sink, fd, part(option, `.fds[${index}]`)));
  const place = build(writer, memory.length === 0 ? { ...memory, length: 1 } : memory, descriptors.length);
  descriptors.forEach((operand, index) => {
    const at = place + descriptorsAt + index * 4;
    if (operand.kind === Kind.Number) writer.setInt32(at, Number(operand.value));
    else sink.store(operand, at, 4);
  });
  if (address !== undefined) {
    const to = socketAddress(address, part(option, '.address'));
    writer.point(place + msghdr.name, writer.addBytes(to));
    writer.setInt32(place + msghdr.nameLength, to.length);
  }
  return data(place, descriptors.length);
}

/** Room for what is received: `{ buffer, fds? }`. Its length is the number of descriptors. */
export function encodeReceived(sink: Sink, value: unknown, option: string): Operand {
  const { buffer, fds } = plainObject(value, option, ['buffer', 'fds']);
  const memory = encodeOut(sink, buffer, part(option, '.buffer'), 1);
  const count = fds === undefined ? 0 : integer(fds, part(option, '.fds'), 0, mostDescriptors);
  const place = build(sink.writer, memory, count);
  // Of those that do not come.
  for (let index = 0; index < count; index++) sink.writer.setInt32(place + descriptorsAt + index * 4, -1);
  return data(place, count);
}

/** Where the descriptors are that came with a message. */
export function receivedAt(message: Place): Place {
  return message + descriptorsAt;
}
