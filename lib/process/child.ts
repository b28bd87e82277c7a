// A child as its users see it: ChildProcess, with a promise of its end and a pidfd.
import { EventEmitter } from 'node:events';
import type { Readable, Writable } from 'node:stream';

import type { ClonedProcess, ExitStatus, PtyStream } from '../../types/child';
import type { NamespaceKind } from '../../types/flags';
import { addon } from '../addon';
import { refusedOption, unknownSignal } from '../errors/argument-error';
import { SyscallError } from '../errors/syscall-error';
import { errnoName } from '../kernel/errno';
import { signalNames, signalNumber } from '../kernel/signals';
import { Mail, News } from '../native-interface';
import { Namespace } from '../namespace';
import { forget, listen, mailbox } from '../watch';
import type { Birth } from './birth';
import { type Cause, Ending, type Mortal } from './ending';
import { readExitStatus } from './exit-status';

export class Child<R> extends EventEmitter implements ClonedProcess<R> {
  pid: number;
  exitCode: number | null = null;
  signalCode: NodeJS.Signals | null = null;
  killed = false;
  readonly connected = false;
  readonly channel = undefined;
  results!: R;

  readonly #id: number;
  readonly #birth: Birth<R>;
  #pidfd = -1;
  /** What set-up was ended for. */
  #cause: Cause | undefined;
  /** Made when there is something to wait for: most children have neither signal nor timeout. */
  #ending: Ending | undefined;
  #spawnargs: string[] | undefined;
  /** The command has been executed. */
  #running = false;
  /** It waits for start(), or has waited: the call has resolved before the exec. */
  #held: 'no' | 'waiting' | 'going' = 'no';
  /** What stops that which the stub waited for. */
  #stops: (() => void)[] | undefined;
  #startDone: { resolve(): void; reject(error: Error): void } | undefined;
  /** The code after `await clone()` has run, so events may be told. */
  #announced = false;
  #status: ExitStatus | undefined;
  #exited: Promise<ExitStatus> | undefined;
  #tellExited: ((status: ExitStatus) => void) | undefined;

  /** Of a child just cloned, whose pid is in the mailbox. */
  constructor(id: number, birth: Birth<R>) {
    super();
    this.#id = id;
    this.#birth = birth;
    this.pid = mailbox[Mail.Pid]!;
    listen(id, this);
    const { ending } = birth;
    if (ending?.signal !== undefined || ending?.timeout !== undefined)
      this.#ending = new Ending(ending, this.#mortal());
  }

