// The checked options of one clone: what the steps write their instructions from. Nothing in it is the caller's own object.
import type { SchedulerPolicy } from '../../types/limits';
import type { IdMapping, Propagation } from '../../types/options';
import type { Target } from '../join-target';
import type { OwnVariables } from '../own-environment';
import type { Writer } from '../program/writer';
import { Flags } from '../flags';
import { constants } from '../kernel/constants';
import { Credentials, isSetgroupsDenied } from '../privilege';
import type { Checked, Parts } from './mount-type';
import type { Fact } from './fact';
import type { HeldFile, HeldSource } from './held-file';
import type { Idmap, MappedSource } from './idmap';
import type { Purpose } from './until-exec';

/** A source of one of the child's descriptors. */
export type StdioSource =
  | { readonly kind: 'pipe'; readonly socket: boolean }
  | { readonly kind: 'descriptor'; readonly descriptor: number; readonly stream?: object }
  | { readonly kind: 'pty' }
  | { readonly kind: 'null' }
  | { readonly kind: 'closed' };

/** What stands in `stdio` for the channel of fork(): no value that a caller could give. */
export const channelEntry = Symbol('ipc');

/** The source of that entry. */
export const channelSource: StdioSource = { kind: 'pipe', socket: true };

/** The map of user or of group ids. */
export interface IdMap {
  readonly ranges: readonly IdMapping[];
  /** Who may write it: the stub maps our own id by itself; more takes our privilege, or the helper's. */
  readonly writer: 'stub' | 'parent' | 'helper';
  /** Where it was asked for by a word. */
  readonly word?: 'root' | 'keep' | 'auto' | undefined;
}

/** Ids of a map as they were asked for: of our own id, or ranges. */
export type WantedIds = 'root' | 'keep' | readonly IdMapping[];

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
  readonly recording: { readonly writer: Writer };
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

/** The id of who has none, see the sysctl kernel.overflowuid. */
const overflowId = 65_534;

/** Shared by all requests: of most lists there is none. */
const none: readonly never[] = Object.freeze([]);

