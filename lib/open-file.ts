// Files that we hold by a descriptor of our own. Not by node:fs, for which the number must be one of the runtime's: Deno knows no other.
import { addon } from './addon';
import { SyscallError } from './errors/syscall-error';
import { constants } from './kernel/constants';

/** What no other file has while it is open. */
export interface FileIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
}

/** An open file, with its type and permissions and the flags that it was opened with. */
export interface OpenFile extends FileIdentity {
  readonly mode: number;
  readonly flags: number;
}

const told = new BigUint64Array(4);

function must(result: number, syscall: string): number {
  if (result < 0) throw new SyscallError({ errno: -result, syscall });
  return result;
}

/** @throws SyscallError EBADF */
export function identify(descriptor: number): FileIdentity {
  must(addon().identify(descriptor, told), 'fstat');
  return { dev: told[0]!, ino: told[1]! };
}

/** The same and more of one; undefined where it is not open. */
export function describe(descriptor: number): OpenFile | undefined {
  if (addon().identify(descriptor, told) < 0) return undefined;
  return { dev: told[0]!, ino: told[1]!, mode: Number(told[2]), flags: Number(told[3]) };
}

/** As much as one read(2) gives. */
const atOnce = 4096;

/** All that is left to read. @throws SyscallError */
export function readText(descriptor: number): string {
  const chunks: Buffer[] = [];
  for (;;) {
    const chunk = Buffer.allocUnsafe(atOnce);
    const size = must(addon().read(descriptor, chunk), 'read');
    if (size === 0) return Buffer.concat(chunks).toString();
    chunks.push(chunk.subarray(0, size));
  }
}

/** The text of a file at a path. A fifo there would be waited for, and a device may have no end. @throws SyscallError */
export function readRegularFile(path: string): string {
  const descriptor = must(addon().openAt(constants.AT_FDCWD, path), 'open');
  try {
    if (((describe(descriptor)?.mode ?? 0) & constants.S_IFMT) === constants.S_IFREG) return readText(descriptor);
    throw new SyscallError({ code: 'EINVAL', syscall: 'read', reason: 'it is no regular file' });
  } finally {
    addon().close(descriptor);
  }
}

/** In one write(2), as files of the kernel's want it. @throws SyscallError */
export function writeText(descriptor: number, text: string): void {
  must(addon().write(descriptor, Buffer.from(text), 0), 'write');
}
