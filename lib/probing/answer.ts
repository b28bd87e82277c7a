// An answer of probe(), from the error that clone() would reject with.
import type { Answer, Refusal, RefusalCause } from '../../types/probe';
import { refusalOf } from '../errors/hint';
import type { SyscallError } from '../errors/syscall-error';

/** What the kernel answers where there is not enough of something for now. */
const shortages = new Set(['EAGAIN', 'EMFILE', 'ENFILE', 'ENOMEM', 'ETIMEDOUT']);

/** Of an error of which the host shows no cause. */
function unexplained({ code }: SyscallError): RefusalCause {
  return shortages.has(code) ? 'limit' : 'kernel';
}

/** The message without what can be done. */
function plain({ message, hint }: SyscallError): string {
  const tail = `: ${hint ?? ''}`;
  return message.endsWith(tail) ? message.slice(0, -tail.length) : message;
}

/** @param more what else is known of the refusal, where the error says nothing */
export function answerOf(error: SyscallError, more?: Refusal): Answer & { readonly available: false } {
  const refusal = refusalOf(error) ?? more;
  const hint = refusal === undefined ? error.hint : refusal.hint;
  return {
    available: false,
    cause: refusal?.cause ?? unexplained(error),
    detail: refusal?.detail ?? more?.detail ?? plain(error),
    ...(hint !== undefined && { hint }),
  };
}
