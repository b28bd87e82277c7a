// Writes a program: one instruction after the other into arrays that are used again for every clone.
//
// A clone at container size has some hundred instructions and the JavaScript thread is held while they are written, so
// nothing here makes an object. Steps write each with one add(), by a shape that was made before; the recorder, which knows
// its calls only when they come, begins one with call() and adds the arguments. What comes after either adds to the one
// begun last.
import { SyscallError } from '../errors/syscall-error';
import { errnoByName } from '../kernel/errno';
import { syscalls, type SyscallName } from '../kernel/syscalls';
import type { Place } from './data-writer';
import {
  AnyErrno,
  ChannelWord,
  Field,
  Kind,
  MaxArguments,
  MaxInstructions,
  MaxResults,
  MaxRules,
  Op,
  Policy,
} from './format';
import { LabelWriter } from './label-writer';
import type { Shape } from './shape';

export type { Label } from './label-writer';
export type { Place } from './data-writer';
/** A kept result, as the number of its slot. */
export type Slot = number;

const two32 = 2 ** 32;

export class Writer extends LabelWriter {
  /** Instructions, {@link Field.Size} words each. */
  words = new Int32Array(Field.Size * 64);
  count = 0;
  /** Descriptors of ours that the program uses. */
  kept = new Int32Array(16);
  keptCount = 0;
  slots = 0;
  /** Words at the start of the data that hold descriptors of each start. */
  sources = 0;
  /** Whether a second clone is among the instructions. */
  forks = false;
  /** The steps of the wait instructions, in their order. */
  waits: string[] = [];
  /** The instruction from which on failures are told. */
  teller: number | undefined;

  /** Where the last instruction begins. */
  #at = 0;

  /** Starts anew, with labels or without. */
  reset(withLabels = false): this {
    this.count = 0;
    this.resetData();
    this.keptCount = 0;
    this.slots = 0;
    this.sources = 0;
    this.forks = false;
    this.teller = undefined;
    if (this.waits.length > 0) this.waits = [];
    this.labels = withLabels ? [] : undefined;
    return this;
  }

  // ---- instructions

  /** Writes a system call with its arguments: what their kinds say, as a number each. */
  add(shape: Shape, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0): this {
    this.#begin(Op.Call);
    const { words } = this;
    const { argumentCount } = shape;
    const at = this.#at;
    words[at] = argumentCount << 8;
    words[at + Field.Call] = shape.number;
    words[at + Field.Kinds] = shape.firstKinds;
    words[at + Field.Kinds + 1] = shape.lastKinds;
    const first = at + Field.Arguments;
    // What is beyond the count is never read.
    if (argumentCount > 0) setInteger(words, first, a);
    if (argumentCount > 1) setInteger(words, first + 2, b);
    if (argumentCount > 2) setInteger(words, first + 4, c);
    if (argumentCount > 3) setInteger(words, first + 6, d);
    if (argumentCount > 4) setInteger(words, first + 8, e);
    if (argumentCount > 5) setInteger(words, first + 10, f);
    return this;
  }

  /** Begins a system call. */
  call(name: SyscallName): this {
    return this.callNumber(syscalls[name]);
  }

