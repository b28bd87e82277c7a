// What is constant of a system call in a program: its number, and what its arguments are.
import { type SyscallName, syscalls } from '../kernel/syscalls';
import { Kind, MaxArguments } from './format';

const kindOf = {
  number: Kind.Number,
  data: Kind.Data,
  result: Kind.Result,
  word: Kind.Word,
  report: Kind.Report,
} as const;

/** 'data' is a place in the data, 'result' the slot of a kept result, 'word' a place whose word is read when the call is made. */
export type ArgumentKind = keyof typeof kindOf;

/** Made once, when a step is loaded; then {@link Writer.add} writes the call in one go. */
export class Shape {
  readonly number: number;
  readonly argumentCount: number;
  /** The kinds of four arguments each, as an instruction has them. */
  readonly firstKinds: number;
  readonly lastKinds: number;

  constructor(name: SyscallName, kinds: readonly ArgumentKind[]) {
    if (kinds.length > MaxArguments) throw new RangeError(`a system call has at most ${MaxArguments} arguments`);
    const packed = (from: number): number =>
      kinds.slice(from, from + 4).reduce((bits, kind, index) => bits | (kindOf[kind] << (index * 8)), 0);
    this.number = syscalls[name];
    this.argumentCount = kinds.length;
    this.firstKinds = packed(0);
    this.lastKinds = packed(4);
  }
}

/** `shape('openat', 'number', 'data', 'number', 'number')` */
export function shape(name: SyscallName, ...kinds: ArgumentKind[]): Shape {
  return new Shape(name, kinds);
}
