// The look at the channel for a Node that has gone.
import { constants } from '../kernel/constants';
import { ChannelWord } from '../program/format';
import type { Writer } from '../program/writer';
import * as call from './calls';

const { MSG_DONTWAIT, MSG_PEEK } = constants;

/** Whether Node is still there: its end of the channel closes with it. */
export function lookForParent(writer: Writer): void {
  const byte = writer.reserve(8);
  writer.add(call.recvfrom, ChannelWord, byte, 1, MSG_PEEK | MSG_DONTWAIT);
  // No message is what we hope for. End-of-file is a result of 0.
  writer.minimum(1).accept('EAGAIN');
}
