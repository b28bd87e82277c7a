// Instructions of classic BPF from a decision. Jumps go forward and a test's at most 255 instructions far, so the program is written
// from its end: where a target is too far by then, it is there once more, or a long jump to it is.
import type { Decisions, Node } from './decision';

/** `struct sock_filter`. */
export const instructionSize = 8;
/** BPF_MAXINSNS of linux/bpf_common.h. */
export const mostInstructions = 4096;

/** Of linux/bpf_common.h: LD|W|ABS, ALU|AND|K, JMP|JA, RET|K. */
const loadWord = 0x20;
const andWord = 0x54;
const jumpAlways = 0x05;
const returnWord = 0x06;
const farthest = 255;

export type Instruction = readonly [code: number, yes: number, no: number, value: number];

class Assembler {
  /** Backwards. */
  readonly code: Instruction[] = [];
  /** Where the last copy of each was written, or the last jump to it. */
  readonly #places = new Map<Node, number>();

  add(node: Node): void {
    switch (node.kind) {
      case 'return':
        this.code.push([returnWord, 0, 0, node.value]);
        break;
      case 'load':
        this.#goOn(node.next);
        this.code.push([loadWord, 0, 0, node.offset]);
        break;
      case 'and':
        this.#goOn(node.next);
        this.code.push([andWord, 0, 0, node.mask]);
        break;
      case 'test':
        // Getting the second near moves the first by one.
        this.#bringNear(node.yes, farthest - 1);
        this.#bringNear(node.no, farthest);
        this.code.push([node.jump, this.#distance(node.yes), this.#distance(node.no), node.value]);
        break;
    }
    this.#places.set(node, this.code.length - 1);
  }

  #distance(node: Node): number {
    return this.code.length - 1 - this.#places.get(node)!;
  }

  #bringNear(node: Node, most: number): void {
    if (this.#distance(node) > most) this.#repeat(node);
  }

  /** The next instruction is this one. */
  #goOn(node: Node): void {
    if (this.#distance(node) > 0) this.#repeat(node);
  }

  #repeat(node: Node): void {
    if (node.kind === 'return') this.code.push([returnWord, 0, 0, node.value]);
    else this.code.push([jumpAlways, 0, 0, this.#distance(node)]);
    this.#places.set(node, this.code.length - 1);
  }
}

function reached(root: Node): Set<Node> {
  const found = new Set([root]);
  for (const node of found) {
    if (node.kind === 'test') found.add(node.yes).add(node.no);
    else if (node.kind !== 'return') found.add(node.next);
  }
  return found;
}

/** An array of them, of any length. */
export function assemble(decisions: Decisions, root: Node): Uint8Array {
  const wanted = reached(root);
  const assembler = new Assembler();
  for (const node of decisions.nodes) if (wanted.has(node)) assembler.add(node);
  return encode(assembler.code.reverse());
}

/** An array of `struct sock_filter`. */
export function encode(code: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(code.length * instructionSize);
  const view = new DataView(bytes.buffer);
  code.forEach(([operation, yes, no, value], index) => {
    view.setUint16(index * instructionSize, operation, true);
    view.setUint8(index * instructionSize + 2, yes);
    view.setUint8(index * instructionSize + 3, no);
    view.setUint32(index * instructionSize + 4, value, true);
  });
  return bytes;
}
