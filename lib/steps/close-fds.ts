// Step `closeFds`: from here on nothing of ours is open but the channel, and nothing but stdio reaches the program.
//
// Closed, not marked: who waits, stays as pid 1, or goes into a folder that somebody else names (`/proc/self/fd/7`) would have it
// still. With `closeFds: false` that holds for what is ours all the same; what Node itself had inheritable stays.
import { boolean } from '../check';
import { refusedOption } from '../errors/argument-error';
import { constants } from '../kernel/constants';
import { ChannelWord, ProcWord } from '../program/format';
import type { Slot, Writer } from '../program/writer';
import * as call from '../assembly/calls';
import type { Request } from '../assembly/request';
import type { Carried, OwnLine } from '../assembly/settings';
import type { Step } from '../assembly/step';
import { moveBelow } from '../assembly/until-exec';
import { aboveKept, cgroupWord, firstCarried, joinWord, lowestFree, sourceWord } from '../assembly/words';

const { F_DUPFD_CLOEXEC, F_GETFD, FD_CLOEXEC, O_CLOEXEC } = constants;
const last = 0xffffffff;

/** One of Node's: closed, unless it was inheritable there. */
function closeGiven(writer: Writer, descriptor: number): void {
  writer.add(call.fcntl, descriptor, F_GETFD).minimum(FD_CLOEXEC).skip('EIO', 1).skip('EBADF', 1);
  writer.add(call.closeNumber, descriptor);
}

function closeGivenAt(writer: Writer, word: number): void {
  writer.add(call.fcntlAt, word, F_GETFD).minimum(FD_CLOEXEC).skip('EIO', 1).skip('EBADF', 1);
  writer.add(call.closeAt, word);
}

/** Of lines that have run; what those before the exec use is open until they have. */
function givenToLines({ ownLines, stdio }: Request): Set<number> {
  const isLate = ({ at }: OwnLine): boolean => at === 'exec' || at === 'filtered';
  const used = (late: boolean): Set<number> =>
    new Set(ownLines.filter((line) => isLate(line) === late).flatMap(({ descriptors }) => descriptors));
  const needed = used(true);
  return new Set([...used(false)].filter((one) => one >= Math.max(3, stdio.length) && !needed.has(one)));
}

/** One by one, as what is not ours is to stay. */
function closeOurs(writer: Writer, request: Request): void {
  const { stdio, cgroup, landlock, commandFd, heldBy, pty } = request;
  if (stdio.some(({ kind }) => kind === 'null')) writer.add(call.close, 1);
  for (const slot of request.movedSlots) writer.add(call.close, slot);
  stdio.forEach((source, index) => {
    if (source.kind === 'pipe' || source.kind === 'pty') closeGivenAt(writer, sourceWord(index));
    else if (source.kind === 'descriptor' && source.descriptor >= stdio.length) closeGiven(writer, source.descriptor);
  });
  request.targets.forEach((_, index) => closeGivenAt(writer, joinWord(request, index)));
  request.cgroups.forEach((_, index) => closeGivenAt(writer, cgroupWord(request, index)));
  if (cgroup !== undefined) writer.add(call.close, request.cgroupSlot);
  if (typeof cgroup === 'number' && cgroup >= stdio.length) closeGiven(writer, cgroup);
  for (const { path } of landlock?.rules ?? [])
    if (typeof path === 'number' && path >= stdio.length) closeGiven(writer, path);
  for (const descriptor of [commandFd, heldBy?.fd, heldBy?.report, pty?.sendTo])
    if (descriptor !== undefined && descriptor >= stdio.length) closeGiven(writer, descriptor);
  for (const descriptor of givenToLines(request)) closeGiven(writer, descriptor);
  if (request.procOption !== undefined) writer.add(call.closeAt, ProcWord);
}

/** Out of the way of where others go. */
function copyAway(writer: Writer, request: Request, carried: readonly Carried[]): Slot[] {
  return carried.map(({ descriptor, option }) => {
    writer.keepOpen(descriptor);
    writer.about('closeFds', option).add(call.fcntl, descriptor, F_DUPFD_CLOEXEC, aboveKept(request));
    return writer.keep();
  });
}

export const closeFds: Step = {
  name: 'closeFds',
  options: ['closeFds'],
  after: {
    stdio: 'what is above the last entry is closed',
    join: 'its descriptors are open until then',
    process: 'the descriptor of the cgroup is open until then',
    sysctl: 'it opens its files below a /proc of ours',
    handover: 'it opens its files below a /proc of ours',
    mounts: 'from here on the set-up opens nothing',
    'landlock rules': 'it opens the paths of the rules',
    inner: 'its descriptor is open until then',
    'late handover': 'it opens its files below a /proc of ours',
    'container terminal': 'it opens files, and sends one of them',
  },

  check(given, request) {
    request.closeFds = boolean(given.closeFds, 'closeFds');
  },

  settle(request) {
    const { carried, stdio, closeFds: closes } = request;
    for (const { descriptor, option } of carried) {
      if (!closes) throw refusedOption(option, 'needs closeFds: what is kept has a number of its own');
      if (descriptor < Math.max(3, stdio.length))
        throw refusedOption(option, `must be above the entries of stdio, of which ${descriptor} is one`);
    }
  },

  emit(writer, request) {
    writer.about(this.name, 'closeFds');
    if (!request.closeFds) return closeOurs(writer, request);
    const lowest = lowestFree(request);
    const { carried } = request;
    const copies = carried.length === 0 ? [] : copyAway(writer, request, carried);
    // EINVAL: it is there already.
    writer.about(this.name, 'closeFds').add(call.dup3At, ChannelWord, lowest, O_CLOEXEC).accept('EINVAL');
    writer.storeNumber(lowest, ChannelWord);
    copies.forEach((copy, index) => writer.add(call.dup3Of, copy, firstCarried(request) + index, O_CLOEXEC));
    const { size } = request.untilExec;
    if (size > 0) moveBelow(writer, request);
    writer.add(call.close_range, firstCarried(request) + copies.length + size, last);
  },
};
