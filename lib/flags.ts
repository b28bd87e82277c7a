// The flags of clone(2) as text and back, and which flag makes which kind of namespace.
import { Flags } from '../types/flags';
import type { NamespaceKind } from '../types/flags';
import { asCall } from './errors/caller';
import { invalidArgType, invalidArgValue, outOfRange, refusedOption } from './errors/argument-error';
import { didYouMean } from './errors/nearest';
import { CLONE_CLEAR_SIGHAND, CLONE_INTO_CGROUP } from './kernel/clone-constants';

export { Flags };
export type { NamespaceKind };

/** A name that a flag might have. */
const flagName = /^[A-Z][A-Z0-9_]*$/;

// Without types nobody would tell of a flag that there is not: undefined, which `|` takes for none.
Object.setPrototypeOf(
  Flags,
  new Proxy(
    {},
    {
      get(target, name, receiver): unknown {
        if (typeof name === 'string' && flagName.test(name)) throw refusedOption('flags argument', unknown(name, name));
        return Reflect.get(target, name, receiver);
      },
    },
  ),
);

/** @internal A kind of namespace, its flag and the flag's name in {@link Flags}. */
export interface NamespaceKindEntry {
  readonly kind: NamespaceKind;
  readonly flag: Flags;
  readonly name: keyof typeof Flags;
}

/** @internal All kinds of namespace, see namespaces(7). */
export const namespaceKinds: readonly NamespaceKindEntry[] = [
  { kind: 'mnt', flag: Flags.NEWNS, name: 'NEWNS' },
  { kind: 'uts', flag: Flags.NEWUTS, name: 'NEWUTS' },
  { kind: 'ipc', flag: Flags.NEWIPC, name: 'NEWIPC' },
  { kind: 'net', flag: Flags.NEWNET, name: 'NEWNET' },
  { kind: 'pid', flag: Flags.NEWPID, name: 'NEWPID' },
  { kind: 'user', flag: Flags.NEWUSER, name: 'NEWUSER' },
  { kind: 'cgroup', flag: Flags.NEWCGROUP, name: 'NEWCGROUP' },
  { kind: 'time', flag: Flags.NEWTIME, name: 'NEWTIME' },
];

/** @internal The flag of a kind of namespace. */
export const flagOfKind: Readonly<Record<NamespaceKind, Flags>> = {
  mnt: Flags.NEWNS,
  uts: Flags.NEWUTS,
  ipc: Flags.NEWIPC,
  net: Flags.NEWNET,
  pid: Flags.NEWPID,
  user: Flags.NEWUSER,
  cgroup: Flags.NEWCGROUP,
  time: Flags.NEWTIME,
};

/** @internal The kinds of namespace in `flags`, in the order of {@link namespaceKinds}. */
export function kindsOf(flags: number): NamespaceKind[] {
  return namespaceKinds.filter(({ flag }) => (flags & flag) !== 0).map(({ kind }) => kind);
}

/** @internal The flags of every kind of namespace together. */
export const namespaceMask: number = namespaceKinds.reduce((mask, { flag }) => mask | flag, 0);

/** Name (without CLONE_) and value of the flags below 32 bits, by value. */
function known(): readonly (readonly [name: string, value: number])[] {
  return Object.entries(Flags)
    .filter((entry): entry is [string, Flags] => typeof entry[1] === 'number' && entry[1] !== Flags.NONE)
    .sort((a, b) => a[1] - b[1]);
}

/**
 * Flags as text: 'CLONE_NEWNS|CLONE_NEWPID', '0' for none, bits without a name as hexadecimal at the end.
 *
 * The low byte of a flags word of clone(2) is the exit signal, but for `CLONE_NEWTIME` (0x80), which lies there.
 * @param flags a negative number is taken as unsigned; a bigint may have the two flags above 32 bits
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` (no safe integer, or more than 64 bits)
 */
export function formatFlags(flags: number | bigint): string {
  let rest = asCall(formatFlags, () => toBits(flags));
  const names: string[] = [];
  const take = (name: string, value: bigint): void => {
    if ((rest & value) === 0n) return;
    names.push(`CLONE_${name}`);
    rest &= ~value;
  };
  for (const [name, value] of known()) take(name, BigInt(value));
  take('CLEAR_SIGHAND', CLONE_CLEAR_SIGHAND);
  take('INTO_CGROUP', CLONE_INTO_CGROUP);
  if (rest !== 0n) names.push(`0x${rest.toString(16)}`);
  return names.length === 0 ? '0' : names.join('|');
}

function toBits(flags: number | bigint): bigint {
  if (typeof flags === 'number') {
    if (!Number.isSafeInteger(flags)) throw outOfRange('flags argument', 'a safe integer', flags);
  } else if (typeof flags !== 'bigint') {
    throw invalidArgType('flags argument', 'of type number or bigint', flags);
  }
  const bits = BigInt(flags);
  if (BigInt.asUintN(64, bits) !== bits && BigInt.asIntN(64, bits) !== bits)
    throw outOfRange('flags argument', 'flags of 64 bits', flags);
  return BigInt.asUintN(bits < -0x80000000n ? 64 : bits < 0n ? 32 : 64, bits);
}

/**
 * Text as flags (unsigned): names with or without CLONE_, '0' and hexadecimal numbers, joined by '|', spaces allowed.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE` (with the nearest known name), RangeError
 *   `ERR_OUT_OF_RANGE` for what does not fit into 32 bits
 */
export function parseFlags(text: string): number {
  return asCall(parseFlags, () => parse(text));
}

function parse(text: string): number {
  if (typeof text !== 'string') throw invalidArgType('text argument', 'of type string', text);
  return text.split('|').reduce((flags, part) => (flags | parsePart(part.trim(), text)) >>> 0, 0);
}

function parsePart(part: string, text: string): number {
  if (/^(0|0x[0-9a-f]+)$/i.test(part)) {
    const value = Number(part);
    if (value > 0xffffffff) throw outOfRange('text argument', 'flags of 32 bits', text);
    return value;
  }
  const name = part.replace(/^CLONE_/, '');
  if (name === 'NONE') return Flags.NONE;
  const found = known().find(([candidate]) => candidate === name);
  if (found !== undefined) return found[1];
  if (name === 'CLEAR_SIGHAND' || name === 'INTO_CGROUP') throw outOfRange('text argument', 'flags of 32 bits', text);
  throw invalidArgValue('text argument', text, unknown(part, name));
}

function unknown(said: string, name: string): string {
  const nearest = didYouMean(
    name,
    known().map(([candidate]) => candidate),
  );
  return `has the unknown flag "${said}"${nearest}`;
}
