// The error of a command that wrote more than run() was to collect.
import type { ExitStatus } from '../../types/child';
import { isOurs } from './caller';

/**
 * A command wrote more than `maxBuffer` bytes to its stdout or stderr, and was killed. As that of `execFile()`: a RangeError with what
 * was collected until then. How the command ended is there too, but for its exit code: `code` is the error's.
 */
export class MaxBufferError extends RangeError implements Omit<ExitStatus, 'code'> {
  readonly code = 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER';
  /** In the `encoding` of the call; of the stream that had more than `maxBuffer` bytes, the first of them. */
  declare readonly stdout: string | Buffer;
  declare readonly stderr: string | Buffer;
  declare readonly signal: ExitStatus['signal'];
  declare readonly endedBy?: Exclude<ExitStatus['endedBy'], undefined>;
  declare readonly coreDumped: boolean;
  declare readonly resourceUsage: ExitStatus['resourceUsage'];

  static {
    Object.defineProperty(this.prototype, 'name', { value: 'MaxBufferError', writable: true, configurable: true });
  }

  /** @internal */
  constructor(name: 'stdout' | 'stderr') {
    super(`${name} maxBuffer length exceeded`);
    isOurs(this);
  }
}
