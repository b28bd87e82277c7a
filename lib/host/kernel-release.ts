// Which version this kernel is of, for what an older one takes in another way.
import { os } from '../builtin';

/** What a test replaces. */
export const kernel = {
  /** '6.8.0-45-generic' */
  release: (): string => os().release(),
};

/** Whether a version is an older one. @param than '6.7' */
export function isBefore(version: string, than: string): boolean {
  const [major, minor] = version.split('.').map((part) => Number.parseInt(part, 10)) as [number, number];
  const [otherMajor, otherMinor] = than.split('.').map(Number) as [number, number];
  return major < otherMajor || (major === otherMajor && minor < otherMinor);
}

/** Whether this kernel is older than a version: '6.7'. */
export function isKernelBefore(version: string): boolean {
  return isBefore(kernel.release(), version);
}
