// A child as its users see it: ChildProcess, with a promise of its end and a pidfd.
import { AsyncResource } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import type { Readable, Writable } from 'node:stream';

import type { ClonedProcess, ExitStatus, PtyStream } from '../../types/child';
import type { NamespaceKind } from '../../types/flags';
import { addon } from '../addon';
import { refusedOption, unknownSignal } from '../errors/argument-error';
import { asCall, ofCall } from '../errors/caller';
import { SyscallError } from '../errors/syscall-error';
import { errnoName } from '../kernel/errno-texts';
import { signalNames, signalNumber } from '../kernel/signals';
import { Mail, News } from '../native-interface';
import { type Namespace, openNamespace } from '../namespace';
import { nextTick } from '../timers';
import { forget, listen, mailbox } from '../watch';
import { Announcement } from './announcement';
import type { Birth } from './birth';
import type { Channel } from './channel';
import { refusedKill } from './ending';
import { readExitStatus } from './exit-status';
import { Killing } from './killing';
import { SetUp } from './set-up';

export class Child<R> extends EventEmitter implements ClonedProcess<R> {
  static {
    // As console.log() shows it: by the name of its type.
    Object.defineProperty(this, 'name', { value: 'ClonedProcess' });
  }

  pid: number;
  exitCode: number | null = null;
  signalCode: NodeJS.Signals | null = null;
  connected = false;
  channel: ClonedProcess['channel'] = undefined;
  results!: R;

  readonly #id: number;
  readonly #birth: Birth<R>;
  /** The async context of the call: all that is told of this child is told in it. */
  readonly #scope = new AsyncResource('NSCLONE');
  // Each made when it is first needed: after the call, which holds the event loop, or never.
  #madeSetUp: SetUp | undefined;
  #madeKilling: Killing | undefined;
  #madeAnnouncement: Announcement | undefined;
  /** For messages: of fork() alone. */
  #channel: Channel | undefined;
  #pidfd = -1;
  #spawnargs: string[] | undefined;
  /** The command has been executed. */
  #running = false;
  /** It waits for start(), or has waited: the call has resolved before the exec. */
  #held: 'no' | 'waiting' | 'going' = 'no';
  /** Why it was not executed, for a start() that comes later: somebody else may have started it. */
  #startFailure: Error | undefined;
  #startDone: { resolve(): void; reject(error: Error): void } | undefined;

  /** Of a child just cloned, whose pid is in the mailbox. */
  constructor(id: number, birth: Birth<R>) {
    super();
    this.#id = id;
    this.#birth = birth;
    this.pid = mailbox[Mail.Pid]!;
    listen(id, this);
    const { ending } = birth;
    if (ending?.signal !== undefined || ending?.timeout !== undefined) this.#killing.watch();
  }

  get #setUp(): SetUp {
    return (this.#madeSetUp ??= new SetUp(this.#id, this.#birth));
  }

  get #killing(): Killing {
    return (this.#madeKilling ??= new Killing(this.#id, this.#setUp, this.#birth.ending, () => this.#running));
  }

  get #announcement(): Announcement {
    return (this.#madeAnnouncement ??= new Announcement(this, this.#scope, this.#birth.pipes));
  }

  /** How run() ends a child, and hears that it could not: by no event, which nobody else would hear. */
  static killingOf(child: ClonedProcess): Killing {
    return (child as Child<undefined>).#killing;
  }

  /** Gives a child that was started with a channel what speaks over it. */
  static connect(child: ClonedProcess, open: (scope: AsyncResource, descriptor: number) => Channel): void {
    const self = child as Child<undefined>;
    self.#channel = open(self.#scope, self.#birth.pipes!.takeChannel());
    self.#announcement.channel = self.#channel;
  }

  get pidfd(): number {
    return this.#pidfd;
  }

  get killed(): boolean {
    return this.#madeKilling?.killed ?? false;
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
    return this.#scope.runInAsyncScope(() => this.#birth.pipes?.terminal(this.#scope) ?? null);
  }

  get stdio(): ClonedProcess['stdio'] {
    const length = this.#birth.pipes?.length ?? 0;
    return Array.from({ length: Math.max(3, length) }, (_, index) =>
      this.#stream(index),
    ) as unknown as ClonedProcess['stdio'];
  }

