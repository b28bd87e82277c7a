// Says what the instructions of a program are for: the step, the option and the paths that an error and a listing name.
import { DataWriter } from './data-writer';

/** What an instruction is for: the way back from its number to the option that asked for it. */
export interface Label {
  readonly step: string;
  /** 'mounts[0]' */
  readonly option: string | undefined;
  /** What an error message says in the system call's place: 'mount' for a 'move_mount'. */
  readonly verb: string | undefined;
  /** What the system call was about, where that is no path: 'CLONE_NEWNET'. */
  readonly detail: string | undefined;
  readonly path: string | undefined;
  readonly dest: string | undefined;
  /** Where somebody recorded it: 'app.js:7:3'. */
  readonly recordedAt: string | undefined;
  /** What a reader of the listing is told beside the call: what we do while the stub waits. */
  remark: string | undefined;
  /** Whether the listing only counts the bytes that it is given. */
  isSecret: boolean;
}

export class LabelWriter extends DataWriter {
  /** Filled where somebody wants to read them: a plan, a failure. */
  labels: Label[] | undefined;

  /** The step that is being written, with labels and without. */
  protected step = '';
  #option: string | undefined;
  #index = -1;
  #verb: string | undefined;
  #detail: string | undefined;
  #path: string | undefined;
  #dest: string | undefined;
  #recordedAt: string | undefined;

  /** Names the step, the option (`mounts`, 0 for `mounts[0]`) and the paths that the next instructions are for. */
  about(step: string, option?: string, index = -1): this {
    this.step = step;
    if (this.labels === undefined) return this;
    this.#option = option;
    this.#index = index;
    this.#verb = this.#detail = this.#path = this.#dest = this.#recordedAt = undefined;
    return this;
  }

  /** What an error of the next instructions says it was doing, and to which paths. */
  subject(path: string | undefined, dest?: string, verb?: string): this {
    if (this.labels === undefined) return this;
    this.#path = path;
    this.#dest = dest;
    this.#verb = verb;
    return this;
  }

  /** The same alone: what an error of the next instructions says it was doing. */
  verb(verb: string): this {
    this.#verb = verb;
    return this;
  }

  /** What the next instructions are about, where that is no path. */
  detail(detail: string): this {
    this.#detail = detail;
    return this;
  }

  /** Where the next instructions were recorded. */
  recordedAt(line: string | undefined): this {
    this.#recordedAt = line;
    return this;
  }

  /** The option, with the index of its entry. */
  protected get entry(): string | undefined {
    return this.#index < 0 ? this.#option : `${this.#option}[${this.#index}]`;
  }

  /** Names the instruction begun last. */
  protected label(labels: Label[]): void {
    labels.push({
      step: this.step,
      option: this.entry,
      verb: this.#verb,
      detail: this.#detail,
      path: this.#path,
      dest: this.#dest,
      recordedAt: this.#recordedAt,
      remark: undefined,
      isSecret: false,
    });
  }

  /** What the listing says of it; made only where there are labels. */
  remark(text: () => string): this {
    const label = this.labels?.at(-1);
    if (label !== undefined) label.remark = text();
    return this;
  }

  /** The bytes of the instruction begun last are nobody's business: the listing counts them. */
  secret(): this {
    const label = this.labels?.at(-1);
    if (label !== undefined) label.isSecret = true;
    return this;
  }
}
