// Step `init`: the stub stays as a tiny pid 1, and the program is its child.
import { array, boolean, fileDescriptor, oneOf, plainObject } from '../check';
import { invalidArgValue, refusedOption } from '../errors/argument-error';
import { Flags } from '../flags';
import { whyNoMoreProcesses } from '../host/control-groups';
import { constants } from '../kernel/constants';
import * as call from '../assembly/calls';
import type { Request } from '../assembly/request';
import type { Step } from '../assembly/step';
import { firstCarried } from '../assembly/words';

const { O_CLOEXEC, PR_SET_PDEATHSIG } = constants;
const SIGCHLD = 17;
const SIGKILL = 9;
const last = 0xffffffff;

/** As many as nobody needs: each takes one of the results that a program can keep. */
const mostKept = 256;

/** What pid 1 is to be, as src-native/loop/format.h has it. */
function ordersOf(request: Request): number {
  const { parentDeathSignal, initUntilLast, initKeeps } = request;
  const kept = initKeeps.length === 0 ? 0 : firstCarried(request) * 2 ** 32 + initKeeps.length * 2 ** 16;
  return parentDeathSignal + (initUntilLast ? 2 ** 8 : 0) + kept;
}

export const init: Step = {
  name: 'init',
  options: ['init'],
  onlyWhenGiven: true,
  after: {
    'hold of pid 1': 'what is done to a held pid 1 is passed on to the program that it clones',
    mounts: 'what pid 1 and the program share is set up once',
    session: 'both are in one session, which is how pid 1 can tell that the program was executed',
  },

  check(given, request) {
    const { init: value } = given;
    request.init = typeof value === 'object' && value !== null ? true : boolean(value, 'init');
    if (typeof value !== 'object') return;
    const { until, keep } = plainObject(value, 'init', ['until', 'keep']);
    request.initUntilLast = until !== undefined && oneOf(until, 'init.until', ['command', 'last']) === 'last';
    if (keep === undefined) return;
    request.initKeeps = array(keep, 'init.keep').map((descriptor, index) =>
      fileDescriptor(descriptor, `init.keep[${index}]`),
    );
    if (request.initKeeps.length > mostKept) throw invalidArgValue('init.keep', keep, `must be at most ${mostKept}`);
  },

  settle(request) {
    if (request.init && !request.creates(Flags.NEWPID)) {
      throw refusedOption('init', 'needs Flags.NEWPID in flags: it is the pid 1 of a new pid namespace');
    }
  },

  emit(writer, request) {
    if (!request.init) return;
    const ends = writer.reserve(16);
    writer.about(this.name, 'init');
    // Where a filter refuses it to pid 1, that keeps the pipe open, and the program waits for ever.
    if (!request.closeFds) writer.add(call.close_range, last, last);
    writer.add(call.pipe2, ends, O_CLOEXEC);
    // The last argument is for pid 1 itself.
    writer.add(call.cloneAndStay, SIGCHLD, 0, 0, 0, 0, ordersOf(request)).fork().stay();
    writer.add(call.prctl, PR_SET_PDEATHSIG, SIGKILL);
    // What pid 1 keeps may be a folder, and this process goes into one that a container may have named by it (`/proc/self/fd/4`).
    const { initKeeps } = request;
    const first = firstCarried(request);
    if (initKeeps.length > 0) writer.add(call.close_range, first, first + initKeeps.length - 1);
    // The end of the pipe: pid 1 has closed all that it had. Until then the program must not run, which could look.
    writer
      .add(call.closeAt, ends + 4)
      .add(call.read, ends, ends + 8, 1)
      .add(call.closeAt, ends);
  },

  hint: (code, _label, request) => (code === 'EAGAIN' ? whyNoMoreProcesses(request.cgroupSources) : undefined),
};
