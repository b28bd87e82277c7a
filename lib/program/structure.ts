// A program as data, for JSON: what its listing says, with the arguments as what they are.
import type { ListedArgument, ListedCall } from '../../types/listing';
import { errnoName } from '../kernel/errno-texts';
import { Kind, Op } from './format';
import { type Reader, readerOf } from './reader';
import { kindOf } from './signatures';
import { kindsOf, spellArgument, spellExpected, spellNumber, spellPolicies, spellTarget, spellWord } from './spelled';
import type { Writer } from './writer';

function numberOf(value: number, kind: string): ListedArgument {
  const name = spellNumber(value, kind);
  if (name === String(value)) return value;
  return name === 'NULL' ? null : { value, name };
}

/** What a place in the data holds, where that is no secret and no memory to be written to. */
function placeOf(reader: Reader, instruction: number, index: number, kind: string): ListedArgument {
  const place = reader.value(instruction, index);
  switch (kindOf(kind).word) {
    case 'path':
    case 'text':
      return reader.string(place);
    case 'argv':
      return reader.strings(place);
    case 'env':
      return { variables: reader.strings(place).length };
    default: {
      const text = spellArgument(reader, instruction, index, kind);
      return text.startsWith('&') ? { place } : { text };
    }
  }
}

function argumentOf(reader: Reader, instruction: number, index: number, kind: string): ListedArgument {
  const value = reader.value(instruction, index);
  switch (reader.kind(instruction, index)) {
    case Kind.Number:
      return numberOf(value, kind);
    case Kind.Data:
      return placeOf(reader, instruction, index, kind);
    case Kind.Result:
      return { result: value };
    case Kind.Word:
      return reader.recorded(instruction) ? { place: value } : { word: spellWord(reader, value) };
    case Kind.Report:
      return { word: 'report.pid' };
  }
}

const names: Readonly<Record<Exclude<Op, Op.Call>, string>> = {
  [Op.Store]: 'store',
  [Op.Wait]: 'wait',
  [Op.Exit]: 'exit',
  [Op.Fail]: 'fail',
  [Op.Compare]: 'compare',
  [Op.Tell]: 'tell',
};

const errnoOf = (value: number): ListedArgument => ({ value, name: errnoName(value) });

/** What is not a system call, and its arguments. */
function other(reader: Reader, instruction: number, op: Exclude<Op, Op.Call>): readonly ListedArgument[] {
  switch (op) {
    case Op.Store:
      return [{ word: spellTarget(reader, instruction) }, argumentOf(reader, instruction, 0, 'int')];
    case Op.Wait:
      return [];
    case Op.Exit:
    case Op.Tell:
      return [argumentOf(reader, instruction, 0, 'int')];
    case Op.Fail:
      return reader.kind(instruction, 0) === Kind.Number
        ? [errnoOf(reader.value(instruction, 0))]
        : [argumentOf(reader, instruction, 0, 'int')];
    case Op.Compare: {
      const [one, second, size, errno] = [0, 1, 2, 3].map((index) => reader.value(instruction, index));
      const text = spellExpected(reader.bytes(second!, size!));
      return [{ place: one! }, text === undefined ? { place: second! } : { text }, size!, errnoOf(errno!)];
    }
  }
}

/** One entry an instruction. */
export function structure(writer: Writer): ListedCall[] {
  const reader = readerOf(writer);
  return Array.from({ length: writer.count }, (_, instruction) => {
    const label = reader.label(instruction);
    const op = reader.op(instruction);
    const place = { number: instruction, step: label?.step ?? '', ...(label?.option && { option: label.option }) };
    const remark = label?.remark === undefined ? {} : { remark: label.remark };
    if (op !== Op.Call) return { ...place, call: names[op], arguments: other(reader, instruction, op), ...remark };
    const kinds = kindsOf(reader, instruction);
    const slot = reader.slot(instruction);
    const policies = spellPolicies(reader, instruction);
    return {
      ...place,
      call: reader.name(instruction),
      arguments: Array.from({ length: reader.argumentCount(instruction) }, (__, index) =>
        argumentOf(reader, instruction, index, kinds[index] ?? 'int'),
      ),
      ...(slot === undefined ? {} : { result: slot }),
      ...(policies.length === 0 ? {} : { policies }),
      ...remark,
    };
  });
}
