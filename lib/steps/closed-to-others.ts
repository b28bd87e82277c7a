// The rule of who may look into a process of ours: nobody, see PR_SET_DUMPABLE in prctl(2).
//
// Who may trace a process reads its memory and its descriptors, and with them what is ours and not the program's. Root of a user
// namespace may trace all that is in it, but not what cannot be dumped and was executed outside: the stub was. The exec of the
// program ends it.
import { constants } from '../kernel/constants';
import type { Writer } from '../program/writer';
import * as call from '../assembly/calls';
import type { Request } from '../assembly/request';

const { PR_SET_DUMPABLE } = constants;

/** The rule, and the one place where it begins to hold: before the first namespace of somebody else's is entered. */
export function closeToOthers(writer: Writer, request: Request): void {
  stayClosed(writer.about('dumpable'), request);
}

/** It holds on, past what may have ended it. */
export function stayClosed(writer: Writer, request: Request): void {
  if (request.exposed) writer.add(call.prctl, PR_SET_DUMPABLE, 0);
}

/**
 * Writes what `open` writes so that it may open what is ours of /proc/self/. For a process that cannot be dumped all of that belongs
 * to the root of the host: after a join the stub of an ordinary user must be open to others for this one call.
 */
export function whileDumpable(writer: Writer, request: Request, open: () => void): void {
  const isClosed = request.joins.length > 0 && request.own.uid !== 0;
  if (isClosed) writer.add(call.prctl, PR_SET_DUMPABLE, 1);
  open();
  if (isClosed) writer.add(call.prctl, PR_SET_DUMPABLE, 0);
}
