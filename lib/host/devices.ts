// The devices of the host: where there is a node with given numbers.
import { type Dirent, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const root = '/dev';
/** Folders below it are few, and none of those with devices lies deeper: /dev/bus/usb/001. */
const deepest = 3;

/** As stat(2) and mknod(2) have it, see makedev(3), for the 12 and 20 bits that the kernel has. */
export function deviceNumber(major: number, minor: number): number {
  return (((minor & ~0xff) << 12) | (major << 8) | (minor & 0xff)) >>> 0;
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    // One that we may not read.
    return [];
  }
}

function hasNumber(path: string, number: number): boolean {
  try {
    return statSync(path).rdev === number;
  } catch {
    return false;
  }
}

/** The path of a node below /dev; undefined where there is none that we can see. */
export function pathOfDevice(kind: 'c' | 'b', major: number, minor: number): string | undefined {
  const number = deviceNumber(major, minor);
  let folders = [root];
  for (let depth = 0; depth <= deepest && folders.length > 0; depth++) {
    const below: string[] = [];
    for (const folder of folders) {
      for (const entry of entriesOf(folder)) {
        const path = join(folder, entry.name);
        if (entry.isDirectory()) below.push(path);
        const isOfKind = kind === 'c' ? entry.isCharacterDevice() : entry.isBlockDevice();
        if (isOfKind && hasNumber(path, number)) return path;
      }
    }
    folders = below;
  }
  return undefined;
}
