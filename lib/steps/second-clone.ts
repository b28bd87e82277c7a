// The second clone, by clone(2): the program is born into what only a new process can enter.
import { Flags } from '../flags';
import { ReportPid } from '../program/format';
import type { Writer } from '../program/writer';
import * as call from '../assembly/calls';
import type { Request } from '../assembly/request';

/** Whether a pid namespace is made below one that is joined: only a process in that one can do so. */
export function isBelowJoined(request: Request): boolean {
  return request.creates(Flags.NEWPID) && request.joinsAny(Flags.NEWPID);
}

/**
 * PARENT: the program stays Node's own child. PARENT_SETTID: its pid is known should it be killed before its first word; as the pid
 * namespace has it that it was made in.
 */
export function flagsOf(request: Request): number {
  return (Flags.PARENT | Flags.PARENT_SETTID | (request.flags & Flags.NEWPID)) >>> 0;
}

/** A process in the pid namespace that was joined, and nothing but that: the next one is the program. */
export function cloneMiddle(writer: Writer): void {
  writer.add(call.clone, Flags.PARENT | Flags.PARENT_SETTID, 0, ReportPid).fork();
}

/** Whether the program is born once more, into what only a new process can enter. */
export function clonesAgain(request: Request): boolean {
  return (
    request.creates(Flags.NEWPID | Flags.NEWTIME) || request.joinsAny(Flags.NEWPID) || request.cgroup !== undefined
  );
}

/** Writes it. */
export function legacyClone(writer: Writer, request: Request): void {
  writer.add(call.clone, flagsOf(request), 0, ReportPid).fork();
}
