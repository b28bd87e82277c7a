// What a thread of Node cannot do, or should not: each with the reason and the form that works.
import { refusedOption, unavailableIn } from '../errors/argument-error';
import { Flags, formatFlags } from '../flags';
import { hasLibuv, runtime } from '../runtime';

/** Flags that a call refuses, and why. */
export type Reasons = readonly (readonly [flags: number, reason: string])[];

/** @throws ArgumentError naming the flags, why not, and what to do instead */
export function refuseFlags(option: string, flags: number, reasons: Reasons): void {
  for (const [refused, reason] of reasons) {
    const bad = (flags & refused) >>> 0;
    if (bad !== 0) throw refusedOption(option, `cannot have ${formatFlags(bad)}: ${reason}`);
  }
}

/**
 * Where threads are started one by one, whenever the runtime needs one, none may be kept from it.
 * @throws ArgumentError
 */
export function refuseWithoutPool(call: string, flags: number): void {
  if (hasLibuv || (flags & Flags.NEWPID) === 0) return;
  const reason = `a thread that has done it can start no other, and ${runtime} ends where it needs one; use clone()`;
  throw unavailableIn(runtime, `${call} of a pid namespace`, reason);
}

/**
 * Where threads are started one by one, the next one may be started in the middle of it, and is there for good.
 * @throws ArgumentError
 */
export function refuseWithoutLibuv(feature: string): void {
  if (hasLibuv) return;
  const reason = `${runtime} starts its threads when it needs them, and one that it starts in there would stay there; use clone() with join`;
  throw unavailableIn(runtime, feature, reason);
}
