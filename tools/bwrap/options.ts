// Every option of bubblewrap: what it takes, and what it asks for.
import { existsSync } from 'node:fs';

import { allCapabilities, capabilityOf } from './capabilities';
import type { DescriptorName, Line, Shared } from './line';
import type { OperationKind } from './operations';
import { contentOf, descriptorOf, filterOf, number, octal, size } from './values';
import { refusal } from './words';

/** __NEW_UTS_LEN of the kernel. */
const longestHostname = 64;

/** What the next option that makes something gets. */
export interface Pending {
  mode: number | undefined;
  size: string | undefined;
  readonly layers: string[];
}

export interface Reader {
  readonly line: Line;
  readonly pending: Pending;
  /** Reads the arguments of a file. Undefined in one. */
  readonly readMore: ((args: readonly string[]) => void) | undefined;
  /** The option, with its dashes. */
  readonly option: string;
}

export interface Option {
  /** The names of its values, as the help has them. */
  readonly values: string;
  readonly help: string;
  /** How the missing of one is told, where it is not the usual way. */
  readonly lacking?: string;
  read(values: readonly string[], reader: Reader): void;
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
    read([value], { line, readMore }) {
      if (readMore === undefined) throw refusal('--args not supported in arguments file');
      const content = contentOf(descriptorOf(value!, line), "Can't read --args data", line);
      const given = Buffer.from(content).toString('utf8').replace(/\0$/, '').split('\0');
      readMore(content.length === 0 ? [] : given);
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
