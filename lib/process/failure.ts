// The error of a child that never started: from the number of an instruction back to the option that asked for it.
import { SyscallError, type SyscallErrorInit } from '../errors/syscall-error';
import { whyKilled } from '../host/control-groups';
import { whoRefuses } from '../host/ourselves';
import { errnoName } from '../kernel/errno-texts';
import { signalName } from '../kernel/signals';
import { Mail } from '../native-interface';
import { ArrivingInStub, EnteringStub, NoPidfd } from '../program/format';
import { callAt } from '../program/listing';
import { Writer } from '../program/writer';
import { assemble, stepNamed } from '../assembly/assemble';
import { whyFiltered } from '../steps/own-filter';
import { type Refusal, whyRefused } from '../steps/refused';
import type { Request } from '../assembly/request';
import { stubHint } from '../stub-hint';
import { mailbox } from '../watch';

/** Whether it is the instruction that makes the new user namespace. */
function isNewUser(step: string, option: string | undefined): boolean {
  return step === 'user' && option === 'flags';
}

/** What the host shows comes before what the step can tell from the error alone. */
function hintFor(refusal: Refusal, request: Request): string | undefined {
  const { code, label, call } = refusal;
  return whyRefused(refusal, request) ?? stepNamed(label.step)?.hint?.(code, label, request, call);
}

/** Reads the mailbox. `writer` is the program that ran, with labels. */
function readFailure(writer: Writer, request: Request): SyscallError {
  const instruction = mailbox[Mail.Instruction]!;
  const errno = mailbox[Mail.Error]!;
  const signalNumber = mailbox[Mail.Signal]!;
  if (instruction === NoPidfd) {
    const hint = whoRefuses(errnoName(errno), 'pidfd_open');
    return new SyscallError({ errno, step: 'process', syscall: 'pidfd_open', hint });
  }
  const isBefore = instruction === EnteringStub || instruction === ArrivingInStub;
  if (errno === 0 && isBefore && signalNumber === 0) return speechless();
  if (errno === 0 && isBefore) return killedIn({ step: 'stub', syscall: 'execveat' }, signalNumber, request);
  if (isBefore) {
    const syscall = instruction === EnteringStub ? 'execveat' : 'mmap';
    const path = process.env['NSCLONE_STUB'] ?? '';
    return new SyscallError({
      errno,
      step: 'stub',
      syscall,
      path: path || undefined,
      hint: stubHint(path, errnoName(errno)),
    });
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
  const before = writer.labels?.slice(0, instruction) ?? [];
  const filtered = before.some(({ step }) => step === 'seccomp');
  if (errno === 0) return killedIn(place, signalNumber, request, filtered);
  if (label === undefined) return new SyscallError({ ...place, errno });
  const inNewUser = before.some(({ step, option }) => isNewUser(step, option));
  const refusal = { code: errnoName(errno), label, call: syscall, inNewUser, filtered };
  return new SyscallError({ ...place, errno, hint: hintFor(refusal, request) });
}

/** What was executed as the stub has ended without a word: a filter may answer that exec with 0 as well. */
function speechless(): SyscallError {
  const path = process.env['NSCLONE_STUB'] ?? '';
  const reason = 'what was executed as the stub has ended without a word';
  const hint = path === '' ? whoRefuses('EPERM', 'execveat') : stubHint(path, 'EACCES');
  return new SyscallError({ code: 'ECHILD', step: 'stub', syscall: 'execveat', path: path || undefined, reason, hint });
}

/** Of a child that has no errno to tell. */
function killedIn(place: SyscallErrorInit, signalNumber: number, request: Request, filtered = false): SyscallError {
  if (signalNumber !== 0) {
    const signal = signalName(signalNumber);
    const isFilter = filtered && signal === 'SIGSYS' && place.step !== 'command' && place.syscall !== undefined;
    const hint = isFilter ? whyFiltered(place.syscall) : signal === 'SIGKILL' ? whyKilled(request.cgroup) : undefined;
    return new SyscallError({ ...place, code: 'ECHILD', signal, hint });
  }
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
  return readFailure(writer, request);
}
