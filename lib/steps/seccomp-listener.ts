// Step `seccomp listener`: what is needed to send a listener, taken while we have our own view: a connection to who answers its
// notifications, since the path is the host's, and what tells our pid. The child has both until the listener is sent.
import { constants } from '../kernel/constants';
import { ProcWord } from '../program/format';
import * as call from '../assembly/calls';
import type { Step } from '../assembly/step';
import { keepUntilExec } from '../assembly/until-exec';

const { AF_UNIX, O_CLOEXEC, O_NOFOLLOW, O_PATH, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } = constants;
/** Of asm-generic/ioctls.h. */
const FIONBIO = 0x5421;

export const seccompListener: Step = {
  name: 'seccomp listener',
  options: [],
  onlyWhenGiven: 'seccomp',
  after: { 'stdio sources': 'what is opened there has its numbers by then' },

  emit(writer, request) {
    const { listener } = request;
    if (listener === undefined) return;
    writer.about(this.name, listener.option).subject(listener.path);
    // Without waiting: unix(7) has a connect wait for as long as the backlog is full.
    writer.add(call.socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK);
    const socket = keepUntilExec(writer, request, 'listener', writer.keep());
    const name = Buffer.from(`${listener.path}\0`);
    const address = Buffer.alloc(2 + name.length);
    address.writeUInt16LE(AF_UNIX, 0);
    address.set(name, 2);
    writer.add(call.connect, socket, writer.addBytes(address), address.length);
    // Who does not read has us wait for room, as long as we may.
    writer.add(call.ioctlOf, socket, FIONBIO, writer.reserve(4));
    // The link alone, and nothing that it leads to: what it says is the pid of who reads it, as our /proc counts.
    writer.subject('/proc/self');
    writer.add(call.openatAt, ProcWord, writer.addText('self'), O_PATH | O_NOFOLLOW | O_CLOEXEC);
    keepUntilExec(writer, request, 'self', writer.keep());
  },

  hint(code, _label, _request, syscall) {
    if (syscall !== 'connect') return undefined;
    switch (code) {
      case 'ECONNREFUSED':
        return 'nobody listens there, or it is no socket';
      case 'EAGAIN':
        return 'who listens there accepts no connection: as many wait as it has room for';
      case 'EPROTOTYPE':
        return 'it must be a socket of the type SOCK_STREAM';
      default:
        return undefined;
    }
  },
};
