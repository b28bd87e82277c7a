// record(): a child's line of system calls, recorded by a callback that runs now, in the parent.
import { inspect } from 'node:util';

import type { ListedProgram } from '../types/listing';
import type { Recorder, Results, Returned } from '../types/record';
import { invalidArgType } from './errors/argument-error';
import { checkOurs, ours } from './errors/illegal-constructor';
import { list } from './program/listing';
import { recordLine } from './program/record-line';
import type { Recording } from './program/recorder';
import type { Bring } from './program/results';
import { structure } from './program/structure';

let makeProgram: <R>(recording: Recording, bring: Bring) => Program<R>;

/** What `record()` makes. Nothing has been cloned yet; start it with `clone(program)`, as often as wanted. */
export class Program<R = undefined> {
  /** @internal */
  declare readonly recording: Recording;
  /** @internal */
  declare readonly bring: Bring;
  /** Only a type: what a child that runs it brings back, see `ClonedProcess.results`. */
  declare protected readonly results: R;

  private constructor(given: symbol, recording: Recording, bring: Bring) {
    checkOurs(given, 'a Program is made by record()');
    // Whoever shows all fields of an object does not show what was recorded of an environment.
    Object.defineProperties(this, { recording: { value: recording }, bring: { value: bring } });
  }

  static {
    makeProgram = (recording, bring) => new this(ours, recording, bring);
  }

  /**
   * Every call that the child will make, one a line: its number, the recorded call that it is part of, and the call
   * with its arguments in the kernel's names. Read back from the bytes that run. Control characters are escaped, the
   * environment is counted and not shown.
   */
  toString(): string {
    return list(this.recording.writer);
  }

  /** The same as data, for `JSON.stringify()`: every instruction, with its arguments; of an environment, how large it is. */
  toJSON(): ListedProgram {
    return { calls: structure(this.recording.writer) };
  }

  /** @internal `console.log()` shows the listing. */
  [inspect.custom](depth: number): string {
    return depth < 0 ? '[Program]' : this.toString();
  }
}

/**
 * Records what a child will do: the callback runs **now**, once, in the parent, and each method of the recorder that it
 * calls adds one system call to the line. What is given is copied; nothing is cloned, and no privilege is needed.
 *
 * The callback returns the handles whose values are to be brought back: `return { sock }` makes `child.results.sock` a
 * number. A call that fails ends the line, and is what `clone(program)` rejects with, unless the failure was accepted.
 * @param callback must not be async
 * @throws ArgumentError for what cannot be; SyscallError E2BIG for more than 16384 calls or 500 results in use; what
 *   the callback throws
 */
export function record<const T extends Returned | void>(callback: (recorder: Recorder) => T): Program<Results<T>> {
  if (typeof callback !== 'function') throw invalidArgType('callback argument', 'of type function', callback);
  const { recording, bring } = recordLine(callback);
  return makeProgram(recording, bring);
}
