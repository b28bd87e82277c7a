// Classic BPF as the kernel runs it for a filter, and checks it: see seccomp_check_filter() and bpf_check_classic().

const size = 8;
/** Of linux/bpf_common.h: LD|W|ABS, ALU|AND|K, JMP|JA, RET|K, and the tests JEQ, JGT, JGE, JSET. */
const [load, and, jump, ret] = [0x20, 0x54, 0x05, 0x06];
const tests = [0x15, 0x25, 0x35, 0x45];

/** The words of a `struct seccomp_data`. */
export function callOf(arch: number, number: number, args: readonly bigint[] = []): Uint32Array {
  const words = new Uint32Array(16);
  words[0] = number;
  words[1] = arch;
  args.forEach((value, index) => {
    words[4 + 2 * index] = Number(value & 0xffff_ffffn);
    words[5 + 2 * index] = Number(value >> 32n);
  });
  return words;
}

/** A filter that has been checked. */
export class Interpreter {
  readonly length: number;
  /** How many instructions the last run has taken. */
  steps = 0;
  readonly #codes: Uint16Array;
  readonly #jumps: Uint8Array;
  readonly #values: Uint32Array;

  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.length = bytes.length / size;
    const each = Array.from({ length: this.length }, (_, index) => index * size);
    this.#codes = Uint16Array.from(each, (at) => view.getUint16(at, true));
    this.#jumps = Uint8Array.from(each.flatMap((at) => [view.getUint8(at + 2), view.getUint8(at + 3)]));
    this.#values = Uint32Array.from(each, (at) => view.getUint32(at + 4, true));
    this.#check();
  }

  #check(): void {
    const { length } = this;
    if (!Number.isInteger(length) || length === 0 || length > 4096) throw new Error(`${length} instructions`);
    if (this.#codes[length - 1] !== ret) throw new Error('the last instruction does not return');
    this.#codes.forEach((code, at) => {
      const value = this.#values[at]!;
      const isTest = tests.includes(code);
      if (!isTest && code !== load && code !== and && code !== jump && code !== ret) throw new Error(`${at}: ${code}`);
      const targets = isTest ? [...this.#jumps.subarray(2 * at, 2 * at + 2)] : code === jump ? [value] : [];
      if (targets.some((target) => at + 1 + target >= length)) throw new Error(`${at}: a jump out of the filter`);
      if (code === load && (value % 4 !== 0 || value >= 64)) throw new Error(`${at}: a load beyond the data`);
    });
  }

  /** What it answers. */
  answer(call: Uint32Array): number {
    let word = 0;
    this.steps = 0;
    for (let at = 0; ; at++) {
      const value = this.#values[at]!;
      this.steps++;
      switch (this.#codes[at]!) {
        case load:
          word = call[value >> 2]!;
          break;
        case and:
          word = (word & value) >>> 0;
          break;
        case jump:
          at += value;
          break;
        case ret:
          return value;
        case 0x15:
          at += this.#jumps[2 * at + (word === value ? 0 : 1)]!;
          break;
        case 0x25:
          at += this.#jumps[2 * at + (word > value ? 0 : 1)]!;
          break;
        case 0x35:
          at += this.#jumps[2 * at + (word >= value ? 0 : 1)]!;
          break;
        default:
          at += this.#jumps[2 * at + ((word & value) !== 0 ? 0 : 1)]!;
      }
    }
  }
}
