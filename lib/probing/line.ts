// Questions that a child asks the kernel, one after the other, in the stub as the set-up of a command runs there. It ends at the first
// one that is refused, with the error that clone() would reject with; then another child is asked what is left.
import type { Answer, Refusal } from '../../types/probe';
import { addon } from '../addon';
import { SyscallError } from '../errors/syscall-error';
import { Flags } from '../flags';
import { errnoByName } from '../kernel/errno';
import { Mail } from '../native-interface';
import type { Birth } from '../process/birth';
import { Child } from '../process/child';
import { readFailure } from '../process/failure';
import { imageOf } from '../process/image';
import { none as noTree } from '../process/tree';
import { launchFailure } from '../process/launch-failure';
import { procForStub } from '../proc';
import { ProcWord } from '../program/format';
import { type Slot, Writer } from '../program/writer';
import type { Request } from '../assembly/request';
import { mailbox, openWatch } from '../watch';
import { answerOf } from './answer';

/** Something that can be asked. */
export interface Question {
  /** A kind of namespace, or a feature. */
  readonly name: string;
  /** What cannot be had where one of these is refused. */
  readonly needs: readonly string[];
  /** Of the request, where it asks for namespaces. */
  readonly flags: number;
  /** Its instructions: all must succeed. May keep the result that {@link tell} is about. */
  emit(writer: Writer, request: Request): Slot | void;
  /** More of what is there. */
  tell?(result: number): string;
  /** Why it is refused, where neither host nor steps tell. */
  hint?(code: string, call: string | undefined): Refusal | undefined;
}

export type Answers = Map<string, Answer>;

/** How a line is asked. */
export interface Asking {
  /** What questions are part of; what they ask for is put into a copy of it. */
  readonly request: Request;
  /** What the stub waits for, if it does. */
  serve?(pid: number, request: Request, whenEnded: (stop: () => void) => void): void | Promise<void>;
  /** Descriptors of ours that it uses. */
  readonly descriptors?: readonly number[];
}

/** Milliseconds: a host on which one of our few children takes longer is stuck. */
export const longest = 5000;
/** What a line ends with that has no question left. */
const done = 'ECANCELED';

/** How a child's line has ended: with the results of all questions, or at one of them; at none where it did not come so far. */
type Outcome =
  | { readonly results: readonly (number | undefined)[] }
  | { readonly error: SyscallError; readonly refused: Question | undefined };

/** Asks all of these, in as many children as it takes: one, and one more for each that is refused. */
export async function ask(questions: readonly Question[], asking: Asking): Promise<Answers> {
  const answers: Answers = new Map();
  let left = questions;
  while (left.length > 0) {
    const outcome = await once(left, asking);
    if ('results' in outcome) {
      left.forEach((question, index) => {
        const detail = question.tell?.(outcome.results[index] ?? 0);
        answers.set(question.name, { available: true, ...(detail !== undefined && { detail }) });
      });
      break;
    }
    const { error, refused } = outcome;
    const answer = answerOf(error, refused?.hint?.(error.code, error.syscall));
    left = left.filter((question) => {
      const reason = refused === undefined || question === refused ? answer : whyLacking(question, answers);
      if (reason !== undefined) answers.set(question.name, reason);
      return reason === undefined;
    });
  }
  return answers;
}

/** The answer to what it needs, where that is refused. */
function whyLacking({ needs }: Question, answers: Answers): Answer | undefined {
  return needs.map((name) => answers.get(name)).find((answer) => answer?.available === false);
}

async function once(questions: readonly Question[], asking: Asking): Promise<Outcome> {
  const request = asking.request.copy();
  for (const { flags } of questions) request.flags |= flags;
  try {
    return await new Line(questions, request, asking).start();
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    // No child came about. Without /proc there can be one, but nobody who maps its ids.
    const refused = error.step === 'proc' ? questions.find(({ flags }) => (flags & Flags.NEWUSER) !== 0) : undefined;
    return { error, refused };
  }
}

class Line implements Birth<undefined> {
  readonly spawnfile = '';
  readonly spawnargs: string[] = [];
  readonly pipes = undefined;
  readonly ownMemory = false;
  readonly thread = false;
  readonly ending = { signal: undefined, timeout: longest, killSignal: 9, killGrace: 0 };
  readonly #questions: readonly Question[];
  readonly #request: Request;
  readonly #asking: Asking;
  readonly #writer = new Writer().reset(true);
  /** Of each question: where its instructions end, and the result that it keeps. */
  readonly #ends: number[] = [];
  readonly #slots: (Slot | undefined)[] = [];
  #id = -1;
  #resolve!: (outcome: Outcome) => void;
  #outcome: Outcome | undefined;

  constructor(questions: readonly Question[], request: Request, asking: Asking) {
    this.#questions = questions;
    this.#request = request;
    this.#asking = asking;
    const writer = this.#writer;
    for (const question of questions) {
      this.#slots.push(question.emit(writer, request) ?? undefined);
      this.#ends.push(writer.count);
    }
    writer.about('probe').fail(done);
    writer.finish();
  }

  /** @throws SyscallError where no child comes about */
  start(): Promise<Outcome> {
    openWatch();
    const writer = this.#writer;
    const { procOption } = this.#request;
    if (procOption !== undefined) {
      const proc = procForStub(procOption);
      writer.setInt32(ProcWord, proc);
      writer.keepOpen(proc);
    }
    for (const descriptor of this.#asking.descriptors ?? []) writer.keepOpen(descriptor);
    const started = new Promise<Outcome>((resolve) => (this.#resolve = resolve));
    this.#id = addon().launch(...imageOf(writer), 3, writer.forks, false, false, false, ...noTree);
    if (this.#id < 0) throw launchFailure(-this.#id);
    new Child(this.#id, this);
    return started;
  }

  isHeld(): boolean {
    return false;
  }

  serve(pid: number, whenEnded: (stop: () => void) => void): void | Promise<void> {
    return this.#asking.serve?.(pid, this.#request, whenEnded);
  }

  results(): undefined {
    return undefined;
  }

  /** Reads how it has ended from the mailbox, and the results while the report is there. */
  failure(): SyscallError {
    const instruction = mailbox[Mail.Instruction]!;
    if (instruction === this.#writer.count - 1 && mailbox[Mail.Error] === errnoByName[done]) {
      this.#outcome = {
        results: this.#slots.map((slot) => (slot === undefined ? undefined : addon().result(this.#id, slot))),
      };
      return new SyscallError({ code: done, reason: 'all is asked' });
    }
    const error = readFailure(this.#writer, this.#request, this.#id);
    this.#outcome = { error, refused: this.#questions[this.#ends.findIndex((end) => instruction < end)] };
    return error;
  }

  resolve(): void {
    // Nothing is executed.
  }

  reject(error: Error): void {
    // Ended from here where it is another error.
    const outcome = this.#outcome!;
    const isOwn = 'results' in outcome || outcome.error === error;
    this.#resolve(isOwn ? outcome : { error: error as SyscallError, refused: undefined });
  }
}
