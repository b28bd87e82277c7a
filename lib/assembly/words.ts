// Where in the data of a program the numbers of descriptors lie that differ from start to start.
import { Reserved } from '../program/format';
import type { Request } from './request';

/** The source of entry `index` of stdio. */
export function sourceWord(index: number): number {
  return Reserved + index * 4;
}

/** Target `index` of all that is opened for a start, behind those of stdio: first those of `join`. */
export function joinWord(request: Request, index: number): number {
  return sourceWord(request.stdio.length + index);
}

/** Folder `index` of `cgroup` that is opened for a start, behind those. */
export function cgroupWord(request: Request, index: number): number {
  return joinWord(request, request.targets.length + index);
}

/** Where what is carried lies once all else is closed: behind the channel. */
export function firstCarried(request: Request): number {
  return lowestFree(request) + 1;
}

/** The first number above the entries of stdio. */
export function lowestFree(request: Request): number {
  return Math.max(3, request.stdio.length);
}

/** The first number above those where closeFds puts the channel, what is carried, and what may be open until the exec. */
export function aboveKept(request: Request): number {
  const { carried, commandFd, heldBy, landlock, listener } = request;
  const untilExec = [commandFd, heldBy?.fd, heldBy?.report, landlock].filter((one) => one !== undefined);
  return firstCarried(request) + carried.length + untilExec.length + (listener === undefined ? 0 : 2);
}
