// The recorder: what the callback of record() talks to. Each call becomes an instruction at once, with all it needs
// copied.
import type { BufferHandle, Received, Result, Value } from '../../types/calls';
import type { Recorder } from '../../types/record';
import { integer } from '../check';
import { invalidArgType, invalidArgValue, refusedOption } from '../errors/argument-error';
import { lineThatCalled } from '../errors/caller';
import { didYouMean } from '../errors/nearest';
import { SyscallError } from '../errors/syscall-error';
import { errnoByName } from '../kernel/errno';
import { type SyscallName, syscalls } from '../kernel/syscalls';
import { encodeArgumentsOf } from './calls/encode';
import { encodeLayout } from './calls/layout';
import { encodeAny } from './calls/memory';
import { descriptorOf } from './calls/numbers';
import { receivedAt } from './calls/messages';
import type { Operand, Sink } from './calls/operand';
import { rawCallNumber } from './calls/raw';
import { Kind, MaxRules } from './format';
import { type Handle, MemoryHandle, ResultHandle, WordHandle } from './handles';
import { kindOf, recordable, signatureOf } from './signatures';
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

/** What a line is recorded for. */
export interface Purpose {
  /** The step that errors and the listing name, */
  readonly step: string;
  /** the option, */
  readonly option: string;
  /** and which one of it; the number of the call where it is left out. */
  readonly index?: number;
  /** Why a call has no place in it; undefined where it has. */
  refuse?(name: string, numbers: RecordedCall['numbers']): string | undefined;
  /** A descriptor of ours is used. */
  uses?(descriptor: number, option: string): void;
}

/** The line of a child that executes no command. */
const wholeProgram: Purpose = { step: recordedStep, option: recordedStep };

/** A method of the recorder: what its caller called. */
type Method = (...args: unknown[]) => unknown;

/** One recording: the program that it writes, and what its handles mean. */
export class Recording implements Sink {
  readonly writer = new Writer().reset(true);
  readonly #purpose: Purpose;
  #method: Method | undefined;
  readonly calls: RecordedCall[] = [];
  /** The program that it executes, for `spawnfile` and `spawnargs`. */
  executed: { readonly path: string; readonly args: readonly string[] } | undefined;
  readonly #handles = new WeakMap<object, Where>();
  /** What it has descriptors of by number, and the calls that do. Held: a Namespace that nobody holds any more is closed. */
  readonly #givers: { readonly giver: object; readonly call: number; readonly name: string }[] = [];
  /** The call that is being recorded. */
  #name = '';
  #closed: string | undefined;

  constructor(purpose = wholeProgram) {
    this.#purpose = purpose;
  }

  /** The method of the recorder that is called. */
  calledBy(method: Method): this {
    this.#method = method;
    return this;
  }

  /** Nothing can be recorded any more; `reason` ends the sentence 'cannot be recorded: …'. */
  close(reason: string): void {
    this.#closed ??= reason;
  }

  // ---- calls

