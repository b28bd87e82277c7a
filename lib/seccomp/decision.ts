// The decision that a filter is: a graph of tests on 32-bit words of `struct seccomp_data`, in which what is equal is there once.
import type { Condition, Wide } from './profile';

/** Classic BPF, see linux/bpf_common.h: JMP with a constant. */
export const jump = { JEQ: 0x15, JGT: 0x25, JGE: 0x35, JSET: 0x45 } as const;
export type Jump = (typeof jump)[keyof typeof jump];

/** Offsets in `struct seccomp_data`. */
export const numberOffset = 0;
export const archOffset = 4;
export const argsOffset = 16;

export type Node =
  | { readonly kind: 'return'; readonly value: number }
  | { readonly kind: 'load'; readonly offset: number; readonly next: Node }
  | { readonly kind: 'and'; readonly mask: number; readonly next: Node }
  | {
      readonly kind: 'test';
      readonly jump: Jump;
      readonly value: number;
      readonly yes: Node;
      readonly no: Node;
    };

/** From a number on, until the next range, this is what is decided. */
export interface Range {
  readonly from: number;
  readonly node: Node;
}

function holds(test: Jump, word: number, value: number): boolean {
  switch (test) {
    case jump.JEQ:
      return word === value;
    case jump.JGT:
      return word > value;
    case jump.JGE:
      return word >= value;
    case jump.JSET:
      return (word & value) !== 0;
  }
}

/** Where it leads when the word at this offset is known. */
function follow(node: Node, offset: number, word: number): Node {
  let at = node;
  while (at.kind === 'load' && at.offset === offset) {
    let value = word;
    at = at.next;
    // What follows without a load is about the same word.
    while (at.kind === 'and' || at.kind === 'test') {
      if (at.kind === 'test') at = holds(at.jump, value, at.value) ? at.yes : at.no;
      else {
        value = (value & at.mask) >>> 0;
        at = at.next;
      }
    }
  }
  return at;
}

export class Decisions {
  readonly #known = new Map<string, Node>();
  readonly #numbers = new Map<Node, number>();

  /** In the order in which they were made: each after all that it leads to. */
  get nodes(): Iterable<Node> {
    return this.#numbers.keys();
  }

  return(value: number): Node {
    return this.#once(`return ${value}`, () => ({ kind: 'return', value }));
  }

  /** A test of the word that has been loaded. */
  test(test: Jump, value: number, yes: Node, no: Node): Node {
    if (yes === no) return yes;
    const key = `${test} ${value} ${this.#numbers.get(yes)} ${this.#numbers.get(no)}`;
    return this.#once(key, () => ({ kind: 'test', jump: test, value, yes, no }));
  }

  load(offset: number, next: Node): Node {
    return this.#once(`load ${offset} ${this.#numbers.get(next)}`, () => ({ kind: 'load', offset, next }));
  }

  /** One decision for each range of numbers, found by halves. The first range begins at what the caller knows to be the least. */
  search(ranges: readonly Range[], first = 0, end = ranges.length): Node {
    const count = end - first;
    const { node } = ranges[first]!;
    if (count === 1) return node;
    const [, one, after] = ranges.slice(first, first + 3);
    if (count === 3 && after!.node === node && after!.from === one!.from + 1) {
      return this.test(jump.JEQ, one!.from, one!.node, node);
    }
    const middle = first + Math.ceil(count / 2);
    const upper = this.search(ranges, middle, end);
    return this.test(jump.JGE, ranges[middle]!.from, upper, this.search(ranges, first, middle));
  }

