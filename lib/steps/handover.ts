// Step `handover`: the namespaces of a child that nobody can look into, sent to us by the child itself; see unix(7), SCM_RIGHTS.
import { kindsOf } from '../flags';
import { handedKinds } from '../handed-namespaces';
import { constants } from '../kernel/constants';
import { ChannelWord, Message } from '../program/format';
import { reserveMessage } from '../program/message';
import type { Writer } from '../program/writer';
import * as call from '../assembly/calls';
import { openOwnNamespace } from './proc-file';
import type { Request } from '../assembly/request';
import type { Step } from '../assembly/step';

const { MSG_NOSIGNAL } = constants;

function handOver(writer: Writer, request: Request): void {
  const option = request.handoverOption;
  writer.about('handover', option);
  const kinds = request.forNamespaces ? kindsOf(request.flags) : handedKinds({ step: 'handover', option });
  const word = { place: writer.addBytes(Uint8Array.of(Message.Namespaces)), length: 1 };
  const { place: message, descriptors } = reserveMessage(writer, [word], kinds.length);
  const slots = kinds.map((kind, index) => {
    writer.subject(`/proc/self/ns/${kind}`);
    const slot = openOwnNamespace(writer, kind);
    writer.store(slot, descriptors + index * 4, 4);
    return slot;
  });
  // unix(7): as many descriptors are on their way between processes of our user as we may have open. They are lost then, as they
  // are where Node has no number left for them, and are told to be.
  writer.subject(undefined).add(call.sendmsg, ChannelWord, message, MSG_NOSIGNAL).accept('ETOOMANYREFS');
  if (request.forNamespaces) writer.exit(0);
  else for (const slot of slots) writer.add(call.close, slot);
}

export const handover: Step = {
  name: 'handover',
  options: [],
  after: { namespaces: 'they are those that the program has' },

  emit(writer, request) {
    if (!request.handsOver) return;
    if (request.inner === undefined || request.holdsAt('mounts')) handOver(writer, request);
  },
};

/** In the place of the other one, or of what that has handed over. */
export const lateHandover: Step = {
  name: 'late handover',
  options: [],
  onlyWhenGiven: 'inner',
  after: { inner: 'the program is in that user namespace' },

  emit(writer, request) {
    if (request.handsOver) handOver(writer, request);
  },
};