export class Request {
  command = '';
  args: readonly string[] = none;
  argv0: string | undefined;
  flags = 0;
  joins: readonly JoinEntry[] = none;
  uidMap: IdMap | undefined;
  gidMap: IdMap | undefined;
  setgroups: 'allow' | 'deny' | undefined;
  /** Nobody asked for it. */
  setgroupsByDefault = false;
  inner: Inner | undefined;
  /** Where the descriptor of that user namespace is kept until it is entered, once the program is being written. */
  innerSlot = 0;
  hostname: string | undefined;
  domainname: string | undefined;
  timeOffsets: readonly TimeOffset[] = none;
  /** Where the file of the offsets is kept, once the program is being written, where it is opened before its step. */
  timeSlot = 0;
  loopback = false;
  /** A path, or a descriptor of ours. */
  cgroup: string | number | undefined;
  sysctl: readonly Parameter[] = none;
  propagation: Propagation | undefined;
  root: Parts | undefined;
  mounts: readonly Checked[] = none;
  /** How the files are held that are mounted by descriptors, once the program is being written. */
  readonly held = new Map<HeldSource, HeldFile>();
  /** The entries whose files have other ids. */
  mappedMounts: readonly MappedMount[] = none;
  /** The user namespaces among those ids, which are opened for each start. */
  idmapTargets: readonly JoinEntry[] = none;
  /** Where the copies of those are kept, once the program is being written. */
  readonly idmapSlots = new Map<Idmap, number>();
  /** Where the mounts are kept that got their ids before the user namespace was entered, once the program is being written. */
  readonly mapped = new Map<MappedSource, number>();
  /** Whether a root is made that is not ours. */
  changesRoot = false;
  /** Where the descriptor of that root is kept, once the program is being written. */
  rootSlot: number | undefined;
  cwd: string | undefined;
  /** Several, of which the first that can be entered is taken. */
  cwds: readonly string[] = none;
  /** Where the variable PWD is that tells which, once the program is being written. */
  folderVariable: number | undefined;
  umask: number | undefined;
  uid: number | undefined;
  gid: number | undefined;
  groups: readonly number[] | undefined;
  /** Nobody asked for these groups: an id that changes means none. */
  groupsByDefault = false;
  capabilities: CapabilitySets | undefined;
  securebits: number | undefined;
  noNewPrivileges: boolean | undefined;
  seccomp: readonly Filter[] = none;
  /** That of one of them: there can be one. */
  listener: Listener | undefined;
  landlock: Restriction | undefined;
  /** Where the copies of descriptors in its rules are kept, once the program is being written. */
  landlockSlots: readonly (number | undefined)[] = none;
  /** Where that is kept which is open until the exec, once the program is being written. */
  readonly untilExec = new Map<Purpose, number>();
  apparmorProfile: string | undefined;
  selinuxLabel: string | undefined;
  newKeyring = false;
  rlimits: readonly Rlimit[] = none;
  nice: number | undefined;
  cpuAffinity: readonly number[] | undefined;
  scheduler: Scheduling | undefined;
  /** The mode with its flags, as set_mempolicy(2) takes it. */
  memoryPolicy: { readonly mode: number; readonly nodes: readonly number[] } | undefined;
  /** As ioprio_set(2) takes it. */
  ioPriority: number | undefined;
  oomScoreAdj: number | undefined;
  personality: number | undefined;
  /** `NAME=value`; where none is given, our own environment. */
  env: readonly string[] | undefined;
  /** Where it is ours. */
  ownEnvironment: OwnVariables | undefined;
  /** A file to execute, by a descriptor of ours. */
  commandFd: number | undefined;
  /** The files to execute, until one is found. */
  files: readonly string[] = none;
  stdio: readonly StdioSource[] = defaultStdio;
  stdioGiven = false;
  closeFds = true;
  detached = false;
  processGroup: number | undefined;
  parentDeathSignal = 0;
  init = false;
  /** Of pid 1: whether it ends with the last process, and not with the program. */
  initUntilLast = false;
  /** What pid 1 keeps open. */
  initKeeps: readonly number[] = none;
  /** The filters are for it too. */
  initFiltered = false;
  pty: TerminalOption | undefined;
  /** Where the copy of the socket is kept that its end of ours is sent to, once the program is being written. */
  terminalSocket: number | undefined;
  foreground = false;
  holds: readonly HoldPoint[] = none;
  /** Where that is a byte to be read, and not start(): the child then outlives us. */
  heldBy: HoldDescriptors | undefined;
  ownLines: readonly OwnLine[] = none;
  /** Nothing is executed: it is made for its new namespaces alone, which it hands over. */
  forNamespaces = false;
  signal: AbortSignal | undefined;
  timeout: number | undefined;
  killSignal: number | undefined;
  killGrace = 5000;
  /** The steps that are asked only where one of their options is given, a bit each. */
  given = 0;
  /** Where the copies of what is joined are kept, once the program is being written. */
  joinSlots: readonly { readonly others: number | undefined; readonly user: number | undefined }[] = none;
  /** Where the copies of sources of stdio are kept, once the program is being written. */
  movedSlots: readonly number[] = none;
  /** Where the descriptor of the cgroup is kept, once the program is being written. */
  cgroupSlot = 0;
  /** What a reader of the plan should know beside the calls. */
  notes: readonly string[] = none;

  /** What it depends on beside the options. */
  facts: Fact[] = [];

  #own: Credentials | undefined;

