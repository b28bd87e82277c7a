// Starts a recorded program in place: in a child that runs it with exactly the flags asked for.
import type { ClonedProcess } from '../../types/child';
import { addon } from '../addon';
import { plainObject } from '../check';
import { SyscallError } from '../errors/syscall-error';
import { Flags } from '../flags';
import { errnoName } from '../kernel/errno';
import { signalName } from '../kernel/signals';
import { Mail } from '../native-interface';
import { callAt } from '../program/listing';
import { recordedStep } from '../program/recorder';
import { fetch, type Source } from '../program/results';
import type { Program } from '../record';
import { mailbox, openWatch } from '../watch';
import { Child } from './child';
import { refuseForbiddenCalls } from './forbidden-calls';
import { checkExitSignal, checkRecordedFlags } from './recorded-flags';

/** Checks the options and starts the program. @throws ArgumentError */
export function startRecorded<R>(program: Program<R>, options: unknown): Promise<ClonedProcess<R>> {
  const given = plainObject(options ?? {}, 'options argument', ['flags', 'exitSignal']);
  const flags = checkRecordedFlags(given.flags ?? 0);
  const exitSignal = checkExitSignal(given.exitSignal, flags);
  refuseForbiddenCalls(program.recording.calls, flags);
  return new Promise((resolve, reject) => {
    openWatch();
    launch(program, flags, exitSignal, resolve, reject);
  });
}

function launch<R>(
  program: Program<R>,
  flags: number,
  exitSignal: number,
  resolve: (child: ClonedProcess<R>) => void,
  reject: (error: Error) => void,
): void {
  const { writer, executed } = program.recording;
  const id = addon().launchInPlace(
    writer.words as unknown as Uint8Array,
    writer.count,
    writer.data,
    writer.dataSize,
    writer.relocations,
    writer.relocationCount,
    writer.kept,
    writer.keptCount,
    flags,
    exitSignal,
    executed !== undefined,
  );
  if (id < 0) {
    throw new SyscallError({
      errno: -id,
      step: 'clone',
      option: 'flags',
      syscall: 'clone3',
      hint: launchHint(-id, flags),
    });
  }
  new Child<R>(id, {
    spawnfile: executed?.path ?? '',
    spawnargs: [...(executed?.args ?? [])],
    pipes: undefined,
    // The peak starts at the size of Node, whether shared or copied.
    ownMemory: false,
    thread: (flags & Flags.THREAD) !== 0,
    serve: () => {},
    results: (child) => fetch(program.bring, sourceOf(child)) as R,
    failure: () => readFailure(program),
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

/** From the mailbox: the recorded call that failed, or in which the child was killed. */
function readFailure(program: Program<unknown>): SyscallError {
  const { writer } = program.recording;
  const instruction = mailbox[Mail.Instruction]!;
  const errno = mailbox[Mail.Error]!;
  const label = writer.labels?.[instruction];
  const { syscall, path } = callAt(writer, instruction);
  const place = {
    step: recordedStep,
    option: label?.option,
    syscall,
    verb: label?.detail === undefined ? undefined : `${syscall} ${label.detail}`,
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

function launchHint(errno: number, flags: number): string | undefined {
  switch (errnoName(errno)) {
    case 'EPERM':
      return (flags & Flags.NEWUSER) === 0
        ? 'new namespaces need CAP_SYS_ADMIN; add Flags.NEWUSER'
        : 'new user namespaces are not allowed here; see user_namespaces(7)';
    case 'ENOSPC':
      return 'no (more) namespaces of this kind here; see the sysctls user.max_*_namespaces';
    case 'EAGAIN':
      return '128 recorded children run already, or a limit on processes is reached (RLIMIT_NPROC, pids.max)';
    case 'ENOSYS':
      return 'Flags.NEWTIME needs clone3(2), which this host forbids';
    default:
      return undefined;
  }
}
