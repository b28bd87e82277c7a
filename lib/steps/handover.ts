// Step `handover`: the namespaces of a child that nobody can look into, sent to us by the child itself; see unix(7), SCM_RIGHTS.
import { kindsOf } from '../flags';
import { handedKinds } from '../handed-namespaces';
import { constants } from '../kernel/constants';
import { ChannelWord, Message } from '../program/format';
import type { Writer } from '../program/writer';
import * as call from '../assembly/calls';
import { openOwnNamespace } from './proc-file';
import type { Request } from '../assembly/request';
import type { Step } from '../assembly/step';

const { MSG_NOSIGNAL, SCM_RIGHTS, SOL_SOCKET } = constants;

/** `struct msghdr`: where the content and what comes with it are. */
const messageSize = 56;
const messageContent = 16;
const messageContentCount = 24;
const messageControl = 32;
const messageControlSize = 40;
/** `struct cmsghdr`: its size, level and type, then the descriptors. */
const controlHeaderSize = 16;
const controlLevel = 8;
const controlType = 12;

function reserveMessage(writer: Writer, count: number): { message: number; descriptors: number } {
  const control = writer.reserve(controlHeaderSize + count * 4);
  writer.setInt64(control, controlHeaderSize + count * 4);
  writer.setInt32(control + controlLevel, SOL_SOCKET);
  writer.setInt32(control + controlType, SCM_RIGHTS);
  const word = writer.addBytes(Uint8Array.of(Message.Namespaces));
  const content = writer.reserve(16);
  writer.point(content, word);
  writer.setInt64(content + 8, 1);
  const message = writer.reserve(messageSize);
  writer.point(message + messageContent, content);
  writer.setInt64(message + messageContentCount, 1);
  writer.point(message + messageControl, control);
  writer.setInt64(message + messageControlSize, controlHeaderSize + count * 4);
  return { message, descriptors: control + controlHeaderSize };
}

function handOver(writer: Writer, request: Request): void {
  writer.about('handover', request.handoverOption);
  const kinds = request.forNamespaces ? kindsOf(request.flags) : handedKinds();
  const { message, descriptors } = reserveMessage(writer, kinds.length);
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
