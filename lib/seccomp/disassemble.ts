// A filter as text for people, with the names of system calls where it is known whose they are.
import { isUint8Array } from 'node:util/types';

import { invalidArgType, invalidArgValue } from '../errors/argument-error';
import { constants } from '../kernel/constants';
import { errnoName } from '../kernel/errno-texts';
import { type Architecture, architectures } from './architectures';
import { instructionSize, mostInstructions } from './instructions';
import { numbersOf, x32Bit } from './numbers';

/** What is known before an instruction: what has been loaded, and of which `seccomp_data.arch` the call is. */
interface Known {
  readonly loaded: string | undefined;
  readonly arch: number | undefined;
}

interface Instruction {
  readonly code: number;
  readonly yes: number;
  readonly no: number;
  readonly k: number;
}

const nothing: Known = { loaded: undefined, arch: undefined };

const operators: Readonly<Record<number, string>> = { 0x15: '==', 0x25: '>', 0x35: '>=', 0x45: '&' };

/** Classic BPF, LD|W|ABS, ALU|AND|K, JMP|JA, RET|K. */
const [load, and, jumpAlways, returnWord] = [0x20, 0x54, 0x05, 0x06];

const returned: readonly (readonly [answer: number, name: string])[] = [
  [constants.SECCOMP_RET_KILL_PROCESS, 'KILL_PROCESS'],
  [constants.SECCOMP_RET_KILL_THREAD, 'KILL_THREAD'],
  [constants.SECCOMP_RET_TRAP, 'TRAP'],
  [constants.SECCOMP_RET_ERRNO, 'ERRNO'],
  [constants.SECCOMP_RET_USER_NOTIF, 'NOTIFY'],
  [constants.SECCOMP_RET_TRACE, 'TRACE'],
  [constants.SECCOMP_RET_LOG, 'LOG'],
  [constants.SECCOMP_RET_ALLOW, 'ALLOW'],
];

const hexadecimal = (value: number): string => (value < 10 ? String(value) : `0x${value.toString(16)}`);

function spellAnswer(value: number): string {
  const action = (value & constants.SECCOMP_RET_ACTION_FULL) >>> 0;
  const data = value & constants.SECCOMP_RET_DATA;
  const name = returned.find(([answer]) => answer === action)?.[1];
  if (name === undefined) return hexadecimal(value);
  if (name === 'ERRNO') return `ERRNO ${data === 0 ? '0' : errnoName(data) === 'UNKNOWN' ? data : errnoName(data)}`;
  return data === 0 ? name : `${name} ${data}`;
}

/** The name of what lies at an offset of `struct seccomp_data`. */
function wordAt(offset: number): string {
  if (offset === 0) return 'number';
  if (offset === 4) return 'arch';
  const [name, at] = offset < 16 ? ['ip', offset - 8] : [`args[${(offset - 16) >> 3}]`, (offset - 16) & 7];
  if (offset >= 64 || (at !== 0 && at !== 4)) return `data[${offset}]`;
  return `${name}.${at === 0 ? 'low' : 'high'}`;
}

const shortNames = new Map<number, string>();
for (const { audit, table } of [...architectures].reverse()) shortNames.set(audit, table);

function callOf(number: number, arch: number | undefined): string | undefined {
  const isHere = ({ audit, table }: Architecture): boolean => audit === arch && (table === 'x32') === number >= x32Bit;
  const found = (architectures as readonly Architecture[]).find(isHere);
  if (found === undefined) return undefined;
  for (const [name, one] of numbersOf(found.table)) if (one === number) return name;
  return undefined;
}

function spellValue(value: number, { loaded, arch }: Known): string {
  if (loaded === 'arch') return shortNames.get(value) ?? hexadecimal(value);
  if (loaded !== 'number') return hexadecimal(value);
  const name = callOf(value, arch);
  return name === undefined ? hexadecimal(value) : `${value >= x32Bit ? hexadecimal(value) : value} (${name})`;
}

function spell({ code, yes, no, k }: Instruction, at: number, known: Known): string {
  const next = (skipped: number): string => (skipped === 0 ? 'next' : String(at + 1 + skipped));
  switch (code) {
    case load:
      return `load ${wordAt(k)}`;
    case and:
      return `and ${hexadecimal(k)}`;
    case jumpAlways:
      return `go to ${at + 1 + k}`;
    case returnWord:
      return `return ${spellAnswer(k)}`;
    default: {
      const operator = operators[code];
      if (operator === undefined) return `instruction ${hexadecimal(code)} ${yes} ${no} ${hexadecimal(k)}`;
      const value = operator === '&' ? hexadecimal(k) : spellValue(k, known);
      return `if ${known.loaded ?? 'it'} ${operator} ${value} then ${next(yes)} else ${next(no)}`;
    }
  }
}

/** What is known where two ways meet. */
function meet(one: Known | undefined, other: Known): Known {
  if (one === undefined) return other;
  return {
    loaded: one.loaded === other.loaded ? one.loaded : undefined,
    arch: one.arch === other.arch ? one.arch : undefined,
  };
}

/** Where an instruction leads, and what is known there. */
function* ways({ code, yes, no, k }: Instruction, known: Known): Generator<[skipped: number, Known]> {
  switch (code) {
    case returnWord:
      return;
    case load:
      yield [0, { ...known, loaded: wordAt(k) }];
      return;
    case and:
      yield [0, { ...known, loaded: `(${known.loaded ?? 'it'} & ${hexadecimal(k)})` }];
      return;
    case jumpAlways:
      yield [k, known];
      return;
    default:
      if (operators[code] === undefined) yield [0, nothing];
      else {
        yield [yes, code === 0x15 && known.loaded === 'arch' ? { ...known, arch: k } : known];
        yield [no, known];
      }
  }
}

function instructionsOf(filter: unknown): Instruction[] {
  if (!isUint8Array(filter)) throw invalidArgType('filter argument', 'an instance of Uint8Array', filter);
  const count = filter.length / instructionSize;
  if (!Number.isInteger(count) || count === 0 || count > mostInstructions) {
    const reason = `must be 1 to ${mostInstructions} instructions of ${instructionSize} bytes`;
    throw invalidArgValue('filter argument', filter.length, reason);
  }
  const view = new DataView(filter.buffer, filter.byteOffset, filter.length);
  return Array.from({ length: count }, (_, index) => {
    const at = index * instructionSize;
    return {
      code: view.getUint16(at, true),
      yes: view.getUint8(at + 2),
      no: view.getUint8(at + 3),
      k: view.getUint32(at + 4, true),
    };
  });
}

/** @see disassemble of lib/seccomp.ts */
export function disassembleFilter(filter: Uint8Array): string {
  const instructions = instructionsOf(filter);
  const width = String(instructions.length - 1).length;
  const before: (Known | undefined)[] = [nothing];
  // Jumps go forward alone: all that leads to an instruction has been seen before it.
  const lines = instructions.map((instruction, at) => {
    const known = before[at];
    if (known === undefined)
      return `${String(at).padStart(width)}  ${spell(instruction, at, nothing)}  # never reached`;
    for (const [skipped, then] of ways(instruction, known)) {
      const target = at + 1 + skipped;
      before[target] = meet(before[target], then);
    }
    return `${String(at).padStart(width)}  ${spell(instruction, at, known)}`;
  });
  return lines.join('\n');
}
