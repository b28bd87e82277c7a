// Both halves have the same numbers: the layout of programs and reports, and the mailbox.
import * as format from '../../lib/program/format';
import { nodeHeaders, valuesOf, withNodeHeaders } from './compile';

/** An enum as it is at run time. */
function entries(module: string, name: string): [name: string, value: number][] {
  const members = (require(module) as Record<string, Record<string, number | string>>)[name]!;
  return Object.entries(members).filter((entry): entry is [string, number] => typeof entry[1] === 'number');
}

/** Compares values of ours, each with the C++ expression that must have the same. */
function compare(
  headers: readonly string[],
  pairs: readonly (readonly [expression: string, ours: number])[],
  folders?: string[],
): void {
  const theirs = valuesOf(
    headers,
    pairs.map(([expression]) => expression),
    folders,
  );
  const table = (values: readonly number[]): string[] =>
    pairs.map(([expression], index) => `${expression} = ${values[index]}`);
  expect(table(pairs.map(([, ours]) => ours))).toEqual(table(theirs));
}

describe('the layout of a program', () => {
  const loop = ['"loop/format.h"'];

  test.each([
    ['Op', 'nsclone::Op::k'],
    ['Kind', 'nsclone::Kind::k'],
    ['Policy', 'nsclone::k'],
  ])('%s has the same members', (name, prefix) => {
    const members = entries('../../lib/program/format', name);
    expect(members.length).toBeGreaterThan(2);
    compare(
      loop,
      members.map(([member, value]) => [prefix + member, value]),
    );
  });

  test('the fields of an instruction lie at the same places', () => {
    const word = (field: string): string => `offsetof(nsclone::Instruction, ${field}) / 4.0`;
    compare(loop, [
      [word('op'), format.Field.Head],
      [`${word('argument_count')} * 4`, format.Field.Head * 4 + 1],
      [`${word('rule_count')} * 4`, format.Field.Head * 4 + 2],
      [`${word('policy')} * 4`, format.Field.Head * 4 + 3],
      [word('number'), format.Field.Call],
      [`${word('keep')} * 4`, format.Field.Call * 4 + 2],
      [word('kinds'), format.Field.Kinds],
      [word('minimum'), format.Field.Minimum],
      [word('rules'), format.Field.Rules],
      ['offsetof(nsclone::Rule, error)', 0],
      ['offsetof(nsclone::Rule, skip)', 2],
      ['sizeof(nsclone::Rule)', 4],
      [word('arguments'), format.Field.Arguments],
      ['sizeof(nsclone::Instruction) / 4.0', format.Field.Size],
    ]);
  });

  test('limits and special values are the same', () => {
    compare(loop, [
      ['nsclone::kAnyErrno', format.AnyErrno],
      ['nsclone::kErrnoFrom', format.ErrnoFrom],
      ['nsclone::kErrnoTo', format.ErrnoTo],
      ['nsclone::kArguments', format.MaxArguments],
      ['nsclone::kRules', format.MaxRules],
      ['nsclone::kResults', format.MaxResults],
      ['nsclone::kMaxInstructions', format.MaxInstructions],
      ['nsclone::kChannelWord', format.ChannelWord],
      ['nsclone::kReserved', format.Reserved],
      ['offsetof(nsclone::Report, pid)', format.ReportPid],
      ['nsclone::kEntering', format.Entering],
      ['nsclone::kArrivingInStub', format.ArrivingInStub],
      ['nsclone::kLoading', format.Loading],
    ]);
  });
});

describe('the mailbox', () => {
  const headers = nodeHeaders();

  withNodeHeaders('every place has the same number', () => {
    const members = entries('../../lib/native-interface', 'Mail');
    expect(members.length).toBeGreaterThan(8);
    const pairs = members.map(([member, value]) => [`nsclone::kMail${member}`, value] as const);
    compare(['"binding/environment.h"'], pairs, [headers!]);
  });

  withNodeHeaders('every piece of news has the same number', () => {
    const pairs = entries('../../lib/native-interface', 'News').map(
      ([member, value]) => [`nsclone::News::k${member}`, value] as const,
    );
    expect(pairs).toHaveLength(4);
    compare(['"watch/watch.h"'], pairs, [headers!]);
  });
});
