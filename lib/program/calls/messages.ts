// `struct msghdr`, of sendmsg(2) and recvmsg(2): bytes, and descriptors beside them; see unix(7).
import { array, integer, plainObject } from '../../check';
import { Kind } from '../format';
import { descriptorsAt, reserveMessage } from '../message';
import type { Place } from '../writer';
import { encodeBytes, encodeOut } from './memory';
import { data, encodeDescriptor } from './numbers';
import type { Operand, Sink } from './operand';
import { part } from './option';
import { socketAddress } from './socket-address';

/** Where more fields of `struct msghdr` lie. */
const msghdr = { name: 0, nameLength: 8 };
const nothing = new Uint8Array(1);
/** SCM_MAX_FD of the kernel. */
const mostDescriptors = 253;

/** What is sent: `{ bytes?, fds?, address? }`. */
export function encodeMessage(sink: Sink, value: unknown, option: string): Operand {
  const { bytes, fds, address } = plainObject(value, option, ['bytes', 'fds', 'address']);
  const { writer } = sink;
  // The kernel passes no descriptor without a byte.
  const memory = encodeBytes(sink, bytes ?? nothing, part(option, '.bytes'));
  const given = fds === undefined ? [] : array(fds, part(option, '.fds'));
  const descriptors = given.map((fd, index) => encodeDescriptor(sink, fd, part(option, `.fds[${index}]`)));
  const piece = { place: Number(memory.value), length: Math.max(1, memory.length) };
  const { place, descriptors: first } = reserveMessage(writer, [piece], descriptors.length);
  descriptors.forEach((operand, index) => {
    const at = first + index * 4;
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
  const piece = { place: Number(memory.value), length: memory.length };
  const { place, descriptors } = reserveMessage(sink.writer, [piece], count);
  // Of those that do not come.
  for (let index = 0; index < count; index++) sink.writer.setInt32(descriptors + index * 4, -1);
  return data(place, count);
}

/** Where the descriptors are that came with a message. */
export function receivedAt(message: Place): Place {
  return message + descriptorsAt;
}
