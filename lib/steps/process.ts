// Step `process`: the second clone, where the program must be born into what only a new process can enter.
import { Flags } from '../flags';
import { constants } from '../kernel/constants';
import { ChannelWord, Message } from '../program/format';
import type { Writer } from '../program/writer';
import * as call from '../assembly/calls';
import { cloneIntoCgroup } from './clone-into-cgroup';
import { cloneMiddle, clonesAgain, isBelowJoined, legacyClone } from './second-clone';
import type { Step } from '../assembly/step';
import { whyNoProcess } from './why-no-process';

const { MSG_NOSIGNAL, PR_SET_PDEATHSIG } = constants;
const SIGKILL = 9;
const born = Uint8Array.of(Message.Born);
const middle = Uint8Array.of(Message.Middle);

function speakFirst(writer: Writer, word: Uint8Array): void {
  // A clone clears it, so once more, and before anything else: a Node that ends now must take the set-up with it.
  writer.add(call.prctl, PR_SET_PDEATHSIG, SIGKILL);
  // Its first word: with it the kernel tells Node who it is, which nobody else can say. It fails where Node has gone.
  writer.add(call.sendto, ChannelWord, writer.addBytes(word), 1, MSG_NOSIGNAL);
}

export const process: Step = {
  name: 'process',
  options: [],
  after: {
    cgroup: 'the program is born into it',
    join: 'a pid namespace is entered by the next child',
    user: 'a pid namespace belongs to the user namespace that it is made in',
    time: 'a time namespace is entered by the next child',
  },

  emit(writer, request) {
    if (!clonesAgain(request)) return;
    const { cgroup } = request;
    const joined = request.joins.find((join) => (join.flags & Flags.NEWPID) !== 0);
    if (joined !== undefined && isBelowJoined(request)) {
      // A pid namespace is made below that which a process is in, and into a joined one only its children come.
      cloneMiddle(writer.about(this.name, joined.option));
      speakFirst(writer, middle);
    }
    if (cgroup === undefined) legacyClone(writer.about(this.name, joined?.option ?? 'flags'), request);
    else cloneIntoCgroup(writer, request, request.cgroupSlot);
    speakFirst(writer.about(this.name, 'flags'), born);
  },

  hint: (code, _label, request) => whyNoProcess(code, request),
};
