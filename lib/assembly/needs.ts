// The rule that options never add flags: one that acts on a namespace needs that namespace new or joined in the same call.
import { refusedOption } from '../errors/argument-error';
import { Flags, formatFlags } from '../flags';
import type { Hint } from '../errors/hint';
import type { Request } from './request';

/**
 * @param joined whether a joined namespace will do
 * @throws ArgumentError naming the flag, where the namespace that `option` acts on would be the host's
 */
export function needs(request: Request, option: string, flag: Flags, because: string, joined = true): void {
  if (request.creates(flag) || (joined && request.joinsAny(flag))) return;
  throw refusedOption(option, `needs Flags.${formatFlags(flag).slice('CLONE_'.length)} in flags: ${because}`);
}

/** A joined namespace has an owner of its own: what may be done in a new user namespace may not be done to it. */
export function whyNotJoined(code: string, request: Request, flag: Flags): Hint | undefined {
  if (code !== 'EPERM') return undefined;
  if (!request.creates(Flags.NEWUSER) || request.creates(flag) || request.joinsUser) return undefined;
  return 'the namespace that is joined does not belong to the new user namespace, in which this is done: leave out Flags.NEWUSER';
}
