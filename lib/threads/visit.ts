// A function on the calling thread, in namespaces of others.
import { isAsyncFunction, isGeneratorFunction } from 'node:util/types';

import { addon } from '../addon';
import { invalidArgType, refusedOption } from '../errors/argument-error';
import { Flags } from '../flags';
import { checkTargets, type Target } from '../join-target';
import { moveFailure } from './failure';
import { openTargets } from './opened';
import { startThreadPool } from './pool';
import { type Reasons, refuseFlags, refuseWithoutLibuv } from './refuse';

const refused: Reasons = [
  [
    Flags.NEWNS,
    'root and working directory would be lost, and half of node:fs does its work on other threads, elsewhere; use clone() with join, or setns() in a Worker',
  ],
  [
    Flags.NEWUSER | Flags.NEWTIME,
    'the kernel refuses it to a process with threads, which Node always has; use clone() with join',
  ],
];

/** @throws ArgumentError, SyscallError, and what `fn` throws */
export function visitNamespaces<T>(target: unknown, fn: () => T): T {
  addon();
  refuseWithoutLibuv('runIn()');
  const targets = checkTargets(target, 'target argument').filter(({ flags }) => flags !== 0);
  for (const { flags } of targets) refuseFlags('target argument', flags, refused);
  checkSynchronous(fn);
  startThreadPool();
  const value = callThere(targets, fn);
  if (isThenable(value)) {
    // Nobody else can: its rejection is told here and nowhere else.
    Promise.resolve(value).catch(() => {});
    throw refusedOption(
      'fn argument',
      'must be synchronous: it has returned a promise, and what is left of it to do is done back here',
    );
  }
  return value;
}

function callThere<T>(targets: readonly Target[], fn: () => T): T {
  let value: T;
  const { places, close } = openTargets(targets);
  try {
    const result = addon().visit(places, targets.length, () => {
      // Here, too: the `timeout` of node:vm leaves a function without running its `finally`.
      close();
      value = fn();
    });
    if (result < 0) throw moveFailure(-result, places, targets);
    return value!;
  } finally {
    close();
  }
}

function checkSynchronous(fn: unknown): void {
  if (typeof fn !== 'function') throw invalidArgType('fn argument', 'of type function', fn);
  const kind = isAsyncFunction(fn) ? 'an async function' : isGeneratorFunction(fn) ? 'a generator function' : undefined;
  if (kind === undefined) return;
  throw refusedOption('fn argument', `must be synchronous: ${kind} does its work after it has returned, back here`);
}

function isThenable(value: unknown): boolean {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}
