// Starts a written program in the stub.
import { debuglog } from 'node:util';

import type { ClonedProcess } from '../../types/child';
import { addon } from '../addon';
import { AbortError } from '../errors/abort-error';
import { SyscallError } from '../errors/syscall-error';
import { Flags } from '../flags';
import type { Opened } from '../join-target';
import { Writer } from '../program/writer';
import { assemble, checkRequest, stepNamed } from '../steps/assemble';
import type { Request } from '../steps/request';
import { joinWord, lowestFree } from '../steps/words';
import { Plan } from '../plan';
import { openWatch } from '../watch';
import { type Birth, Child } from './child';
import { imageOf } from './image';
import type { EndingOptions } from './ending';
import { readCommandFailure } from './failure';
import { Pipes } from './pipes';

/** NODE_DEBUG=nsclone prints every plan. */
const debug = debuglog('nsclone');

/** Used again for every clone: its arrays have grown to what is needed. */
const scratch = new Writer();

/**
 * All of a start but the start, a few times over: the first clone then finds its functions compiled and its arrays in memory,
 * and holds the event loop half as long. Opens nothing.
 */
export function rehearse(): void {
  for (let i = 0; i < 3; i++) {
    const request = checkRequest('/bin/true', [], { stdio: 'ignore' });
    assemble(scratch.reset(), request);
    new Pipes(request, scratch).closeAll();
  }
}

/** Writes the program of a request and starts it. */
export function startRequest(request: Request): Promise<ClonedProcess> {
  return new Promise((resolve, reject) => {
    openWatch();
    assemble(scratch.reset(), request);
    launch(scratch, request, resolve, reject);
  });
}

/** Starts a program that was written before. */
export function startWritten(writer: Writer, request: Request): Promise<ClonedProcess> {
  return new Promise((resolve, reject) => {
    openWatch();
    launch(writer, request, resolve, reject);
  });
}

function launch(
  writer: Writer,
  request: Request,
  resolve: (child: ClonedProcess) => void,
  reject: (error: Error) => void,
): void {
  if (debug.enabled) debug('%s', new Plan(request));
  if (request.signal?.aborted === true) throw new AbortError(request.signal.reason);
  const kept = writer.keptCount;
  let joins: Opened[] = [];
  try {
    joins = openJoins(request, writer);
    clone(writer, request, resolve, reject);
  } finally {
    // The child has its own copies, and what only this start had is not part of a plan.
    for (const { descriptor, own } of joins) if (own) addon().close(descriptor);
    writer.keptCount = kept;
  }
}

/** The descriptors of this start, written into the program. */
function openJoins(request: Request, writer: Writer): Opened[] {
  const opened: Opened[] = [];
  try {
    request.joins.forEach((target, index) => {
      const one = target.open();
      opened.push(one);
      writer.setInt32(joinWord(request, index), one.descriptor);
      writer.keepOpen(one.descriptor);
    });
    return opened;
  } catch (error) {
    for (const { descriptor, own } of opened) if (own) addon().close(descriptor);
    throw error;
  }
}

function clone(
  writer: Writer,
  request: Request,
  resolve: (child: ClonedProcess) => void,
  reject: (error: Error) => void,
): void {
  const pipes = new Pipes(request, writer);
  const id = addon().launch(...imageOf(writer), lowestFree(request), writer.forks, request.detached, request.init);
  if (id < 0) {
    pipes.closeAll();
    throw new SyscallError({ errno: -id, step: 'clone', syscall: 'clone3', hint: launchHint(id) });
  }
  pipes.closeChildEnds();
  new Child(id, new Command(request, writer, pipes, resolve, reject));
}

/** A command, as the child that it becomes wants to know it. */
class Command implements Birth<undefined> {
  readonly pipes: Pipes;
  readonly ownMemory: boolean;
  readonly thread = false;
  readonly resolve: (child: ClonedProcess) => void;
  readonly reject: (error: Error) => void;
  readonly #request: Request;
  /** The steps that the stub will wait in, and how many of them are over. */
  readonly #waits: readonly string[];
  #waited = 0;

  constructor(
    request: Request,
    writer: Writer,
    pipes: Pipes,
    resolve: (child: ClonedProcess) => void,
    reject: (error: Error) => void,
  ) {
    this.pipes = pipes;
    this.ownMemory = writer.forks;
    this.resolve = resolve;
    this.reject = reject;
    this.#request = request;
    this.#waits = writer.waits;
  }

  get spawnfile(): string {
    return this.#request.command;
  }

  get spawnargs(): string[] {
    const { argv0, command, args } = this.#request;
    return [argv0 ?? command, ...args];
  }

  get ending(): EndingOptions {
    return endingOf(this.#request);
  }

  isHeld(): boolean {
    return this.#waits[this.#waited] === 'hold' && ++this.#waited > 0;
  }

  serve(pid: number): void | Promise<void> {
    return stepNamed(this.#waits[this.#waited++]!)?.serve?.(pid, this.#request);
  }

  results(): undefined {
    return undefined;
  }

  failure(): SyscallError {
    return readCommandFailure(this.#request);
  }
}

function endingOf(request: Request): EndingOptions {
  const { signal, timeout, killSignal, killGrace } = request;
  // A pid 1 ignores every signal that it has no handler for.
  return {
    signal,
    timeout,
    killSignal: killSignal ?? (request.creates(Flags.NEWPID) && !request.init ? 9 : 15),
    killGrace,
  };
}

function launchHint(result: number): string | undefined {
  const code = new SyscallError({ errno: -result }).code;
  if (code === 'EAGAIN') return 'a limit on processes is reached; see RLIMIT_NPROC and pids.max of the cgroup';
  if (code === 'EMFILE') return 'too many open files; see RLIMIT_NOFILE';
  return undefined;
}
