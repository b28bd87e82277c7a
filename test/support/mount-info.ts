// What a child is told of its mounts, and what the host has.
import { readFileSync } from 'node:fs';

import type { CloneOptions } from '../../lib';
import { inside } from './inside';

export interface SeenMount {
  readonly point: string;
  /** Of the mount: 'ro', 'nosuid', … */
  readonly attributes: readonly string[];
  /** 'shared:1', 'master:2', 'unbindable'; nothing of a private one. */
  readonly propagation: readonly string[];
  readonly type: string;
  /** Of the file system. */
  readonly options: readonly string[];
}

/** /proc/self/mountinfo as a child with these options sees it, in its order. */
export async function mountsSeen(options: CloneOptions, script = ''): Promise<SeenMount[]> {
  const text = await inside(
    `${script}
    while read -r line; do echo "$line"; done < /proc/self/mountinfo`,
    options,
  );
  return withoutOthers(text).map((line) => {
    const [mount, fileSystem] = line.split(' - ').map((part) => part.split(' ')) as [string[], string[]];
    return {
      point: mount[4]!,
      attributes: mount[5]!.split(','),
      propagation: mount.slice(6),
      type: fileSystem[0]!,
      options: fileSystem[2]!.split(','),
    };
  });
}

/** The uppermost mount at a place. */
export async function mountSeen(point: string, options: CloneOptions): Promise<SeenMount> {
  const found = (await mountsSeen(options)).findLast((mount) => mount.point === point);
  if (found === undefined) throw new Error(`nothing is mounted on ${point}`);
  return found;
}

/** The lines of /proc/self/mountinfo. */
export const hostMounts = (): string[] => withoutOthers(readFileSync('/proc/self/mountinfo', 'utf8'));

/** The lines, without what others keep below /run/netns meanwhile, see ip-netns(8). */
function withoutOthers(text: string): string[] {
  return text.split('\n').filter((line) => !line.includes(' /run/netns'));
}