  callNumber(number: number): this {
    this.#begin(Op.Call);
    this.words[this.#at + Field.Call] = number;
    return this;
  }

  /** Writes a kept result into the data. */
  store(slot: Slot, place: Place, width: 4 | 8): this {
    this.#begin(Op.Store);
    return this.result(slot).number(place).number(width);
  }

  /** Writes a word of the data into another place of it. */
  storeWord(word: Place, place: Place, width: 4 | 8): this {
    this.#begin(Op.Store);
    return this.word(word).number(place).number(width);
  }

  /** Writes a number into a word of the data. */
  storeNumber(value: number, place: Place): this {
    this.#begin(Op.Store);
    return this.number(value).number(place).number(4);
  }

  /** Writes the address of a place in the report into the data. */
  storeReport(offset: number, place: Place): this {
    this.#begin(Op.Store);
    return this.report(offset).number(place).number(8);
  }

  /** Tells the parent and sleeps until it says go. */
  wait(): this {
    this.#begin(Op.Wait);
    this.waits.push(this.step);
    return this.word(ChannelWord);
  }

  /** The end of the program, with an exit code. */
  exit(code: number): this {
    this.#begin(Op.Exit);
    return this.number(code);
  }

  /** Fails with an errno where two pieces of the data differ. */
  compare(one: Place, other: Place, size: number, errno: string): this {
    this.#begin(Op.Compare);
    return this.place(one).place(other).number(size).number(errnoNumber(errno));
  }

  /** From here on what fails is told to this descriptor, too; as what, {@link tellAs} says. */
  tell(slot: Slot): this {
    this.#begin(Op.Tell);
    this.teller = this.count - 1;
    return this.result(slot).place(0).number(0);
  }

  /** Gives that a table: for each instruction the place of the line that tells of its failure, 0 for none. */
  tellAs(table: Place, size: number): void {
    const at = this.teller! * Field.Size + Field.Arguments;
    setInteger(this.words, at + 2, table);
    setInteger(this.words, at + 4, size);
  }

  /** The end of the program, with an errno. */
  fail(errno: string): this {
    this.#begin(Op.Fail);
    return this.number(errnoNumber(errno));
  }

  /** The end of the program, with what an earlier call failed with. */
  failWith(slot: Slot): this {
    this.#begin(Op.Fail);
    return this.result(slot);
  }

  /** The end of the program, with an errno that is in the data. */
  failWithWord(place: Place): this {
    this.#begin(Op.Fail);
    return this.word(place);
  }

  /** Writes an instruction of another program as it is. @returns where its words begin */
  copy(other: Writer, instruction: number): number {
    this.#begin(Op.Call);
    const from = instruction * Field.Size;
    this.words.set(other.words.subarray(from, from + Field.Size), this.#at);
    const label = other.labels?.[instruction];
    if (this.labels !== undefined && label !== undefined) this.labels[this.labels.length - 1] = label;
    return this.#at;
  }

  #begin(op: Op): void {
    if (this.count === MaxInstructions) this.#full(`a program has at most ${MaxInstructions} instructions`);
    const at = this.count * Field.Size;
    if (at + Field.Size > this.words.length) {
      const larger = new Int32Array(this.words.length * 2);
      larger.set(this.words);
      this.words = larger;
    }
    const { words } = this;
    words[at + Field.Head] = op;
    words[at + Field.Call] = 0;
    words[at + Field.Kinds] = 0;
    words[at + Field.Kinds + 1] = 0;
    this.#at = at;
    this.count++;
    if (this.labels !== undefined) this.label(this.labels);
  }

  /** @throws SyscallError, which names the entry where there are labels. */
  #full(reason: string): never {
    throw new SyscallError({ code: 'E2BIG', reason, option: this.entry });
  }

  // ---- arguments of the instruction begun last

