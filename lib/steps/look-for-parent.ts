// The look at the channel for a Node that has gone.
import { constants } from '../kernel/constants';
import { ChannelWord, Message } from '../program/format';
import type { Writer } from '../program/writer';
import * as call from '../assembly/calls';
import type { Request } from '../assembly/request';

const { MSG_DONTWAIT, MSG_NOSIGNAL, MSG_PEEK } = constants;

/**
 * The last word of a program beside a pid 1 of ours, with which the kernel tells Node who it is; it fails where Node has gone and was not
 * told that it may.
 */
export function sayProgram(writer: Writer, { heldBy }: Request): void {
  writer.add(call.sendto, ChannelWord, writer.addBytes(Uint8Array.of(Message.Program)), 1, MSG_NOSIGNAL);
  if (heldBy !== undefined) writer.accept('EPIPE').accept('ECONNRESET');
}

/** Whether Node is still there: its end of the channel closes with it. */
export function lookForParent(writer: Writer): void {
  const byte = writer.reserve(8);
  writer.add(call.recvfrom, ChannelWord, byte, 1, MSG_PEEK | MSG_DONTWAIT);
  // No message is what we hope for. End-of-file is a result of 0.
  writer.minimum(1).accept('EAGAIN');
}
