// What the options of bubblewrap take, and what is said of what they do not.
import { readFileSync } from 'node:fs';

import type { Line } from './line';
import { refusal, refusalOf } from './words';

/** BPF_MAXINSNS of the kernel. */
const mostInstructions = 4096;
const noFilter =
  'Unable to set up system call filtering as requested: prctl(PR_SET_SECCOMP) reported EINVAL. ' +
  '(Hint: this requires a kernel configured with CONFIG_SECCOMP and CONFIG_SECCOMP_FILTER.)';
/** Half of the address space. */
const mostBytes = 2n ** 63n - 1n;

export function number(text: string, what: string): number {
  const value = /^\s*[+-]?\d+$/.test(text) ? Number(text) | 0 : -1;
  if (value < 0) throw refusal(`Invalid ${what}: ${text}`);
  return value;
}

/** One that nobody has. */
const closed = 2 ** 31 - 1;

/** What is open under the number of one that was not handed over is Node's. */
export function descriptorOf(text: string, { handed }: Line): number {
  const given = number(text, 'fd');
  return given > 2 && handed?.includes(given) === false ? closed : given;
}

export function octal(text: string, option: string): number {
  const value = /^\s*\+?[0-7]+$/.test(text) ? Number.parseInt(text.trim().replace('+', ''), 8) : -1;
  if (value < 0 || value > 0o7777) throw refusal(`${option} takes an octal argument <= 07777`);
  return value;
}

export function size(text: string): string {
  const isOctal = /^0[0-7]+$/.test(text);
  const value = isOctal || /^(0x[\da-f]+|[1-9]\d*)$/i.test(text) ? BigInt(isOctal ? `0o${text}` : text) : 0n;
  if (value === 0n || value >= 2n ** 64n) throw refusal('--size takes a non-zero number of bytes');
  if (value > mostBytes) throw refusal(`--size (for tmpfs) is limited to ${mostBytes}`);
  return String(value);
}

export function contentOf(descriptor: number, what: string, { used, spent }: Line): Uint8Array {
  if (spent.has(descriptor)) throw refusal(`${what}: Bad file descriptor`);
  used.add(descriptor);
  spent.add(descriptor);
  try {
    return readFileSync(descriptor);
  } catch (error) {
    throw refusalOf(what, error);
  }
}

export function filterOf(descriptor: number, line: Line): Uint8Array {
  const filter = contentOf(descriptor, "Can't read seccomp data", line);
  if (filter.length % 8 !== 0) throw refusal('Invalid seccomp data, must be multiple of 8');
  return filter;
}

/** What the kernel says of them, when all that was given has been read. */
export function checkFilters(filters: readonly Uint8Array[]): void {
  if (filters.some(({ length }) => length === 0 || length / 8 > mostInstructions)) throw refusal(noFilter);
}
