// Steps `detached` and `processGroup`: the session and the process group of the child.
import { boolean, integer } from '../check';
import { refusedOption } from '../errors/argument-error';
import * as call from '../assembly/calls';
import type { Step } from '../assembly/step';

export const session: Step = {
  name: 'session',
  options: ['detached', 'processGroup'],
  after: { process: 'it is the program that leads, not the process before it' },

  check(given, request) {
    if (given.detached !== undefined) request.detached = boolean(given.detached, 'detached');
    if (given.processGroup !== undefined)
      request.processGroup = integer(given.processGroup, 'processGroup', 0, 2 ** 22);
  },

  settle({ detached, processGroup, pty }) {
    if (processGroup === undefined || !(detached || pty !== undefined)) return;
    throw refusedOption(
      'processGroup',
      `cannot go with ${detached ? 'detached' : 'pty'}: the leader of a session leads a process group of its own`,
    );
  },

  emit(writer, { detached, processGroup, pty }) {
    if (detached || pty !== undefined) writer.about(this.name, detached ? 'detached' : 'pty').add(call.setsid);
    if (processGroup === undefined) return;
    writer.about(this.name, 'processGroup').add(call.setpgid, 0, processGroup);
  },

  hint: (code, label) =>
    code === 'EPERM' && label.option === 'processGroup' ? 'there is no such process group in our session' : undefined,
};
