// What the addon offers: the one place where native functions have types.
import type { TreeArguments } from './process/tree';
import type { Watch } from './watch';

/** The filled parts of four arrays that make up a program: each with how far it is read. */
export type ImageArguments = [
  instructions: Uint8Array,
  instructionCount: number,
  data: Uint8Array,
  dataSize: number,
  relocations: Uint32Array,
  relocationCount: number,
  kept: Int32Array,
  keptCount: number,
];

/** The functions of the addon. Each that returns a number returns one ≥ 0, or -errno; none throws. */
export interface Addon {
  /**
   * Opens the watch of this environment; `listener(id, news)` is then called with the mailbox filled. `byThread`: woken by a thread
   * of ours, where there is no libuv to do it.
   */
  open(
    listener: (id: number, news: News | typeof descriptorReady) => void,
    mailbox: Float64Array,
    byThread: boolean,
  ): number;
  /** The watch of this environment, once it is opened: of all copies of our code that have this addon. */
  watch?: Watch;
  /** Opens the stub, from `path` where that is not ''. */
  prepare(path: string, mailbox: Float64Array): number;
  /**
   * Clones a child that executes the stub. Returns its id; pid and pidfd are in the mailbox. Of a failure it has the call, or the
   * instruction that was refused.
   */
  launch(
    ...args: [
      ...image: ImageArguments,
      lowest: number,
      forks: boolean,
      detached: boolean,
      init: boolean,
      /** Others may run beside it while it is set up: nothing of it is used again. */
      exposed: boolean,
      ...tree: TreeArguments,
    ]
  ): number;
  /** Clones a child that runs the program in place, with exactly these flags. */
  launchInPlace(...args: [...image: ImageArguments, flags: number, exitSignal: number, executes: boolean]): number;
  /**
   * Runs the program on the calling thread, and copies what it left: kept results, and its data. The mailbox has the instruction that
   * failed, and its errno; 0 where none has.
   */
  perform(...args: [...image: ImageArguments, results: Float64Array, data: Uint8Array]): number;
  /** Lets a waiting stub go on; `outlives`: from now on it lives on when this environment ends. */
  go(id: number, outlives: boolean): number;
  /** Sends a signal through the pidfd. */
  kill(id: number, signal: number): number;
  /** The same for all that ends together with a child, see {@link TreeArguments}, whose end is then waited for. */
  killTree(id: number, signal: number): number;
  /** Whether the end of such a child is told only when it is let go of, or all of it has been ended. */
  holdTree(id: number, hold: boolean): number;
  /** Tells the listener now what there is to be heard of a child: the event loop may have been busy. */
  look(id: number): number;
  /** SIGKILL for every process of a child, now and as it appears. */
  end(id: number): number;
  setRef(id: number, ref: boolean): number;
  /** A descriptor of a namespace that a child has handed over, by its place among `handedKinds()`. */
  handedNamespace(id: number, place: number): number;
  /** The terminal that a child has handed over, [our end, ours once more] into `numbers`, all ≥ `lowest`, once; or as `openPty`. */
  handedTerminal(id: number, numbers: Int32Array, lowest: number): number;
  /** Keeps a descriptor of a terminal whose foreground a child is to have; -ENOTTY where that does not control our session. */
  holdForeground(id: number, terminal: number): number;
  /** Gives the foreground of it to the process group that a child leads, until its end; -EBUSY where it is not ours. */
  giveForeground(id: number): number;
  /** Takes the foreground back from a child that has been stopped, until `kill()` sends SIGCONT. 0 where it has none any more. */
  watchForeground(id: number): number;
  /** A kept result of a child in place. */
  result(id: number, slot: number): number;
  /** Copies what a child in place left in its data. */
  bytes(id: number, offset: number, target: Uint8Array): number;
  /** Copies what the kernel has said of a child's failure; returns how many bytes. */
  explanation(id: number, target: Uint8Array): number;
  /**
   * Makes pipes and sockets, [child's end, ours] of each into `numbers`, all of them ≥ `lowest`; all or none: then [which of them, number
   * of the system call].
   */
  openPairs(kinds: Int32Array, count: number, numbers: Int32Array, lowest: number): number;
  /** The index of the first of these descriptors that is not open; -1 where all are. */
  firstClosed(descriptors: Int32Array, count: number): number;
  /** Makes a terminal, [the child's end, ours, ours once more] into `numbers`, all ≥ `lowest`; or second the number of the system call. */
  openPty(columns: number, rows: number, numbers: Int32Array, lowest: number): number;
  resizePty(descriptor: number, columns: number, rows: number): number;
  close(descriptor: number): number;
  /** It is now for a stream of the runtime's to close. */
  give(descriptor: number): number;
  /** Whether something could be written to it now, for one that may be blocking. */
  isWritable(descriptor: number): boolean;
  /** Tells the listener once of a descriptor that can be read or written; with neither, of it not any more. */
  await(descriptor: number, reads: boolean, writes: boolean, ref: boolean): number;
  /** Device and inode of an open file, its mode, and the flags that it was opened with: four words. */
  identify(descriptor: number, into: BigUint64Array): number;
  /** The type of the file system that an open file is on, as statfs(2) has it. */
  fileSystem(descriptor: number): number;
  setNonBlocking(descriptor: number): number;
  read(descriptor: number, into: Uint8Array): number;
  /** Writes what is in `from` from `offset` on. */
  write(descriptor: number, from: Uint8Array, offset: number): number;
  /** Ends what we send through a socket. */
  shutdown(descriptor: number): number;
  /** Whether this pipe is empty and nobody writes to it any more. */
  atEnd(descriptor: number): boolean;
  /** Reads our effective uid and gid, and our effective capabilities: 0 to 31, then 32 to 63. */
  credentials(into: Float64Array): number;
  /** The name of our effective user; '' where it has none. */
  userName(): string;
  /** Puts our hard limit into the place of each resource; -1 is unlimited. */
  hardLimits(resources: Float64Array, count: number): number;
  unshare(flags: number): number;
  /** 1 where this thread has made a pid namespace for its children, by unshare() or as a NamespaceWorker. */
  hasMadePid(): number;
  /**
   * Moves the calling thread into all of these or none: [descriptor, kinds] each. Of a refusal the array has [which one, number of
   * the system call].
   */
  enter(places: Int32Array, count: number): number;
  /** The same for as long as the function takes, which throws what it throws; which one is -1 where it is about the way back. */
  visit(places: Int32Array, count: number, fn: () => void): number;
  /** Of the uts namespace that the calling thread is in. */
  setHostname(name: string): number;
  /** Of the network namespace that it is in; of a refusal the array has the number of the system call at 1. */
  raiseLoopback(places: Int32Array, count: 0): number;
  duplicate(descriptor: number): number;
  /** The path of the addon. */
  file(): string;
  /** Opens for reading, or for writing alone, from `folder` on (AT_FDCWD: our working directory). */
  openAt(folder: number, path: string, writes?: boolean): number;
  /**
   * The descriptor of /proc, never to be closed; -ENOENT where that is no procfs. `ours`: it must be of our own pid namespace, else
   * -EXDEV.
   */
  proc(ours: boolean): number;
  /** The `CLONE_NEW…` flag of a namespace; -ENOTTY where the descriptor is none. */
  namespaceType(descriptor: number): number;
  openPidfd(pid: number): number;
  /** The version of the kernel's Landlock ABI, from 1 on; -ENOSYS or -EOPNOTSUPP where it has none. */
  landlockAbi(): number;
  /** A descriptor of the parent of a namespace, or of the user namespace that owns it; -EPERM where that is beyond our own. */
  relatedNamespace(descriptor: number, parent: boolean): number;
  /** The user id that has made a user namespace. */
  namespaceMaker(descriptor: number): number;
  /**
   * How many processes there are; of each, as far as there is room, its pid and the inodes of its namespaces, in the order of
   * `namespaceKinds`: 0 where we may not see it.
   */
  processNamespaces(rows: Float64Array): number;
  /**
   * Binds a namespace to a file that it makes. `shares`: in a folder that is made what ip-netns(8) makes of its own. Of a failure
   * `call` has the number of the system call.
   */
  keepNamespace(descriptor: number, folder: string, name: string, shares: boolean, call: Int32Array): number;
  /** Once for the process: it is where the calling thread is now. */
  startThreadPool(): number;
  /** In test builds: the next child fails at this instruction; with errno -1 it is killed there. */
  setFault?(instruction: number, errno: number): number;
}

/** In the place of news, of a descriptor whose number is in the place of an id: it can be read or written. */
export const descriptorReady = 4;

/** What a child has to say. */
export const enum News {
  /** The stub waits for `go`. */
  Waiting = 0,
  /** The command has been executed; the recorded line, or that of a child without a command, is done. */
  Started = 1,
  /** Ended and reaped, after it had started. */
  Ended = 2,
  /** Ended and reaped without having started. */
  Failed = 3,
}

/** Places in the mailbox; binding/environment.h has the same list. */
export const enum Mail {
  Pid = 0,
  Pidfd = 1,
  Instruction = 2,
  Error = 3,
  Code = 4,
  Signal = 5,
  CoreDumped = 6,
  UsageKnown = 7,
  Call = 8,
  Usage = 9,
  Size = 25,
}

/** Kinds of pairs for `openPairs`. */
export const enum Pair {
  ChildReads = 0,
  ChildWrites = 1,
  Socket = 2,
  /** A socket whose end of ours takes no descriptors, where the kernel can refuse them. */
  Channel = 3,
}
