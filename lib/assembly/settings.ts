// What the options come to once they have been checked, each by itself.
import type { SchedulerPolicy } from '../../types/limits';
import type { IdMapping } from '../../types/options';
import type { Target } from '../join-target';
import type { Writer } from '../program/writer';
import type { HeldSource } from './held-file';
import type { Idmap, MappedSource } from './idmap';
import type { WantedIds } from './ids';
import type { Parts } from './mount-type';

/** `inner`: the user namespace that the program is in, below the one that its mounts are made in. */
export interface Inner {
  /** What it was asked for, and once all options are known, as ranges in ids of the one above. */
  readonly uids: WantedIds;
  readonly gids: WantedIds;
  readonly uidMap?: readonly IdMapping[];
  readonly gidMap?: readonly IdMapping[];
  readonly setgroups: 'allow' | 'deny' | undefined;
  /** One to enter in its place; nothing is mapped then. */
  readonly join: JoinEntry | undefined;
}

export interface Rlimit {
  /** 'rlimits.nofile' */
  readonly option: string;
  readonly resource: number;
  readonly soft: number;
  readonly hard: number;
  /** What `hard` is for us, and with us for the stub. */
  readonly ownHard: number;
}

/** A filter of system calls. */
export interface Filter {
  /** 'seccomp[0]' */
  readonly option: string;
  readonly filter: Buffer;
  readonly flags: number;
  /** What installs it. */
  readonly call: 'seccomp' | 'prctl';
  /** Where its listener goes. */
  readonly listener?: Listener | undefined;
  /** Whether what sends that would not get through it. */
  readonly closed?: boolean;
}

/** What supervises the calls that a filter notifies of. */
export interface Listener {
  /** 'seccomp.listenerPath' */
  readonly option: string;
  /** Of a Unix socket. */
  readonly path: string;
  readonly metadata: string | undefined;
}

export interface Parameter {
  readonly name: string;
  readonly path: string;
  readonly value: string;
}

/** `scheduler`, with the flags as a number. */
export interface Scheduling {
  readonly policy: SchedulerPolicy;
  readonly flags: number;
  readonly nice: number | undefined;
  readonly priority: number | undefined;
  readonly runtime: number | undefined;
  readonly deadline: number | undefined;
  readonly period: number | undefined;
}

/** One of `landlock.rules`. */
export interface PathRule {
  /** 'landlock.rules[0]' */
  readonly option: string;
  /** In the final root, or a descriptor of ours. */
  readonly path: string | number;
  /** Rights by their names, and by words that say less of a file than of a folder. */
  readonly access: { readonly named: number; readonly byWord: number };
  readonly optional: boolean;
}

/** `landlock`. */
export interface Restriction {
  /** Where undefined, files are not restricted. */
  readonly rules: readonly PathRule[] | undefined;
  readonly net: readonly { readonly option: string; readonly port: number; readonly access: number }[] | undefined;
  readonly scope: number;
  readonly minimumAbi: number | undefined;
  /** What the kernel has; without end where that is to be found out by the child. */
  readonly abi: number;
}

/** Something to enter, which is opened for each start. */
export interface JoinEntry extends Target {
  readonly option: string;
}

/** Which entry it is. */
export interface MountName {
  readonly option: 'root' | 'mounts';
  /** Of `mounts`; -1 for the root. */
  readonly index: number;
}

/** `pty`. */
export interface TerminalOption {
  readonly columns: number;
  readonly rows: number;
  /** Of whose devpts it is. */
  readonly from: 'host' | 'container';
  /** A socket of ours that the end which is not the program's is sent to. */
  readonly sendTo: number | undefined;
  readonly stderr: 'pipe' | undefined;
}

/** A descriptor of ours that stays open after `closeFds`. */
export interface Carried {
  readonly descriptor: number;
  readonly option: string;
}

/** Where the set-up waits for start(). */
export type HoldPoint = 'maps' | 'mounts' | 'exec';

/** Descriptors of ours: of the byte that starts the child, and of what is told of that. */
export interface HoldDescriptors {
  readonly fd: number;
  readonly report: number | undefined;
}

/** A line of the caller's own. */
export interface OwnLine {
  readonly at: string;
  /** 'steps[0]' */
  readonly option: string;
  /** It holds what the descriptors in it are of, which nobody else may hold any more. */
  readonly recording: { readonly writer: Writer; checkGivers(): void };
  /** Those of ours that it uses. */
  readonly descriptors: readonly number[];
}

/** An entry that is mounted by a descriptor. */
export interface HeldMount extends MountName {
  readonly held: HeldSource;
}

/** An entry whose files have other ids. */
export interface MappedMount extends MountName {
  readonly parts: Parts;
  readonly mapped: MappedSource;
  /** As whoever makes the mount has to write them. */
  readonly idmap: Idmap;
  readonly target: string;
  readonly optional: boolean;
  /** The entry of `mounts` that mounts the file system; undefined where it is one of ours. */
  readonly within: number | undefined;
}

export interface TimeOffset {
  readonly clock: 'monotonic' | 'boottime';
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** Sets as bits, one for each capability. */
export interface CapabilitySets {
  readonly bounding: bigint | undefined;
  readonly permitted: bigint | undefined;
  readonly effective: bigint | undefined;
  readonly inheritable: bigint | undefined;
  readonly ambient: bigint | undefined;
  /** What the stub has when it comes to this step. */
  available: bigint;
  /** The last one that this kernel knows. */
  readonly last: number;
}

/** What errors of the calls that set the ids of a mount say they were doing. */
export const idmapping = 'idmap';

/** 'mounts[0]' */
export function nameOf({ option, index }: MountName): string {
  return index < 0 ? option : `${option}[${index}]`;
}
