// The recorder: what the callback of record() talks to. Each call becomes an instruction at once, with all it needs
// copied.
import type { BufferHandle, Result, Value } from '../../types/calls';
import type { Recorder } from '../../types/record';
import { integer } from '../check';
import { invalidArgType, invalidArgValue, refusedOption } from '../errors/argument-error';
import { didYouMean } from '../errors/nearest';
import { errnoByName } from '../kernel/errno';
import { type SyscallName, syscalls } from '../kernel/syscalls';
import { encodeArgumentsOf } from './calls/encode';
import { encodeAny } from './calls/memory';
import type { Operand, Sink } from './calls/operand';
import { rawCallNumber } from './calls/raw';
import { Kind, MaxRules } from './format';
import { type Handle, MemoryHandle, ResultHandle, WordHandle } from './handles';
import { kindOf, signatureOf, signatures } from './signatures';
import { type Place, type Slot, Writer } from './writer';

/** The step and option that errors and the listing name. */
export const recordedStep = 'program';

const largestBuffer = 16 * 1024 * 1024;
/** Kernel calls that fill a fixed struct want no less: `prctl(PR_GET_NAME)` writes 16 bytes. */
const smallestRoom = 16;

/** Where the value of a handle will be. */
type Where =
  | {
      readonly what: 'result';
      readonly instruction: number;
      slot: Slot | undefined;
      readonly filled: object | undefined;
    }
  | { readonly what: 'word'; readonly place: Place }
  | { readonly what: 'memory'; readonly place: Place };

/** What is to be known of a recorded call before it is cloned. */
export interface RecordedCall {
  readonly name: string;
  /** The arguments as far as they are numbers. */
  readonly numbers: readonly (number | undefined)[];
}

/** One recording: the program that it writes, and what its handles mean. */
export class Recording implements Sink {
  readonly writer = new Writer().reset(true);
  readonly calls: RecordedCall[] = [];
  /** The program that it executes, for `spawnfile` and `spawnargs`. */
  executed: { readonly path: string; readonly args: readonly string[] } | undefined;
  readonly #handles = new WeakMap<object, Where>();
  #closed: string | undefined;

  /** Nothing can be recorded any more; `reason` ends the sentence 'cannot be recorded: …'. */
  close(reason: string): void {
    this.#closed ??= reason;
  }

  // ---- calls

  /** Records a call of the table. */
  call(name: SyscallName, args: readonly unknown[]): Result | readonly [Value, Value] {
    this.#begin(name);
    this.#describe(name, args);
    const operands = encodeArgumentsOf(this, name, args);
    if (name === 'execve' || name === 'execveat') this.#beforeExecution(name, args);
    const memory = args.find((argument) => argument instanceof MemoryHandle);
    const writesMemory = signatureOf(name).some((kind) => kindOf(kind).word === 'out');
    const result = this.#emit(name, syscalls[name], operands, writesMemory ? memory : undefined);
    const pair = operands[signatureOf(name).indexOf('pair')];
    return pair === undefined ? result : this.#pair(Number(pair.value));
  }

  /** Records a call that nothing is known of. */
  rawCall(name: unknown, args: readonly unknown[]): Result {
    this.#begin('syscall');
    const number = rawCallNumber(name);
    if (args.length > 6) throw refusedOption('args argument', 'has more than six: no system call takes them');
    const operands = args.map((argument, index) => encodeAny(this, argument, `args[${index}] argument`));
    return this.#emit(name as string, number, operands, undefined);
  }

  /** Records the end. */
  exit(code: unknown): void {
    this.#begin('exit');
    this.writer.exit(integer(code, 'code argument', 0, 255));
    this.calls.push({ name: 'exit', numbers: [] });
    this.close('c.exit() has ended the line');
  }

  /** Memory in the data. */
  buffer(given: unknown): BufferHandle {
    this.#begin('buffer');
    const size = integer(given, 'size argument', 1, largestBuffer);
    const handle = Object.freeze(new MemoryHandle(size));
    this.#handles.set(handle, { what: 'memory', place: this.writer.reserve(Math.max(size, smallestRoom)) });
    return handle;
  }

  #begin(name: string): void {
    if (this.#closed !== undefined) throw refusedOption(`${name} argument`, `cannot be recorded: ${this.#closed}`);
    this.writer.about(recordedStep, recordedStep, this.calls.length);
  }

