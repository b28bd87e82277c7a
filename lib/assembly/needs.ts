// The rule that options never add flags: one that acts on a namespace needs that namespace new or joined in the same call.
import { refusedOption } from '../errors/argument-error';
import { type Flags, formatFlags } from '../flags';
import type { Request } from './request';

/**
 * @param joined whether a joined namespace will do
 * @throws ArgumentError naming the flag, where the namespace that `option` acts on would be the host's
 */
export function needs(request: Request, option: string, flag: Flags, because: string, joined = true): void {
  if (request.creates(flag) || (joined && request.joinsAny(flag))) return;
  throw refusedOption(option, `needs Flags.${formatFlags(flag).slice('CLONE_'.length)} in flags: ${because}`);
}
