// Starts a written program in the stub.
import { debuglog } from 'node:util';

import type { ClonedProcess } from '../../types/child';
import { addon } from '../addon';
import { AbortError } from '../errors/abort-error';
import { isNextChildFirst, wouldBeFirst } from '../first-process';
import { rehearseNote } from '../errors/caller';
import { type OpenFolder, reopenCgroup } from '../cgroup-folder';
import { handsOver } from '../handed-namespaces';
import type { Opened } from '../join-target';
import type { Addon } from '../native-interface';
import { procForStub } from '../proc';
import { ProcWord } from '../program/format';
import type { Writer } from '../program/writer';
import { checkStart, isSameProgram } from '../assembly/assemble';
import type { Request } from '../assembly/request';
import { cgroupWord, joinWord, lowestFree } from '../assembly/words';
import { makePlan, type Plan } from '../plan';
import { forget, isWatching, openWatch } from '../watch';
import { Child } from './child';
import { Command } from './command';
import { imageOf } from './image';
import { launchFailure } from './launch-failure';
import { Pipes, stopReadingSources } from './pipes';
import { StartDescriptor } from './start-descriptor';
import { closeTree, openTree, type TreeArguments, treeFolder } from './tree';
import { programOf, type Written, writeOnce } from './programs';

/** NODE_DEBUG=nsclone prints every plan. */
const debug = debuglog('nsclone');

/** Whether a child has been started: there is nothing to rehearse any more. */
export function hasStarted(): boolean {
  return isWatching();
}

/** What is done to the host: all but that is rehearsed. */
interface Stage {
  openWatch(): void;
  /** @returns the id of the child, or -errno */
  launch(...how: Parameters<Addon['launch']>): number;
}

const theHost: Stage = { openWatch, launch: (...how) => addon().launch(...how) };
/** No child has it. */
const nobody = 0;
const noHost: Stage = { openWatch: () => {}, launch: () => nobody };

/**
 * All of a start but the start, a few times over: the first clone then finds its functions compiled and its arrays in memory,
 * and holds the event loop half as long. Touches no file but ours in the /proc that the import has opened: by now the thread may
 * have another root.
 * @returns what never settles, but where it fails: the first call tells of that
 */
export function rehearse(): readonly Promise<unknown>[] {
  return [0, 1, 2].map((i) => {
    // Another command each time: a program that is there already would not be written.
    const starting = startWritten(programOf(`/bin/${i}`, [], { stdio: 'ignore' }), noHost);
    starting.catch(() => {});
    forget(nobody);
    rehearseNote();
    return starting;
  });
}

/** Starts a command. @throws ArgumentError, SyscallError */
export function startCommand(command: unknown, args: unknown, options: unknown): Promise<ClonedProcess> {
  return startWritten(programOf(command, args, options));
}

function startWritten(written: Written, stage = theHost): Promise<ClonedProcess> {
  try {
    return start(written.writer, written.request, stage);
  } finally {
    written.release();
  }
}

/** Starts a plan, with what is other than it was in the plan. @throws ArgumentError, SyscallError */
export function startPlan({ request, writer }: Plan, options: unknown): Promise<ClonedProcess> {
  if (options === undefined && request.holdsForUs) return start(writer, request);
  const changed = checkStart(request, options);
  return isSameProgram(request, changed) ? start(writer, changed) : startWritten(writeOnce(changed));
}

/**
 * Starts a child that executes nothing. `done` is called as soon as its line is, while what it has handed over can be taken.
 * @throws SyscallError, AbortError
 */
export function startForNamespaces(
  request: Request,
  done: (child: ClonedProcess) => void,
  failed: (error: Error) => void,
): void {
  openWatch();
  const written = writeOnce(request);
  try {
    launch(written.writer, request, done, failed, theHost);
  } finally {
    written.release();
  }
}

function start(writer: Writer, request: Request, stage = theHost): Promise<ClonedProcess> {
  return new Promise((resolve, reject) => {
    stage.openWatch();
    launch(writer, request, resolve, reject, stage);
  });
}

function launch(
  writer: Writer,
  request: Request,
  resolve: (child: ClonedProcess) => void,
  reject: (error: Error) => void,
  stage: Stage,
): void {
  if (debug.enabled && stage === theHost) debug('%s', makePlan(request.copy()));
  stopReadingSources(request);
  if (request.signal?.aborted === true) throw new AbortError(request.signal.reason);
  for (const { recording } of request.ownLines) recording.checkGivers();
  // What only this start has is not part of a plan.
  const kept = writer.keptCount;
  try {
    if (request.targets.length + request.cgroups.length === 0) clone(writer, request, resolve, reject, stage);
    else cloneEntering(writer, request, resolve, reject);
  } finally {
    writer.keptCount = kept;
  }
}

function cloneEntering(
  writer: Writer,
  request: Request,
  resolve: (child: ClonedProcess) => void,
  reject: (error: Error) => void,
): void {
  const joins = openJoins(request, writer);
  const folders: OpenFolder[] = [];
  try {
    for (const entry of request.cgroups) {
      const folder = reopenCgroup(entry);
      writer.setInt32(cgroupWord(request, folders.length), folder.descriptor);
      writer.keepOpen(folder.descriptor);
      folders.push(folder);
    }
    clone(writer, request, resolve, reject, theHost, folders);
  } finally {
    // The child has its own copies.
    for (const folder of folders) folder.close();
    for (const { descriptor, own } of joins) if (own) addon().close(descriptor);
  }
}

/** The descriptors of this start, written into the program. */
function openJoins(request: Request, writer: Writer): Opened[] {
  const opened: Opened[] = [];
  try {
    request.targets.forEach((target, index) => {
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
  stage: Stage,
  folders: readonly OpenFolder[] = [],
): void {
  if (writer.forks && stage === theHost && isNextChildFirst()) throw wouldBeFirst();
  const { procOption } = request;
  const proc = procOption === undefined ? -1 : procForStub(procOption, request.listener !== undefined);
  const starter = StartDescriptor.of(request);
  const pipes = new Pipes(request, writer);
  // After those, which ask of all that is kept whether it is open.
  if (proc >= 0) {
    writer.setInt32(ProcWord, proc);
    writer.keepOpen(proc);
  }
  const { forks } = writer;
  const { detached, init, exposed } = request;
  const tree = treeOf(request, folders, pipes);
  const id = stage.launch(...imageOf(writer), lowestFree(request), forks, detached, init, exposed, ...tree);
  if (id < 0) {
    const failure = launchFailure(-id, { cgroup: treeFolder(request) });
    pipes.closeAll();
    closeTree(tree);
    throw failure;
  }
  pipes.closeChildEnds();
  const command = new Command(request, writer, pipes, starter, resolve, reject);
  command.cloned(id);
  const child = new Child(id, command);
  if (request.handsOver && !request.holdsAt('maps')) handsOver(child, id);
}

/** What ends together with the child. */
function treeOf(request: Request, folders: readonly OpenFolder[], pipes: Pipes): TreeArguments {
  try {
    return openTree(request, folders);
  } catch (error) {
    pipes.closeAll();
    throw error;
  }
}
