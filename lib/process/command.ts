// A command, as the child that it becomes wants to know it.
import type { ClonedProcess } from '../../types/child';
import type { SyscallError } from '../errors/syscall-error';
import { Flags } from '../flags';
import { handsOver } from '../handed-namespaces';
import { whyStopped } from '../host/control-groups';
import type { Writer } from '../program/writer';
import { stepNamed } from '../assembly/assemble';
import type { Request } from '../assembly/request';
import { lowestFree } from '../assembly/words';
import type { Birth } from './birth';
import type { EndingOptions } from './ending';
import { giveForeground, holdForeground } from './foreground';
import { readCommandFailure } from './failure';
import type { Pipes } from './pipes';
import type { StartDescriptor } from './start-descriptor';

export class Command implements Birth<undefined> {
  readonly pipes: Pipes;
  readonly starter: StartDescriptor | undefined;
  readonly ownMemory: boolean;
  readonly thread = false;
  readonly resolve: (child: ClonedProcess) => void;
  readonly reject: (error: Error) => void;
  readonly #request: Request;
  /** The steps that the stub will wait in, and how many of them are over. */
  readonly #waits: readonly string[];
  #waited = 0;

  /** Whether there is a foreground for it to have. */
  #foreground = 0;

  constructor(
    request: Request,
    writer: Writer,
    pipes: Pipes,
    starter: StartDescriptor | undefined,
    resolve: (child: ClonedProcess) => void,
    reject: (error: Error) => void,
  ) {
    this.pipes = pipes;
    this.starter = starter;
    this.ownMemory = writer.forks;
    this.resolve = resolve;
    this.reject = reject;
    this.#request = request;
    this.#waits = writer.waits;
  }

  get spawnfile(): string {
    return this.#request.command;
  }

  get spawnargs(): string[] {
    const { argv0, command, args } = this.#request;
    return [argv0 ?? command, ...args];
  }

  get ending(): EndingOptions {
    return endingOf(this.#request);
  }

  isHeld(): boolean {
    return this.#waits[this.#waited] === 'hold' && ++this.#waited > 0;
  }

  /** Right after the clone. */
  cloned(id: number): void {
    if (this.#request.foreground) this.#foreground = holdForeground(id, this.#request);
  }

  /** At the stop 'maps' it has handed nothing over yet, and may be looked into. */
  goes(child: ClonedProcess, id: number): void {
    if (this.#request.handsOver) handsOver(child, id);
  }

  serve(pid: number, whenEnded: (stop: () => void) => void, id: number): void | Promise<void> {
    const step = stepNamed(this.#waits[this.#waited++]!);
    if (step?.gives === 'terminal') return this.pipes.takeTerminal(id, lowestFree(this.#request));
    if (step?.gives === 'foreground') return giveForeground(id, this.#foreground);
    return step?.serve?.(pid, this.#request, whenEnded);
  }

  results(): undefined {
    return undefined;
  }

  failure(id: number): SyscallError {
    return readCommandFailure(this.#request, id);
  }
}

function endingOf(request: Request): EndingOptions {
  const { signal, timeout, killSignal, killGrace, killTree } = request;
  // A pid 1 ignores every signal that it has no handler for.
  return {
    signal,
    timeout,
    killSignal: killSignal ?? (request.creates(Flags.NEWPID) && !request.init ? 9 : 15),
    killGrace,
    killTree,
    whyLate: () => whyStopped(request.cgroupSources),
  };
}
