// A folder of a cgroup hierarchy: opened, and which hierarchy it is of.
import { addon } from './addon';
import { invalidArgValue } from './errors/argument-error';
import { SyscallError } from './errors/syscall-error';
import { constants } from './kernel/constants';
import { identify } from './open-file';

const EACCES = 13;
const EOPNOTSUPP = 95;

/** What statfs(2) says of them. */
const magic = { v1: 0x27e0eb, v2: 0x63677270 };

/** A descriptor of it, and what lets go of that. */
export interface OpenFolder {
  readonly descriptor: number;
  /** Where it is ours to close. */
  close(): void;
}

export interface Hierarchy {
  readonly version: 1 | 2;
  /** Its device number. */
  readonly hierarchy: bigint;
  /** Of version 1: whether it can freeze its processes. */
  readonly freezes: boolean;
}

/** A folder of `cgroup`. */
export interface Entry extends Hierarchy {
  /** 'cgroup[0]' */
  readonly option: string;
  readonly source: string | number;
}

/** By its path, or a descriptor of ours, which stays open. @throws SyscallError */
export function openCgroup(source: string | number, option: string): OpenFolder {
  if (typeof source === 'number') return { descriptor: source, close: () => {} };
  const descriptor = addon().openAt(constants.AT_FDCWD, source);
  if (descriptor >= 0) return { descriptor, close: () => void addon().close(descriptor) };
  throw new SyscallError({ errno: -descriptor, step: 'cgroup', option, syscall: 'open', path: source });
}

/** @throws ArgumentError where it is no folder of a cgroup hierarchy, SyscallError */
export function cgroupVersion(descriptor: number, source: string | number, option: string): Hierarchy {
  const type = addon().fileSystem(descriptor);
  if (type < 0) {
    const hint = typeof source === 'number' ? `descriptor ${source} is not open in Node` : undefined;
    throw new SyscallError({ errno: -type, step: 'cgroup', option, syscall: 'fstatfs', hint });
  }
  const procs = addon().openAt(descriptor, 'cgroup.procs');
  if (procs >= 0) addon().close(procs);
  const isFolder = procs >= 0 || procs === -EACCES || procs === -EOPNOTSUPP;
  if ((type !== magic.v1 && type !== magic.v2) || !isFolder)
    throw invalidArgValue(option, source, 'must be a folder of a cgroup hierarchy');
  const state = type === magic.v1 ? addon().openAt(descriptor, 'freezer.state') : -1;
  if (state >= 0) addon().close(state);
  return { version: type === magic.v1 ? 1 : 2, hierarchy: identify(descriptor).dev, freezes: state >= 0 };
}

/** For each start. @throws SyscallError where it is not what it was when the program was written */
export function reopenCgroup(entry: Entry): OpenFolder {
  const { option, source } = entry;
  const opened = openCgroup(source, option);
  try {
    const { version, hierarchy } = cgroupVersion(opened.descriptor, source, option);
    if (version === entry.version && hierarchy === entry.hierarchy) return opened;
  } catch (error) {
    opened.close();
    throw error;
  }
  opened.close();
  const path = typeof source === 'string' ? source : undefined;
  const hint = 'another hierarchy is there than when the program was written';
  throw new SyscallError({ code: 'ESTALE', step: 'cgroup', option, syscall: 'fstatfs', path, hint });
}
