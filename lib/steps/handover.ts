// Step `handover`: the namespaces of a child that nobody can look into, sent to us by the child itself; see unix(7), SCM_RIGHTS.
import { kindsOf } from '../flags';
import { handedKinds } from '../handed-namespaces';
import { constants } from '../kernel/constants';
import { ChannelWord, Message } from '../program/format';
import { descriptorsAt, writeMessage } from '../program/message';
import * as call from '../assembly/calls';
import { openOwnNamespace } from './proc-file';
import type { Step } from '../assembly/step';

const { MSG_NOSIGNAL } = constants;

export const handover: Step = {
  name: 'handover',
  options: [],
  after: { namespaces: 'they are those that the program has' },

  emit(writer, request) {
    if (!request.handsOver) return;
    writer.about(this.name, request.handoverOption);
    const kinds = request.forNamespaces ? kindsOf(request.flags) : handedKinds();
    const message = writeMessage(writer, writer.addBytes(Uint8Array.of(Message.Namespaces)), 1, kinds.length);
    const slots = kinds.map((kind, index) => {
      writer.subject(`/proc/self/ns/${kind}`);
      const slot = openOwnNamespace(writer, kind);
      writer.store(slot, message + descriptorsAt + index * 4, 4);
      return slot;
    });
    // unix(7): as many descriptors are on their way between processes of our user as we may have open. They are lost then, as they
    // are where Node has no number left for them, and are told to be.
    writer.subject(undefined).add(call.sendmsg, ChannelWord, message, MSG_NOSIGNAL).accept('ETOOMANYREFS');
    if (request.forNamespaces) writer.exit(0);
    else for (const slot of slots) writer.add(call.close, slot);
  },
};
