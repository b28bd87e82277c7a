// The programs of the last commands. Servers start the same child again and again: the same options need no other check and no
// other program, and those two are most of the time for which a call holds the event loop.
import { copyData, isPrimitive, isSameData } from '../data';
import { Writer } from '../program/writer';
import { assemble, checkCopied, checkRequest, copyOptions } from '../assembly/assemble';
import { checkAbortSignal } from '../steps/control';
import type { Request } from '../assembly/request';

const none: readonly never[] = [];
/** Bytes of data: what is larger is not kept. */
const mostData = 256 * 1024;

/** A writer, and what it was last written for. */
class Program {
  /** Undefined where it serves nobody. */
  request: Request | undefined;
  /** The names of its options, and their values, in the order in which they were given. */
  names: readonly string[] = none;
  values: readonly unknown[] = none;
  writer = new Writer();
  /** How many are between the call that takes it and their launch, for as long as it must stay as it is. */
  takers = 0;

  serves(command: string, args: readonly unknown[], names: readonly string[], values: readonly unknown[]): boolean {
    const { request } = this;
    if (request === undefined || request.command !== command || this.names.length !== names.length) return false;
    for (let index = 0; index < names.length; index++) {
      if (this.names[index] !== names[index] || !isSameData(values[index], this.values[index])) return false;
    }
    if (!isSameData(args, request.args)) return false;
    // Last, as it asks the kernel.
    for (const fact of request.facts) if (!fact.holds()) return false;
    // A getter of the caller's may have started other commands meanwhile.
    return this.request === request;
  }
}

/** What a command comes to, its writer to be left alone until {@link release}. */
export class Written {
  /** May be another one that differs in nothing that the program depends on. */
  request: Request;
  readonly #program: Program;

  constructor(request: Request, program: Program) {
    this.request = request;
    this.#program = program;
    program.takers++;
  }

  get writer(): Writer {
    return this.#program.writer;
  }

  /** The child has been launched. */
  release(): void {
    const program = this.#program;
    if (--program.takers > 0 || program.writer.data.length <= mostData) return;
    program.request = undefined;
    program.writer = new Writer();
  }

  /** For whoever asks for the same. */
  remember(names: readonly string[], values: readonly unknown[]): void {
    this.#program.request = this.request;
    this.#program.names = names;
    this.#program.values = values;
  }
}

const programs = Array.from({ length: 4 }, () => new Program());
let oldest = 0;

/** Another one where all are taken: code of the caller's that runs while a child is being started may start children. */
function takeOldest(): Program {
  for (let i = 0; i < programs.length; i++) {
    const program = programs[oldest]!;
    oldest = (oldest + 1) % programs.length;
    if (program.takers === 0) return program;
  }
  return new Program();
}

/** The program of a request, in the place of the oldest one. */
export function writeOnce(request: Request): Written {
  const program = takeOldest();
  program.request = undefined;
  assemble(program.writer.reset(), request);
  return new Written(request, program);
}

/**
 * The checked request of a command, and its program. Both belong to others, too: they are not to be changed.
 * @throws ArgumentError, SyscallError
 */
export function programOf(command: unknown, args: unknown, options: unknown): Written {
  const line = args ?? none;
  // Refused, with the reason.
  if (typeof command !== 'string' || !Array.isArray(line)) return writeOnce(checkRequest(command, args, options));
  const given = copyOptions(options ?? {}) as Record<string, unknown>;
  const { signal } = given;
  if (signal === undefined) return recall(command, line, given);
  // It is of one call only, and nothing in the program depends on it.
  given['signal'] = undefined;
  const checked = checkAbortSignal(signal);
  const written = recall(command, line, given);
  written.request = written.request.copy();
  written.request.signal = checked;
  return written;
}

function recall(command: string, args: readonly unknown[], given: Record<string, unknown>): Written {
  const names = Object.keys(given);
  const values: unknown[] = [];
  for (const name of names) values.push(given[name]);
  for (const program of programs) {
    if (program.serves(command, args, names, values)) return new Written(program.request!, program);
  }
  const copied = ownValues(given, names, values);
  const written = writeOnce(checkCopied(command, args, given));
  if (copied) written.remember(names, values);
  return written;
}

/**
 * Puts copies into the place of what is the caller's: nothing that is remembered can be changed from outside.
 * @returns false where something is left that does not copy
 */
function ownValues(given: Record<string, unknown>, names: readonly string[], values: unknown[]): boolean {
  let all = true;
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (isPrimitive(value)) continue;
    const copy = copyData(value);
    if (copy === undefined) all = false;
    else given[names[index]!] = values[index] = copy;
  }
  return all;
}
