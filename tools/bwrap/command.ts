// `nsclone bwrap`: the command, as bubblewrap has it to the message and the exit code.
import { readlinkSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';

import { clone, constants, perform, record, type CloneOptions, type SyscallError } from '../../lib/index';
import { readLine, usage } from './arguments';
import type { Line } from './line';
import { bwrapExitCode, commandOf, type BwrapCommand } from './index';
import { type Inherited, restoring, takeInherited } from './inherited';
import { planOf } from './typescript';
import { isRefusal, lacksCommand, refusal, version } from './words';

/** What /proc calls the executable of whoever looks: of bubblewrap, another one of it. */
const ownExecutable = '/proc/self/exe';

/** How the command was called. */
export interface Called {
  /** What its usage calls it. */
  readonly name: string;
  /** What starts it again. */
  readonly again: readonly string[];
}

/** A line in which the same command is asked for by what it executes. */
function itself(command: BwrapCommand, { again }: Called): BwrapCommand {
  if (command.command !== ownExecutable) return command;
  const [program, ...args] = again;
  return { ...command, command: program!, args: [...args, ...command.args] };
}

/** As ttyname(3) of stdout. */
function terminal(): string | undefined {
  if (!isatty(1)) return undefined;
  const name = readlinkSync('/proc/self/fd/1');
  return name.startsWith('/dev/') ? name : undefined;
}

/** The same open files under numbers that the command has no use for. */
function above(least: number, descriptors: readonly number[]): number[] {
  const { F_DUPFD_CLOEXEC } = constants;
  const again = (descriptor: number): number =>
    perform(record((c) => ({ it: c.fcntl(descriptor, F_DUPFD_CLOEXEC, least) }))).it;
  return descriptors.map((descriptor) => (descriptor < least ? again(descriptor) : descriptor));
}

/** All that clone() gets. */
function optionsOf(command: BwrapCommand, line: Line, inherited: Inherited): CloneOptions {
  const sync = line.descriptors.get('sync-fd');
  const used = new Set(line.used);
  // Without a pid 1 of ours it is the command that holds it.
  if (sync !== undefined && line.set.has('as-pid-1')) used.delete(sync);
  const { steps = [], ...restored } = restoring(inherited, used);
  const all = [...(command.options.steps ?? []), ...steps];
  const { init } = command.options;
  const kept = typeof init === 'object' ? init.keep : undefined;
  return {
    ...command.options,
    ...restored,
    ...(kept !== undefined && {
      init: { ...(init as object), keep: above((restored.stdio as unknown[]).length, kept) },
    }),
    ...(all.length > 0 && { steps: all }),
  };
}

function misused({ name }: Called): number {
  writeSync(2, usage(name));
  return 1;
}

async function start(line: Line, called: Called, inherited: Inherited): Promise<number> {
  const command = itself(commandOf(line, terminal()), called);
  // As clone() sets it for the child: when the process ends that has started this one, all of it does.
  if (line.set.has('die-with-parent')) {
    perform(record((c) => void c.prctl(constants.PR_SET_PDEATHSIG, 9)));
    // It may have ended while Node started.
    if (process.ppid !== inherited.parent) process.kill(process.pid, 'SIGKILL');
  }
  try {
    const child = await clone(command.command, command.args, optionsOf(command, line, inherited));
    await command.attend?.(child);
    return await bwrapExitCode(child);
  } catch (error) {
    throw (error as SyscallError).syscall === undefined ? error : refusal(command.messageOf(error as SyscallError));
  }
}

/** @returns what `run` does; what is wrong is told, and warned of before that */
async function told(
  run: (line: Line) => Promise<number>,
  argv: readonly string[],
  { descriptors }: Inherited,
): Promise<number> {
  const warnings: string[] = [];
  let line: Line | undefined;
  // Where it was asked for, before whatever it would be about.
  const prefixed = (level: number): string => (argv.includes('--level-prefix') ? `<${level}>` : '');
  let problem: string | undefined;
  let code = 1;
  try {
    line = readLine(argv, warnings, descriptors);
    warnings.splice(0).forEach((warning) => writeSync(2, `${prefixed(4)}bwrap: ${warning}\n`));
    code = await run(line);
  } catch (error) {
    problem = (error as Error).message;
    if (!isRefusal(error) && process.env['NODE_DEBUG'] !== undefined) problem = String((error as Error).stack);
  }
  warnings.forEach((warning) => writeSync(2, `${prefixed(4)}bwrap: ${warning}\n`));
  if (problem !== undefined) writeSync(2, `${prefixed(3)}bwrap: ${problem}\n`);
  return code;
}

/** Shows what a line would do, and does nothing. @returns the exit code */
export async function planBwrap(argv: readonly string[]): Promise<number> {
  const inherited = takeInherited();
  const show = (line: Line): Promise<number> => {
    writeSync(1, planOf(commandOf(line, terminal())));
    return Promise.resolve(0);
  };
  return told(show, argv, inherited);
}

/** @returns the exit code */
export async function runBwrap(argv: readonly string[], called: Called): Promise<number> {
  const inherited = takeInherited();
  if (argv.length === 0) return misused(called);
  const run = async (line: Line): Promise<number> => {
    if (line.asksFor === 'help') writeSync(1, usage(called.name));
    if (line.asksFor === 'version') writeSync(1, `bubblewrap ${version} (nsclone)\n`);
    if (line.asksFor !== undefined) return 0;
    try {
      return await start(line, called, inherited);
    } catch (error) {
      if (isRefusal(error) && error.message === lacksCommand) return misused(called);
      throw error;
    }
  };
  return told(run, argv, inherited);
}
