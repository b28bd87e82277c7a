// Long runs of calls that differ in one argument: forty that drop a capability each are one line of a listing.
import { Op } from './format';
import type { Reader } from './reader';
import { type SpelledCall, spellCall } from './spelled';

/** Instructions that are one line. */
export interface Run {
  readonly first: number;
  readonly last: number;
  /** The argument that they differ in; undefined of a single one. */
  readonly varies: number | undefined;
}

/** Shorter ones are read as quickly line by line. */
const longEnough = 8;

/** The instructions that another one goes on at. */
export function targetsOf(reader: Reader, count: number): Set<number> {
  const targets = new Set<number>();
  for (let instruction = 0; instruction < count; instruction++) {
    if (reader.op(instruction) !== Op.Call) continue;
    for (const { skip } of reader.rules(instruction)) if (skip > 0) targets.add(instruction + skip + 1);
  }
  return targets;
}

/** The one argument in which two calls differ; undefined where they differ in anything else. */
function differenceOf(reader: Reader, one: number, other: number): number | undefined {
  if (reader.op(one) !== Op.Call || reader.op(other) !== Op.Call || reader.name(one) !== reader.name(other)) {
    return undefined;
  }
  const [a, b] = [reader.label(one), reader.label(other)];
  if (a?.step !== b?.step) return undefined;
  // Each recorded call has an option of its own, which is its number.
  if (a?.option !== b?.option && !reader.recorded(one)) return undefined;
  // A kept result has a name of its own.
  if (reader.slot(one) !== undefined || reader.slot(other) !== undefined) return undefined;
  const [left, right] = [spellCall(reader, one), spellCall(reader, other)];
  if (left.args.length !== right.args.length || left.policies.join() !== right.policies.join()) return undefined;
  const differing = left.args.flatMap((text, index) => (text === right.args[index] ? [] : [index]));
  return differing.length === 1 ? differing[0] : undefined;
}

/** All instructions, in runs. What another one goes on at is the first of its run. */
export function runsOf(reader: Reader, count: number): Run[] {
  const targets = targetsOf(reader, count);
  const runs: Run[] = [];
  let first = 0;
  while (first < count) {
    const varies = first + 1 < count ? differenceOf(reader, first, first + 1) : undefined;
    let last = first;
    const goesOn = (): boolean =>
      last + 1 < count && !targets.has(last + 1) && differenceOf(reader, first, last + 1) === varies;
    if (varies !== undefined) while (goesOn()) last++;
    const isRun = last - first + 1 >= longEnough;
    if (!isRun) last = first;
    runs.push({ first, last, varies: isRun ? varies : undefined });
    first = last + 1;
  }
  return runs;
}

/** 'capabilities.bounding'; of recorded calls 'program[3–43]'. */
export function optionOf(reader: Reader, { first, last }: Run): string {
  const [from, to] = [reader.label(first)?.option ?? '', reader.label(last)?.option ?? ''];
  return from === to ? from : `${from.slice(0, -1)}–${to.slice(to.indexOf('[') + 1)}`;
}

/** The call of a run, with all that there is in the place of the argument that varies. */
export function spellRun(reader: Reader, { first, last }: Run, varies: number): SpelledCall {
  const calls = Array.from({ length: last - first + 1 }, (_, index) => spellCall(reader, first + index));
  const [call] = calls as [SpelledCall];
  const all = `{${calls.map(({ args }) => args[varies]!).join(', ')}}`;
  return {
    ...call,
    args: call.args.map((text, index) => (index === varies ? all : text)),
    policies: [`${calls.length} calls`, ...call.policies],
  };
}
