// What hints ask the host: the one place from which they read it, so that a test can answer as another host would.
import { closeSync, openSync, readlinkSync, readSync, statSync } from 'node:fs';

import { os } from '../builtin';
import { constants } from '../kernel/constants';
import { readRegularFile } from '../open-file';
import { readProc } from '../proc';

export interface FileStatus {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface Host {
  /** The text of a file without the blanks around it; undefined where it cannot be read. */
  read(path: string): string | undefined;
  /** Of what a path leads to; undefined where it leads to nothing, or through a folder that we may not search. */
  stat(path: string): FileStatus | undefined;
  /** What a link says; undefined where there is none. */
  readlink(path: string): string | undefined;
  /** Whether a file begins with these bytes; false where it cannot be read. */
  begins(path: string, bytes: string): boolean;
  /** '6.8.0-45-generic' */
  release(): string;
}

export const host: Host = {
  read: (path) => (path.startsWith('/proc/') ? readProc(path.slice('/proc/'.length))?.trim() : readText(path)),
  stat: (path) => tryTo(() => statSync(path)),
  readlink: (path) => tryTo(() => readlinkSync(path)),
  begins: (path, bytes) => tryTo(() => readBeginning(path, bytes.length)) === bytes,
  release: () => os().release(),
};

function readText(path: string): string | undefined {
  return tryTo(() => readRegularFile(path).trim());
}

function readBeginning(path: string, size: number): string {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const bytes = Buffer.alloc(size);
    return bytes.toString('latin1', 0, readSync(descriptor, bytes, 0, size, 0));
  } finally {
    closeSync(descriptor);
  }
}

function tryTo<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}
