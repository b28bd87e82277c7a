// Where in the data of a program the numbers of descriptors lie that differ from start to start.
import { Reserved } from '../program/format';
import type { Request } from './request';

/** The source of entry `index` of stdio. */
export function sourceWord(index: number): number {
  return Reserved + index * 4;
}

/** Target `index` of `join`, behind those of stdio. */
export function joinWord(request: Request, index: number): number {
  return sourceWord(request.stdio.length + index);
}

/** The first number above the entries of stdio. */
export function lowestFree(request: Request): number {
  return Math.max(3, request.stdio.length);
}

/** The first number above those where closeFds puts the channel, and what may be open until the exec. */
export function aboveKept(request: Request): number {
  const { commandFd, landlock } = request;
  return lowestFree(request) + 1 + (landlock === undefined ? 0 : 1) + (commandFd === undefined ? 0 : 1);
}
