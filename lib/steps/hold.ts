// Step `hold`: all is set up but the filter, and the child waits for start(). Beside a pid 1 of ours it is that which waits,
// before it makes the program: what is done to a held child has to reach the program, and most of it is inherited by a fork.
import { boolean } from '../check';
import type { Writer } from '../program/writer';
import type { Step } from '../assembly/step';

function waitForStart(writer: Writer): void {
  writer.about('hold', 'hold').wait();
}

export const hold: Step = {
  name: 'hold',
  options: ['hold'],
  onlyWhenGiven: true,
  after: {
    identity: 'what is done to a held child is done to the final one',
    noNewPrivileges: 'only the filter is left',
    landlock: 'only the filter is left',
    cwd: 'only the filter is left',
  },

  check(given, request) {
    request.hold = boolean(given.hold, 'hold');
  },

  emit(writer, request) {
    if (request.hold && !request.init) waitForStart(writer);
  },
};

export const holdPidOne: Step = {
  name: 'hold of pid 1',
  options: [],
  onlyWhenGiven: 'hold',
  after: { mounts: 'what pid 1 and the program share is all set up' },

  emit(writer, request) {
    if (request.hold && request.init) waitForStart(writer);
  },
};
