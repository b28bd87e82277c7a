// The grammar of bubblewrap's arguments: every option, what it takes, and what is said where it takes something else.
import { existsSync, readFileSync } from 'node:fs';

import type { CapabilityName } from '../../lib/index';
import { allCapabilities, capabilityOf, ownCapabilities } from './capabilities';
import type { Operation, OperationKind } from './operations';
import { refusal, refusalOf } from './words';

/** What takes a descriptor, once each. */
export type DescriptorName =
  | 'sync-fd'
  | 'block-fd'
  | 'userns-block-fd'
  | 'info-fd'
  | 'json-status-fd'
  | 'seccomp'
  | 'userns'
  | 'userns2'
  | 'pidns';

export type Shared = 'user' | 'ipc' | 'pid' | 'net' | 'uts' | 'cgroup' | 'user-try' | 'cgroup-try';

/** What a line has asked for. What it changes is only looked at where it does not leave it behind. */
export class Line {
  readonly operations: Operation[] = [];
  readonly unshare = new Set<Shared>();
  /** Options that are there or not: 'new-session'. */
  readonly set = new Set<string>();
  /** Options of which the last counts: 'chdir'. */
  readonly texts = new Map<string, string>();
  readonly ids = new Map<'uid' | 'gid', number>();
  readonly descriptors = new Map<DescriptorName, number>();
  /** What the command does not get of the descriptors that were handed over. */
  readonly used = new Set<number>();
  /** What has been read, and is closed for bubblewrap. */
  readonly spent = new Set<number>();
  readonly filters: Uint8Array[] = [];
  readonly locks: string[] = [];
  /** Our own ids. */
  readonly uid = process.getuid!();
  readonly gid = process.getgid!();
  readonly warnings: string[];
  /** The descriptors above 2 that were handed over; undefined where all that are open were. */
  readonly handed: readonly number[] | undefined;
  changesCapabilities = false;
  /** Whether the usage or the version was asked for in the place of all else. */
  asksFor: 'help' | 'version' | undefined;
  /** The command and its arguments. */
  command: readonly string[] = [];
  #env: Record<string, string> | undefined;
  #capabilities: Set<CapabilityName> | undefined;

  constructor(warnings: string[], handed: readonly number[] | undefined) {
    this.warnings = warnings;
    this.handed = handed;
  }