  #stream(index: number): (Readable & Writable) | null {
    return this.#scope.runInAsyncScope(() => this.#birth.pipes?.stream(index, this.#scope) ?? null);
  }

  get exited(): Promise<ExitStatus> {
    return this.#announcement.exited;
  }

  // ---- what the watch says

  hear(news: News): void {
    this.#scope.runInAsyncScope(() => this.#hear(news));
  }

  #hear(news: News): void {
    switch (news) {
      case News.Waiting:
        if (this.#madeKilling?.isLooking === true) return;
        return this.#birth.isHeld() ? this.#hold() : this.#setUp.serve();
      case News.Started:
        return this.#started();
      case News.Ended:
        return this.#ended(mailbox[Mail.Error]);
      case News.Failed:
        return this.#failed();
    }
  }

  #introduce(): void {
    this.pid = mailbox[Mail.Pid]!;
    this.#pidfd = mailbox[Mail.Pidfd]!;
  }

  #hold(): void {
    // Told now, it outlives us. Where it is gone already, the news of that are on their way.
    if (this.#birth.starter !== undefined && addon().go(this.#id, true) < 0) return;
    const isFirst = this.#held === 'no';
    this.#held = 'waiting';
    this.#introduce();
    if (isFirst) this.#birth.resolve(this);
    else this.#startDone?.resolve();
  }

  #started(): void {
    this.#running = true;
    // Ended from here when it was already past its exec: the kill is on its way, and nobody has been told of the child.
    if (this.#madeSetUp?.cause !== undefined && this.#held === 'no') return;
    this.#introduce();
    this.results = this.#birth.results(this.#id);
    if (this.#held === 'no') this.#birth.resolve(this);
    else this.#startDone?.resolve();
    // By somebody else, it may be.
    if (this.#held === 'waiting') this.#held = 'going';
    this.#announcement.started();
  }

  #failed(): void {
    const error = this.#setUp.failed();
    if (this.#held === 'no') return this.#giveUp(error);
    // The child was given away already: its end is told as that of any other.
    this.#startFailure = error;
    this.#startDone?.reject(error);
    this.#announcement.neverStarted();
    this.#ended();
  }

  /** Nobody has been given the child, and nothing of it is left. */
  #giveUp(error: Error): void {
    this.#madeKilling?.done();
    forget(this.#id);
    this.#birth.pipes?.closeAll();
    this.#birth.reject(error);
  }

  /** `left` is why something that was to end with it runs on: an errno. */
  #ended(left = 0): void {
    const cause = this.#madeSetUp?.cause;
    if (cause !== undefined && this.#held === 'no') {
      const failure = new SyscallError({ code: 'ECHILD', step: 'command', syscall: 'execve', signal: 'SIGKILL' });
      return this.#giveUp(cause(failure));
    }
    forget(this.#id);
    this.#pidfd = -1;
    const status = readExitStatus(this.#birth.ownMemory);
    this.#madeKilling?.done(left);
    const endedBy = this.#madeKilling?.endedBy;
    if (endedBy !== undefined) status.endedBy = endedBy;
    this.exitCode = status.code;
    this.signalCode = status.signal as NodeJS.Signals | null;
    this.#announcement.ended(status);
  }

  // ---- what its users say

  kill(signal: NodeJS.Signals | number | string = 'SIGTERM'): boolean {
    // oxlint-disable-next-line typescript/unbound-method -- only named
    return asCall(this.kill, () => this.#kill(signal));
  }

  #kill(signal: NodeJS.Signals | number | string): boolean {
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
    if (this.#hasEnded) return false;
    if (!this.#running && number !== 0) {
      this.#killing.endSetUp(undefined);
      return true;
    }
    const result = this.#killing.signal(number);
    if (result === 0) return true;
    if (errnoName(result) === 'ESRCH') return false;
    const error = refusedKill(result);
    if (error.code === 'EINVAL') throw error;
    this.emit('error', error);
    return false;
  }

  get #hasEnded(): boolean {
    return this.#madeAnnouncement?.status !== undefined;
  }

  ref(): void {
    addon().setRef(this.#id, true);
  }

  unref(): void {
    addon().setRef(this.#id, false);
  }

  send(...args: unknown[]): boolean {
    if (this.connected) return this.#send(args);
    const error = Object.assign(new Error('Channel closed'), { code: 'ERR_IPC_CHANNEL_CLOSED' });
    const callback = args.at(-1);
    nextTick(() => {
      if (typeof callback === 'function') (callback as (error: Error) => void)(error);
      // The other end may have closed it.
      else if (this.#channel !== undefined) this.#channel.complain(error);
      else this.#scope.runInAsyncScope(() => this.emit('error', error));
    });
    return false;
  }

  #send(args: unknown[]): boolean {
    try {
      return this.#channel!.send(...args);
    } catch (error) {
      // oxlint-disable-next-line typescript/unbound-method -- only named
      throw ofCall(error, this.send);
    }
  }

  disconnect(): void {
    if (this.connected) return this.#channel!.disconnect();
    const error = Object.assign(new Error('IPC channel is already disconnected'), { code: 'ERR_IPC_DISCONNECTED' });
    this.emit('error', error);
  }

  async start(): Promise<void> {
    try {
      return await this.#start();
    } catch (error) {
      // oxlint-disable-next-line typescript/unbound-method -- only named
      throw ofCall(error, this.start);
    }
  }

  #start(): Promise<void> {
    const { starter } = this.#birth;
    // A byte for one that has been started or has ended would start whoever comes next.
    if (this.#held === 'waiting' && starter !== undefined) addon().look(this.#id);
    if (this.#held === 'waiting' && this.#hasEnded) {
      if (starter !== undefined && this.#startFailure !== undefined) throw this.#startFailure;
      const failure = new SyscallError({
        code: 'ECHILD',
        step: 'hold',
        option: 'hold',
        signal: this.signalCode ?? undefined,
        reason: 'the child has ended while it was held',
      });
      throw this.#madeSetUp?.cause?.(failure) ?? failure;
    }
    if (this.#held !== 'waiting') {
      throw refusedOption(
        'hold',
        this.#held === 'no'
          ? 'was not given: the child has started'
          : `is over: ${starter === undefined || this.#startDone ? 'start() was called' : 'the child has started'}`,
      );
    }
    starter?.write();
    this.#held = 'going';
    return new Promise((resolve, reject) => {
      this.#startDone = { resolve, reject };
      this.#birth.goes?.(this, this.#id);
      if (starter === undefined) addon().go(this.#id, false);
    });
  }

  namespace<K extends NamespaceKind>(kind: K): Namespace<K> {
    // oxlint-disable-next-line typescript/unbound-method -- only named
    return asCall(this.namespace, () => openNamespace(this, kind, undefined) as Namespace<K>);
  }

  [Symbol.dispose](): void {
    if (!this.#birth.thread) this.#killing.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hasEnded) {
      // Somebody waits for it now.
      this.ref();
      if (!this.#birth.thread) this.#killing.endGently();
    }
    await this.exited;
  }
}
