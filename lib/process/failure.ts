// The error of a child that never started: from the number of an instruction back to the option that asked for it.
import { addon } from '../addon';
import { type Hint, wordsOf } from '../errors/hint';
import { SyscallError, type SyscallErrorInit } from '../errors/syscall-error';
import { whyKilled, whyKilledAtBirth } from '../host/control-groups';
import { whyNotLaunched } from '../host/launching';
import { whoKills, whoRefuses } from '../host/ourselves';
import { errnoName } from '../kernel/errno-texts';
import { signalName } from '../kernel/signals';
import { syscallName } from '../kernel/syscalls';
import { Mail } from '../native-interface';
import { ArrivingInStub, Entering, NoPidfd } from '../program/format';
import { callAt } from '../program/call-at';
import type { Writer } from '../program/writer';
import { labelled, stepNamed } from '../assembly/assemble';
import { mayRefuse, whyFiltered } from '../steps/own-filter';
import { type FailedCall, whyRefused } from '../steps/refused';
import type { Request } from '../assembly/request';
import { stubHint } from '../stub-hint';
import { mailbox } from '../watch';

/** Whether it is the instruction that makes the new user namespace. */
function isNewUser(step: string, option: string | undefined): boolean {
  return step === 'user' && option === 'flags';
}

/** The child's own filters are nearer than those that are on us. */
function whyOwnFilter({ code, call }: FailedCall, { seccomp }: Request, filtered: boolean): string | undefined {
  return filtered && call !== undefined && mayRefuse(seccomp, call, code) ? whyFiltered(call) : undefined;
}

/** What the host shows comes before what the step can tell from the error alone. */
function hintFor(failed: FailedCall, request: Request, filtered: boolean): Hint | undefined {
  const { code, label, call } = failed;
  const hint =
    whyOwnFilter(failed, request, filtered) ??
    whyRefused(failed, request) ??
    stepNamed(label.step)?.hint?.(code, label, request, call);
  if (label.recordedAt === undefined) return hint;
  return [wordsOf(hint), `recorded at ${label.recordedAt}`].filter((text) => text !== undefined).join('; ');
}

/** Bytes of what the kernel says that an error shows. */
const mostExplained = 400;

/** What the kernel said of a failure beside the errno: a line with its level before it ('e', 'w' or 'i'), see fsopen(2). */
function explanationOf(id: number): string | undefined {
  const told = Buffer.alloc(mostExplained);
  const length = addon().explanation(id, told);
  const [line] = told.toString('utf8', 0, Math.max(0, length)).split('\n');
  if (line === '') return undefined;
  return `${line!.replace(/^[ewi] /, '')}${length === mostExplained ? '…' : ''}`;
}

/** The stub could not be executed, or could not arrive. */
function stubFailure(errno: number, syscall: string | undefined): SyscallError {
  const code = errnoName(errno);
  if (syscall !== 'execveat')
    return new SyscallError({ errno, step: 'stub', syscall, hint: whyNotLaunched(code, syscall ?? '') });
  const path = process.env['NSCLONE_STUB'] ?? '';
  return new SyscallError({ errno, step: 'stub', syscall, path: path || undefined, hint: stubHint(path, code) });
}

/** Reads the mailbox. `writer` is the program that ran, with labels. */
export function readFailure(writer: Writer, request: Request, id: number): SyscallError {
  const instruction = mailbox[Mail.Instruction]!;
  const errno = mailbox[Mail.Error]!;
  const signalNumber = mailbox[Mail.Signal]!;
  if (instruction === NoPidfd) {
    const hint = whoRefuses(errnoName(errno), 'pidfd_open');
    return new SyscallError({ errno, step: 'process', syscall: 'pidfd_open', hint });
  }
  const isBefore = instruction === Entering || instruction === ArrivingInStub;
  if (errno === 0 && isBefore && signalNumber === 0) return speechless();
  if (errno === 0 && isBefore) return killedIn({ step: 'stub', syscall: 'execveat' }, signalNumber, request);
  if (isBefore) {
    return stubFailure(errno, syscallName(addon().result(id, 0) ?? -1));
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
  const filtered = request.seccomp.length > 0 && before.some(({ step }) => step === 'seccomp');
  if (errno === 0) return killedIn(place, signalNumber, request, filtered);
  if (label === undefined) return new SyscallError({ ...place, errno });
  const inNewUser = before.some(({ step, option }) => isNewUser(step, option));
  const failed = { code: errnoName(errno), label, call: syscall, inNewUser };
  const hint = hintFor(failed, request, filtered);
  return new SyscallError({ ...place, errno, hint, explanation: explanationOf(id) });
}

/** What was executed as the stub has ended without a word: a filter may answer that exec with 0 as well. */
function speechless(): SyscallError {
  const path = process.env['NSCLONE_STUB'] ?? '';
  const reason = 'what was executed as the stub has ended without a word';
  const hint = path === '' ? whoRefuses('EPERM', 'execveat') : stubHint(path, 'EACCES');
  return new SyscallError({ code: 'ECHILD', step: 'stub', syscall: 'execveat', path: path || undefined, reason, hint });
}

function whyKilledBy(
  signal: string,
  { step, syscall }: SyscallErrorInit,
  request: Request,
  filtered: boolean,
): Hint | undefined {
  const { cgroup, cgroupSources } = request;
  if (signal === 'SIGKILL')
    return whyKilled(cgroupSources) ?? (syscall === 'clone3' ? whyKilledAtBirth(cgroup) : undefined);
  if (signal !== 'SIGSYS' || syscall === undefined) return undefined;
  if (!filtered) return whoKills(syscall);
  // Before the exec it was to let the rest of the set-up through.
  return step === 'command' ? undefined : whyFiltered(syscall);
}

/** Of a child that has no errno to tell. */
function killedIn(place: SyscallErrorInit, signalNumber: number, request: Request, filtered = false): SyscallError {
  if (signalNumber !== 0) {
    const signal = signalName(signalNumber);
    return new SyscallError({ ...place, code: 'ECHILD', signal, hint: whyKilledBy(signal, place, request, filtered) });
  }
  const executes = place.syscall === 'execve' || place.syscall === 'execveat';
  const reason = executes
    ? 'a seccomp filter has answered the exec with success, and nothing was executed'
    : 'the child ended before its command ran';
  return new SyscallError({ ...place, code: 'ECHILD', reason });
}

/** The failure of a command: its program is written once more, this time with labels. */
export function readCommandFailure(request: Request, id: number): SyscallError {
  return readFailure(labelled(request), request, id);
}
