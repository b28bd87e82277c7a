// A written program, read back from the bytes that will run.
import { syscallName } from '../kernel/syscalls';
import { Field, Kind, Op } from './format';
import { kindOf, signatureOf } from './signatures';
import type { Label, Writer } from './writer';

const two32 = 2 ** 32;

/** A written program, by instructions. */
export class Reader {
  readonly #writer: Writer;
  readonly #data: DataView;
  #filled: Set<number> | undefined;

  constructor(writer: Writer) {
    this.#writer = writer;
    this.#data = new DataView(writer.data.buffer, writer.data.byteOffset, writer.dataSize);
  }

  #word(instruction: number, field: number): number {
    return this.#writer.words[instruction * Field.Size + field]!;
  }

  op(instruction: number): Op {
    return this.#word(instruction, Field.Head) & 0xff;
  }

  argumentCount(instruction: number): number {
    return (this.#word(instruction, Field.Head) >> 8) & 0xff;
  }

  policy(instruction: number): number {
    return (this.#word(instruction, Field.Head) >> 24) & 0xff;
  }

  minimum(instruction: number): number {
    return this.#word(instruction, Field.Minimum);
  }

  /** The system call's name. */
  name(instruction: number): string {
    const number = this.#word(instruction, Field.Call) & 0xffff;
    return syscallName(number) ?? `syscall_${number}`;
  }

  /** The slot that keeps the result; undefined where none does. */
  slot(instruction: number): number | undefined {
    const keep = this.#word(instruction, Field.Call) >>> 16;
    return keep === 0 ? undefined : keep - 1;
  }

  rules(instruction: number): { errno: number; skip: number }[] {
    const count = (this.#word(instruction, Field.Head) >> 16) & 0xff;
    return Array.from({ length: count }, (_, index) => {
      const rule = this.#word(instruction, Field.Rules + index);
      return { errno: rule & 0xffff, skip: rule >>> 16 };
    });
  }

  kind(instruction: number, index: number): Kind {
    return (this.#word(instruction, Field.Kinds + (index >> 2)) >> ((index & 3) * 8)) & 0xff;
  }

  value(instruction: number, index: number): number {
    const at = Field.Arguments + index * 2;
    return this.#word(instruction, at + 1) * two32 + (this.#word(instruction, at) >>> 0);
  }

  string(place: number): string {
    const { data, dataSize } = this.#writer;
    const end = data.indexOf(0, place);
    return data.toString('utf8', place, end < 0 ? dataSize : Math.min(end, dataSize));
  }

  strings(place: number): string[] {
    const texts: string[] = [];
    for (let at = place; this.#data.getUint32(at, true) !== 0; at += 8)
      texts.push(this.string(this.#data.getUint32(at, true)));
    return texts;
  }

  bytes(place: number, length: number): Buffer {
    return this.#writer.data.subarray(place, Math.min(place + length, this.#writer.dataSize));
  }

  /** Whether a call writes to this place, so that what is there now says nothing. */
  isFilled(place: number): boolean {
    this.#filled ??= new Set(this.#placesToWrite());
    return this.#filled.has(place);
  }

  *#placesToWrite(): Iterable<number> {
    for (let instruction = 0; instruction < this.#writer.count; instruction++) {
      if (this.op(instruction) !== Op.Call) continue;
      const kinds = signatureOf(this.name(instruction));
      for (let index = 0; index < this.argumentCount(instruction); index++) {
        const isMemory = this.kind(instruction, index) === Kind.Data && kindOf(kinds[index] ?? 'int').word === 'out';
        if (isMemory) yield this.value(instruction, index);
      }
    }
  }

  get sources(): number {
    return this.#writer.sources;
  }

  /** An array of unsigned 32-bit numbers. */
  unsigned(place: number, count: number): number[] {
    return Array.from({ length: count }, (_, index) => this.#data.getUint32(place + index * 4, true));
  }

  bits(place: number): bigint {
    return this.#data.getBigUint64(place, true);
  }

  label(instruction: number): Label | undefined {
    return this.#writer.labels?.[instruction];
  }

  /** Whether the program was recorded, so that its data has no words of stdio. */
  recorded(instruction: number): boolean {
    return this.#writer.labels?.[instruction]?.step === 'program';
  }

  number(place: number, size: 1 | 2 | 4 | 8): number {
    if (size === 8) return Number(this.#data.getBigInt64(place, true));
    return size === 4
      ? this.#data.getInt32(place, true)
      : size === 2
        ? this.#data.getUint16(place, true)
        : this.#data.getUint8(place);
  }
}

/** One of this program. */
export function readerOf(writer: Writer): Reader {
  return new Reader(writer);
}