  /** What an error of the call says it was about: its paths, or its address. */
  #describe(name: string, args: readonly unknown[]): void {
    const kinds = givenKinds(name).map((kind) => kindOf(kind).word);
    const [path, dest] = args.filter((_, index) => kinds[index] === 'path') as (string | null | undefined)[];
    this.writer.subject(path ?? dest ?? undefined, typeof path === 'string' ? (dest ?? undefined) : undefined);
    const address = args[kinds.indexOf('sockaddr')] as
      | { address?: unknown; port?: unknown; path?: unknown }
      | undefined;
    if (typeof address?.address === 'string') {
      const host = address.address.includes(':') ? `[${address.address}]` : address.address;
      this.writer.detail(`${host}:${Number(address.port)}`);
    } else if (typeof address?.path === 'string') {
      this.writer.subject(address.path);
    }
  }

  #emit(name: string, number: number, operands: readonly Operand[], filled: object | undefined): Result {
    const { writer } = this;
    const instruction = writer.count;
    writer.callNumber(number);
    for (const operand of operands) this.#argument(operand);
    this.calls.push({
      name,
      numbers: operands.map(({ kind, value }) => (kind === Kind.Number ? Number(value) : undefined)),
    });
    const handle = Object.freeze(new ResultHandle((errors) => this.#accept(handle, errors)));
    this.#handles.set(handle, { what: 'result', instruction, slot: undefined, filled });
    return handle;
  }

  #argument({ kind, value }: Operand): void {
    const { writer } = this;
    if (typeof value === 'bigint') writer.bigint(value);
    else if (kind === Kind.Number) writer.number(value);
    else if (kind === Kind.Data) writer.place(value);
    else if (kind === Kind.Word) writer.word(value);
    else writer.result(value);
  }

  #pair(place: Place): readonly [Value, Value] {
    const handles = [new WordHandle(), new WordHandle()] as const;
    handles.forEach((handle, index) =>
      this.#handles.set(Object.freeze(handle), { what: 'word', place: place + index * 4 }),
    );
    return handles;
  }

  /** A child in place starts with all signals blocked and dies with Node: a program that it executes should not. */
  #beforeExecution(name: 'execve' | 'execveat', args: readonly unknown[]): void {
    const [path, argv] = (name === 'execve' ? args : args.slice(1)) as [string, readonly string[]];
    this.executed ??= { path, args: [...argv] };
    const { writer } = this;
    const PR_SET_PDEATHSIG = 1;
    const SIG_SETMASK = 2;
    if (!this.calls.some((call) => call.name === 'prctl' && call.numbers[0] === PR_SET_PDEATHSIG)) {
      writer.call('prctl').number(PR_SET_PDEATHSIG).number(0).number(0).number(0).number(0);
    }
    if (!this.calls.some((call) => call.name === 'rt_sigprocmask')) {
      writer.call('rt_sigprocmask').number(SIG_SETMASK).place(writer.reserve(8)).number(0).number(8);
    }
  }

  #accept(handle: object, errors: readonly unknown[]): void {
    const where = this.#handles.get(handle);
    if (this.#closed !== undefined) throw refusedOption('errors argument', `cannot be recorded: ${this.#closed}`);
    if (where?.what !== 'result') return;
    const accepted = this.#accepted.get(where.instruction) ?? new Set<string>();
    for (const error of errors) {
      if (typeof error !== 'string') throw invalidArgType('errors argument', "an error's name", error);
      if (!Object.hasOwn(errnoByName, error)) {
        throw invalidArgValue(
          'errors argument',
          error,
          `must be an error's name${didYouMean(error, Object.keys(errnoByName))}`,
        );
      }
      if (accepted.has(error)) continue;
      if (accepted.size === MaxRules)
        throw invalidArgValue('errors argument', errors, `must not be more than ${MaxRules}`);
      this.writer.at(where.instruction).accept(error);
      accepted.add(error);
    }
    this.#accepted.set(where.instruction, accepted);
  }

  readonly #accepted = new Map<number, Set<string>>();

  // ---- what encoders ask

  #where(handle: object, option: string): Where {
    const where = this.#handles.get(handle);
    if (where === undefined)
      throw invalidArgValue(option, handle, 'must be of this recording: a handle means nothing in another');
    return where;
  }

  valueOf(handle: object, option: string): Operand {
    const where = this.#where(handle, option);
    if (where.what === 'word') return { kind: Kind.Word, value: where.place, length: 0 };
    if (where.what === 'memory') throw invalidArgType(option, 'the result of a call', handle);
    return { kind: Kind.Result, value: this.#slotOf(where), length: 0 };
  }

  #slotOf(where: Extract<Where, { what: 'result' }>): Slot {
    return (where.slot ??= this.writer.at(where.instruction).keep());
  }

  placeOf(memory: MemoryHandle, option: string): Place {
    const where = this.#where(memory, option);
    return where.what === 'memory' ? where.place : 0;
  }

  store({ value }: Operand, place: Place, width: 4 | 8): void {
    this.writer.store(Number(value), place, width);
  }

  isLengthOf(length: object, memory: object): boolean {
    const where = this.#handles.get(length);
    return where?.what === 'result' && where.filled === memory;
  }

  /** Where the value of a handle is when the child has run. */
  locate(handle: Handle, option: string): { readonly slot: Slot } | { readonly place: Place } {
    const where = this.#where(handle, option);
    return where.what === 'result' ? { slot: this.#slotOf(where) } : { place: where.place };
  }
}

/** The kinds of what a caller gives, without what is filled in. */
function givenKinds(name: string): readonly string[] {
  const filled = new Set(['null', 'is', 'socklen', 'capheader', 'pair', 'ahead']);
  return signatureOf(name).filter((kind) => !filled.has(kindOf(kind).word) && kind !== 'length');
}

/** The recorder of a recording. */
export function recorderOf(recording: Recording): Recorder {
  const methods: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const name of Object.keys(signatures) as SyscallName[]) {
    if (name !== 'clone') methods[name] = (...args: unknown[]) => recording.call(name, args);
  }
  methods['buffer'] = (size: unknown) => recording.buffer(size);
  methods['exit'] = (code: unknown) => recording.exit(code);
  methods['syscall'] = (name: unknown, ...args: unknown[]) => recording.rawCall(name, args);
  return Object.freeze(methods) as unknown as Recorder;
}
