// setns(2) on the calling thread.
import { addon } from '../addon';
import { workerThreads } from '../builtin';
import { SyscallError } from '../errors/syscall-error';
import { Flags } from '../flags';
import { checkKinds, checkTargets, type Target } from '../join-target';
import { moveFailure } from './failure';
import { openTargets } from './opened';
import { startThreadPool } from './pool';
import { type Reasons, refuseFlags, refuseWithoutPool } from './refuse';

const refused: Reasons = [
  [
    Flags.NEWUSER | Flags.NEWTIME,
    'the kernel refuses it to a process with threads, which Node always has; enter it with the join of clone()',
  ],
];

/** @throws ArgumentError, SyscallError; the thread is then where it was */
export function enterNamespaces(target: unknown, flags: unknown): void {
  addon();
  const wanted = flags === undefined ? undefined : checkKinds(flags, 'flags argument');
  const targets = checkTargets(target, 'target argument', wanted).filter((one) => one.flags !== 0);
  for (const { flags: kinds } of targets) {
    refuseFlags('target argument', kinds, refused);
    refuseWithoutPool('setns()', kinds);
  }
  if (targets.length === 0) return;
  startThreadPool();
  const { places, close } = openTargets(targets);
  try {
    if (targets.some(entersMounts)) forgetFolder();
    const result = addon().enter(places, targets.length);
    if (result < 0) throw moveFailure(-result, places, targets);
  } finally {
    close();
  }
}

function entersMounts({ flags }: Target): boolean {
  return (flags & Flags.NEWNS) !== 0;
}

/**
 * What process.cwd() says is remembered until the next process.chdir(), which a Worker has not. Before the thread goes: the root of
 * another user may be a folder that it may not search.
 */
function forgetFolder(): void {
  if (!workerThreads().isMainThread) return;
  try {
    process.chdir('.');
  } catch (cause) {
    const { errno } = cause as NodeJS.ErrnoException;
    const hint = 'the thread has to be in a folder that it may search, for process.cwd() to be told that it moves';
    throw new SyscallError({ errno, syscall: 'chdir', option: 'target', path: '.', hint, cause });
  }
}
