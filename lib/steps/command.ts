// Step `command`: the last look at the parent, then the exec, along PATH where the command has no slash.
import { resolve } from 'node:path';
import { isMap } from 'node:util/types';

import { string } from '../check';
import { invalidArgType, invalidArgValue } from '../errors/argument-error';
import { constants } from '../kernel/constants';
import { ownVariables } from '../own-environment';
import type { Place, Writer } from '../program/writer';
import * as call from '../assembly/calls';
import type { Request } from '../assembly/request';
import type { Step } from '../assembly/step';
import { withoutFolder } from './first-folder';
import { whyFileNotExecuted } from './why-file-not-executed';
import { whyMissing, whyNotExecutedBy } from './why-not-executed';

const { AT_EMPTY_PATH } = constants;

/** What execvp(3) searches where there is no PATH. */
const defaultPath = '/bin:/usr/bin';
const shell = '/bin/sh';
/** A candidate that is not there, or not to be had, as execvp(3) sees it. */
const elsewhere = ['ENOENT', 'ENOTDIR', 'ESTALE', 'ENODEV', 'ETIMEDOUT'];

/** `NAME=value` for each variable that has a value. */
export function checkEnvironment(value: unknown): string[] {
  // Of a map nothing would be found.
  if (typeof value !== 'object' || value === null || Array.isArray(value) || isMap(value))
    throw invalidArgType('env', 'of type object', value);
  const variables: string[] = [];
  // Inherited ones too, as child_process has it: process.env itself is an object with a prototype.
  for (const name in value) {
    const text = (value as Record<string, unknown>)[name];
    if (text === undefined) continue;
    if (name === '' || name.includes('='))
      throw invalidArgValue('env', name, "must have names that are not empty and have no '='");
    variables.push(`${string(name, 'env')}=${string(textOf(text, `env.${name}`), `env.${name}`)}`);
  }
  return variables;
}

function textOf(value: unknown, option: string): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw invalidArgType(option, 'of type string', value);
}

function pathOf(variables: readonly string[]): string | undefined {
  return variables.find((variable) => variable.startsWith('PATH='))?.slice('PATH='.length);
}

/** The files to try in turn. */
function candidates(request: Request): string[] {
  const { command } = request;
  if (command.includes('/')) return [command];
  const path = pathOf(request.env!) ?? defaultPath;
  // An empty entry is the working directory, and the file then has no folder in its name.
  return [...new Set(path.split(':'))].map((folder) => (folder === '' ? command : `${folder}/${command}`));
}

/** Of whoever looks: what is here executed by this name would be the stub, which has taken our place by then. */
const ownExecutable = /^\/proc\/(?:thread-)?self\/(?:task\/\d+\/)?exe$/;

function refuseOwnExecutable({ command, files, cwd, cwds }: Request): void {
  if (!command.endsWith('exe')) return;
  const folders = cwds.length > 0 ? cwds : [cwd ?? ''];
  if (!files.some((file) => folders.some((folder) => ownExecutable.test(resolve(folder, file))))) return;
  const reason = 'must not be what /proc calls our own executable: in the child that is the program which sets it up';
  throw invalidArgValue('command argument', command, `${reason}; Node is process.execPath`);
}

/**
 * execvp(3) as a line that only goes forward. Three blocks: the candidates as long as none was forbidden, which end in
 * ENOENT; the same once one was, which end in EACCES; and a shell for each candidate that has no format the kernel knows.
 */
