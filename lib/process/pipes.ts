// The ends of a child's pipes that we keep: opened before the clone, made into streams when first touched.
import type { AsyncResource } from 'node:async_hooks';

import { addon } from '../addon';
import { SyscallError, type SyscallErrorInit } from '../errors/syscall-error';
import { Pair } from '../native-interface';
import { type Output, outputOver } from './output';
import type { Pty } from './pty';
import { type Source, streamOver } from './source';
import { descriptorFailure } from './descriptor-failure';
import { openTerminal, takeTerminal, type Terminal } from './terminal';
import type { Writer } from '../program/writer';
import type { Request } from '../assembly/request';
import { nameOf } from '../assembly/settings';
import { channelSource, type StdioSource } from '../assembly/stdio-source';
import { lowestFree, sourceWord } from '../assembly/words';

const kinds = new Int32Array(1024);
const numbers = new Int32Array(2048);

/** One of the child's descriptors that is connected to us. */
interface Pipe {
  readonly index: number;
  readonly kind: Pair;
  /** Our end; -1 once it is closed or belongs to the stream. */
  descriptor: number;
  stream: Source | Output | undefined;
}

/** Whose descriptor it is, and what would fail of it. */
type Use = Pick<SyscallErrorInit, 'step' | 'option' | 'syscall'>;

/** What a descriptor of ours is asked for; undefined for a stranger. */
function useOf(request: Request, descriptor: number): Use | undefined {
  const { stdio, cgroup, heldMounts, carried, ownLines, landlock, commandFd, heldBy, pty } = request;
  const index = stdio.findIndex((source) => source.kind === 'descriptor' && source.descriptor === descriptor);
  if (index >= 0) return { step: 'stdio', option: `stdio[${index}]`, syscall: 'dup3' };
  const folder = request.cgroups.find(({ source }) => source === descriptor);
  if (folder !== undefined) return { step: 'cgroup', option: folder.option, syscall: 'fcntl' };
  if (cgroup === descriptor) return { step: 'cgroup', option: 'cgroup', syscall: 'fcntl' };
  const mount = heldMounts.find(({ held }) => held.descriptor === descriptor);
  if (mount !== undefined) return { step: mount.option, option: nameOf(mount), syscall: 'open_tree' };
  if (commandFd === descriptor) return { step: 'command file', option: 'commandFd', syscall: 'fcntl' };
  if (heldBy?.fd === descriptor) return { step: 'hold sources', option: 'hold.fd', syscall: 'fcntl' };
  if (heldBy?.report === descriptor) return { step: 'hold sources', option: 'hold.report', syscall: 'fcntl' };
  if (pty?.sendTo === descriptor) return { step: 'terminal socket', option: 'pty.sendTo', syscall: 'fcntl' };
  const rule = landlock?.rules?.find(({ path }) => path === descriptor);
  if (rule !== undefined) return { step: 'landlock sources', option: rule.option, syscall: 'fcntl' };
  const kept = carried.find((one) => one.descriptor === descriptor);
  if (kept !== undefined) return { step: 'closeFds', option: kept.option, syscall: 'fcntl' };
  const line = ownLines.find(({ descriptors }) => descriptors.includes(descriptor));
  return line === undefined ? undefined : { step: `steps at ${line.at}`, option: line.option, syscall: 'fcntl' };
}

/** Before we open descriptors of our own: one of them might get the number of one that is closed. */
function refuseClosed(request: Request, writer: Writer): void {
  if (writer.keptCount === 0) return;
  const closed = addon().firstClosed(writer.kept, writer.keptCount);
  if (closed < 0) return;
  const descriptor = writer.kept[closed]!;
  const hint = `descriptor ${descriptor} is not open in Node`;
  throw new SyscallError({ code: 'EBADF', ...useOf(request, descriptor), hint });
}

/** From now on what comes in is the child's to read, as child_process has it. */
function stopReading(stream: object): void {
  const { _handle: handle, pause } = stream as {
    _handle?: { reading?: boolean; readStop?: () => void } | null;
    pause?: () => void;
  };
  if (typeof handle?.readStop !== 'function') return;
  handle.reading = false;
  handle.readStop();
  pause?.call(stream);
}

/** Runs code of the caller's, which may do anything: before anything is opened, or looked at for this start. */
export function stopReadingSources({ stdio }: Request): void {
  for (const source of stdio)
    if (source.kind === 'descriptor' && source.stream !== undefined) stopReading(source.stream);
}

export class Pipes {
  readonly #pipes: Pipe[] = [];
  readonly #length: number;
  #childEnds: number[] = [];
  #terminal: Terminal | undefined;

