// A program as text: read back from the bytes that will run, so that a listing cannot say anything else.
import { printable } from '../errors/printable';
import { errnoName } from '../kernel/errno-texts';
import { Kind, Op } from './format';
import { type Reader, readerOf } from './reader';
import { optionOf, type Run, runsOf, spellRun } from './runs';
import { joinCall, spellArgument, spellCall, spellExpected, spellPolicies, spellTarget } from './spelled';
import type { Writer } from './writer';

function spellInstruction(reader: Reader, instruction: number): string {
  const argument = (): string => spellArgument(reader, instruction, 0, 'int');
  const remark = reader.label(instruction)?.remark;
  switch (reader.op(instruction)) {
    case Op.Store:
      return `${spellTarget(reader, instruction)} = ${argument()}`;
    case Op.Wait:
      return remark === undefined ? 'wait for the parent' : `wait for the parent, ${remark}`;
    case Op.Exit:
      return `exit with ${argument()}`;
    case Op.Fail:
      return `fail with ${reader.kind(instruction, 0) === Kind.Number ? errnoName(reader.value(instruction, 0)) : argument()}`;
    case Op.Compare:
      return spellComparison(reader, instruction);
    case Op.Tell:
      return `from here on failures are told to ${argument()}`;
    case Op.Call:
      return joinCall(spellCall(reader, instruction));
  }
}

function spellComparison(reader: Reader, instruction: number): string {
  const [one, other, size, errno] = [0, 1, 2, 3].map((index) => reader.value(instruction, index)) as [
    number,
    number,
    number,
    number,
  ];
  const policies = joinCall({ name: '', args: [], kept: '', policies: spellPolicies(reader, instruction) }).slice(2);
  const expected = spellExpected(reader.bytes(other, size)) ?? `those at &data[${other}]`;
  return `${errnoName(errno)} unless the ${size} bytes at &data[${one}] are ${expected}${policies}`;
}

/** The lines of a listing: its number, or numbers, step, option and call. */
export type Row = readonly [number: string, step: string, option: string, call: string];

function rowOf(reader: Reader, instruction: number): Row {
  const label = reader.label(instruction);
  const call = printable(spellInstruction(reader, instruction));
  return [String(instruction), label?.step ?? '', label?.option ?? '', call];
}

function rowOfRun(reader: Reader, run: Run): Row {
  const { first, last, varies } = run;
  if (varies === undefined) return rowOf(reader, first);
  const call = printable(joinCall(spellRun(reader, run, varies)));
  return [`${first}–${last}`, reader.label(first)?.step ?? '', optionOf(reader, run), call];
}

/** One row an instruction. */
export function rowsOf(writer: Writer): Row[] {
  const reader = readerOf(writer);
  return Array.from({ length: writer.count }, (_, instruction) => rowOf(reader, instruction));
}

/** One line an instruction, or for a long run of calls that differ in one argument: their numbers, and all it is. */
export function list(writer: Writer): string {
  const reader = readerOf(writer);
  const rows = runsOf(reader, writer.count).map((run) => rowOfRun(reader, run));
  const width = (column: number): number => Math.max(...rows.map((row) => row[column]!.length));
  const widths = [width(0), width(1), width(2)];
  return rows
    .map(([number, step, option, call]) =>
      [number.padStart(widths[0]!), step.padEnd(widths[1]!), option.padEnd(widths[2]!), call].join('  ').trimEnd(),
    )
    .join('\n');
}
