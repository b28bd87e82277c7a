// The ends of a child's pipes that we keep: opened before the clone, made into streams when first touched.
import type { Socket } from 'node:net';

import { addon } from '../addon';
import { SyscallError } from '../errors/syscall-error';
import { Pair } from '../native-interface';
import { net } from '../builtin';
import { Pty } from './pty';
import type { Writer } from '../program/writer';
import type { Request } from '../steps/request';
import { lowestFree, sourceWord } from '../steps/words';

const kinds = new Int32Array(1024);
const numbers = new Int32Array(2048);

/** One of the child's descriptors that is connected to us. */
interface Pipe {
  readonly index: number;
  readonly kind: Pair;
  /** Our end; -1 once it is closed or belongs to the stream. */
  descriptor: number;
  stream: Socket | undefined;
}

/** Before we open descriptors of our own: one of them might get the number of one that is closed. */
function refuseClosed({ stdio, cgroup }: Request, writer: Writer): void {
  if (writer.keptCount === 0) return;
  const closed = addon().firstClosed(writer.kept, writer.keptCount);
  if (closed < 0) return;
  const descriptor = writer.kept[closed]!;
  const hint = `descriptor ${descriptor} is not open in Node`;
  const index = stdio.findIndex((source) => source.kind === 'descriptor' && source.descriptor === descriptor);
  if (index < 0 && cgroup === descriptor) {
    throw new SyscallError({ code: 'EBADF', step: 'cgroup', option: 'cgroup', syscall: 'fcntl', hint });
  }
  throw new SyscallError({ code: 'EBADF', step: 'stdio', option: `stdio[${index}]`, syscall: 'dup3', hint });
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

export class Pipes {
  readonly #pipes: Pipe[] = [];
  readonly #length: number;
  #childEnds: number[] = [];
  /** Our end of the terminal; the descriptor is -1 once it is closed or belongs to the stream. */
  readonly #terminal = { descriptor: -1, keeper: -1, stream: undefined as Pty | undefined };
  #open = 0;
  #whenClosed: (() => void) | undefined;

  /**
   * Opens what `stdio` asks for and writes the child's ends into the program.
   * @throws SyscallError EMFILE, ENFILE
   */
  constructor(request: Request, writer: Writer) {
    const { stdio } = request;
    this.#length = stdio.length;
    // First of all, as it runs code of the caller's.
    for (const source of stdio)
      if (source.kind === 'descriptor' && source.stream !== undefined) stopReading(source.stream);
    for (let index = 0; index < stdio.length; index++) {
      const source = stdio[index]!;
      if (source.kind !== 'pipe') continue;
      const kind = source.socket ? Pair.Socket : index === 0 ? Pair.ChildReads : Pair.ChildWrites;
      kinds[this.#pipes.length] = kind;
      this.#pipes.push({ index, kind, descriptor: -1, stream: undefined });
    }
    refuseClosed(request, writer);
    if (request.pty !== undefined) this.#openTerminal(request, request.pty, writer);
    const count = this.#pipes.length;
    if (count === 0) return;
    const result = addon().openPairs(kinds, count, numbers, lowestFree(request));
    if (result < 0) throw new SyscallError({ errno: -result, step: 'stdio', option: 'stdio', syscall: 'pipe2' });
    for (let i = 0; i < count; i++) {
      const child = numbers[i * 2]!;
      this.#childEnds.push(child);
      this.#pipes[i]!.descriptor = numbers[i * 2 + 1]!;
      writer.setInt32(sourceWord(this.#pipes[i]!.index), child);
      writer.keepOpen(child);
    }
    this.#open += count;
  }

  #openTerminal(request: Request, { columns, rows }: { columns: number; rows: number }, writer: Writer): void {
    const result = addon().openPty(columns, rows, numbers, lowestFree(request));
    if (result < 0)
      throw new SyscallError({ errno: -result, step: 'pty', option: 'pty', syscall: 'open', path: '/dev/ptmx' });
    const [child, ours, keeper] = numbers as unknown as [number, number, number];
    this.#childEnds.push(child);
    this.#terminal.descriptor = ours;
    this.#terminal.keeper = keeper;
    for (let index = 0; index < request.stdio.length; index++) writer.setInt32(sourceWord(index), child);
    writer.keepOpen(child);
    this.#open = 1;
  }

  /** Our end of the terminal; null where there is none. */
  get terminal(): Pty | null {
    const terminal = this.#terminal;
    if (terminal.stream === undefined && terminal.descriptor >= 0) {
      terminal.stream = new Pty(terminal.descriptor, terminal.keeper);
      terminal.descriptor = -1;
      terminal.stream.once('close', () => this.#oneClosed());
    }
    return terminal.stream ?? null;
  }

  #closeTerminal(): void {
    if (this.#terminal.descriptor < 0) return;
    addon().close(this.#terminal.descriptor);
    addon().close(this.#terminal.keeper);
    this.#terminal.descriptor = -1;
    this.#oneClosed();
  }

  /** After the clone the child's ends are the child's alone. */
  closeChildEnds(): void {
    for (const descriptor of this.#childEnds) addon().close(descriptor);
    this.#childEnds = [];
  }

  /** For a child that never was. */
  closeAll(): void {
    this.closeChildEnds();
    this.#terminal.stream?.destroy();
    this.#closeTerminal();
    for (const pipe of this.#pipes) {
      if (pipe.stream !== undefined) pipe.stream.destroy();
      else this.#closeUntouched(pipe);
    }
  }

  /** How many descriptors the child was given. */
  get length(): number {
    return this.#length;
  }

  /** The stream of descriptor `index`; null where it is no pipe to us. */
  stream(index: number): Socket | null {
    const pipe = this.#pipes.find((candidate) => candidate.index === index);
    if (pipe === undefined) return null;
    return (pipe.stream ??= this.#makeStream(pipe));
  }

  #makeStream(pipe: Pipe): Socket {
    const readable = pipe.kind !== Pair.ChildReads;
    const writable = pipe.kind !== Pair.ChildWrites;
    if (pipe.descriptor < 0) {
      // Touched after it was drained: a stream that is at its end.
      const ended = new (net().Socket)({ readable, writable });
      if (readable) ended.push(null);
      if (writable) ended.destroy();
      return ended;
    }
    const stream = new (net().Socket)({ fd: pipe.descriptor, readable, writable });
    pipe.descriptor = -1;
    stream.once('close', () => this.#oneClosed());
    return stream;
  }

  /** Calls back when all ends are closed, as 'close' of a child wants to know. */
  whenClosed(callback: () => void): void {
    if (this.#open === 0) callback();
    else this.#whenClosed = callback;
  }

  /**
   * The child has ended: streams that nobody touched are drained, so that a grandchild that still writes is never blocked for
   * ever; touched ones that nobody reads flow, as with child_process.
   */
  drain(): void {
    // A terminal that nobody looks at hangs up.
    this.#closeTerminal();
    const { stream: terminal } = this.#terminal;
    terminal?.release();
    if (terminal?.readableFlowing === null && terminal.listenerCount('readable') === 0) terminal.resume();
    for (const pipe of this.#pipes) {
      if (pipe.kind === Pair.ChildReads) {
        if (pipe.stream === undefined) this.#closeUntouched(pipe);
        else pipe.stream.destroy();
        continue;
      }
      if (pipe.stream === undefined && addon().atEnd(pipe.descriptor)) {
        this.#closeUntouched(pipe);
        continue;
      }
      const stream = (pipe.stream ??= this.#makeStream(pipe));
      if (stream.readableFlowing === null && stream.listenerCount('readable') === 0) stream.resume();
    }
  }

  #closeUntouched(pipe: Pipe): void {
    if (pipe.descriptor < 0) return;
    addon().close(pipe.descriptor);
    pipe.descriptor = -1;
    this.#oneClosed();
  }

  #oneClosed(): void {
    if (--this.#open > 0) return;
    this.#whenClosed?.();
    this.#whenClosed = undefined;
  }
}