  /**
   * Opens what `stdio` asks for and writes the child's ends into the program.
   * @throws SyscallError EMFILE, ENFILE
   */
  constructor(request: Request, writer: Writer) {
    const { stdio } = request;
    this.#length = stdio.length;
    for (let index = 0; index < stdio.length; index++) {
      const source = stdio[index]!;
      if (source.kind !== 'pipe') continue;
      const kind = kindOf(source, index);
      kinds[this.#pipes.length] = kind;
      this.#pipes.push({ index, kind, descriptor: -1, stream: undefined });
    }
    refuseClosed(request, writer);
    if (request.pty !== undefined && request.opensTerminal) this.#openTerminal(request, request.pty, writer);
    const count = this.#pipes.length;
    if (count === 0) return;
    const result = addon().openPairs(kinds, count, numbers, lowestFree(request));
    if (result < 0) {
      const option = `stdio[${this.#pipes[numbers[0]!]!.index}]`;
      this.closeAll();
      throw descriptorFailure(-result, { step: 'stdio', option }, numbers[1]!);
    }
    for (let i = 0; i < count; i++) {
      const child = numbers[i * 2]!;
      this.#childEnds.push(child);
      this.#pipes[i]!.descriptor = numbers[i * 2 + 1]!;
      writer.setInt32(sourceWord(this.#pipes[i]!.index), child);
      writer.keepOpen(child);
    }
  }

  /** Its end is the child's stdin, stdout and stderr. */
  #openTerminal(request: Request, size: { columns: number; rows: number }, writer: Writer): void {
    const [child, terminal] = openTerminal(size, lowestFree(request));
    this.#childEnds.push(child);
    this.#terminal = terminal;
    request.stdio.forEach(({ kind }, index) => {
      if (kind === 'pty') writer.setInt32(sourceWord(index), child);
    });
    writer.keepOpen(child);
  }

  /** The child has opened the terminal, and waits for us to take our end. @throws SyscallError EMFILE */
  takeTerminal(id: number, lowest: number): void {
    this.#terminal = takeTerminal(id, lowest);
  }

  /** Our end of the terminal; null where there is none, or none yet. */
  terminal(scope: AsyncResource): Pty | null {
    return this.#terminal?.stream(scope) ?? null;
  }

  /** After the clone the child's ends are the child's alone. */
  closeChildEnds(): void {
    for (const descriptor of this.#childEnds) addon().close(descriptor);
    this.#childEnds = [];
  }

  /** For a child that never was. */
  closeAll(): void {
    this.closeChildEnds();
    this.#terminal?.close();
    for (const pipe of this.#pipes) {
      pipe.stream?.destroy();
      closeUntouched(pipe);
    }
  }

  /** How many descriptors the child was given. */
  get length(): number {
    return this.#length;
  }

  /** The stream of descriptor `index`; null where it is no pipe to us. */
  stream(index: number, scope: AsyncResource): Source | Output | null {
    const pipe = this.#pipes.find((candidate) => candidate.index === index);
    return pipe === undefined || pipe.kind === Pair.Channel ? null : (pipe.stream ??= makeStream(pipe, scope));
  }

  /** Our end of the channel for messages, which is the caller's from now on. */
  takeChannel(): number {
    const pipe = this.#pipes.find(({ kind }) => kind === Pair.Channel)!;
    const { descriptor } = pipe;
    pipe.descriptor = -1;
    return descriptor;
  }

  /** The child has ended: calls back when all ends are at theirs, as 'close' of a child wants to know. */
  finish(scope: AsyncResource, callback: () => void): void {
    let open = 1;
    const over = (): void => {
      if (--open === 0) callback();
    };
    for (const pipe of this.#pipes) {
      if (pipe.kind === Pair.Channel) continue;
      open++;
      if (pipe.kind === Pair.ChildReads) finishInput(pipe, over);
      else finishOutput(pipe, scope, over);
    }
    open++;
    if (this.#terminal === undefined) over();
    else this.#terminal.finish(over);
    over();
  }
}

function kindOf(source: Extract<StdioSource, { kind: 'pipe' }>, index: number): Pair {
  if (source === channelSource) return Pair.Channel;
  if (source.socket) return Pair.Socket;
  return index === 0 ? Pair.ChildReads : Pair.ChildWrites;
}

function makeStream(pipe: Pipe, scope: AsyncResource): Source | Output {
  const { kind, descriptor: fd } = pipe;
  pipe.descriptor = -1;
  if (kind === Pair.ChildReads) {
    const stream = streamOver(fd, scope, { readable: false, writable: true });
    return fd < 0 ? stream.destroy() : stream;
  }
  const writable = kind === Pair.Socket;
  const source = fd < 0 ? undefined : streamOver(fd, scope, { readable: true, writable });
  return outputOver(scope, source, writable);
}

function finishInput(pipe: Pipe, over: () => void): void {
  const { stream } = pipe;
  closeUntouched(pipe);
  if (stream === undefined || stream.closed) return over();
  stream.once('close', over);
  stream.destroy();
}

/** Children of its own may still write: none of them is blocked for ever. */
function finishOutput(pipe: Pipe, scope: AsyncResource, over: () => void): void {
  if (pipe.stream === undefined && addon().atEnd(pipe.descriptor)) {
    closeUntouched(pipe);
    return over();
  }
  const stream = (pipe.stream ??= makeStream(pipe, scope)) as Output;
  stream.readOn(over);
}

function closeUntouched(pipe: Pipe): void {
  if (pipe.descriptor >= 0) addon().close(pipe.descriptor);
  pipe.descriptor = -1;
}
