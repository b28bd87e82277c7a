// What bubblewrap says: the words of its errors, its help, what it ends with. What is compared by others' tests and scripts is as there.
import type { SyscallError } from '../../lib/index';
import type { Made } from './operations';

/** The version whose options these are. */
export const version = '0.11.0';

/** Of a line without one, the usage is shown. */
export const lacksCommand = 'a command is missing';

/** A line that is refused: the words that follow `bwrap: `. Nothing was done. */
export function refusal(message: string): TypeError {
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' as const, option: 'argv' });
}

export const isRefusal = (error: unknown): error is Error => (error as { option?: unknown } | null)?.option === 'argv';

/** The C library's words where Node has others. */
const texts: Readonly<Record<string, string>> = {
  EBUSY: 'Device or resource busy',
  EEXIST: 'File exists',
  EFAULT: 'Bad address',
  EIO: 'Input/output error',
  EISDIR: 'Is a directory',
  ELOOP: 'Too many levels of symbolic links',
  ENAMETOOLONG: 'File name too long',
  ENOMEM: 'Cannot allocate memory',
  EPROTO: 'Protocol error',
  ERANGE: 'Numerical result out of range',
  ESTALE: 'Stale file handle',
  ETXTBSY: 'Text file busy',
  EXDEV: 'Invalid cross-device link',
};

/** What strerror(3) says of an error that has a `code` and Node's message. */
export function textOf(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const text = texts[code] ?? /^\w+: ([^,]*)/.exec(message)?.[1] ?? message;
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export const refusalOf = (what: string, error: unknown): TypeError => refusal(`${what}: ${textOf(error)}`);

const inside = (path: string): string => `/newroot/${path.replace(/^\/+/, '')}`;
const fileSystems = ['proc', 'tmpfs', 'devpts', 'mqueue'];

const notMounted = (path: string): string => `Unable to find "${inside(path)}" in mount table`;

/** Of an entry of `mounts`. */
function whatOfMount(
  { operation, type, target }: Made,
  { syscall, code }: SyscallError,
  lacksParents: boolean,
): string {
  const { dest, source = '', mode = 0 } = operation;
  if (type === 'bind' && syscall === 'open_tree') return `Can't find source path ${source}`;
  if (syscall === 'mkdirat') return `Can't mkdir ${lacksParents ? 'parents for ' : ''}${dest}`;
  if (type === 'symlink') return `Can't make symlink at ${dest}`;
  if (type === 'chmod') return `Can't chmod ${mode === 0 ? '' : '0'}${mode.toString(8)} ${dest}`;
  if (type === 'remount')
    return `Can't remount readonly on ${inside(dest)}: ${code === 'EINVAL' ? notMounted(dest) : 'realpath(destination)'}`;
  if (type === 'overlay') return `Can't make overlay mount on ${inside(dest)}`;
  if (fileSystems.includes(type) && syscall?.startsWith('fs')) return `Can't mount ${type} on ${inside(target)}`;
  if (type === 'file' && operation.kind === 'file') return `Can't create file ${dest}`;
  if (syscall === 'mknodat') return `Can't create file at ${dest}`;
  if (syscall === 'openat2') return `Can't mkdir ${dest}`;
  const problem = 'Unable to mount source on destination';
  return `Can't bind mount /oldroot${source} on ${inside(dest)}: ${problem}`;
}

/** The index of the entry of `mounts` that an error is of. */
export const entryOf = ({ option = '' }: SyscallError): number => Number(/^mounts\[(\d+)\]/.exec(option)?.[1] ?? -1);

/** What an error is of, beside what it says itself. */
export interface Place {
  readonly entry: Made | undefined;
  /** Whether folders on the way to it are missing outside. */
  readonly lacksParents: boolean;
  /** Whether its source is a folder. */
  readonly isFolder: boolean;
  readonly command: string;
  readonly folder: string | undefined;
}

/** What bubblewrap says where the kernel refuses the same. */
export function messageOf(error: SyscallError, { entry, lacksParents, isFolder, command, folder }: Place): string {
  const { step = '', option = '', path, hint } = error;
  const text = textOf(error);
  if (entry !== undefined) {
    // The kernel finds it when it mounts, bubblewrap before.
    if (error.syscall === 'move_mount' && error.code === 'EINVAL' && (entry.type === 'bind' || entry.type === 'file')) {
      const { dest } = entry.operation;
      return isFolder ? `Can't mkdir ${dest}: Not a directory` : `Can't create file at ${dest}: Is a directory`;
    }
    const what = whatOfMount(entry, error, lacksParents);
    return what.endsWith('in mount table') ? what : `${what}: ${text}`;
  }
  if (step === 'command' || step === 'look for command') return `execvp ${command}: ${text}`;
  if (step === 'cwd') return `Can't chdir to ${folder ?? path}: ${text}`;
  if (option === 'hostname') return `Can't set hostname to ${path ?? ''}: ${text}`;
  if (option.startsWith('uidMap')) return `setting up uid map: ${text}`;
  if (option.startsWith('gidMap')) return `setting up gid map: ${text}`;
  if (option.startsWith('capabilities')) return `capset failed: ${text}`;
  if (option.startsWith('seccomp')) return `prctl(PR_SET_SECCOMP): ${text}`;
  if (option.startsWith('join')) return `Joining specified user namespace failed: ${text}`;
  if (error.syscall?.startsWith('unshare ') && step === 'steps at exec')
    return 'creation of new user namespaces was not disabled as requested';
  const because = hint === undefined ? '' : ` (${hint})`;
  if (['user', 'process', 'namespaces'].includes(step)) return `Creating new namespace failed: ${text}${because}`;
  return `${error.syscall ?? step}: ${text}${because}`;
}

/** What bubblewrap ends with where the command has ended so. */
export function exitCode(code: number | null, signal: number): number {
  return code ?? (signal === 0 ? 255 : 128 + signal);
}
