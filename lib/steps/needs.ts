// The rule that options never add flags: one that acts on a namespace needs that namespace new in the same call.
import { refusedOption } from '../errors/argument-error';
import { type Flags, formatFlags } from '../flags';
import type { Request } from './request';

/** @throws ArgumentError naming the flag, where the namespace that `option` acts on would be the host's */
export function needs(request: Request, option: string, flag: Flags, because: string): void {
  if (request.creates(flag)) return;
  throw refusedOption(option, `needs Flags.${formatFlags(flag).slice('CLONE_'.length)} in flags: ${because}`);
}
