// `nsclone/bwrap`: a command line of bubblewrap as options of clone().
import { existsSync, readlinkSync, statSync } from 'node:fs';
import { constants as system } from 'node:os';
import { posix } from 'node:path';

import type { ClonedProcess, CloneOptions, ExitStatus, SyscallError } from '../../lib/index';
import { readContents, readLine } from './arguments';
import type { Line } from './line';
import { firstIds, identityOf, namespacesOf } from './namespaces';
import { firstMissing, type Made, mountsOf, type Operation, pathOutside } from './operations';
import { attendance, holdsOf, lockFiles } from './status';
import { entryOf, exitCode, messageOf, refusal } from './words';

/** What a command line of bubblewrap asks for. */
export interface BwrapCommand {
  /** For `clone(command, args, options)`. */
  readonly command: string;
  readonly args: string[];
  /** `stdio` is not among them: it is yours. */
  readonly options: Omit<CloneOptions, 'pty' | 'stdio'>;
  /** What bubblewrap would warn of. */
  readonly warnings: readonly string[];
  /**
   * There where the line has `--info-fd`, `--json-status-fd`, `--block-fd` or `--userns-block-fd`, for which `options.hold` stops the
   * set-up: call it with the child. It writes the reports, waits, and starts the command. With `--json-status-fd` it resolves when
   * the command has ended.
   * @throws SyscallError of `child.start()`
   */
  readonly attend?: (child: ClonedProcess) => Promise<void>;
  /** Descriptors that were opened for `--lock-file`, which hold the locks. Close them when the child has ended. */
  readonly locks: readonly number[];
  /** What bubblewrap says where the kernel refuses this: `Can't find source path /nowhere: No such file or directory`. */
  messageOf(error: SyscallError): string;
}

/** Where the command starts, as far as it is there: our folder, HOME, the root. */
function foldersToStartIn({ env }: Line): string[] {
  const home = env['HOME'] ?? '';
  const folders = [...(home === '' ? [] : [home]), '/'];
  try {
    return [process.cwd(), ...folders];
  } catch {
    // It was removed.
    return folders;
  }
}

/** Of a link that says something else: what it says, where that can be seen from outside. */
function linkInTheWay(
  { code }: SyscallError,
  entry: Made | undefined,
  operations: readonly Operation[],
): string | undefined {
  if (entry?.type !== 'symlink' || code !== 'EEXIST') return undefined;
  const path = pathOutside(entry.target, operations);
  try {
    return path && `Can't make symlink at ${entry.operation.dest}: existing destination is ${readlinkSync(path)}`;
  } catch {
    return `Can't make symlink at ${entry.operation.dest}: destination exists and is not a symlink`;
  }
}

function isOutside(path: string, operations: readonly Operation[]): boolean {
  const outside = pathOutside(path, operations);
  return outside !== undefined && existsSync(outside);
}

function isFolderOutside({ source = '' }: Operation): boolean {
  return statSync(source, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Of a signal by its name, as `exited` has it: 'SIGTERM', 'SIGRTMIN+1', 'SIGRTMAX', 'SIG32'. */
function numberOf(signal: string): number {
  const [, first, more = '0'] = /^SIG(RTMIN|RTMAX|\d+)(?:\+(\d+))?$/.exec(signal) ?? [];
  // As libc has them, see signal(7).
  const begins = first === 'RTMIN' ? 34 : first === 'RTMAX' ? 64 : Number(first);
  return first === undefined ? (system.signals[signal as NodeJS.Signals] ?? 0) : begins + Number(more);
}

/**
 * The exit code of bubblewrap for a child that has ended, or for the result of `run()`: 128 and the signal's number for one that was
 * killed.
 */
export async function bwrapExitCode(child: ClonedProcess | Pick<ExitStatus, 'code' | 'signal'>): Promise<number> {
  const { code, signal } = 'exited' in child ? await child.exited : child;
  return exitCode(code, signal === null ? 0 : numberOf(signal));
}

/** @internal What a line that has been read comes to; `terminal` is what its --dev has as console. */
export function commandOf(line: Line, terminal?: string): BwrapCommand {
  const identity = identityOf(line);
  readContents(line);
  const [command = '', ...args] = line.command;
  const { texts, operations, descriptors } = line;
  const { root, mounts, made, top } = mountsOf(operations, {
    ownPids: line.unshare.has('pid') || descriptors.has('pidns'),
    isRoot: line.uid === 0 && (!identity.newUser || firstIds(line, identity).uid === 0),
    terminal,
  });
  const own = namespacesOf(line, identity);
  const folder = texts.get('chdir');
  const cwd = folder !== undefined ? posix.resolve('/', folder) : foldersToStartIn(line);
  const argv0 = texts.get('argv0');
  const locks = lockFiles(line);
  const sync = descriptors.get('sync-fd');
  const keep = [...locks, ...(sync === undefined ? [] : [sync])];
  const attend = attendance(line, bwrapExitCode);
  return {
    command,
    args,
    options: {
      ...own,
      propagation: 'slave',
      root,
      ...(mounts.length > 0 && { mounts }),
      ...(typeof own.init === 'object' && keep.length > 0 && { init: { ...own.init, keep } }),
      cwd,
      env: folder === undefined ? line.env : { ...line.env, PWD: folder },
      ...(argv0 !== undefined && { argv0 }),
      ...holdsOf(line),
    },
    warnings: line.warnings,
    ...(attend !== undefined && { attend }),
    locks,
    messageOf(error) {
      const entry = error.option === 'root' ? top : made[entryOf(error)];
      const missing = firstMissing(operations);
      if (missing !== undefined) return missing;
      const lacksParents =
        entry !== undefined && !isOutside(posix.dirname(posix.resolve('/', entry.operation.dest)), operations);
      const isFolder = entry !== undefined && isFolderOutside(entry.operation);
      return (
        linkInTheWay(error, entry, operations) ?? messageOf(error, { entry, lacksParents, isFolder, command, folder })
      );
    },
  };
}

/**
 * Reads a command line of bubblewrap, as of 0.11, without `bwrap` itself: `fromBwrap(['--ro-bind', '/', '/', 'ls'])`. What is read from
 * descriptors (`--args`, `--file`, `--bind-data`, filters) is read now. An ordinary user gets a new user namespace, root does where the
 * line says so.
 * @throws TypeError ERR_INVALID_ARG_VALUE, whose message is what bubblewrap says
 */
export function fromBwrap(argv: readonly string[]): BwrapCommand {
  if (!Array.isArray(argv) || argv.some((word) => typeof word !== 'string'))
    throw refusal('The command line has to be an array of its words');
  const line = readLine(argv, []);
  if (line.asksFor !== undefined) throw refusal(`--${line.asksFor} starts nothing`);
  return commandOf(line);
}
