// Tests that need something of the host, most often a capability, and say so where it is missing.
import { release } from 'node:os';

import { Credentials } from '../../lib/privilege';
import { constants } from '../../lib';

/** Whether this process has a capability (`constants.CAP_…`). */
export function hasCapability(capability: number): boolean {
  return new Credentials().has(capability);
}

type Body = (() => void) | (() => Promise<unknown>);

/** As `test()` where this holds, else a skip that names what is missing. */
export function needing(holds: boolean, what: string): (name: string, body: Body) => void {
  return (name, body) => (holds ? test(name, body) : test.skip(`${name} (skipped: needs ${what})`, body));
}

/** Whether this kernel is of that version or a newer one: `isLinux('6.3')`. */
export function isLinux(version: string): boolean {
  return release().localeCompare(version, 'en', { numeric: true }) >= 0;
}

/** As `test()`, for what an ordinary user may not do. */
export function rootOnly(name: string, body: Body): void {
  withCapability('CAP_SYS_ADMIN', name, body);
}

/** As `test()`, for what needs this capability. */
export function withCapability(capability: `CAP_${string}` & keyof typeof constants, name: string, body: Body): void {
  if (hasCapability(Number(constants[capability]))) test(name, body);
  else test.skip(`${name} (skipped: needs ${capability})`, body);
}

/** As `test()`, for what the kernel refuses to an ordinary user only. */
export function userOnly(name: string, body: Body): void {
  if (hasCapability(constants.CAP_SYS_ADMIN)) test.skip(`${name} (skipped: needs a user without CAP_SYS_ADMIN)`, body);
  else test(name, body);
}

/** As `test()`, for what the kernel refuses where this capability is missing. */
export function withoutCapability(
  capability: `CAP_${string}` & keyof typeof constants,
  name: string,
  body: Body,
): void {
  if (!hasCapability(Number(constants[capability]))) test(name, body);
  else test.skip(`${name} (skipped: needs a process without ${capability})`, body);
}
