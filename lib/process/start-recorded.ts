// Starts a recorded program in place: in a child that runs it with exactly the flags asked for.
import type { ClonedProcess } from '../../types/child';
import { addon } from '../addon';
import { plainObject } from '../check';
import { AbortError } from '../errors/abort-error';
import { refusedOption } from '../errors/argument-error';
import type { Hint } from '../errors/hint';
import { SyscallError } from '../errors/syscall-error';
import { Flags, formatFlags } from '../flags';
import { whyNotLaunched } from '../host/launching';
import { whyNoMoreNamespaces, whyNoSuchNamespaces } from '../host/namespace-limits';
import { holds, whoRefuses } from '../host/ourselves';
import { constants } from '../kernel/constants';
import { errnoName } from '../kernel/errno-texts';
import { signalName } from '../kernel/signals';
import { syscallName } from '../kernel/syscalls';
import { Mail } from '../native-interface';
import { callAt } from '../program/call-at';
import { Entering } from '../program/format';
import { recordedStep } from '../program/recorder';
import { fetch, type Source } from '../program/results';
import type { Program } from '../record';
import { mailbox, openWatch } from '../watch';
import { checkAbortSignal, checkTimeout } from '../steps/control';
import { whyForbidden } from '../steps/forbidden-user-namespaces';
import { Child } from './child';
import { imageOf } from './image';
import { launchFailure } from './launch-failure';
import type { EndingOptions } from './ending';
import { refuseForbiddenCalls } from './forbidden-calls';
import { checkExitSignal, checkRecordedFlags } from './recorded-flags';

const SIGKILL = 9;

/** Checks the options and starts the program. @throws ArgumentError */
export function startRecorded<R>(program: Program<R>, options: unknown): Promise<ClonedProcess<R>> {
  const given = plainObject(options ?? {}, 'options argument', ['flags', 'exitSignal', 'signal', 'timeout']);
  const flags = checkRecordedFlags(given.flags ?? 0);
  const exitSignal = checkExitSignal(given.exitSignal, flags);
  const ending = checkEnding(given, flags);
  refuseForbiddenCalls(program.recording.calls, flags);
  return new Promise((resolve, reject) => {
    openWatch();
    launch(program, { flags, exitSignal, ending }, resolve, reject);
  });
}

/** How a program is to run, all of it checked. */
interface How {
  readonly flags: number;
  readonly exitSignal: number;
  readonly ending: EndingOptions | undefined;
}

/** A line of calls knows no polite end: what ends it is SIGKILL. */
function checkEnding(given: { signal?: unknown; timeout?: unknown }, flags: number): EndingOptions | undefined {
  const option = given.signal === undefined ? 'timeout' : 'signal';
  if (given[option] === undefined) return undefined;
  const flag = (flags & Flags.THREAD) !== 0 ? Flags.THREAD : flags & Flags.VFORK;
  if (flag !== 0) {
    const why =
      flag === Flags.THREAD ? 'a thread cannot be killed alone' : 'nothing of ours runs until the child is done';
    throw refusedOption(option, `must not be given with ${formatFlags(flag)}: ${why}`);
  }
  return {
    signal: given.signal === undefined ? undefined : checkAbortSignal(given.signal),
    timeout: given.timeout === undefined ? undefined : checkTimeout(given.timeout),
    killSignal: SIGKILL,
    killGrace: 0,
  };
}

function launch<R>(
  program: Program<R>,
  { flags, exitSignal, ending }: How,
  resolve: (child: ClonedProcess<R>) => void,
  reject: (error: Error) => void,
): void {
  const { writer, executed } = program.recording;
  program.recording.checkGivers();
  if (ending?.signal?.aborted === true) throw new AbortError(ending.signal.reason);
  const id = addon().launchInPlace(...imageOf(writer), flags, exitSignal, executed !== undefined);
  if (id < 0) throw recordedFailure(program, -id, flags);
  new Child<R>(id, {
    spawnfile: executed?.path ?? '',
    spawnargs: [...(executed?.args ?? [])],
    pipes: undefined,
    // The peak starts at the size of Node, whether shared or copied.
    ownMemory: false,
    thread: (flags & Flags.THREAD) !== 0,
    ending,
    isHeld: () => false,
    serve: () => {},
    results: (child) => fetch(program.bring, sourceOf(child)) as R,
    failure: () => (mailbox[Mail.Instruction] === Entering ? refusedAtBirth(id) : readRecordedFailure(program)),
    resolve,
    reject,
  });
}

function sourceOf(child: number): Source {
  return {
    result: (slot) => addon().result(child, slot),
    bytes(place, size) {
      const target = Buffer.alloc(size);
      addon().bytes(child, place, target);
      return target;
    },
  };
}

/** What a child that executes does before its first instruction was refused: it would outlive us, or ignore signals. */
function refusedAtBirth(id: number): SyscallError {
  const errno = mailbox[Mail.Error]!;
  const syscall = syscallName(addon().result(id, 0) ?? -1);
  return new SyscallError({ errno, step: 'launch', syscall, hint: whyNotLaunched(errnoName(errno), syscall ?? '') });
}

/** From the mailbox: the recorded call that failed, or in which the child was killed. */
export function readRecordedFailure(program: Program<unknown>): SyscallError {
  const { writer } = program.recording;
  const instruction = mailbox[Mail.Instruction]!;
  const errno = mailbox[Mail.Error]!;
  const label = writer.labels?.[instruction];
  const { syscall, path } = callAt(writer, instruction);
  const place = {
    step: recordedStep,
    option: label?.option,
    syscall,
    verb: label?.detail === undefined ? label?.verb : `${syscall} ${label.detail}`,
    path: label?.path ?? path,
    dest: label?.dest,
  };
  if (errno !== 0) return new SyscallError({ ...place, errno });
  const number = mailbox[Mail.Signal]!;
  const signal = number === 0 ? undefined : signalName(number);
  const reason =
    signal === undefined
      ? 'the child ended before its line was done'
      : `${signal} killed the child before its line was done`;
  return new SyscallError({ ...place, code: 'ECHILD', signal, reason });
}

/** Of a launch. The loader refuses an instruction without any call, and says which. */
export function recordedFailure(program: Program<unknown>, errno: number, flags: number): SyscallError {
  if (mailbox[Mail.Call]! < 0 && errnoName(errno) === 'EINVAL') {
    const instruction = mailbox[Mail.Instruction]!;
    const option = program.recording.writer.labels?.[instruction]?.option ?? recordedStep;
    const reason = 'the loader refuses this instruction: it would reach beyond the memory of its program';
    return new SyscallError({ code: 'EINVAL', step: recordedStep, option, reason });
  }
  return launchFailure(errno, { option: 'flags', hint: (code) => launchHint(code, flags) });
}

function launchHint(code: string, flags: number): Hint | undefined {
  switch (code) {
    case 'EPERM':
      if ((flags & Flags.NEWUSER) !== 0) return whyForbidden('EPERM');
      return holds(constants.CAP_SYS_ADMIN) === true
        ? whoRefuses('EPERM', 'clone')
        : 'new namespaces need CAP_SYS_ADMIN; add Flags.NEWUSER';
    case 'EACCES':
      return (flags & Flags.NEWUSER) === 0 ? whoRefuses('EACCES', 'clone') : whyForbidden('EACCES');
    case 'ENOSPC':
      return whyNoMoreNamespaces(formatFlags(flags));
    case 'EINVAL':
      return whyNoSuchNamespaces(formatFlags(flags));
    case 'ENOSYS':
      return 'Flags.NEWTIME needs clone3(2), which this host forbids';
    default:
      return undefined;
  }
}
