// Step `control`: when and how the child is ended from here. It has no instruction of its own.
import { boolean, integer } from '../check';
import { invalidArgType, refusedOption } from '../errors/argument-error';
import { checkSignal } from './check-signal';
import type { Step } from '../assembly/step';

/** The longest time that setTimeout() knows. */
const longest = 2 ** 31 - 1;

function isAbortSignal(value: unknown): value is AbortSignal {
  return typeof value === 'object' && value !== null && 'aborted' in value && 'addEventListener' in value;
}

/** An AbortSignal, of any realm. */
export function checkAbortSignal(value: unknown): AbortSignal {
  if (!isAbortSignal(value)) throw invalidArgType('signal', 'an instance of AbortSignal', value);
  return value;
}

/** Milliseconds. */
export function checkTimeout(value: unknown): number {
  return integer(value, 'timeout', 0, longest);
}

export const control: Step = {
  name: 'control',
  options: ['signal', 'timeout', 'killSignal', 'killGrace', 'killTree'],
  after: {},

  check(given, request) {
    const { signal, timeout, killSignal, killGrace, killTree } = given;
    if (signal !== undefined) request.signal = checkAbortSignal(signal);
    if (timeout !== undefined) request.timeout = checkTimeout(timeout);
    if (killSignal !== undefined) request.killSignal = checkSignal(killSignal, 'killSignal');
    if (killGrace !== undefined) request.killGrace = integer(killGrace, 'killGrace', 0, longest);
    if (killTree !== undefined) request.killTree = boolean(killTree, 'killTree');
  },

  settle(request) {
    if (!request.killTree || request.treeWay !== undefined) return;
    throw refusedOption(
      'killTree',
      request.cgroups.length > 0
        ? 'cannot be done with these cgroups of version 1: one below the root of the freezer is needed, or one of version 2'
        : "needs what tells its processes from others': Flags.NEWPID in flags, a cgroup of its own, processGroup 0, detached or pty",
    );
  },
};
