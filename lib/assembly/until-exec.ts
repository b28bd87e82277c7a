// Descriptors that the end of the set-up still needs, and that the exec closes. All else is closed long before, see close-fds.ts: these
// are none that lead to a folder, whoever could name them.
import { constants } from '../kernel/constants';
import type { Slot, Writer } from '../program/writer';
import * as call from './calls';
import type { Request } from './request';
import { aboveKept, firstCarried } from './words';

const { F_DUPFD_CLOEXEC, O_CLOEXEC } = constants;

/**
 * The file of `commandFd`, the ruleset of `landlock`, those of `hold`, of which the one that starts it is closed once it has, and of
 * `seccomp` the socket of a listener, with the link that tells our pid.
 */
export type Purpose = 'command' | 'listener' | 'report' | 'ruleset' | 'self' | 'start';

/** Keeps a copy of what is open, and lets go of it itself. */
export function keepUntilExec(writer: Writer, request: Request, purpose: Purpose, opened: Slot): Slot {
  // Out of the way of where the others go.
  writer.add(call.fcntlOf, opened, F_DUPFD_CLOEXEC, aboveKept(request));
  const kept = writer.keep();
  writer.add(call.close, opened);
  request.untilExec.set(purpose, kept);
  return kept;
}

/** Puts them where nothing is closed: behind the channel and what is carried, which have their numbers by now. */
export function moveBelow(writer: Writer, request: Request): void {
  let number = firstCarried(request) + request.carried.length;
  for (const [purpose, kept] of request.untilExec) {
    writer.add(call.dup3Of, kept, number++, O_CLOEXEC);
    request.untilExec.set(purpose, writer.keep(kept));
  }
}
