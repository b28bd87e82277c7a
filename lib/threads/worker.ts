// A NamespaceWorker from its arguments to its end: what is checked and opened for it, and what it may be refused.
import type { WorkerOptions } from 'node:worker_threads';

import type { NamespaceWorkerOptions } from '../../types/worker';
import { addon } from '../addon';
import { boolean, string } from '../check';
import { invalidArgType, refusedOption, unknownOption } from '../errors/argument-error';
import { type Note, ofCall } from '../errors/caller';
import { SyscallError } from '../errors/syscall-error';
import { Flags, formatFlags, namespaceMask } from '../flags';
import { checkKinds, checkTargets, type Target } from '../join-target';
import { syscallName } from '../kernel/syscalls';
import { type Refused, workerText } from './bootstrap';
import { moveFailure, unshareFailure } from './failure';
import { openTargets } from './opened';
import { startThreadPool } from './pool';
import { type Reasons, refuseFlags, refuseWithoutLibuv } from './refuse';

/** What is prepared for one Worker. */
export interface Entry {
  /** The text that it evaluates, and the options of Node's own class. */
  readonly text: string;
  readonly options: WorkerOptions;
  /** Closes what was opened for it. Closing twice does nothing. */
  readonly close: () => void;
  /** The error of the library that one stands for that it has ended with; that one where it is none of ours. */
  readonly translate: (error: unknown) => unknown;
}

const threads = 'the kernel refuses it to a process with threads, which Node always has; use clone()';
const refused: Reasons = [
  [
    Flags.NEWNS,
    'its module would be read there, a stranger’s code in this process, while half of node:fs does its work on other threads, elsewhere; use clone(), or setns() in a Worker once its modules are loaded',
  ],
  [Flags.NEWUSER | Flags.NEWTIME, threads],
];

/** Those of Node's own class, ours, and `type`, which a Worker of the web takes and Node's does without. */
const names: readonly string[] =
  'join flags hostname loopback argv env eval execArgv name resourceLimits stderr stdin stdout trackUnmanagedFds transferList type workerData'.split(
    ' ',
  );

/** __NEW_UTS_LEN of linux/utsname.h. */
const longestName = 64;

interface Join extends Target {
  readonly option: string;
}

function checkJoin(join: unknown): Join[] {
  if (join === undefined) return [];
  const several = Array.isArray(join);
  const all = (several ? (join as unknown[]) : [join]).flatMap((target, index) => {
    const option = several ? `join[${index}]` : 'join';
    return checkTargets(target, option).map((one) => ({ option, ...one }));
  });
  let kinds = 0;
  for (const { flags, option } of all) {
    refuseFlags(option, flags, refused);
    const twice = (kinds & flags) >>> 0;
    if (twice !== 0) throw refusedOption(option, `enters ${formatFlags(twice)} a second time`);
    kinds |= flags;
  }
  return all.filter(({ flags }) => flags !== 0);
}

function checkFlags(flags: unknown, joined: number): number {
  const created = flags === undefined ? 0 : checkKinds(flags, 'flags');
  refuseFlags('flags', created, refused);
  const both = (created & joined) >>> 0;
  if (both === 0) return created;
  throw refusedOption('join', `cannot enter ${formatFlags(both)} that flags create: a thread is in one of each kind`);
}

/** As with clone(): no option reaches the host. */
function needs(option: string, flag: Flags, all: number, because: string): void {
  if ((all & flag) !== 0) return;
  throw refusedOption(option, `needs Flags.${formatFlags(flag).slice('CLONE_'.length)} in flags: ${because}`);
}

function kindsOf(targets: readonly Target[]): number {
  return targets.reduce((all, { flags }) => all | flags, 0);
}

/** @throws ArgumentError, SyscallError */
export function prepareWorker(
  filename: unknown,
  given: unknown,
  note: Note,
  call: (...args: never[]) => unknown,
): Entry {
  addon();
  refuseWithoutLibuv('NamespaceWorker');
  if (given !== undefined && (typeof given !== 'object' || given === null))
    throw invalidArgType('options argument', 'of type object', given);
  const {
    join,
    flags: newKinds,
    hostname,
    loopback,
    ...rest
  } = {
    __proto__: null,
    ...given,
  } as NamespaceWorkerOptions;
  // Node takes no notice of what it does not know: a namespace that is misspelt would be the host's.
  for (const [key, value] of Object.entries(rest)) {
    if (value !== undefined && !names.includes(key)) throw unknownOption(key, key, names);
  }
  const targets = checkJoin(join);
  const flags = checkFlags(newKinds, kindsOf(targets));
  const all = (flags | kindsOf(targets)) & namespaceMask;
  const name = hostname === undefined ? undefined : string(hostname, 'hostname', { maxBytes: longestName });
  if (name !== undefined) needs('hostname', Flags.NEWUTS, all, 'without it the host would be renamed');
  const raises = loopback === undefined ? false : boolean(loopback, 'loopback');
  if (raises) needs('loopback', Flags.NEWNET, all, 'it is the interface of a new network namespace');
  startThreadPool();
  const { places, close } = openTargets(targets, true);
  try {
    const entered = [...places.subarray(0, 2 * targets.length)];
    const own = `refused${Math.random()}`;
    const entry = { addon: addon().file(), places: entered, flags, hostname: name, loopback: raises, refusal: own };
    const text = workerText(filename, rest, entry);
    const translate = (error: unknown): unknown => {
      const refusal = (error as Partial<Record<string, Refused>> | null | undefined)?.[own];
      return refusal === undefined ? error : ofCall(failure(refusal, flags, targets), call, note);
    };
    return { text, options: { ...rest, eval: true }, close, translate };
  } catch (error) {
    close();
    throw error;
  }
}

function failure([what, errno, place, call]: Refused, flags: number, targets: readonly Join[]): SyscallError {
  switch (what) {
    case 'join':
      return moveFailure(errno, [place, call], targets);
    case 'flags':
      return unshareFailure(errno, flags);
    case 'hostname':
      return new SyscallError({ errno, syscall: 'sethostname', option: what });
    case 'loopback':
      return new SyscallError({ errno, syscall: syscallName(call), option: what, path: 'lo' });
  }
}
