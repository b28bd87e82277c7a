// Step `init`: the stub stays as a tiny pid 1, and the program is its child.
import { array, boolean, fileDescriptor, oneOf, plainObject } from '../check';
import { invalidArgType, invalidArgValue, refusedOption } from '../errors/argument-error';
import { Flags } from '../flags';
import { whyNoMoreProcesses } from '../host/control-groups';
import { constants } from '../kernel/constants';
import { setProgram } from './sock-filter';
import type { SyscallName } from '../kernel/syscalls';
import type { Place, Writer } from '../program/writer';
import * as call from '../assembly/calls';
import type { Request } from '../assembly/request';
import type { Step } from '../assembly/step';
import { firstCarried } from '../assembly/words';
import { letsThrough, whyNotInstalled } from './own-filter';

const { O_CLOEXEC, PR_SET_PDEATHSIG } = constants;
const SIGCHLD = 17;
const SIGKILL = 9;
const last = 0xffffffff;

/** As many as nobody needs: each takes one of the results that a program can keep. */
const mostKept = 256;
/** Where the fields of `InitFilter` are. */
const initFilter = { program: 8, size: 24 };

/** What pid 1 is to be, as src-native/loop/format.h has it. */
function ordersOf(request: Request): number {
  const { parentDeathSignal, initUntilLast, initKeeps } = request;
  const kept = initKeeps.length === 0 ? 0 : firstCarried(request) * 2 ** 32 + initKeeps.length * 2 ** 16;
  return parentDeathSignal + (initUntilLast ? 2 ** 8 : 0) + kept;
}

/** What it calls once it has its filters, see src-native/stub/init.cc. */
const needed = [
  'close',
  'exit_group',
  'getpgid',
  'getsid',
  'kill',
  'rt_sigtimedwait',
  'setpgid',
  'waitid',
  'write',
] as const satisfies SyscallName[];

/** What of a filter is about notifications: they are the program's, as pid 1 makes no other call than these. */
const aboutListener =
  constants.SECCOMP_FILTER_FLAG_NEW_LISTENER |
  constants.SECCOMP_FILTER_FLAG_TSYNC_ESRCH |
  constants.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;

function settleFilters({ seccomp }: Request): void {
  if (seccomp.length === 0) throw refusedOption('init.seccomp', 'needs filters, which the option seccomp has');
  seccomp.forEach((filter, index) => {
    // By which the next one is installed.
    const all = index < seccomp.length - 1 ? [...needed, 'seccomp' as const] : needed;
    const missing = all.filter((name) => !letsThrough(filter, name));
    if (missing.length === 0) return;
    throw refusedOption(
      'init.seccomp',
      `cannot be: ${filter.option} does not let through what pid 1 needs: ${missing.join(', ')}`,
    );
  });
}

/** An array of `InitFilter`, as src-native/loop/format.h has it. */
function addFilters(writer: Writer, { seccomp }: Request): Place {
  const places = seccomp.map(({ filter }) => writer.addBytes(filter));
  const array = writer.reserve(seccomp.length * initFilter.size);
  seccomp.forEach(({ filter, flags }, index) => {
    const at = array + index * initFilter.size;
    writer.setInt64(at, flags & ~aboutListener);
    setProgram(writer, at + initFilter.program, places[index]!, filter.length);
  });
  return array;
}

/** The end of the program where pid 1 could not install them: it has told the errno. */
function failAsTold(writer: Writer, told: Place): void {
  writer.about('init', 'init.seccomp').compare(told, writer.reserve(8), 4, 'EIO').skip('EIO', 1);
  writer.jump(1);
  writer.verb('seccomp').failWithWord(told);
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
    if (typeof value !== 'boolean' && (typeof value !== 'object' || value === null))
      throw invalidArgType('init', 'of type boolean or an object', value);
    request.init = value !== false;
    if (typeof value !== 'object') return;
    const { until, keep, seccomp } = plainObject(value, 'init', ['until', 'keep', 'seccomp']);
    request.initFiltered = seccomp !== undefined && boolean(seccomp, 'init.seccomp');
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
    if (request.initFiltered) settleFilters(request);
  },

  emit(writer, request) {
    if (!request.init) return;
    const ends = writer.reserve(16);
    writer.about(this.name, 'init');
    // Where a filter refuses it to pid 1, that keeps the pipe open, and the program waits for ever.
    if (!request.closeFds) writer.add(call.close_range, last, last);
    writer.add(call.pipe2, ends, O_CLOEXEC);
    // The last argument is for pid 1 itself.
    const { initFiltered, seccomp } = request;
    const orders = ordersOf(request);
    if (!initFiltered) writer.add(call.cloneAndStay, SIGCHLD, 0, 0, 0, 0, orders);
    else
      writer.add(call.cloneAndStayFiltered, SIGCHLD, 0, addFilters(writer, request), seccomp.length, ends + 4, orders);
    writer.fork().stay();
    writer.add(call.prctl, PR_SET_PDEATHSIG, SIGKILL);
    // What pid 1 keeps may be a folder, and this process goes into one that a container may have named by it (`/proc/self/fd/4`).
    const { initKeeps } = request;
    const first = firstCarried(request);
    if (initKeeps.length > 0) writer.add(call.close_range, first, first + initKeeps.length - 1);
    // The end of the pipe: pid 1 has closed all that it had. Until then the program must not run, which could look.
    writer.add(call.closeAt, ends + 4).add(call.read, ends, ends + 8, 1);
    // The byte that it tells by, and then the end.
    if (initFiltered) writer.minimum(1).add(call.read, ends, ends + 12, 1);
    writer.add(call.closeAt, ends);
    if (initFiltered) failAsTold(writer, ends + 8);
  },

  hint(code, { option }, request) {
    if (option === 'init.seccomp') return whyNotInstalled(code);
    return code === 'EAGAIN' ? whyNoMoreProcesses(request.cgroupSources) : undefined;
  },
};