  #mortal(): Mortal {
    const isRunning = (): boolean => this.#running;
    return {
      get started() {
        return isRunning();
      },
      endSetUp: (cause) => this.#endSetUp(cause),
      signal: (signal) => void this.kill(signal),
    };
  }

  #endSetUp(cause: Cause | undefined): void {
    this.#cause ??= cause;
    addon().end(this.#id);
  }

  get pidfd(): number {
    return this.#pidfd;
  }

  get spawnfile(): string {
    return this.#birth.spawnfile;
  }

  get spawnargs(): string[] {
    return (this.#spawnargs ??= this.#birth.spawnargs);
  }

  get stdin(): Writable | null {
    return this.#stream(0);
  }

  get stdout(): Readable | null {
    return this.#stream(1);
  }

  get stderr(): Readable | null {
    return this.#stream(2);
  }

  get pty(): PtyStream | null {
    return this.#birth.pipes?.terminal ?? null;
  }

  get stdio(): ClonedProcess['stdio'] {
    const length = this.#birth.pipes?.length ?? 0;
    return Array.from({ length: Math.max(3, length) }, (_, index) =>
      this.#stream(index),
    ) as unknown as ClonedProcess['stdio'];
  }

  #stream(index: number): (Readable & Writable) | null {
    return this.#birth.pipes?.stream(index) ?? null;
  }

  get exited(): Promise<ExitStatus> {
    return (this.#exited ??= new Promise((resolve) => {
      if (this.#status !== undefined && this.#announced) resolve(this.#status);
      else this.#tellExited = resolve;
    }));
  }

  // ---- what the watch says

  hear(news: News): void {
    switch (news) {
      case News.Waiting:
        return this.#serve();
      case News.Started:
        return this.#started();
      case News.Ended:
        return this.#ended();
      case News.Failed:
        return this.#failed();
    }
  }

  #serve(): void {
    if (this.#birth.isHeld()) return this.#hold();
    try {
      const served = this.#birth.serve(mailbox[Mail.Pid]!, (stop) => (this.#stops ??= []).push(stop));
      if (served === undefined) addon().go(this.#id);
      else
        served.then(
          () => addon().go(this.#id),
          (error: Error) => this.#endSetUp(() => error),
        );
    } catch (error) {
      this.#endSetUp(() => error as Error);
    }
  }

  #introduce(): void {
    this.pid = mailbox[Mail.Pid]!;
    this.#pidfd = mailbox[Mail.Pidfd]!;
  }

  #hold(): void {
    this.#held = 'waiting';
    this.#introduce();
    this.#birth.resolve(this);
  }

  #started(): void {
    this.#running = true;
    // Ended from here when it was already past its exec: the kill is on its way, and nobody has been told of the child.
    if (this.#cause !== undefined && this.#held === 'no') return;
    this.#introduce();
    this.results = this.#birth.results(this.#id);
    if (this.#held === 'no') this.#birth.resolve(this);
    else this.#startDone?.resolve();
    setImmediate(() => this.#announce());
  }

  #failed(): void {
    for (const stop of this.#stops ?? []) stop();
    const failure = this.#birth.failure();
    const error = this.#cause?.(failure) ?? failure;
    if (this.#held === 'no') return this.#giveUp(error);
    // The child was given away already: its end is told as that of any other.
    this.#ending?.done();
    this.#startDone?.reject(error);
    this.#announced = true;
    this.#ended();
  }

  /** Nobody has been given the child, and nothing of it is left. */
  #giveUp(error: Error): void {
    this.#ending?.done();
    forget(this.#id);
    this.#birth.pipes?.closeAll();
    this.#birth.reject(error);
  }

  #announce(): void {
    this.#announced = true;
    try {
      this.emit('spawn');
    } finally {
      if (this.#status !== undefined) this.#tellEnd(this.#status);
    }
  }

  #ended(): void {
    if (this.#cause !== undefined && this.#held === 'no') {
      const failure = new SyscallError({ code: 'ECHILD', step: 'command', syscall: 'execve', signal: 'SIGKILL' });
      return this.#giveUp(this.#cause(failure));
    }
    forget(this.#id);
    this.#pidfd = -1;
    this.#status = readExitStatus(this.#birth.ownMemory);
    this.#ending?.done();
    if (this.#ending?.by !== undefined) this.#status.endedBy = this.#ending.by;
    this.exitCode = this.#status.code;
    this.signalCode = this.#status.signal as NodeJS.Signals | null;
    if (this.#announced) this.#tellEnd(this.#status);
  }

  #tellEnd(status: ExitStatus): void {
    this.#tellExited?.(status);
    const { pipes } = this.#birth;
    // After the code that waits for the end has run: it may still touch the streams.
    setImmediate(() => {
      pipes?.drain();
      if (pipes === undefined) this.emit('close', status.code, status.signal);
      else pipes.whenClosed(() => this.emit('close', status.code, status.signal));
    });
    this.emit('exit', status.code, status.signal);
  }

  // ---- what its users say

  kill(signal: NodeJS.Signals | number | string = 'SIGTERM'): boolean {
    const isSignal = typeof signal === 'string' || typeof signal === 'number';
    const number = signal === 0 ? 0 : isSignal ? signalNumber(signal) : undefined;
    if (number === undefined) throw unknownSignal('signal argument', signal, signalNames());
    if (this.#birth.thread) {
      throw new SyscallError({
        code: 'EPERM',
        syscall: 'pidfd_send_signal',
        hint: 'a thread cannot be killed without all of Node',
      });
    }
    if (this.#status !== undefined) return false;
    if (!this.#running && number !== 0) {
      // Signals are blocked until the exec, so that only this one does anything.
      this.#endSetUp(undefined);
      this.killed = true;
      return true;
    }
    const result = addon().kill(this.#id, number);
    if (result === 0) {
      this.killed = this.killed || number !== 0;
      return true;
    }
    if (errnoName(result) === 'ESRCH') return false;
    const error = new SyscallError({ errno: -result, syscall: 'pidfd_send_signal' });
    if (errnoName(result) === 'EINVAL') throw error;
    this.emit('error', error);
    return false;
  }

  ref(): void {
    addon().setRef(this.#id, true);
  }

  unref(): void {
    addon().setRef(this.#id, false);
  }

  send(...args: unknown[]): boolean {
    const error = Object.assign(new Error('Channel closed'), { code: 'ERR_IPC_CHANNEL_CLOSED' });
    const callback = args.at(-1);
    process.nextTick(() => {
      if (typeof callback === 'function') (callback as (error: Error) => void)(error);
      else this.emit('error', error);
    });
    return false;
  }

  disconnect(): void {
    const error = Object.assign(new Error('IPC channel is already disconnected'), { code: 'ERR_IPC_DISCONNECTED' });
    this.emit('error', error);
  }

  async start(): Promise<void> {
    if (this.#held !== 'waiting' || this.#status !== undefined) {
      throw refusedOption(
        'hold',
        this.#held === 'no'
          ? 'was not given: the child has started'
          : 'is over: start() was called, or the child has ended',
      );
    }
    this.#held = 'going';
    return new Promise((resolve, reject) => {
      this.#startDone = { resolve, reject };
      addon().go(this.#id);
    });
  }

  namespace<K extends NamespaceKind>(kind: K): Namespace<K> {
    return Namespace.open(this, kind);
  }

  [Symbol.dispose](): void {
    if (!this.#birth.thread) this.kill('SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Somebody waits for it now.
    if (this.#status === undefined) this.ref();
    if (this.#status === undefined && !this.#birth.thread) {
      const { ending } = this.#birth;
      if (ending === undefined || !this.#running) this.kill('SIGKILL');
      else (this.#ending ??= new Ending(ending, this.#mortal())).endRunning();
    }
    await this.exited;
  }
}