  /** @param isWide whether arguments have 64 bits; of 32 the lower word alone is compared */
  condition(condition: Condition, isWide: boolean, yes: Node, no: Node): Node {
    const { operator, index, value, mask } = condition;
    const low = argsOffset + 8 * index;
    const high = low + 4;
    switch (operator) {
      case 'SCMP_CMP_NE':
        return this.#equal(low, value, mask, isWide, no, yes);
      case 'SCMP_CMP_EQ':
      case 'SCMP_CMP_MASKED_EQ':
        return this.#equal(low, value, mask, isWide, yes, no);
      case 'SCMP_CMP_LT':
        return this.#greater(jump.JGE, low, value, isWide ? high : undefined, no, yes);
      case 'SCMP_CMP_LE':
        return this.#greater(jump.JGT, low, value, isWide ? high : undefined, no, yes);
      case 'SCMP_CMP_GE':
        return this.#greater(jump.JGE, low, value, isWide ? high : undefined, yes, no);
      case 'SCMP_CMP_GT':
        return this.#greater(jump.JGT, low, value, isWide ? high : undefined, yes, no);
    }
  }

  #equal(low: number, value: Wide, mask: Wide, isWide: boolean, yes: Node, no: Node): Node {
    if (!isWide || mask.high === 0) return this.#word(low, value.low, mask.low, yes, no);
    const high = low + 4;
    if (mask.low === 0) return this.#word(high, value.high, mask.high, yes, no);
    // Only of a word that is known as a whole is known what a later look at it finds.
    const known = (node: Node): Node => (mask.high === 0xffff_ffff ? follow(node, high, value.high) : node);
    const second = this.#word(low, value.low, mask.low, known(yes), known(no));
    return this.#word(high, value.high, mask.high, second, this.#followOther(no, high, value.high));
  }

  /** Where it leads when the word at this offset is known not to be this. */
  #followOther(node: Node, offset: number, word: number): Node {
    let at = node;
    while (at.kind === 'load' && at.offset === offset && at.next.kind === 'test') {
      const { jump: test, value, no } = at.next;
      if (test !== jump.JEQ || value !== word) break;
      // A test that follows at once is about the same word.
      at = no.kind === 'test' ? this.load(offset, no) : no;
    }
    return at;
  }

  /** Whether a word is the value under the mask. */
  #word(offset: number, value: number, mask: number, yes: Node, no: Node): Node {
    const wanted = (value & mask) >>> 0;
    if (mask === 0) return yes;
    if (wanted === 0 && mask !== 0xffff_ffff) return this.#loaded(offset, jump.JSET, mask, no, yes);
    if (mask === 0xffff_ffff) return this.#loaded(offset, jump.JEQ, wanted, yes, no);
    // One bit.
    if (wanted === mask && (mask & (mask - 1)) === 0) return this.#loaded(offset, jump.JSET, mask, yes, no);
    const next = this.test(jump.JEQ, wanted, yes, no);
    if (next === yes) return yes;
    const key = `and ${mask} ${this.#numbers.get(next)}`;
    return this.load(
      offset,
      this.#once(key, () => ({ kind: 'and', mask, next })),
    );
  }

  #greater(test: Jump, low: number, value: Wide, high: number | undefined, yes: Node, no: Node): Node {
    if (high === undefined) return this.#loaded(low, test, value.low, yes, no);
    const known = (node: Node): Node => follow(node, high, value.high);
    const second = this.#loaded(low, test, value.low, known(yes), known(no));
    const equal = this.#loaded(high, jump.JEQ, value.high, second, no);
    return this.#loaded(high, jump.JGT, value.high, yes, equal);
  }

  /** A test of a word, which is loaded for it; what follows on the same word need not load it once more. */
  #loaded(offset: number, test: Jump, value: number, yes: Node, no: Node): Node {
    if (yes === no) return yes;
    const held = (node: Node): Node => (node.kind === 'load' && node.offset === offset ? node.next : node);
    const made = this.test(test, value, held(yes), held(no));
    return this.load(offset, made);
  }

  #once(key: string, make: () => Node): Node {
    let node = this.#known.get(key);
    if (node === undefined) {
      node = make();
      this.#known.set(key, node);
      this.#numbers.set(node, this.#numbers.size);
    }
    return node;
  }
}
