// A way through a filter for two calls of ours, and for nobody else: those that send its listener and let go of it. The filter that
// they are about is in force by then, may refuse them, and nobody could answer a notification of them yet.
//
// Both calls have fewer arguments than a filter can see. What stands in the fourth to the sixth is three words that the child draws by
// chance right before, and that are gone with its memory at the exec.
import { constants } from '../kernel/constants';
import { instructionSize, ownAudit } from './sock-filter';
import { syscalls } from '../kernel/syscalls';
import { encode, type Instruction } from '../seccomp/instructions';

const { SECCOMP_RET_ALLOW } = constants;

/** BPF: load a word of `struct seccomp_data`, load a number, jump if equal, return. */
const [load, loadNumber, jumpIfEqual, answer] = [0x20, 0x00, 0x15, 0x06] as const;
const [numberAt, archAt] = [0, 4];
/** The lower halves of the fourth to the sixth argument. */
const wordsAt = [40, 48, 56] as const;

/** The calls that it is for. */
export const throughDoor = ['sendmsg', 'close'] as const;
/** How many words open it. */
export const knocks = wordsAt.length;

function instructions(beginsWithLoad: boolean): Instruction[] {
  const words = wordsAt.flatMap((at): Instruction[] => [
    [load, 0, 0, at],
    [jumpIfEqual, 0, -1, 0],
  ]);
  const [sendmsg, close] = throughDoor.map((name) => syscalls[name]) as [number, number];
  const all: Instruction[] = [
    [load, 0, 0, archAt],
    [jumpIfEqual, 0, -1, ownAudit],
    [load, 0, 0, numberAt],
    [jumpIfEqual, 1, 0, sendmsg],
    [jumpIfEqual, 0, -1, close],
    ...words,
    [answer, 0, 0, SECCOMP_RET_ALLOW],
  ];
  // -1: to what the filter itself begins with. The kernel has it begin with 0 loaded.
  const ended = all.map(
    ([code, yes, no, value], index) => [code, yes, no < 0 ? all.length - index - 1 : no, value] as const,
  );
  return beginsWithLoad ? ended : [...ended, [loadNumber, 0, 0, 0]];
}

/** Where in the bytes the words go that open it. */
export const knockPlaces = wordsAt.map((_, index) => (6 + index * 2) * instructionSize + 4);

/** The filter with the door before it. */
export function withDoor(filter: Buffer): Buffer {
  return Buffer.concat([encode(instructions(filter.readUInt16LE(0) === load)), filter]);
}
