// The error of an aborted call.
import { isOurs } from './caller';

/** A call ended by its AbortSignal; `cause` is the signal's reason. As Node's own: `code` is 'ABORT_ERR'. */
export class AbortError extends Error {
  readonly code = 'ABORT_ERR';

  static {
    Object.defineProperty(this.prototype, 'name', { value: 'AbortError', writable: true, configurable: true });
  }

  constructor(cause?: unknown, message = 'The operation was aborted') {
    super(message, cause === undefined ? undefined : { cause });
    isOurs(this);
  }
}