  /** Who we are, as it was when it was first asked for. */
  get own(): Credentials {
    if (this.#own === undefined) this.facts.push((this.#own = new Credentials()));
    return this.#own;
  }

  /** The same once more, to be changed. */
  copy(): Request {
    const copy = Object.assign(new Request(), this, { facts: [...this.facts] });
    copy.#own = this.#own;
    return copy;
  }

  /** Descriptors of ours that stay open where all others are closed, one behind the other from {@link firstCarried} on. */
  get carried(): readonly Carried[] {
    return this.initKeeps.map((descriptor, index) => ({ descriptor, option: `init.keep[${index}]` }));
  }

  /** Whether the set-up waits for start() at all. */
  get isHeld(): boolean {
    return this.holds.length > 0;
  }

  holdsAt(point: HoldPoint): boolean {
    return this.holds.includes(point);
  }

  /** Whether one of these namespaces is new in this child. */
  creates(flags: number): boolean {
    return (this.flags & flags) !== 0;
  }

  /** Whether one of these namespaces is entered. */
  joinsAny(flags: number): boolean {
    return this.joins.some((join) => (join.flags & flags) !== 0);
  }

  /**
   * Whether a process of ours meets strangers: it stands in namespaces of somebody else's, waits while others may act, or stays as pid 1
   * beside the program. Nobody may look into it, and nothing of it serves another child.
   */
  get exposed(): boolean {
    return this.joins.length > 0 || this.isHeld || this.init || this.inner?.join !== undefined;
  }

  /** The option that has the stub open something below /proc, by a descriptor of ours; undefined where none has. */
  get procOption(): string | undefined {
    if (this.listener !== undefined) return this.listener.option;
    if (this.oomScoreAdj !== undefined) return 'oomScoreAdj';
    if (this.apparmorProfile !== undefined) return 'apparmorProfile';
    if (this.selinuxLabel !== undefined) return 'selinuxLabel';
    if (this.creates(Flags.NEWUSER)) {
      if (this.uidMap?.writer === 'stub') return 'uidMap';
      if (this.gidMap?.writer === 'stub') return 'gidMap';
      if (this.setgroups === 'deny') return 'setgroups';
    }
    if (this.inner !== undefined && this.inner.join === undefined) return 'inner';
    if (this.timeOffsets.length > 0) return 'timeOffsets';
    if (this.sysctl.length > 0) return `sysctl.${this.sysctl[0]!.name}`;
    if (this.handsOver) return this.handoverOption;
    const [mapped] = this.mappedMounts;
    if (mapped !== undefined) return nameOf(mapped);
    const [held] = this.heldMounts;
    return held === undefined || this.clonesMountsFirst ? undefined : nameOf(held);
  }

  /**
   * Whether the mounts of descriptors are cloned before the view changes. What comes into a new user namespace as a clone is not
   * locked there: its root could make it writable again where we have it read-only, see mount_namespaces(7).
   */
  get clonesMountsFirst(): boolean {
    return !this.creates(Flags.NEWUSER) && !this.joinsUser && this.own.has(constants.CAP_SYS_ADMIN);
  }

  /**
   * The mounts that get their ids before the user namespace is entered: who is in another one has no right to do that on a file system of
   * ours. See lib/steps/mapped-mounts.ts.
   */
  get mappedFirst(): readonly MappedMount[] {
    const enters = this.creates(Flags.NEWUSER) || this.joinsUser;
    if (this.mappedMounts.length === 0 || !enters || !this.creates(Flags.NEWNS)) return none;
    return this.own.has(constants.CAP_SYS_ADMIN)
      ? this.mappedMounts.filter(({ within }) => within === undefined)
      : none;
  }

  /** All that is opened for each start, by words in the data. */
  get targets(): readonly JoinEntry[] {
    const inner = this.inner?.join;
    if (this.idmapTargets.length === 0 && inner === undefined) return this.joins;
    return [...this.joins, ...this.idmapTargets, ...(inner === undefined ? [] : [inner])];
  }

  /** What of `root` and `mounts` is mounted by a descriptor. */
  get heldMounts(): readonly HeldMount[] {
    const found: HeldMount[] = [];
    const look = ({ held }: Parts, option: HeldMount['option'], index: number): void => {
      if (held === undefined || (held.descriptor === 'terminal' && !this.canMountTerminal)) return;
      found.push({ held, option, index });
    };
    if (this.root !== undefined) look(this.root, 'root', -1);
    this.mounts.forEach((mount, index) => look(mount, 'mounts', index));
    return found;
  }

  /** Whether there is a terminal, which is a file of our own mount namespace. */
  get canMountTerminal(): boolean {
    return this.pty?.from === 'host' && !this.joinsAny(Flags.NEWNS);
  }

  /** Whether we open the terminal, and not the child. */
  get opensTerminal(): boolean {
    return this.pty?.from === 'host' && this.pty.sendTo === undefined;
  }

  /** Whether it hands its namespaces over: /proc and setns(2) refuse them to us as to anybody else. */
  get handsOver(): boolean {
    return this.forNamespaces || ((this.isHeld || this.init) && !this.own.has(constants.CAP_SYS_PTRACE));
  }

  /** The option that it hands them over for. */
  get handoverOption(): 'flags' | 'init' | 'hold' {
    if (this.forNamespaces) return 'flags';
    return this.init ? 'init' : 'hold';
  }

  get joinsUser(): boolean {
    return this.joinsAny(Flags.NEWUSER);
  }

  /** Whether the program is in a user namespace whose maps only the kernel knows: a joined one, and the last that is entered. */
  get endsInJoinedUser(): boolean {
    if (this.inner !== undefined) return this.inner.join !== undefined;
    return this.joinsUser && !this.creates(Flags.NEWUSER);
  }

  /** Whether setgroups(2) is impossible in the new user namespace, or in ours where there is none. */
  get setgroupsDenied(): boolean {
    if (this.inner?.join !== undefined) return false;
    if (this.inner?.setgroups === 'deny') return true;
    if (this.creates(Flags.NEWUSER)) return this.setgroups !== 'allow';
    return !this.joinsUser && isSetgroupsDenied();
  }

  /** Whether we have something to write while the stub waits. */
  get mapsByParent(): boolean {
    const { uidMap, gidMap } = this;
    return (uidMap !== undefined && uidMap.writer !== 'stub') || (gidMap !== undefined && gidMap.writer !== 'stub');
  }

  /** Whether the stub becomes 0:0 inside, as our own id has no place there. */
  get changesOwner(): boolean {
    const { uidMap, gidMap } = this;
    if (mapsZero(uidMap) && insideID(uidMap, this.ownUid) !== 0) return true;
    return mapsZero(gidMap) && insideID(gidMap, this.ownGid) !== 0;
  }

  /** Our own id, as the maps of the new user namespace have it outside. Below a joined one that is the id that we take there. */
  get ownUid(): number {
    return this.joinsUser ? ownBelow(this.uidMap) : this.own.uid;
  }

  get ownGid(): number {
    return this.joinsUser ? ownBelow(this.gidMap) : this.own.gid;
  }

  /** The user id that set-up has in the new or joined user namespace; the overflow id where it has none. */
  get setUpUid(): number {
    if (this.creates(Flags.NEWUSER)) return takenID(this.uidMap, this.ownUid);
    return this.joinsUser ? 0 : this.own.uid;
  }

  /** The same for its group. */
  get setUpGid(): number {
    if (this.creates(Flags.NEWUSER)) return takenID(this.gidMap, this.ownGid);
    return this.joinsUser ? 0 : this.own.gid;
  }

  /** The user id that the program has, as seen inside; the overflow id where it has none. */
  finalUid(): number {
    if (this.uid !== undefined) return this.uid;
    if (this.inner === undefined) return this.setUpUid;
    return this.inner.join === undefined ? takenID({ ranges: this.inner.uidMap! }, this.setUpUid) : 0;
  }

  /** The same for its group. */
  finalGid(): number {
    if (this.gid !== undefined) return this.gid;
    if (this.inner === undefined) return this.setUpGid;
    return this.inner.join === undefined ? takenID({ ranges: this.inner.gidMap! }, this.setUpGid) : 0;
  }

  /** The map of user ids from those of the program to ours; undefined where there is none. */
  get programUids(): Ranges | undefined {
    return this.inner?.uidMap === undefined ? this.uidMap : through(this.inner.uidMap, this.uidMap);
  }

  /** The same for groups. */
  get programGids(): Ranges | undefined {
    return this.inner?.gidMap === undefined ? this.gidMap : through(this.inner.gidMap, this.gidMap);
  }

  note(text: string): void {
    // A plan's request is settled again for each start.
    if (!this.notes.includes(text)) this.notes = [...this.notes, text];
  }
}

/** 'mounts[0]' */
export function nameOf({ option, index }: MountName): string {
  return index < 0 ? option : `${option}[${index}]`;
}

/** The ranges of a map. */
interface Ranges {
  readonly ranges: readonly IdMapping[];
}

/** Whether a map has a place for root. */
export function mapsZero(map: Ranges | undefined): boolean {
  if (map === undefined) return false;
  for (const range of map.ranges) if (range.containerID === 0) return true;
  return false;
}

/** What an id of ours is inside; undefined where the map leaves it out. */
export function insideID(map: Ranges | undefined, own: number): number | undefined {
  const range = map?.ranges.find(({ hostID, size }) => own >= hostID && own < hostID + size);
  return range === undefined ? undefined : range.containerID + (own - range.hostID);
}

/** What an id inside is to us; undefined where the map leaves it out. */
export function outsideID(map: Ranges | undefined, inside: number): number | undefined {
  const range = map?.ranges.find(({ containerID, size }) => inside >= containerID && inside < containerID + size);
  return range === undefined ? undefined : range.hostID + (inside - range.containerID);
}

/** The id that set-up takes inside: 0, where that is mapped, else its own. */
function takenID(map: Ranges | undefined, own: number): number {
  return mapsZero(map) ? 0 : (insideID(map, own) ?? overflowId);
}

/** In a joined user namespace we become 0 where that is mapped; one that has no 0 keeps us, and a map that names another id says so. */
function ownBelow(map: Ranges | undefined): number {
  return map?.ranges[0]?.hostID ?? 0;
}

/** A map of a map: what has no place in the outer one is left out. */
function through(ranges: readonly IdMapping[], outer: Ranges | undefined): Ranges {
  const found: IdMapping[] = [];
  for (const { containerID, hostID, size } of ranges) {
    for (const line of outer?.ranges ?? none) {
      const from = Math.max(hostID, line.containerID);
      const to = Math.min(hostID + size, line.containerID + line.size);
      if (from >= to) continue;
      found.push({
        containerID: containerID + from - hostID,
        hostID: line.hostID + from - line.containerID,
        size: to - from,
      });
    }
  }
  return { ranges: found };
}

const pipe: StdioSource = { kind: 'pipe', socket: false };
/** 'pipe' for 0 to 2. */
export const defaultStdio: readonly StdioSource[] = [pipe, pipe, pipe];