function execute(
  writer: Writer,
  files: readonly string[],
  scripts: (file: Place) => Place,
  argv: Place,
  env: Place,
): void {
  const execve = (file: Place, args: Place): void => {
    writer.add(call.execve, file, args, env);
  };
  const n = files.length;
  const texts = files.map((file) => writer.addText(file));
  const forbidden = n + 1;
  const asScript = n === 1 ? 1 : 2 * n + 1;
  const attempt = (i: number, at: number, next: number, denied: number): void => {
    execve(texts[i]!, argv);
    writer.skip('ENOEXEC', asScript + i - at - 1);
    if (n === 1) return;
    for (const errno of elsewhere) writer.skip(errno, next - at - 1);
    writer.skip('EACCES', denied - at - 1);
  };
  for (let i = 0; i < n; i++) attempt(i, i, i + 1, forbidden + i);
  if (n > 1) {
    writer.fail('ENOENT');
    for (let i = 1; i < n; i++) attempt(i, forbidden + i - 1, forbidden + i, forbidden + i);
    writer.fail('EACCES');
  }
  const interpreter = writer.addText(shell);
  for (let i = 0; i < n; i++) execve(interpreter, scripts(texts[i]!));
}

function addEnvironment(writer: Writer, { env: variables, ownEnvironment, folderVariable }: Request): Place {
  const texts = (all: readonly string[]): Place[] => all.map((variable) => writer.addText(variable));
  if (folderVariable !== undefined) return writer.addPointers([...texts(withoutFolder(variables!)), folderVariable]);
  return ownEnvironment === undefined ? writer.addPointers(texts(variables!)) : writer.addStrings(ownEnvironment.block);
}

function whyRestricted({ landlock }: Request): string | undefined {
  return landlock?.rules === undefined
    ? undefined
    : 'the rules of the option landlock must allow to execute it, and what it names as its interpreter';
}

export const command: Step = {
  name: 'command',
  options: ['env', 'argv0'],
  after: {
    seccomp: 'the filter is for the program',
    landlock: 'the ruleset is for the program',
    stdio: 'the program finds its descriptors in place',
    'signal mask': 'the program starts with no signal blocked',
    'command file': 'it is what is executed',
    closeFds: 'the exec is what closes them',
    cwd: 'a relative command starts at the working directory',
  },

  check(given, request) {
    if (given.env !== undefined) {
      request.env = checkEnvironment(given.env);
      request.ownEnvironment = undefined;
    }
    if (given.argv0 !== undefined) request.argv0 = string(given.argv0, 'argv0');
  },

  settle(request) {
    if (request.env === undefined) {
      const own = ownVariables();
      request.facts.push(own);
      request.env = own.values;
      request.ownEnvironment = own;
    }
    if (request.commandFd !== undefined) return;
    request.files = candidates(request);
    refuseOwnExecutable(request);
  },

  emit(writer, request) {
    writer.about(this.name).subject(request.command);
    const args = request.args.map((argument) => writer.addText(argument));
    const argv = writer.addPointers([writer.addText(request.argv0 ?? request.command), ...args]);
    const env = addEnvironment(writer, request);
    const file = request.untilExec.get('command');
    if (request.commandFd !== undefined && file !== undefined) {
      writer.about(this.name, 'commandFd').subject(request.command);
      writer.add(call.execveatOf, file, writer.addText(''), argv, env, AT_EMPTY_PATH);
      return;
    }
    let name: Place | undefined;
    const scripts = (file: Place): Place => writer.addPointers([(name ??= writer.addText(shell)), file, ...args]);
    execute(writer, request.files, scripts, argv, env);
  },

  hint(code, _label, request, syscall) {
    if (code === 'ENOSYS' && request.listener !== undefined)
      return `who supervises it has gone without an answer, or a filter of the option seccomp must allow ${syscall}`;
    if (code === 'ENOSYS' && request.seccomp.length > 0)
      return `the filter of the option seccomp must allow ${syscall}`;
    if (request.commandFd !== undefined && code !== 'E2BIG') return whyFileNotExecuted(code, request);
    if (code === 'ENOENT') return whyMissing(request);
    if (code === 'EACCES') return whyNotExecutedBy(request) ?? whyRestricted(request);
    if (code === 'ETXTBSY') return 'somebody has the file open for writing';
    if (code === 'E2BIG')
      return 'arguments and environment are too large; see execve(2), RLIMIT_STACK and the limit of 128 KiB for one';
    return undefined;
  },
};