  get env(): Record<string, string> {
    return (this.#env ??= { ...process.env } as Record<string, string>);
  }

  set env(env: Record<string, string>) {
    this.#env = env;
  }

  /** What root has is kept, where nothing is said of it; others have nothing. */
  get capabilities(): Set<CapabilityName> {
    return (this.#capabilities ??= this.uid === 0 ? ownCapabilities() : new Set());
  }

  set capabilities(names: Set<CapabilityName>) {
    this.#capabilities = names;
  }
}

/** What the next option that makes something gets. */
interface Pending {
  mode: number | undefined;
  size: string | undefined;
  readonly layers: string[];
}

interface Reader {
  readonly line: Line;
  readonly pending: Pending;
  readonly inFile: boolean;
  /** How many arguments there have been in all. */
  readonly total: { count: number };
  /** The option, with its dashes. */
  readonly option: string;
}

interface Option {
  /** The names of its values, as the help has them. */
  readonly values: string;
  readonly help: string;
  /** How the missing of one is told, where it is not the usual way. */
  readonly lacking?: string;
  read(values: readonly string[], reader: Reader): void;
}

const mostArguments = 9000;
/** __NEW_UTS_LEN of the kernel. */
const longestHostname = 64;
/** BPF_MAXINSNS of the kernel. */
const mostInstructions = 4096;
const noFilter =
  'Unable to set up system call filtering as requested: prctl(PR_SET_SECCOMP) reported EINVAL. ' +
  '(Hint: this requires a kernel configured with CONFIG_SECCOMP and CONFIG_SECCOMP_FILTER.)';
/** Half of the address space. */
const mostBytes = 2n ** 63n - 1n;

function number(text: string, what: string): number {
  const value = /^\s*[+-]?\d+$/.test(text) ? Number(text) | 0 : -1;
  if (value < 0) throw refusal(`Invalid ${what}: ${text}`);
  return value;
}

/** One that nobody has. */
const closed = 2 ** 31 - 1;

/** What is open under the number of one that was not handed over is Node's. */
function descriptorOf(text: string, { handed }: Line): number {
  const given = number(text, 'fd');
  return given > 2 && handed?.includes(given) === false ? closed : given;
}

function octal(text: string, option: string): number {
  const value = /^\s*\+?[0-7]+$/.test(text) ? Number.parseInt(text.trim().replace('+', ''), 8) : -1;
  if (value < 0 || value > 0o7777) throw refusal(`${option} takes an octal argument <= 07777`);
  return value;
}

function size(text: string): string {
  const isOctal = /^0[0-7]+$/.test(text);
  const value = isOctal || /^(0x[\da-f]+|[1-9]\d*)$/i.test(text) ? BigInt(isOctal ? `0o${text}` : text) : 0n;
  if (value === 0n || value >= 2n ** 64n) throw refusal('--size takes a non-zero number of bytes');
  if (value > mostBytes) throw refusal(`--size (for tmpfs) is limited to ${mostBytes}`);
  return String(value);
}

function contentOf(descriptor: number, what: string, { used, spent }: Line): Uint8Array {
  if (spent.has(descriptor)) throw refusal(`${what}: Bad file descriptor`);
  used.add(descriptor);
  spent.add(descriptor);
  try {
    return readFileSync(descriptor);
  } catch (error) {
    throw refusalOf(what, error);
  }
}

function filterOf(descriptor: number, line: Line): Uint8Array {
  const filter = contentOf(descriptor, "Can't read seccomp data", line);
  if (filter.length % 8 !== 0) throw refusal('Invalid seccomp data, must be multiple of 8');
  if (filter.length === 0 || filter.length / 8 > mostInstructions) throw refusal(noFilter);
  return filter;
}

function warnOfSecond({ line, option }: Reader, isSecond: boolean): void {
  if (isSecond) line.warnings.push(`Only the last ${option} option will take effect`);
}

const flag = (help: string): Option => ({
  values: '',
  help,
  read: (_, { line, option }) => void line.set.add(option.slice(2)),
});

const shares = (help: string, ...kinds: Shared[]): Option => ({
  values: '',
  help,
  read: (_, { line }) => kinds.forEach((kind) => line.unshare.add(kind)),
});

const text = (values: string, help: string, lacking?: string): Option => ({
  values,
  help,
  ...(lacking !== undefined && { lacking }),
  read([value], reader) {
    const name = reader.option.slice(2);
    warnOfSecond(reader, reader.line.texts.has(name));
    reader.line.texts.set(name, value!);
  },
});

const descriptor = (help: string, isKept = false): Option => ({
  values: 'FD',
  help,
  read([value], reader) {
    const { line, option } = reader;
    const name = option.slice(2) as DescriptorName;
    warnOfSecond(reader, line.descriptors.has(name));
    const given = descriptorOf(value!, line);
    line.descriptors.set(name, given);
    if (!isKept) line.used.add(given);
  },
});

const id = (name: 'uid' | 'gid', help: string): Option => ({
  values: name.toUpperCase(),
  help,
  read([value], reader) {
    warnOfSecond(reader, reader.line.ids.has(name));
    reader.line.ids.set(name, number(value!, name));
  },
});

const labelled = (help: string): Option => {
  const option = text('LABEL', help);
  return {
    ...option,
    read(values, reader) {
      if (!existsSync('/sys/fs/selinux/enforce')) throw refusal('labeling not supported on this system');
      option.read(values, reader);
    },
  };
};

const bind = (kind: OperationKind, help: string, optional = false): Option => ({
  values: 'SRC DEST',
  help,
  read: ([source, dest], { line }) => void line.operations.push({ kind, source: source!, dest: dest!, optional }),
});

const bindDescriptor = (kind: OperationKind, help: string): Option => ({
  values: 'FD DEST',
  help,
  lacking: '--bind-fd takes two arguments',
  read([value, dest], { line }) {
    const fd = descriptorOf(value!, line);
    line.used.add(fd);
    line.operations.push({ kind, source: `/proc/self/fd/${fd}`, fd, dest: dest! });
  },
});

/** @param mode undefined for what has none */
const at = (kind: OperationKind, help: string, mode?: number, lacking?: string): Option => ({
  values: 'DEST',
  help,
  ...(lacking !== undefined && { lacking }),
  read([dest], { line, pending }) {
    const own = mode === undefined ? {} : { mode: pending.mode ?? mode };
    line.operations.push({ kind, dest: dest!, ...own, ...(kind === 'tmpfs' && { size: pending.size }) });
    if (mode !== undefined) pending.mode = undefined;
    if (kind === 'tmpfs') pending.size = undefined;
  },
});

const data = (kind: OperationKind, help: string, mode: number): Option => ({
  values: 'FD DEST',
  help,
  read([value, dest], { line, pending }) {
    const fd = descriptorOf(value!, line);
    line.used.add(fd);
    line.operations.push({ kind, fd, dest: dest!, mode: pending.mode ?? mode });
    pending.mode = undefined;
  },
});

function overlay(kind: OperationKind, values: string, help: string, least: 1 | 2): Option {
  return {
    values,
    help,
    read(given, { line, pending, option }) {
      const needed = least === 1 ? 'one' : 'two';
      if (pending.layers.length < least) throw refusal(`${option} requires at least ${needed} --overlay-src`);
      const layers = pending.layers.splice(0).reverse();
      const dest = given.at(-1)!;
      const [upper, work] = given;
      line.operations.push({ kind, dest, layers, ...(given.length === 3 && { source: upper!, work: work! }) });
    },
  };
}

const capability = (help: string, isAdded: boolean): Option => ({
  values: 'CAP',
  help,
  read([value], { line }) {
    line.changesCapabilities = true;
    if (value!.toUpperCase() === 'ALL') {
      line.capabilities = new Set(isAdded ? allCapabilities() : []);
      return;
    }
    const name = capabilityOf(value!);
    if (name === undefined) throw refusal(`unknown cap: ${value}`);
    if (isAdded) line.capabilities.add(name);
    else line.capabilities.delete(name);
  },
});

/** Every option of bubblewrap, in the order of its help. */
export const options: Readonly<Record<string, Option>> = {
  '--help': { values: '', help: 'Print this help', read: (_, { line }) => void (line.asksFor = 'help') },
  '--version': { values: '', help: 'Print the version', read: (_, { line }) => void (line.asksFor = 'version') },
  '--args': {
    values: 'FD',
    help: 'Read more arguments, each with a NUL behind it, from FD',
    read([value], { line, inFile, total, pending }) {
      if (inFile) throw refusal('--args not supported in arguments file');
      const content = contentOf(descriptorOf(value!, line), "Can't read --args data", line);
      const given = Buffer.from(content).toString('utf8').replace(/\0$/, '').split('\0');
      const args = content.length === 0 ? [] : given;
      total.count += args.length;
      // Where the options end in it, so does the file.
      readOptions(args, line, true, total, pending);
    },
  },
  '--argv0': {
    values: 'VALUE',
    help: 'What the command sees as its own name',
    lacking: '--argv0 takes one argument',
    read([value], { line }) {
      if (line.texts.has('argv0')) throw refusal('--argv0 used multiple times');
      line.texts.set('argv0', value!);
    },
  },
  '--level-prefix': flag('Begin messages with their level, <3>'),
  '--unshare-all': shares(
    'All namespaces new, as far as they can be',
    ...(['user-try', 'ipc', 'pid', 'uts', 'cgroup-try', 'net'] as const),
  ),
  '--share-net': { values: '', help: 'But the network', read: (_, { line }) => void line.unshare.delete('net') },
  '--unshare-user': shares('A new user namespace', 'user'),
  '--unshare-user-try': shares('A new user namespace where it can be', 'user-try'),
  '--unshare-ipc': shares('A new ipc namespace', 'ipc'),
  '--unshare-pid': shares('A new pid namespace', 'pid'),
  '--unshare-net': shares('A new network namespace', 'net'),
  '--unshare-uts': shares('A new uts namespace', 'uts'),
  '--unshare-cgroup': shares('A new cgroup namespace', 'cgroup'),
  '--unshare-cgroup-try': shares('A new cgroup namespace where it can be', 'cgroup-try'),
  '--userns': descriptor('Join this user namespace', true),
  '--userns2': descriptor('Join this user namespace when all is set up', true),
  '--disable-userns': flag('No user namespace can be made inside'),
  '--assert-userns-disabled': flag('Fail where a user namespace could be made inside'),
  '--pidns': descriptor('Join this pid namespace', true),
  '--uid': id('uid', 'User id inside'),
  '--gid': id('gid', 'Group id inside'),
  '--hostname': {
    ...text('NAME', 'Host name inside'),
    read(values, reader) {
      const [name] = values;
      if (Buffer.byteLength(name!) > longestHostname) throw refusal(`Can't set hostname to ${name}: Invalid argument`);
      text('', '').read(values, reader);
    },
  },
  '--chdir': text('DIR', 'Working directory inside', '--chdir takes one argument'),
  '--clearenv': { values: '', help: 'Unset all variables', read: (_, { line }) => void (line.env = {}) },
  '--setenv': {
    values: 'VAR VALUE',
    help: 'Set a variable',
    read([name, value], { line }) {
      if (name === '' || name!.includes('=')) throw refusal('setenv failed');
      line.env[name!] = value!;
    },
  },
  '--unsetenv': {
    values: 'VAR',
    help: 'Unset a variable',
    read([name], { line }) {
      if (name === '' || name!.includes('=')) throw refusal('unsetenv failed');
      delete line.env[name!];
    },
  },
  '--lock-file': {
    values: 'DEST',
    help: 'Hold a lock on DEST while the sandbox is there',
    read: ([path], { line }) => void line.locks.push(path!),
  },
  '--sync-fd': descriptor('Hold FD open while the sandbox is there'),
  '--bind': bind('bind', 'SRC of the host on DEST'),
  '--bind-try': bind('bind', 'The same, where SRC is there', true),
  '--dev-bind': bind('dev-bind', 'SRC of the host on DEST, with devices'),
  '--dev-bind-try': bind('dev-bind', 'The same, where SRC is there', true),
  '--ro-bind': bind('ro-bind', 'SRC of the host read-only on DEST'),
  '--ro-bind-try': bind('ro-bind', 'The same, where SRC is there', true),
  '--bind-fd': bindDescriptor('bind', 'An open directory or file on DEST'),
  '--ro-bind-fd': bindDescriptor('ro-bind', 'An open directory or file read-only on DEST'),
  '--remount-ro': at(
    'remount-ro',
    'Make the mount on DEST read-only, not those below',
    undefined,
    '--remount-ro takes one argument',
  ),
  '--overlay-src': {
    values: 'SRC',
    help: 'A layer of the overlay that follows',
    read: ([source], { pending }) => void pending.layers.push(source!),
  },
  '--overlay': overlay('overlay', 'RWSRC WORKDIR DEST', 'An overlay on DEST, whose changes go to RWSRC', 1),
  '--tmp-overlay': overlay('tmp-overlay', 'DEST', 'An overlay on DEST, whose changes end with it', 1),
  '--ro-overlay': overlay('ro-overlay', 'DEST', 'A read-only overlay on DEST', 2),
  '--exec-label': labelled('SELinux label of the command'),
  '--file-label': labelled('SELinux label of what is made'),
  '--proc': at('proc', 'A procfs on DEST'),
  '--dev': at('dev', 'A minimal /dev on DEST'),
  '--tmpfs': at('tmpfs', 'An empty tmpfs on DEST', 0o755),
  '--mqueue': at('mqueue', 'Message queues on DEST'),
  '--dir': at('dir', 'A directory at DEST', 0o755),
  '--file': data('file', 'A file at DEST with what FD has', 0o666),
  '--bind-data': data('bind-data', 'A file mounted on DEST with what FD has', 0o600),
  '--ro-bind-data': data('ro-bind-data', 'The same, read-only', 0o600),
  '--symlink': bind('symlink', 'A link at DEST that says SRC'),
  '--seccomp': {
    ...descriptor('A filter of system calls from FD'),
    read(values, reader) {
      if (reader.line.filters.length > 0) throw refusal('--seccomp cannot be combined with --add-seccomp-fd');
      descriptor('').read(values, reader);
    },
  },
  '--add-seccomp-fd': {
    values: 'FD',
    help: 'The same, of several',
    read([value], { line }) {
      if (line.descriptors.has('seccomp')) throw refusal('--add-seccomp-fd cannot be combined with --seccomp');
      line.filters.push(filterOf(descriptorOf(value!, line), line));
    },
  },
  '--block-fd': descriptor('Wait until FD can be read'),
  '--userns-block-fd': descriptor('Wait with the user namespace until FD can be read'),
  '--info-fd': descriptor('Tell of the sandbox on FD'),
  '--json-status-fd': descriptor('Tell of the sandbox and its end on FD, each as JSON'),
  '--new-session': flag('A session of its own'),
  '--die-with-parent': flag('End with the process that started it'),
  '--as-pid-1': flag('The command is pid 1 itself'),
  '--cap-add': capability('Keep a capability', true),
  '--cap-drop': capability('Drop a capability', false),
  '--perms': {
    values: 'OCTAL',
    help: 'Permissions of what the next option makes',
    read([value], { pending, option }) {
      if (pending.mode !== undefined) throw refusal('--perms given twice for the same action');
      pending.mode = octal(value!, option);
    },
  },
  '--size': {
    values: 'BYTES',
    help: 'Size of the next --tmpfs',
    read([value], { pending }) {
      if (pending.size !== undefined) throw refusal('--size given twice for the same action');
      pending.size = size(value!);
    },
  },
  '--chmod': {
    values: 'OCTAL PATH',
    help: 'Change the permissions of PATH',
    read([value, dest], { line, option }) {
      line.operations.push({ kind: 'chmod', dest: dest!, mode: octal(value!, option) });
    },
  },
};

const modifiers = ['--perms', '--size'];
const counted = ['', 'an argument', 'two arguments', 'three arguments'];
const afterLayers =
  '--overlay-src must be followed by another --overlay-src or one of --overlay, --tmp-overlay, or --ro-overlay';

/** What was to come did not. */
function refusePending(option: string, { mode, size: bytes, layers }: Pending): void {
  if (!modifiers.includes(option)) {
    if (mode !== undefined) throw refusal('--perms must be followed by an option that creates a file');
    if (bytes !== undefined) throw refusal('--size must be followed by --tmpfs');
  }
  if (option !== '--overlay-src' && layers.length > 0) throw refusal(afterLayers);
}

/** @returns what follows the options */
function readOptions(
  argv: readonly string[],
  line: Line,
  inFile: boolean,
  total: { count: number },
  pending: Pending,
): readonly string[] {
  if (total.count > mostArguments) throw refusal(`Exceeded maximum number of arguments ${mostArguments}`);
  let at = 0;
  while (at < argv.length && line.asksFor === undefined) {
    const name = argv[at]!;
    if (name === '--') return argv.slice(at + 1);
    if (!name.startsWith('-')) break;
    const option = Object.hasOwn(options, name) ? options[name]! : undefined;
    if (option === undefined) throw refusal(`Unknown option ${name}`);
    const count = option.values === '' ? 0 : option.values.split(' ').length;
    const values = argv.slice(at + 1, at + 1 + count);
    if (values.length < count) {
      throw refusal(name === '--overlay-src' ? afterLayers : (option.lacking ?? `${name} takes ${counted[count]}`));
    }
    // What Node has made of other bytes is the name of something else.
    if (values.some((value) => value.includes('\ufffd'))) throw refusal(`${name} takes UTF-8`);
    option.read(values, { line, pending, inFile, total, option: name });
    if (line.asksFor === undefined) refusePending(name, pending);
    at += count + 1;
  }
  return argv.slice(at);
}

/**
 * Reads a line, and what those descriptors hold that are read with it: `--args`, `--add-seccomp-fd`.
 * @throws TypeError ERR_INVALID_ARG_VALUE
 */
export function readLine(argv: readonly string[], warnings: string[], handed?: readonly number[]): Line {
  const line = new Line(warnings, handed);
  const pending: Pending = { mode: undefined, size: undefined, layers: [] };
  line.command = readOptions(argv, line, false, { count: argv.length }, pending);
  if (line.asksFor !== undefined) return line;
  if (pending.layers.length > 0) throw refusal(afterLayers);
  return line;
}

/** Reads what the files that the line makes are to have, and its filter. */
export function readContents(line: Line): void {
  for (const operation of line.operations) {
    if (operation.fd === undefined || operation.mode === undefined) continue;
    operation.content = contentOf(operation.fd, `Can't write data to file ${operation.dest}`, line);
  }
  const single = line.descriptors.get('seccomp');
  if (single !== undefined) line.filters.push(filterOf(single, line));
}

/** `--help`. */
export function usage(name: string): string {
  const rows = Object.entries(options).map(([option, { values, help }]): [string, string] => [
    `${option} ${values}`,
    help,
  ]);
  const width = Math.max(...rows.map(([left]) => left.length));
  const list = rows.map(([left, help]) => `    ${left.padEnd(width)} ${help}\n`);
  return `usage: ${name} [OPTIONS...] [--] COMMAND [ARGS...]\n\n${list.join('')}`;
}
