// The end of a child's terminal that we keep: opened before the clone, made into a stream when first touched.
import type { AsyncResource } from 'node:async_hooks';

import { addon } from '../addon';
import { descriptorFailure } from './descriptor-failure';
import { Pty, readRest } from './pty';

const numbers = new Int32Array(3);

export class Terminal {
  /** Our end, twice; -1 once they are closed or belong to the stream. */
  #descriptor: number;
  readonly #keeper: number;
  #stream: Pty | undefined;
  /** What the program had written when it was closed untouched. */
  #rest: readonly Buffer[] = [];

  constructor(descriptor: number, keeper: number) {
    this.#descriptor = descriptor;
    this.#keeper = keeper;
  }

  stream(scope: AsyncResource): Pty {
    if (this.#stream === undefined) {
      this.#stream = new Pty(scope, this.#descriptor, this.#keeper, this.#rest);
      this.#descriptor = -1;
      this.#rest = [];
    }
    return this.#stream;
  }

  close(): void {
    this.#stream?.destroy();
    if (this.#descriptor < 0) return;
    addon().close(this.#descriptor);
    addon().close(this.#keeper);
    this.#descriptor = -1;
  }

  /** The child has ended. A terminal that nobody looks at hangs up, and what was written can be read later. */
  finish(over: () => void): void {
    if (this.#stream !== undefined) return this.#stream.readOn(over);
    if (this.#descriptor >= 0) this.#rest = readRest(this.#descriptor);
    this.close();
    over();
  }
}

/** Opens one, all its descriptors ≥ `lowest`, and returns the child's end too. @throws SyscallError EMFILE, ENFILE, ENOSPC */
export function openTerminal(
  { columns, rows }: { columns: number; rows: number },
  lowest: number,
): [child: number, ours: Terminal] {
  const result = addon().openPty(columns, rows, numbers, lowest);
  if (result < 0) throw descriptorFailure(-result, { step: 'pty', option: 'pty', path: '/dev/ptmx' }, numbers[1]!);
  return [numbers[0]!, new Terminal(numbers[1]!, numbers[2]!)];
}

/** Our end of one that a child has opened and handed over. @throws SyscallError EMFILE, ENOTTY */
export function takeTerminal(id: number, lowest: number): Terminal {
  const result = addon().handedTerminal(id, numbers, lowest);
  if (result < 0) throw descriptorFailure(-result, { step: 'container terminal', option: 'pty' }, numbers[1]!);
  return new Terminal(numbers[0]!, numbers[1]!);
}
