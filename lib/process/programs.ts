// The programs of the last commands. Servers start the same child again and again: the same options need no other check and no
// other program, and those two are most of the time for which a call holds the event loop.
import { isSameData, ownFields } from '../data';
import { Writer } from '../program/writer';
import { assemble, checkCopied, checkRequest, copyOptions } from '../steps/assemble';
import { checkAbortSignal } from '../steps/control';
import type { Request } from '../steps/request';

/** What a command comes to. */
export interface Written {
  readonly request: Request;
  readonly writer: Writer;
}

/** A program with the options that it was written for; the writer is used again for the next ones. */
class Remembered {
  /** Undefined where it serves nobody. */
  request: Request | undefined;
  options: Record<string, unknown> = {};
  names: readonly string[] = [];
  readonly writer = new Writer();

  serves(
    command: string,
    args: readonly unknown[],
    options: Record<string, unknown>,
    names: readonly string[],
  ): boolean {
    const { request } = this;
    if (request === undefined || request.command !== command || this.names.length !== names.length) return false;
    for (const name of names) {
      if (!Object.hasOwn(this.options, name) || !isSameData(options[name], this.options[name])) return false;
    }
    if (!isSameData(args, request.args)) return false;
    // Last, as it asks the kernel.
    for (const fact of request.facts) if (!fact.holds()) return false;
    return true;
  }

  write(request: Request): Written {
    this.request = undefined;
    assemble(this.writer.reset(), request);
    return { request, writer: this.writer };
  }
}

const programs = Array.from({ length: 4 }, () => new Remembered());
let oldest = 0;

function takeOldest(): Remembered {
  const taken = programs[oldest]!;
  oldest = (oldest + 1) % programs.length;
  return taken;
}

/** The program of a request that is not to be remembered. It stays as it is until the next command is written. */
export function writeOnce(request: Request): Written {
  return takeOldest().write(request);
}

const none: readonly never[] = [];

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
  const { request, writer } = recall(command, line, given);
  const own = request.copy();
  own.signal = checkAbortSignal(signal);
  return { request: own, writer };
}

function recall(command: string, args: readonly unknown[], given: Record<string, unknown>): Written {
  const names = Object.keys(given);
  const found = programs.find((program) => program.serves(command, args, given, names));
  if (found !== undefined) {
    // The next one that is written, from a getter of the caller's as it may be, must not be written over this one.
    if (found === programs[oldest]) takeOldest();
    return { request: found.request!, writer: found.writer };
  }
  // From here on nothing that is remembered can be changed from outside.
  const copied = ownFields(given);
  const taken = takeOldest();
  const written = taken.write(checkCopied(command, args, given));
  if (!copied) return written;
  taken.options = given;
  taken.names = names;
  taken.request = written.request;
  return written;
}
