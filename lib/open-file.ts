// Files that we hold by a descriptor of our own. Not by node:fs, for which the number must be one of the runtime's: Deno knows no other.
import { addon } from './addon';
import { SyscallError } from './errors/syscall-error';

/** What no other file has while it is open. */
export interface FileIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
}

const identity = new BigUint64Array(2);

function must(result: number, syscall: string): number {
  if (result < 0) throw new SyscallError({ errno: -result, syscall });
  return result;
}

/** @throws SyscallError EBADF */
export function identify(descriptor: number): FileIdentity {
  must(addon().identify(descriptor, identity), 'fstat');
  return { dev: identity[0]!, ino: identity[1]! };
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

/** In one write(2), as files of the kernel's want it. @throws SyscallError */
export function writeText(descriptor: number, text: string): void {
  must(addon().write(descriptor, Buffer.from(text), 0), 'write');
}
