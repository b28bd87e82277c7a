// Starts a written program in the stub.
import { debuglog } from 'node:util';

import type { ClonedProcess } from '../../types/child';
import { addon } from '../addon';
import { SyscallError } from '../errors/syscall-error';
import { Writer } from '../program/writer';
import { assemble, checkRequest, stepNamed } from '../steps/assemble';
import type { Request } from '../steps/request';
import { lowestFree } from '../steps/stdio';
import { Plan } from '../plan';
import { openWatch } from '../watch';
import { Child } from './child';
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
  const kept = writer.keptCount;
  const pipes = new Pipes(request, writer);
  const id = addon().launch(
    writer.words as unknown as Uint8Array,
    writer.count,
    writer.data,
    writer.dataSize,
    writer.relocations,
    writer.relocationCount,
    writer.kept,
    writer.keptCount,
    lowestFree(request),
    writer.forks,
    false,
  );
  // The ends of this start's pipes are not part of a plan.
  writer.keptCount = kept;
  if (id < 0) {
    pipes.closeAll();
    throw new SyscallError({ errno: -id, step: 'clone', syscall: 'clone3', hint: launchHint(id) });
  }
  pipes.closeChildEnds();
  const { waits } = writer;
  let wait = 0;
  new Child(id, {
    spawnfile: request.command,
    spawnargs: [request.argv0 ?? request.command, ...request.args],
    pipes,
    ownMemory: writer.forks,
    thread: false,
    serve: (pid) => stepNamed(waits[wait++]!)?.serve?.(pid, request),
    results: () => undefined,
    failure: () => readCommandFailure(request),
    resolve,
    reject,
  });
}

function launchHint(result: number): string | undefined {
  const code = new SyscallError({ errno: -result }).code;
  if (code === 'EAGAIN') return 'a limit on processes is reached; see RLIMIT_NPROC and pids.max of the cgroup';
  if (code === 'EMFILE') return 'too many open files; see RLIMIT_NOFILE';
  return undefined;
}
