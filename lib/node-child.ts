// A child of node:child_process, as what its namespaces are entered by.
import type { SpawnedTarget } from '../types/join-target';
import { SyscallError } from './errors/syscall-error';

/** Of it or of its class, and not what somebody has put into the prototype of all objects. */
export function has(target: object, name: string): boolean {
  return name in target && (Object.hasOwn(target, name) || !(name in Object.prototype));
}

/** A child of Node's, and not a copy of its fields. */
export function isSpawned(target: object): target is SpawnedTarget {
  return has(target, 'exitCode') && has(target, 'signalCode') && has(target, 'kill') && !Object.hasOwn(target, 'kill');
}

/**
 * Its pid, which is nobody else's as long as Node has not told of its end, or of that of another child in the same moment.
 * @throws SyscallError ESRCH
 */
export function pidOfSpawned({ pid, exitCode, signalCode }: SpawnedTarget, option: string, syscall: string): number {
  if (typeof pid === 'number' && exitCode === null && signalCode === null) return pid;
  throw new SyscallError({ code: 'ESRCH', syscall, option, reason: 'the child has ended, or was never started' });
}
