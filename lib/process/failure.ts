// The error of a child that never started: from the number of an instruction back to the option that asked for it.
import { SyscallError, type SyscallErrorInit } from '../errors/syscall-error';
import { errnoName } from '../kernel/errno';
import { signalName } from '../kernel/signals';
import { Mail } from '../native-interface';
import { ArrivingInStub, EnteringStub, NoPidfd } from '../program/format';
import { callAt } from '../program/listing';
import { type Label, Writer } from '../program/writer';
import { assemble, stepNamed } from '../steps/assemble';
import type { Request } from '../steps/request';
import { stubHint } from '../package-files';
import { mailbox } from '../watch';

/** Reads the mailbox. `writer` is the program that ran, with labels. */
export function readFailure(writer: Writer, hint: (code: string, label: Label) => string | undefined): SyscallError {
  const instruction = mailbox[Mail.Instruction]!;
  const errno = mailbox[Mail.Error]!;
  const signalNumber = mailbox[Mail.Signal]!;
  if (instruction === NoPidfd) {
    const hint = 'there is no such call here: a seccomp filter is on us, as in a container';
    return new SyscallError({ errno, step: 'process', syscall: 'pidfd_open', hint });
  }
  if (instruction === EnteringStub || instruction === ArrivingInStub) {
    const syscall = instruction === EnteringStub ? 'execveat' : 'mmap';
    if (errno === 0) return killedIn({ step: 'stub', syscall: 'execveat' }, signalNumber);
    const path = process.env['NSCLONE_STUB'] ?? '';
    return new SyscallError({ errno, step: 'stub', syscall, path: path || undefined, hint: stubHint(path) });
  }
  const label = writer.labels?.[instruction];
  const { syscall, path } = callAt(writer, instruction);
  const place = {
    step: label?.step,
    option: label?.option,
    syscall: syscall ?? label?.verb ?? (label?.step === 'command' ? 'execve' : undefined),
    verb: label?.detail === undefined ? label?.verb : `${label.verb ?? syscall} ${label.detail}`,
    path: label?.path ?? path,
    dest: label?.dest,
  };
  if (errno === 0) return killedIn(place, signalNumber);
  const why = label === undefined ? undefined : hint(errnoName(errno), label);
  return new SyscallError({ ...place, errno, hint: why });
}

/** Of a child that has no errno to tell. */
function killedIn(place: SyscallErrorInit, signalNumber: number): SyscallError {
  if (signalNumber !== 0) return new SyscallError({ ...place, code: 'ECHILD', signal: signalName(signalNumber) });
  const executes = place.syscall === 'execve' || place.syscall === 'execveat';
  const reason = executes
    ? 'a seccomp filter has answered the exec with success, and nothing was executed'
    : 'the child ended before its command ran';
  return new SyscallError({ ...place, code: 'ECHILD', reason });
}

/** The failure of a command: its program is written once more, this time with labels. */
export function readCommandFailure(request: Request): SyscallError {
  const writer = new Writer().reset(true);
  assemble(writer, request);
  return readFailure(writer, (code, label) => stepNamed(label.step)?.hint?.(code, label, request));
}