  /** Begins an argument. @returns where its 64 bits are */
  #begunArgument(kind: Kind): number {
    const { words } = this;
    const at = this.#at;
    const head = words[at]!;
    const index = (head >> 8) & 0xff;
    if (index === MaxArguments) throw new RangeError(`a system call has at most ${MaxArguments} arguments`);
    words[at] = head + 0x100;
    words[at + Field.Kinds + (index >> 2)]! |= kind << ((index & 3) * 8);
    return at + Field.Arguments + index * 2;
  }

  #argument(kind: Kind, value: number): this {
    setInteger(this.words, this.#begunArgument(kind), value);
    return this;
  }

  /** An integer of up to 53 bits. */
  number(value: number): this {
    return this.#argument(Kind.Number, value);
  }

  /** An integer of 64 bits. */
  bigint(value: bigint): this {
    const at = this.#begunArgument(Kind.Number);
    this.words[at] = Number(BigInt.asIntN(32, value));
    this.words[at + 1] = Number(BigInt.asIntN(32, value >> 32n));
    return this;
  }

  /** The address of a place in the data. */
  place(place: Place): this {
    return this.#argument(Kind.Data, place);
  }

  /** What an earlier instruction returned. */
  result(slot: Slot): this {
    return this.#argument(Kind.Result, slot);
  }

  /** A 32-bit word of the data, read when the instruction runs. */
  word(place: Place): this {
    return this.#argument(Kind.Word, place);
  }

  /** The address of a place in the report. */
  report(offset: number): this {
    return this.#argument(Kind.Report, offset);
  }

  // ---- policies of the instruction begun last

  /** Goes back to an instruction begun before: what follows is about that one. */
  at(instruction: number): this {
    this.#at = instruction * Field.Size;
    return this;
  }

  /** Keeps the result; in the place of one that is not needed any more, where that is given. */
  keep(slot = this.takeSlot()): Slot {
    this.words[this.#at + Field.Call]! |= (slot + 1) << 16;
    return slot;
  }

  /** Room for a result. */
  takeSlot(): Slot {
    if (this.slots === MaxResults) this.#full(`a program keeps at most ${MaxResults} results`);
    return this.slots++;
  }

  /** Goes on where the kernel answers this errno. */
  accept(errno: string): this {
    return this.skip(errno, 0);
  }

  /** Goes on where the kernel answers any errno. */
  acceptAny(): this {
    return this.#rule(AnyErrno, 0);
  }

  /** Goes on `count` instructions later where the kernel answers any errno. */
  skipAny(count: number): this {
    return this.#rule(AnyErrno, count);
  }

  /** Goes on `count` instructions later. */
  jump(count: number): this {
    return this.call('close').number(-1).skip('EBADF', count);
  }

  /** Goes on `count` instructions later where the kernel answers this errno. */
  skip(errno: string, count: number): this {
    return this.#rule(errnoNumber(errno), count);
  }

  /** Makes a jump one to the end of what has been written. */
  landHere(instruction: number): void {
    this.words[instruction * Field.Size + Field.Rules] = errnoNumber('EBADF') | ((this.count - instruction - 1) << 16);
  }

  #rule(errno: number, count: number): this {
    const { words } = this;
    const at = this.#at;
    const index = (words[at + Field.Head]! >> 16) & 0xff;
    if (index === MaxRules) throw new RangeError(`a system call has at most ${MaxRules} rules`);
    words[at + Field.Head]! += 0x10000;
    words[at + Field.Rules + index] = errno | (count << 16);
    return this;
  }

  /** A smaller result is a failure (EIO). */
  minimum(value: number): this {
    this.words[this.#at + Field.Minimum] = value;
    return this.#policy(Policy.HasMinimum);
  }

  /** EAGAIN means: once more. */
  retry(): this {
    return this.#policy(Policy.Retry);
  }

  /** Wait until the first argument, a descriptor, can be read; once more where somebody else has read it by then. */
  awaits(): this {
    return this.#policy(Policy.Awaits);
  }

  /** This is a clone: go on in the new process. */
  fork(): this {
    this.forks = true;
    return this.#policy(Policy.Fork);
  }

  /** Of a clone to go on in the new process: the caller stays as pid 1. */
  stay(): this {
    return this.#policy(Policy.Stay);
  }

  /** Where it fails, what the kernel says of it can be read from its first argument. */
  explains(): this {
    return this.#policy(Policy.Explains);
  }

  #policy(policy: Policy): this {
    this.words[this.#at + Field.Head]! |= policy << 24;
    return this;
  }

  /** One of our descriptors is to be open, with the same number, in the stub. */
  keepOpen(descriptor: number): void {
    if (this.keptCount === this.kept.length) {
      const larger = new Int32Array(this.kept.length * 2);
      larger.set(this.kept);
      this.kept = larger;
    }
    this.kept[this.keptCount++] = descriptor;
  }

  /** Ends the data at a multiple of 8, with a NUL byte after the last string. */
  finish(): void {
    this.reserve(8);
  }
}

/** 64 bits, of up to 53 that count. */
function setInteger(words: Int32Array, at: number, value: number): void {
  const low = value | 0;
  words[at] = low;
  words[at + 1] = low === value ? low >> 31 : Math.floor(value / two32);
}

function errnoNumber(name: string): number {
  const number = errnoByName[name];
  if (number === undefined) throw new RangeError(`unknown errno ${name}`);
  return number;
}
