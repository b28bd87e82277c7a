// A plan's listing, taken apart: which instruction does what.
import { type CloneOptions, type Plan, plan } from '../../lib';
import { rowsOf } from '../../lib/program/listing';

/** One instruction of a plan. */
export interface Line {
  readonly number: number;
  readonly step: string;
  /** '' where no option asked for it. */
  readonly option: string;
  /** The call with its arguments and policies: 'unshare(CLONE_NEWUTS)'. */
  readonly call: string;
}

/** The instructions of a plan, as its listing has them, one by one. */
export function linesOf(made: Plan): Line[] {
  return rowsOf(made.writer).map(([number, step, option, call]) => ({ number: Number(number), step, option, call }));
}

/** Whether it is a system call, or a wait: what is only noted in the child can neither fail nor be stopped at. */
export function isCall({ call }: Line): boolean {
  return !/^\S+ = |^from here on /.test(call);
}

/** What a plan says that it does not do. */
export function notesOf(made: Plan): string[] {
  const lines = made.toString().split('\n');
  return lines.filter((text) => text.startsWith('# ')).map((text) => text.slice(2));
}

/** What one step emits: a line for each instruction, 'option: call', or the call alone. */
export function emitted(step: string, options: CloneOptions, command = '/bin/true'): string[] {
  return linesOf(plan(command, [], options))
    .filter((line) => line.step === step)
    .map(({ option, call }) => (option === '' ? call : `${option}: ${call}`));
}

/** The call that opens a file below the /proc that was looked at before. */
export function openingProc(path: string): string {
  const how = '{flags=O_CLOEXEC|O_WRONLY, resolve=RESOLVE_BENEATH|RESOLVE_NO_MAGICLINKS|RESOLVE_NO_XDEV}';
  return `openat2(proc, "${path}", ${how}, 24)`;
}
