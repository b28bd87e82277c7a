// Numbers spelled with the kernel's names.
import { printable } from '../errors/printable';
import { formatFlags } from '../flags';
import { constants } from '../kernel/constants';
import { stepConstants } from '../kernel/step-constants';

/** Masks and aliases that would hide what a number says. */
const unfit = new Set([
  'O_ACCMODE',
  'O_NDELAY',
  'S_IFMT',
  'MSG_TRYHARD',
  'AF_UNSPEC',
  'AF_LOCAL',
  'AF_ROUTE',
  'AF_FILE',
  'CAP_LAST_CAP',
  'MS_RMT_MASK',
  'MS_MGC_MSK',
  'O_LARGEFILE',
]);

/** Not of the constants that recording needs. */
const masking = { FIONBIO: 0x5421, SIG_BLOCK: 0, SIG_UNBLOCK: 1, SIG_SETMASK: 2 };

const byPrefix = new Map<string, (readonly [name: string, value: number])[]>();

function bitsIn(value: number): number {
  let bits = 0;
  for (let rest = value >>> 0; rest !== 0; rest &= rest - 1) bits++;
  return bits;
}

function named(prefixes: string): (readonly [string, number])[] {
  let list = byPrefix.get(prefixes);
  if (list === undefined) {
    const starts = prefixes.split(',');
    list = (Object.entries({ ...constants, ...stepConstants(), ...masking }) as [string, number | bigint][])
      .filter((entry): entry is [string, number] => typeof entry[1] === 'number')
      .filter(([name]) => !unfit.has(name) && starts.some((start) => `${name}$`.startsWith(start)))
      // Sub-commands of single prctl(2) operations.
      .filter(([name]) => !name.startsWith('PR_SET_MM_'))
      // What stands for several bits comes before each of them.
      .toSorted(([, a], [, b]) => bitsIn(b) - bitsIn(a));
    byPrefix.set(prefixes, list);
  }
  return list;
}

/** 'MS_REC|MS_PRIVATE'; what has no name is in hexadecimal. */
export function spellSet(value: number, prefixes: string): string {
  if (prefixes === 'CLONE_') return formatFlags(value >>> 0);
  let rest = value;
  const parts: string[] = [];
  if (prefixes === 'O_' && (value & 3) === 0) parts.push('O_RDONLY');
  for (const [name, bits] of named(prefixes)) {
    if (bits === 0 || (rest & bits) !== bits) continue;
    parts.push(name);
    rest &= ~bits;
  }
  if (rest !== 0) parts.push(`0x${(rest >>> 0).toString(16)}`);
  return parts.length === 0 ? '0' : parts.join('|');
}

/** 'SOCK_STREAM|SOCK_CLOEXEC': the type is a number in the lower bits. */
export function spellSocketType(value: number): string {
  const type = value & 0xf;
  const flags = value & ~0xf;
  const name = spellOne(type, 'SOCK_STREAM,SOCK_DGRAM,SOCK_RAW,SOCK_RDM,SOCK_SEQPACKET,SOCK_PACKET');
  return flags === 0 ? name : `${name}|${spellSet(flags, 'SOCK_CLOEXEC,SOCK_NONBLOCK')}`;
}

/** 'AF_INET'; the number where it has no name. */
export function spellOne(value: number, prefixes: string): string {
  return named(prefixes).find(([, number]) => number === value)?.[0] ?? String(value);
}

/** A string in quotes, its control characters escaped. */
export function quote(text: string): string {
  return `"${printable(text.replaceAll('\\', '\\\\')).replaceAll('"', '\\"')}"`;
}
