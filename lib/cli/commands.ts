// The commands of `nsclone`, by name, and how a line is read. Another command is one more entry of the table.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { printable } from '../errors/printable';
import { bwrap } from './bwrap';
import type { Command, Output, RawCommand } from './command';
import { doctor } from './doctor';
import { plan } from './plan';

const commands: Readonly<Record<string, Command | RawCommand>> = { doctor, plan, bwrap };

/** The one that a line is for, where that reads it by itself. */
export function rawCommand(name: string | undefined): RawCommand | undefined {
  const command = name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined;
  return command === undefined || 'options' in command ? undefined : command;
}

/** What was asked for is not known. */
const misused = 2;

function help(): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length));
  const list = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return `Usage: nsclone COMMAND [OPTION…]\n\n${list.join('\n')}\n\nnsclone COMMAND --help tells more.\n`;
}

function version(): string {
  const { version: ours } = JSON.parse(readFileSync(join(__dirname, '../../package.json'), 'utf8')) as {
    version: string;
  };
  return `nsclone ${ours}\n`;
}

function refuse(problems: Output, name: string, problem: string): number {
  problems.write(`${name}: ${printable(problem)}; see ${name} --help\n`);
  return misused;
}

/** @returns the exit code: 2 for what is not known */
export async function execute(argv: readonly string[], output: Output, problems: Output): Promise<number> {
  const [name, ...args] = argv;
  if (name === undefined) return refuse(problems, 'nsclone', 'a command is missing');
  if (name === '--help' || name === '-h' || name === 'help') {
    output.write(help());
    return 0;
  }
  if (name === '--version') {
    output.write(version());
    return 0;
  }
  if (!Object.hasOwn(commands, name)) {
    const kind = name.startsWith('-') ? 'option' : 'command';
    return refuse(problems, 'nsclone', `there is no ${kind} '${name}'`);
  }
  const command = commands[name]!;
  if (!('options' in command)) return command.run(args, `nsclone ${name}`);
  const { allowPositionals } = command;
  const options = { ...command.options, help: { type: 'boolean', short: 'h' } } as const;
  let read;
  try {
    read = parseArgs({ args, options, allowPositionals, strict: true });
  } catch (error) {
    return refuse(problems, `nsclone ${name}`, (error as Error).message);
  }
  if (read.values['help'] === true) {
    output.write(command.help);
    return 0;
  }
  try {
    return await command.run(read.values, read.positionals, output);
  } catch (error) {
    problems.write(`nsclone ${name}: ${printable((error as Error).message)}\n`);
    return 1;
  }
}
