// /proc, once it has been shown to be procfs of our own pid namespace: anything may be mounted there, and the numbers of another
// pid namespace's are other processes.
import { addon } from './addon';
import { SyscallError, type SyscallErrorInit } from './errors/syscall-error';
import { identify, readText, writeText } from './open-file';

const ENOENT = 2;
const EIO = 5;
const EXDEV = 18;
const ENOTDIR = 20;
/** What the opening of a folder may be refused with: ENOMEM, EACCES, ENFILE, EMFILE, ELOOP. */
const ofOpening = new Set([12, 13, 23, 24, 40]);

/** Whose it must be: that of our pid namespace for a number; for `self` procfs alone will do. */
function isAboutUs(path: string): boolean {
  return /^(?:thread-)?self\b|^sys\//.test(path);
}

/** Opens a file below it. @returns -errno; -ENOENT too where there is no /proc, -EXDEV where it is not ours */
export function openProc(path: string): number {
  const proc = addon().proc(!isAboutUs(path));
  return proc < 0 ? proc : addon().openAt(proc, path);
}

/** The content of a file below it, or -errno. */
export function askProc(path: string): string | number {
  const descriptor = openProc(path);
  if (descriptor < 0) return descriptor;
  try {
    return readText(descriptor);
  } catch (error) {
    return -((error as SyscallError).errno ?? EIO);
  } finally {
    addon().close(descriptor);
  }
}

/** The content of a file below it; undefined where it cannot be had. */
export function readProc(path: string): string | undefined {
  if (process.platform !== 'linux') return undefined;
  const answer = askProc(path);
  return typeof answer === 'string' ? answer : undefined;
}

/** The errno of why the numbers of processes here are not those of /proc; 0 where they are. */
export function whyNotOurs(): number {
  return Math.max(0, -addon().proc(true));
}

/** Writes all of a file of the kernel's in one go. @throws SyscallError */
export function writeProc(path: string, text: string): void {
  const proc = addon().proc(true);
  const descriptor = addon().openAt(proc, path, true);
  if (descriptor < 0) throw new SyscallError({ errno: -descriptor, syscall: 'open' });
  try {
    writeText(descriptor, text);
  } finally {
    addon().close(descriptor);
  }
}

/** The namespace that a file below it stands for, as a number that no other has; or -errno. */
export function namespaceId(path: string): number {
  const descriptor = openProc(path);
  if (descriptor < 0) return descriptor;
  try {
    return Number(identify(descriptor).ino);
  } finally {
    addon().close(descriptor);
  }
}

/**
 * The descriptor of /proc for the stub.
 * @param counts whether the stub is to know its own number there
 * @throws SyscallError where what is mounted there is no procfs, or for a number that of another pid namespace
 */
export function procForStub(option: string, counts = false): number {
  const descriptor = addon().proc(counts);
  if (descriptor >= 0) return descriptor;
  if (-descriptor === EXDEV)
    throw procError(EXDEV, { step: 'proc', option, path: '/proc', hint: 'mount a /proc of ours' });
  throw new SyscallError({ ...whyNoProc(-descriptor), step: 'proc', option });
}

/** What is there is no procfs, or could not be looked at: for want of a descriptor, or where a filter refuses the calls. */
function whyNoProc(errno: number): SyscallErrorInit {
  const path = '/proc';
  if (ofOpening.has(errno)) return { errno, syscall: 'openat', path };
  if (errno !== ENOENT && errno !== ENOTDIR) return { errno, syscall: 'fstatfs', path };
  return {
    code: 'ENOENT',
    syscall: 'openat',
    path,
    reason: 'what is at /proc here is no proc file system',
    hint: { cause: 'masked-proc', hint: 'mount one there, see proc(5)' },
  };
}

/** The error of a look at another process. */
export function procError(errno: number, place: SyscallErrorInit): SyscallError {
  if (errno === EXDEV) {
    return new SyscallError({
      ...place,
      code: 'ESRCH',
      reason: 'the /proc here is not that of our pid namespace, so the process is not in it',
      hint: place.hint ?? 'mount a /proc of ours, or use the namespaces by descriptors or paths',
    });
  }
  const proc = addon().proc(false);
  if (proc < 0) return new SyscallError({ ...place, ...whyNoProc(-proc) });
  const error = new SyscallError({ ...place, errno });
  return error.code === 'EACCES' ? new SyscallError({ ...place, errno, hint: place.hint ?? untraceable }) : error;
}

/** See proc_pid_ns(5). */
export const untraceable =
  'who might trace a process may look at its namespaces: its own user, where it is dumpable, and who has CAP_SYS_PTRACE; see ptrace(2)';
