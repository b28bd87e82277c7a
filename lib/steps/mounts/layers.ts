// Layers of an overlay, and the mount that they become: each told to the kernel by itself, or on older kernels all of them to mount(2).
import { Flags } from '../../flags';
import { isKernelBefore } from '../../host/kernel-release';
import { isInFirstUserNamespace } from '../../host/ourselves';
import { constants } from '../../kernel/constants';
import type { Slot } from '../../program/writer';
import type { Request } from '../../assembly/request';
import * as call from '../../assembly/calls';
import type { Place } from '../../assembly/place';
import { type Attributes, noAttributes, setAttributes } from './attributes';
import { beginFileSystem, finishFileSystem, newFileSystem, type Option, setOptions } from './file-systems';

const { AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE, MOVE_MOUNT_F_EMPTY_PATH } = constants;
const { O_CLOEXEC, O_DIRECTORY, O_PATH, OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE } = constants;

/** Paths; those of directories in memory are relative to it. */
export interface Layers {
  /** The uppermost first. Without `upper` there are two at least. */
  readonly lower: readonly string[];
  readonly upper?: string | undefined;
  readonly work?: string | undefined;
}

/** In memory, where all of it is to be seen for a moment. */
const everything = 'all';

/** mount(2) takes a page, with what marks files. */
const mostBytes = 4000;

/** A backslash before what would end a path. */
const escaped = (path: string): string => path.replaceAll(/[\\:,]/g, String.raw`\$&`);

/** The kernel takes a backslash in these two for an escape, and in no lower one. */
const escapedAlone = (path: string): string => path.replaceAll('\\', '\\\\');

/** Whether the kernel takes no layer by itself (before 6.7), or none in a file system that is mounted nowhere (before 6.15). */
function mustBeAttached(inMemory: boolean): boolean {
  return isKernelBefore(inMemory ? '6.15' : '6.7');
}

/** The options of an overlay as mount(2) takes them. */
function dataOf({ lower, upper, work }: Layers, marks: readonly Option[] = []): string {
  const words = [`lowerdir=${lower.map(escaped).join(':')}`];
  if (upper !== undefined) words.push(`upperdir=${escaped(upper)}`, `workdir=${escaped(work!)}`);
  return [...words, ...marks.map(([name]) => name)].join(',');
}

/** Why these paths are too long for this kernel; undefined where they are not. */
export function whyTooLong(layers: Layers, inMemory: boolean): string | undefined {
  if (!mustBeAttached(inMemory) || Buffer.byteLength(dataOf(layers)) <= mostBytes) return undefined;
  return `is too long for this kernel: with upper and work it has room for ${mostBytes} bytes, before Linux ${inMemory ? '6.15' : '6.7'}`;
}

/** The same as fsconfig(2) takes them. */
function optionsOf({ lower, upper, work }: Layers): Option[] {
  const options: Option[] = lower.map((path) => ['lowerdir+', path]);
  if (upper !== undefined) options.push(['upperdir', escapedAlone(upper)], ['workdir', escapedAlone(work!)]);
  return options;
}

/** What hides and marks files there are trusted attributes, which only the host's root may write. */
function marking(request: Request): readonly Option[] {
  const isOwnRoot = !request.creates(Flags.NEWUSER) && !request.joinsUser && isInFirstUserNamespace();
  return isOwnRoot ? [] : [['userxattr', true]];
}

/**
 * Directories that nobody else ever sees: they have no place in any tree, and go with the descriptor where nothing uses them. Their
 * parent is the working directory afterwards.
 */
export function enterMemory(place: Place, names: readonly string[], options: readonly Option[] = []): Slot {
  const { writer } = place;
  place.keepWorkingDirectory();
  const memory = newFileSystem(place, 'tmpfs', options, noAttributes);
  for (const name of names) writer.add(call.mkdiratOf, memory, writer.addText(name), 0o755);
  writer.add(call.fchdir, memory);
  return memory;
}

/** In memory, which is the working directory, and has a place as long as this is done. @param before what else is done there */
function mountInMemory(place: Place, memory: Slot, data: string, attributes: Attributes, before?: () => void): Slot {
  const { writer } = place;
  const [type, at] = [writer.addText('overlay'), writer.addText(everything)];
  writer.add(call.mkdiratOf, memory, at, 0o755);
  const mount = place.whileAttached(memory, () => {
    before?.();
    writer.add(call.mount, type, at, type, 0, writer.addText(data));
    writer.add(call.open_tree, AT_FDCWD, at, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    return place.keep();
  });
  setAttributes(writer, mount, attributes);
  return mount;
}

/** One that is missing is named, and may be optional: once memory has a place there is no leaving. */
function lookFor(place: Place, { lower, upper, work }: Layers): void {
  const { writer } = place;
  place.keepWorkingDirectory();
  for (const path of [...lower, upper, work]) {
    if (path === undefined || !path.startsWith('/')) continue;
    writer.add(call.openat, AT_FDCWD, writer.addText(path), O_PATH | O_DIRECTORY | O_CLOEXEC);
    place.leaveIfMissing();
    place.close(place.keep());
  }
}

/** The mount of these. @param names of the directories in memory that are among them */
export function layOver(
  place: Place,
  request: Request,
  layers: Layers,
  names: readonly string[],
  attributes: Attributes,
): Slot {
  const inMemory = names.length > 0;
  const attached = mustBeAttached(inMemory);
  if (attached) lookFor(place, layers);
  const memory = inMemory || attached ? enterMemory(place, names) : undefined;
  const marks = marking(request);
  const mount = attached
    ? mountInMemory(place, memory!, dataOf(layers, marks), attributes)
    : newFileSystem(place, 'overlay', [...optionsOf(layers), ...marks], attributes);
  if (memory !== undefined) place.close(memory);
  return mount;
}

/** The mount of a directory that is open, below `upper` and `work`, which are in memory, the working directory. */
export function layOverOpen(place: Place, request: Request, covered: Slot, memory: Slot, attributes: Attributes): Slot {
  const { writer } = place;
  const marks = marking(request);
  if (mustBeAttached(true)) {
    const [lower, empty] = [writer.addText('lower'), writer.addText('')];
    writer.add(call.mkdiratOf, memory, lower, 0o755);
    const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE;
    writer.add(call.open_treeOf, covered, empty, flags);
    const copy = place.keep();
    const data = dataOf({ lower: ['lower'], upper: 'upper', work: 'work' }, marks);
    const mount = mountInMemory(place, memory, data, attributes, () => {
      writer.add(call.move_mountTo, copy, empty, AT_FDCWD, lower, MOVE_MOUNT_F_EMPTY_PATH);
    });
    place.close(copy);
    return mount;
  }
  const context = beginFileSystem(place, 'overlay');
  // A layer is told by a path, which is looked up at once: the directory itself has one where it is the working directory.
  writer.add(call.fchdir, covered);
  setOptions(place, context, [['lowerdir+', '.']]);
  writer.add(call.fchdir, memory);
  setOptions(place, context, [...optionsOf({ lower: [], upper: 'upper', work: 'work' }), ...marks]);
  return finishFileSystem(place, context, attributes);
}

/** What a failure of one means. */
export function whyNoLayers(code: string, _request: Request, syscall: string | undefined): string | undefined {
  if (syscall !== 'fsconfig' && syscall !== 'mount' && syscall !== 'openat') return undefined;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'one of the layers is missing, or no directory';
  return code === 'EINVAL'
    ? 'each layer must be a directory, upper and work on one file system that has extended attributes'
    : undefined;
}
