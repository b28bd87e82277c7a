// A file that we hold open and that is to be mounted: taken before the view changes, as the kernel clones a mount only in the mount
// namespace that it is in, see open_tree(2).
import { constants } from '../kernel/constants';
import { ProcWord } from '../program/format';
import type { Label, Place as Address, Slot, Writer } from '../program/writer';
import * as call from './calls';
import type { Place } from './place';
import type { Request } from './request';
import { sameFile } from './same-file';
import { lowestFree } from './words';

const { AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE, F_DUPFD_CLOEXEC, OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE } = constants;

/** With its NUL byte, see PATH_MAX in limits.h. */
const longestPath = 4096;

/** What is mounted by a descriptor. */
export interface HeldSource {
  /** One of ours, or the child's end of its terminal. */
  readonly descriptor: number | 'terminal';
  /** As errors have it: 'descriptor 5'. */
  readonly name: string;
  /** With what is mounted below it. */
  readonly recursive: boolean;
}

/** The clone of its mount; where that is not to be made first, the file, and where it is. */
export type HeldFile = { readonly mount: Slot } | { readonly file: Slot; readonly path: Address };

const treeFlags = (recursive: boolean): number => OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0);

/** Takes it, under a number where no entry of stdio goes. */
export function holdFile(writer: Writer, request: Request, { descriptor: source, recursive }: HeldSource): HeldFile {
  const descriptor = source === 'terminal' ? 0 : source;
  if (source !== 'terminal') writer.keepOpen(descriptor);
  if (request.clonesMountsFirst) {
    writer.add(call.open_tree, descriptor, writer.addText(''), AT_EMPTY_PATH | treeFlags(recursive));
    const opened = writer.keep();
    writer.add(call.fcntlOf, opened, F_DUPFD_CLOEXEC, lowestFree(request));
    const mount = writer.keep();
    writer.add(call.close, opened);
    return { mount };
  }
  const path = writer.reserve(longestPath);
  writer.add(call.readlinkatAt, ProcWord, writer.addText(`self/fd/${descriptor}`), path, longestPath - 1);
  writer.add(call.fcntl, descriptor, F_DUPFD_CLOEXEC, lowestFree(request));
  return { file: writer.keep(), path };
}

/** The mount of it, in the new mount namespace. */
export function mountHeld(place: Place, request: Request, source: HeldSource): Slot {
  const held = request.held.get(source)!;
  if ('mount' in held) return held.mount;
  const { writer } = place;
  writer.add(call.open_tree, AT_FDCWD, held.path, treeFlags(source.recursive));
  const mount = place.keep();
  // A path may lead elsewhere by now.
  sameFile(writer, mount, held.file, 'ESTALE');
  place.close(held.file);
  return mount;
}

/** What a failure to take it means, or to mount what was taken; undefined for an instruction that is about something else. */
export function whyNotHeld(code: string, { path, dest }: Label, held: HeldSource | undefined): string | undefined {
  if (held === undefined || path !== held.name || dest !== undefined) return undefined;
  switch (code) {
    case 'ESTALE':
      return 'another file is at its path by now, or a mount covers it';
    case 'ENOENT':
      return 'no path leads to it: it was removed, or is on no mount of our mount namespace';
    case 'EINVAL':
      return 'it is on no mount of our mount namespace';
    default:
      return undefined;
  }
}