  /** Records a call of the table. */
  call(name: SyscallName, args: readonly unknown[]): Result | readonly [Value, Value] | Received {
    this.#begin(name);
    this.#describe(name, args);
    const operands = encodeArgumentsOf(this, name, args);
    if (name === 'execve' || name === 'execveat') this.#beforeExecution(name, args);
    const memory = args.find((argument) => argument instanceof MemoryHandle);
    const writesMemory = signatureOf(name).some((kind) => kindOf(kind).word === 'out');
    const result = this.#emit(name, syscalls[name], operands, writesMemory ? memory : undefined);
    const pair = operands[signatureOf(name).indexOf('pair')];
    if (pair !== undefined) return this.#words(Number(pair.value), 2) as [Value, Value];
    const received = operands[signatureOf(name).indexOf('received')];
    if (received === undefined) return result;
    return { length: result, fds: this.#words(receivedAt(Number(received.value)), received.length) };
  }

  /** Records a call that nothing is known of. */
  rawCall(name: unknown, args: readonly unknown[]): Result {
    this.#begin('syscall');
    const number = rawCallNumber(name);
    this.#name = name as string;
    if (args.length > 6) throw refusedOption('args argument', 'has more than six: no system call takes them');
    const operands = args.map((argument, index) => encodeAny(this, argument, `args[${index}] argument`));
    return this.#emit(name as string, number, operands, undefined);
  }

  /** Records the end. */
  exit(code: unknown): void {
    this.#begin('exit');
    this.#refuse('exit', []);
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

  /** Memory with something in it. */
  memory(fields: unknown): BufferHandle {
    this.#begin('memory');
    const { place, size } = encodeLayout(this, fields, 'fields argument');
    const handle = Object.freeze(new MemoryHandle(size));
    this.#handles.set(handle, { what: 'memory', place });
    return handle;
  }

  #begin(name: string): void {
    if (this.#closed !== undefined) throw refusedOption(`${name} argument`, `cannot be recorded: ${this.#closed}`);
    this.#name = name;
    this.#about(this.calls.length);
  }

  /** What follows is of a call. */
  #about(call: number): void {
    const { step, option, index } = this.#purpose;
    this.writer.about(step, option, index ?? call);
    if (index !== undefined) this.writer.recordedAt(lineThatCalled(this.#method));
  }

  #refuse(name: string, numbers: RecordedCall['numbers']): void {
    const reason = this.#purpose.refuse?.(name, numbers);
    if (reason !== undefined) throw refusedOption(`${name} argument`, `cannot be recorded here: ${reason}`);
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
    const numbers = operands.map(({ kind, value }) => (kind === Kind.Number ? Number(value) : undefined));
    this.#refuse(name, numbers);
    const instruction = writer.count;
    writer.callNumber(number);
    for (const operand of operands) this.#argument(operand);
    this.calls.push({ name, numbers });
    const handle: ResultHandle = new ResultHandle({
      accept: (errors) => this.#accept(handle, errors),
      expect: (errors) => this.#expect(handle, name, errors),
    });
    Object.freeze(handle);
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

  /** Words that the kernel writes, one behind the other. */
  #words(place: Place, count: number): Value[] {
    return Array.from({ length: count }, (_, index) => {
      const handle = Object.freeze(new WordHandle());
      this.#handles.set(handle, { what: 'word', place: place + index * 4 });
      return handle;
    });
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

  /** The instruction of a call that may still be told of errors. */
  #instructionOf(handle: object): number {
    const where = this.#handles.get(handle);
    if (this.#closed !== undefined) throw refusedOption('errors argument', `cannot be recorded: ${this.#closed}`);
    return (where as Extract<Where, { what: 'result' }>).instruction;
  }

  #accept(handle: object, errors: readonly unknown[]): void {
    const instruction = this.#instructionOf(handle);
    if (this.#expected.has(instruction))
      throw refusedOption('errors argument', 'is too late: the call is to fail, see expect()');
    const accepted = this.#accepted.get(instruction) ?? new Set<string>();
    this.#accepted.set(instruction, accepted);
    for (const error of errors) {
      const name = errorName(error);
      if (accepted.has(name)) continue;
      if (accepted.size === MaxRules)
        throw invalidArgValue('errors argument', errors, `must not be more than ${MaxRules}`);
      this.writer.at(instruction).accept(name);
      accepted.add(name);
    }
  }

  /** Behind the call comes what makes of its success a failure. */
  #expect(handle: object, call: string, errors: readonly unknown[]): void {
    const instruction = this.#instructionOf(handle);
    if (this.writer.count !== instruction + 1 || this.#accepted.has(instruction))
      throw refusedOption('errors argument', 'must be told right behind the call, and once');
    if (errors.length === 0 || errors.length > MaxRules)
      throw invalidArgValue('errors argument', errors, `must be one to ${MaxRules} errors`);
    const names = [...new Set(errors.map(errorName))];
    this.writer.at(instruction);
    for (const name of names) this.writer.skip(name, 1);
    this.#about(this.calls.length - 1);
    this.writer.subject(undefined, undefined, `${call} has not failed with ${names.join(' or ')}`);
    this.writer.fail('EIO');
    this.#expected.add(instruction);
  }

  readonly #expected = new Set<number>();
  readonly #accepted = new Map<number, Set<string>>();

  // ---- what encoders ask

  uses(descriptor: number, option: string): void {
    this.#purpose.uses?.(descriptor, option);
  }

  holds(giver: object): void {
    this.#givers.push({ giver, call: this.calls.length, name: this.#name });
  }

  /** @throws SyscallError EBADF for an object that is closed, as it tells by -1: its number may be somebody else's now */
  checkGivers(): void {
    for (const { giver, call, name } of this.#givers) {
      if (descriptorOf(giver) !== -1) continue;
      const { step, option, index } = this.#purpose;
      const reason = 'its descriptor is closed';
      throw new SyscallError({ code: 'EBADF', syscall: name, step, option: `${option}[${index ?? call}]`, reason });
    }
  }

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

  store({ kind, value }: Operand, place: Place, width: 4 | 8): void {
    if (kind === Kind.Word) this.writer.storeWord(Number(value), place, width);
    else this.writer.store(Number(value), place, width);
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

function errorName(error: unknown): string {
  if (typeof error !== 'string') throw invalidArgType('errors argument', "an error's name", error);
  if (Object.hasOwn(errnoByName, error)) return error;
  throw invalidArgValue(
    'errors argument',
    error,
    `must be an error's name${didYouMean(error, Object.keys(errnoByName))}`,
  );
}

/** The kinds of what a caller gives, without what is filled in. */
function givenKinds(name: string): readonly string[] {
  const filled = new Set(['null', 'is', 'socklen', 'capheader', 'pair', 'ahead']);
  return signatureOf(name).filter((kind) => !filled.has(kindOf(kind).word) && kind !== 'length');
}

/** The recorder of a recording. */
export function recorderOf(recording: Recording): Recorder {
  const methods: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  const add = (name: string, record: Method): void => {
    methods[name] = function method(...args: unknown[]): unknown {
      recording.calledBy(method);
      return record(...args);
    };
  };
  for (const name of recordable()) {
    if (name !== 'clone') add(name, (...args) => recording.call(name, args));
  }
  add('buffer', (size) => recording.buffer(size));
  add('memory', (fields) => recording.memory(fields));
  add('exit', (code) => recording.exit(code));
  add('syscall', (name, ...args) => recording.rawCall(name, args));
  return Object.freeze(methods) as unknown as Recorder;
}
