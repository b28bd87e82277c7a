// A TypeScript user of the package, for a Node that takes the types away by itself.
import assert from 'node:assert/strict';

import { clone, type ClonedProcess, Flags, type SyscallError } from 'nsclone';

async function codeOf(command: string): Promise<number | null> {
  const child: ClonedProcess = await clone(command, ['-c', 'exit 3'], { flags: Flags.NEWUSER | Flags.NEWPID });
  return (await child.exited).code;
}

assert.equal(await codeOf('/bin/sh'), 3);
const error = (await clone('/nowhere').catch((reason: unknown) => reason)) as SyscallError;
assert.equal(error.code, 'ENOENT');
console.log('good');
