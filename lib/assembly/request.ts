// The checked options of one clone: what the steps write their instructions from. Nothing in it is the caller's own object.
import type { Propagation } from '../../types/options';
import type { Entry as CgroupEntry } from '../cgroup-folder';
import type { OwnVariables } from '../own-environment';
import type { Place as Address, Slot } from '../program/writer';
import { Flags } from '../flags';
import { constants } from '../kernel/constants';
import { Credentials, isSetgroupsDenied } from '../privilege';
import type { Checked, Parts } from './mount-type';
import type { Fact } from './fact';
import type { HeldFile, HeldSource } from './held-file';
import type { Idmap, MappedSource } from './idmap';
import type { Purpose } from './until-exec';
import { ChildIds } from './child-ids';
import type { IdMap } from './ids';
import {
  nameOf,
  type CapabilitySets,
  type Carried,
  type Filter,
  type HeldMount,
  type HoldDescriptors,
  type HoldPoint,
  type Inner,
  type JoinEntry,
  type Listener,
  type MappedMount,
  type OwnLine,
  type Parameter,
  type Restriction,
  type Rlimit,
  type Scheduling,
  type TerminalOption,
  type TimeOffset,
} from './settings';
import { defaultStdio, type StdioSource } from './stdio-source';

/** Shared by all requests: of most lists there is none. */
const none: readonly never[] = Object.freeze([]);

const noPaths: ReadonlyMap<object, string> = new Map();

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
  /** The cgroup of version 2: a path, or a descriptor of ours. */
  cgroup: string | number | undefined;
  /** The folders that we open for each start: those of a list, those of version 1, and the one that is ended as a whole. */
  cgroups: readonly CgroupEntry[] = none;
  sysctl: readonly Parameter[] = none;
  propagation: Propagation | undefined;
  root: Parts | undefined;
  mounts: readonly Checked[] = none;
  /** Those of which something is looked up, which is done before a new root lies upon ours. */
  earlyMounts: ReadonlySet<Checked> | undefined;
  /** Where these are kept, once the program is being written. */
  earlySlots: ReadonlyMap<Checked, number> | undefined;
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
  /** Where our working directory is kept meanwhile, and its path, once the program is being written. */
  workingDirectory: { readonly path: Address; readonly file: Slot } | undefined;
  /** Where the host has a device, for those that are mounted. Another map for each time that is looked at. */
  devicePaths: ReadonlyMap<object, string> = noPaths;
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
  /** They are ours already, and we may not set any. */
  groupsAreOurs = false;
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
  /** What it has started ends with it, wherever we end it. */
  killTree = false;
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

  /** Whether we are still who we were, as far as it was asked for. */
  get holdsForUs(): boolean {
    return this.#own === undefined || this.#own.holds();
  }

  /** Whether it was made by whom that one was made by. */
  isOfSame(other: Request): boolean {
    return this.#own === other.#own;
  }

  /** A copy for who we are now, to be settled. */
  anew(): Request {
    const copy = this.copy();
    copy.#own = undefined;
    copy.facts = [];
    return copy;
  }

  /** The same once more, to be changed. */
  copy(): Request {
    const copy = Object.assign(new Request(), this, { facts: [...this.facts] });
    copy.#own = this.#own;
    return copy;
  }

  /** By what all that the command has started is found and ended; undefined where it is not to be, or cannot be. */
  get treeWay(): 'pid namespace' | 'cgroup' | 'group' | undefined {
    if (!this.killTree) return undefined;
    if (this.creates(Flags.NEWPID)) return 'pid namespace';
    if (this.cgroup !== undefined || this.treeCgroup >= 0) return 'cgroup';
    return this.processGroup === 0 || this.detached || this.pty !== undefined ? 'group' : undefined;
  }

  /** All folders of `cgroup`. */
  get cgroupSources(): readonly (string | number)[] {
    if (this.cgroups.length > 0) return this.cgroups.map(({ source }) => source);
    return this.cgroup === undefined ? none : [this.cgroup];
  }

  /** Which of `cgroups` is ended as a whole. */
  get treeCgroup(): number {
    const unified = this.cgroups.findIndex(({ version }) => version === 2);
    return unified >= 0 ? unified : this.cgroups.findIndex(({ freezes }) => freezes);
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
    return !this.joinsUser && isSetgroupsDenied('groups');
  }

  /** The user ids of the child. */
  get userIds(): ChildIds {
    return new ChildIds(this, 'uid');
  }

  /** Its group ids. */
  get groupIds(): ChildIds {
    return new ChildIds(this, 'gid');
  }

  /** Whether set-up becomes 0 of the new user namespace, as one of our ids or both. */
  get changesOwner(): boolean {
    return this.userIds.becomesZero || this.groupIds.becomesZero;
  }

  note(text: string): void {
    // A plan's request is settled again for each start.
    if (!this.notes.includes(text)) this.notes = [...this.notes, text];
  }
}
