// The system call numbers of the architecture that this process runs on.
import { syscallsArm64 } from './syscalls-arm64';
import { syscallsX64 } from './syscalls-x64';

/** A system call that every supported architecture has, see syscalls(2). */
export type SyscallName = keyof typeof syscallsX64 & keyof typeof syscallsArm64;

/** A system call that some supported architecture has ('open' is x64 only, for one), see syscalls(2). */
export type AnySyscallName = keyof typeof syscallsX64 | keyof typeof syscallsArm64;

/** System call name to number on this architecture. */
export const syscalls: Readonly<Record<SyscallName, number>> = process.arch === 'arm64' ? syscallsArm64 : syscallsX64;

/** The number of a system call on this architecture; `undefined` where it has none of that name. */
export function syscallNumber(name: string): number | undefined {
  return Object.hasOwn(syscalls, name) ? syscalls[name as SyscallName] : undefined;
}

let names: Map<number, string> | undefined;

/** The name of a system call number on this architecture; `undefined` where there is none. */
export function syscallName(number: number): string | undefined {
  names ??= new Map(Object.entries(syscalls).map(([name, value]) => [value, name]));
  return names.get(number);
}
