// The descriptor by which a child that outlives us is started: what it must be, and the byte that start() writes.
import { addon } from '../addon';
import { SyscallError } from '../errors/syscall-error';
import { constants } from '../kernel/constants';
import { errnoByName } from '../kernel/errno';
import { describe, type OpenFile } from '../open-file';
import type { Request } from '../assembly/request';
import type { HoldDescriptors } from '../assembly/settings';

const { O_ACCMODE, O_RDONLY, O_WRONLY, S_IFIFO, S_IFMT, S_IFSOCK } = constants;
const EAGAIN = errnoByName['EAGAIN']!;

const isSame = (one: OpenFile, other: OpenFile): boolean => one.ino === other.ino && one.dev === other.dev;
const typeOf = ({ mode }: OpenFile): number => mode & S_IFMT;

function refused(name: keyof HoldDescriptors, reason: string, code = 'EINVAL'): SyscallError {
  return new SyscallError({ code, step: 'hold', option: `hold.${name}`, reason });
}

/** Undefined where it is not open, as is told of all of them. @throws SyscallError */
function look(descriptor: number, name: keyof HoldDescriptors, forbidden: number): OpenFile | undefined {
  const file = describe(descriptor);
  if (file === undefined) return undefined;
  const type = typeOf(file);
  if (type !== S_IFIFO && type !== S_IFSOCK)
    throw refused(name, `descriptor ${descriptor} must be a FIFO, an end of a pipe or a connected socket`);
  if ((file.flags & O_ACCMODE) === forbidden)
    throw refused(name, `descriptor ${descriptor} is not open for ${forbidden === O_WRONLY ? 'reading' : 'writing'}`);
  return file;
}

export class StartDescriptor {
  readonly #number: number;
  readonly #file: OpenFile;

  private constructor(number: number, file: OpenFile) {
    this.#number = number;
    this.#file = file;
  }

  /** Looks at those of a start; undefined where start() is what ends the stop. @throws SyscallError EINVAL */
  static of({ heldBy }: Request): StartDescriptor | undefined {
    if (heldBy === undefined) return undefined;
    const file = look(heldBy.fd, 'fd', O_WRONLY);
    if (file === undefined) return undefined;
    const report = heldBy.report === undefined ? undefined : look(heldBy.report, 'report', O_RDONLY);
    if (report !== undefined && isSame(report, file))
      throw refused(
        'report',
        `descriptor ${heldBy.report} is of the same file as fd: what is written there is read there`,
      );
    return new StartDescriptor(heldBy.fd, file);
  }

  /** Writes the byte, as whoever else may do. @throws SyscallError */
  write(): void {
    const now = describe(this.#number);
    if (now === undefined || !isSame(now, this.#file))
      throw refused(
        'fd',
        `descriptor ${this.#number} is not open any more; whoever has the FIFO can start the child`,
        'EBADF',
      );
    if (typeOf(now) === S_IFSOCK) throw refused('fd', 'whoever has the other end of the socket starts the child');
    if ((now.flags & O_ACCMODE) === O_RDONLY)
      throw refused('fd', 'it is open for reading alone; whoever can write to it starts the child', 'EBADF');
    // Whoever else has the FIFO may have filled it, and made it a blocking one: our event loop does not wait for him.
    const result = addon().isWritable(this.#number) ? addon().write(this.#number, Uint8Array.of(0), 0) : -EAGAIN;
    if (result >= 0) return;
    const hint = result === -EAGAIN ? 'it is full of bytes that nobody takes' : undefined;
    throw new SyscallError({ errno: -result, step: 'hold', option: 'hold.fd', syscall: 'write', hint });
  }
}
