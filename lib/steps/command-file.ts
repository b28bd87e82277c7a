// Step `command file`: the file to execute by its descriptor, see AT_EMPTY_PATH in execveat(2).
import { fileDescriptor } from '../check';
import { constants } from '../kernel/constants';
import * as call from '../assembly/calls';
import type { Step } from '../assembly/step';
import { aboveKept } from '../assembly/words';

/** Taken before stdio can have its number. The program does not get it: the exec closes it. */
export const commandFile: Step = {
  name: 'command file',
  options: ['commandFd'],
  onlyWhenGiven: true,
  after: { 'stdio sources': 'room for the numbers of our ends is made there' },

  check(given, request) {
    request.commandFd = fileDescriptor(given.commandFd, 'commandFd');
  },

  emit(writer, request) {
    const descriptor = request.commandFd!;
    writer.about(this.name, 'commandFd').subject(`descriptor ${descriptor}`);
    writer.keepOpen(descriptor);
    // Out of the way of where it goes when all else is closed.
    writer.add(call.fcntl, descriptor, constants.F_DUPFD_CLOEXEC, aboveKept(request));
    request.untilExec.set('command', writer.keep());
  },
};
