// What fork() does: Node is started with a module, and with a channel for messages.
import type { ClonedProcess } from '../../types/child';
import { optionNames } from '../assembly/assemble';
import { channelEntry } from '../assembly/stdio-source';
import { array, boolean, integer, oneOf, path, plainObject, string } from '../check';
import { invalidArgType, refusedOption, unavailableIn, unknownOption } from '../errors/argument-error';
import { nearest } from '../errors/nearest';
import { takesArguments } from '../plan';
import { runtime } from '../runtime';
import { channelOver } from './channel';
import { Child } from './child';
import { codecOf, type Serialization } from './messages';
import { startCommand } from './start';

const ownNames = ['execArgv', 'execPath', 'maxMessageSize', 'serialization', 'silent'] as const;

/** In bytes. A message becomes some twenty times as much in memory where it is a list of empty ones. */
const defaultMost = 16 * 1024 * 1024;

/** What tells Node in the child of its end. */
const numberName = 'NODE_CHANNEL_FD';
const modeName = 'NODE_CHANNEL_SERIALIZATION_MODE';

interface Fork {
  readonly execPath: string;
  /** What stands behind it. */
  readonly args: readonly string[];
  readonly options: object;
  readonly serialization: Serialization;
  readonly most: number;
}

/** @throws ArgumentError, SyscallError */
export function startForked(modulePath: unknown, args: unknown, options: unknown): Promise<ClonedProcess> {
  const fork = takesArguments(args, options) ? check(modulePath, args, options) : check(modulePath, undefined, args);
  return startCommand(fork.execPath, fork.args, fork.options).then((child) => {
    Child.connect(child, (scope, descriptor) =>
      channelOver(child, scope, descriptor, codecOf(fork.serialization, fork.most)),
    );
    return child;
  });
}

function check(modulePath: unknown, args: unknown, options: unknown): Fork {
  const file = path(modulePath, 'modulePath argument');
  const line = strings(args ?? [], 'args');
  const given = options ?? {};
  if (typeof given !== 'object') throw invalidArgType('options argument', 'of type object', given);
  const { execPath, execArgv, serialization, silent, maxMessageSize, ...rest } = plainObject(given, 'options argument');
  refuseMisspelt(rest);
  const mode = oneOf(serialization ?? 'json', 'serialization', ['json', 'advanced']);
  if (mode === 'advanced' && runtime === 'Bun')
    throw unavailableIn(
      runtime,
      "fork() with the serialization 'advanced'",
      "its node:v8 has another format; use 'json'",
    );
  const stdio = stdioOf(rest, silent === undefined ? undefined : boolean(silent, 'silent'));
  return {
    execPath: execPath === undefined ? process.execPath : string(execPath, 'execPath', { nonEmpty: true }),
    args: [...(execArgv === undefined ? ownExecArgv() : strings(execArgv, 'execArgv')), file, ...line],
    options: { ...rest, stdio, env: environment(rest['env'], stdio.indexOf(channelEntry), mode) },
    serialization: mode,
    most: integer(maxMessageSize ?? defaultMost, 'maxMessageSize', 1, 0x7fffffff),
  };
}

function strings(value: unknown, name: string): string[] {
  const given = array(value, name === 'args' ? 'args argument' : name);
  return Array.from(given, (one, index) => string(one, `${name}[${index}]`));
}

/** What is near to a name that clone() does not know. */
function refuseMisspelt(options: object): void {
  for (const name of Object.keys(options)) {
    if (!optionNames.includes(name) && nearest(name, ownNames) !== undefined) throw unknownOption(name, name, ownNames);
  }
}

/** Those of our Node, but for a script of its command line: the child's is the module. */
function ownExecArgv(): string[] {
  const { execArgv, _eval: script } = process as NodeJS.Process & { _eval?: string };
  const kept: string[] = [];
  for (let index = 0; index < execArgv.length; index++) {
    const option = execArgv[index]!;
    if (/^(?:-e|-p|-pe|--eval|--print)$/.test(option)) {
      // In a Worker the script is not known.
      const next = execArgv[index + 1];
      if (next !== undefined && (next === script || !next.startsWith('-'))) index++;
    } else if (!/^--(?:eval|print)=/.test(option)) {
      kept.push(option);
    }
  }
  return kept;
}

/** The descriptors of the child, with what stands for the channel in one place. */
function stdioOf({ stdio, pty }: { stdio?: unknown; pty?: unknown }, silent: boolean | undefined): unknown[] {
  if (pty !== undefined && pty !== false) {
    if (stdio !== undefined) throw refusedOption('pty', 'takes the place of stdio 0 to 2, so stdio cannot be given');
    if (silent === true) throw refusedOption('silent', 'asks for pipes, whose place pty takes');
    return ['pipe', 'pipe', 'pipe', channelEntry];
  }
  return entriesOf(stdio ?? (silent === true ? 'pipe' : 'inherit'));
}

function entriesOf(stdio: unknown): unknown[] {
  if (typeof stdio === 'string') {
    const word = oneOf(stdio, 'stdio', ['pipe', 'overlapped', 'inherit', 'ignore']);
    return [word, word, word, channelEntry];
  }
  if (!Array.isArray(stdio)) throw invalidArgType('stdio', 'of type string or an instance of Array', stdio);
  const entries: unknown[] = Array.from(stdio);
  const index = entries.indexOf('ipc');
  if (index < 0) throw refusedOption('stdio', "must have an entry 'ipc', which is the channel for messages");
  if (entries.lastIndexOf('ipc') !== index) throw refusedOption('stdio', "can have one entry 'ipc' only");
  entries[index] = channelEntry;
  return entries;
}

function environment(env: unknown, number: number, mode: Serialization): unknown {
  // Refused with the reason, where all environments are checked.
  if (env === null || (env !== undefined && (typeof env !== 'object' || Array.isArray(env)))) return env;
  const variables: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  // Inherited ones too, as child_process has it.
  for (const name in env ?? process.env) variables[name] = ((env ?? process.env) as Record<string, unknown>)[name];
  for (const [name, value] of [
    [numberName, String(number)],
    [modeName, mode],
  ] as const) {
    if (env !== undefined && variables[name] !== undefined)
      throw refusedOption(`env.${name}`, 'cannot be given: fork() tells the child by it where the channel is');
    variables[name] = value;
  }
  return variables;
}
