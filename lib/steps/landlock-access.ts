// The rights of Landlock: their words, the bits of each, and the versions of the kernel's ABI that know them; see landlock(7).
import type { Landlock, LandlockAccess } from '../../types/landlock';
import { stepConstants } from '../kernel/step-constants';

type Right = Exclude<LandlockAccess, 'read' | 'write'>;

const numbers = stepConstants();
const bitOf = (name: Right): number =>
  numbers[`LANDLOCK_ACCESS_FS_${name.toUpperCase()}` as `LANDLOCK_ACCESS_FS_${Uppercase<Right>}`];
const bitsOf = (...names: readonly Right[]): number => names.reduce((all, name) => all | bitOf(name), 0);

/** In the order of their bits. */
export const rightNames: readonly Right[] = [
  'execute',
  'write_file',
  'read_file',
  'read_dir',
  'remove_dir',
  'remove_file',
  'make_char',
  'make_dir',
  'make_reg',
  'make_sock',
  'make_fifo',
  'make_block',
  'make_sym',
  'refer',
  'truncate',
  'ioctl_dev',
];
export const accessNames: readonly LandlockAccess[] = ['read', 'write', ...rightNames];

/** ACCESS_FILE of the kernel's security/landlock/fs.c: what a rule for no folder may have. */
const ofFiles = bitsOf('execute', 'write_file', 'read_file', 'truncate', 'ioctl_dev');

const words: Readonly<Record<'read' | 'write', number>> = {
  read: bitsOf('read_file', 'read_dir'),
  write: bitsOf(
    'write_file',
    'truncate',
    'remove_file',
    'remove_dir',
    'make_reg',
    'make_dir',
    'make_sym',
    'make_sock',
    'make_fifo',
    'refer',
  ),
};

/** What rules about each part of a file system, the network and scopes take, and the kernel that came with it. */
export const versions: readonly (readonly [abi: number, linux: string, rights: number])[] = [
  [1, '5.13', bitsOf(...rightNames) & ~bitsOf('refer', 'truncate', 'ioctl_dev')],
  [2, '5.19', bitOf('refer')],
  [3, '6.2', bitOf('truncate')],
  [4, '6.7', 0],
  [5, '6.10', bitOf('ioctl_dev')],
  [6, '6.12', 0],
];

/** The version that each field needs for all that it says. */
export const neededFor: Readonly<Record<Exclude<keyof Landlock, 'minimumAbi'>, number>> = {
  rules: 5,
  net: 4,
  scope: 6,
};

/** All rights to files that this version knows. */
export function rightsKnownBy(abi: number): number {
  return versions.reduce((all, [since, , rights]) => (since <= abi ? all | rights : all), 0);
}

/** What is asked for by the names of rights, and by words, which say less of a file than of a folder. */
export interface Access {
  readonly named: number;
  readonly byWord: number;
}

export function accessOf(names: readonly LandlockAccess[]): Access {
  let named = 0;
  let byWord = 0;
  for (const name of names) {
    if (name === 'read' || name === 'write') byWord |= words[name];
    else named |= bitOf(name);
  }
  return { named, byWord };
}

/** What is given in any case, and what only where the path is a folder. */
export function parts({ named, byWord }: Access, known: number): { always: number; ofFolders: number } {
  return { always: (named | (byWord & ofFiles)) & known, ofFolders: byWord & ~named & ~ofFiles & known };
}

/** 'make_dir, refer' */
export function spellRights(rights: number): string {
  return rightNames.filter((name) => (rights & bitOf(name)) !== 0).join(', ');
}

/** Those of rights that no rule for a file may have. */
export function rightsOfFolders(rights: number): string {
  return spellRights(rights & ~ofFiles);
}
