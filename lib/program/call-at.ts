// What an instruction is called, for who has to tell that it failed.
import { Kind, Op } from './format';
import { readerOf } from './reader';
import { kindOf, signatureOf } from './signatures';
import type { Writer } from './writer';

/** The system call of an instruction, and the first path among its arguments. */
export function callAt(writer: Writer, instruction: number): { syscall: string | undefined; path: string | undefined } {
  const reader = readerOf(writer);
  if (instruction >= writer.count || reader.op(instruction) !== Op.Call) return { syscall: undefined, path: undefined };
  const syscall = reader.name(instruction);
  const index = signatureOf(syscall).findIndex((kind) => kindOf(kind).word === 'path');
  const isText =
    index >= 0 && index < reader.argumentCount(instruction) && reader.kind(instruction, index) === Kind.Data;
  return { syscall, path: isText ? reader.string(reader.value(instruction, index)) : undefined };
}
