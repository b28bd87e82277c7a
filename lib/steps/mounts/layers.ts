// Layers of an overlay, and the mount that they become: each told to the kernel by itself, or on older kernels all of them to mount(2).
import { refusedOption } from '../../errors/argument-error';
import { Flags } from '../../flags';
import { isKernelBefore } from '../../host/kernel-release';
import { mountTable } from '../../host/mount-table';
import { isInFirstUserNamespace } from '../../host/ourselves';
import { constants } from '../../kernel/constants';
import type { Slot } from '../../program/writer';
import type { Request } from '../../assembly/request';
import * as call from '../../assembly/calls';
import type { Place } from '../../assembly/place';
import { isTop } from '../../assembly/target';
import { type Attributes, noAttributes, setAttributes } from './attributes';
import { beginFileSystem, finishFileSystem, newFileSystem, type Option, setOptions } from './file-systems';

const { AT_EMPTY_PATH, AT_FDCWD, MOVE_MOUNT_F_EMPTY_PATH, O_CLOEXEC, O_DIRECTORY, O_PATH } = constants;
const { OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE } = constants;

export interface Layers {
  /** Absolute paths, the uppermost first. */
  readonly lower: readonly string[];
  /** Where changes go: into two directories, into memory, or nowhere. */
  readonly upper: { readonly upper: string; readonly work: string } | 'memory' | undefined;
  /** What else was asked of it. */
  readonly options: readonly Option[];
}

/** The upper layer in memory. */
const upperInMemory = { upper: 'upper', work: 'work' };

/** In memory, below all where there is one layer alone: the kernel wants two. */
const nothing = 'empty';

/** In memory, where all of it is to be seen for a moment. */
const everything = 'all';

/** A string of fsconfig(2), with its NUL byte. */
const roomForString = 256;

/** What mount(2) has for the paths of upper and work, and for options: a page, but for what else is said. Of more it takes a part. */
const roomForWords = 3000;

/** A backslash before what would end a path in the options of mount(2). */
const escaped = (path: string): string => path.replaceAll(/[\\:,]/g, String.raw`\$&`);

/** fsconfig(2) takes a backslash in `upperdir` and `workdir` for an escape, and in no lower one. */
const escapedAlone = (path: string): string => path.replaceAll('\\', '\\\\');

/** As mount(2) takes them, with commas between. */
const spelled = ([name, value]: Option): string => (value === true ? name : `${name}=${value}`);

/** The directories that are in memory. */
function inMemory({ lower, upper }: Layers): string[] {
  if (upper === 'memory') return Object.values(upperInMemory);
  return upper === undefined && lower.length === 1 ? [nothing] : [];
}

/** From which Linux on no layer of these has to be in the tree of mounts, and each can be told by itself. */
function since(isInMemory: boolean): string {
  return isInMemory ? '6.15' : '6.7';
}

/** What hides and marks files there are trusted attributes, which only the host's root may write. */
function marking(request: Request): readonly Option[] {
  const isOwnRoot = !request.creates(Flags.NEWUSER) && !request.joinsUser && isInFirstUserNamespace();
  return isOwnRoot ? [] : [['userxattr', true]];
}

/** On an older kernel memory has a place in the tree for a moment: whoever shares our mounts would see it. */
function refuseShared({ propagation }: Request, option: string, isInMemory: boolean): void {
  if (!isKernelBefore(since(isInMemory)) || (propagation !== 'shared' && propagation !== 'unchanged')) return;
  const reason = `before Linux ${since(isInMemory)}: the host would see how it is made`;
  throw refusedOption('propagation', `cannot be '${propagation}' beside the layers of ${option} ${reason}`);
}

/** What cannot be on this kernel. @throws ArgumentError */
export function refuseLayers(request: Request, option: string, layers: Layers): void {
  const isInMemory = inMemory(layers).length > 0;
  refuseShared(request, option, isInMemory);
  if (!isKernelBefore(since(isInMemory))) return;
  const { upper, options } = layers;
  const strange = options.find(([name, value]) => `${name}${value}`.includes(','));
  if (strange !== undefined)
    throw refusedOption(
      `${option}.options.${strange[0]}`,
      `cannot have a comma before Linux ${since(isInMemory)}, where mount(2) takes them all in one`,
    );
  const paths = typeof upper === 'object' ? [upper.upper, upper.work].map(escaped) : [];
  if (Buffer.byteLength([...paths, ...options.map(spelled)].join(',')) <= roomForWords) return;
  throw refusedOption(
    `${option}.${paths.length > 0 ? 'upper' : 'options'}`,
    `is too long for this kernel, with work and options: it has ${roomForWords} bytes before Linux ${since(isInMemory)}`,
  );
}

/** The same of layers that are those of {@link layOverOpen}. */
export function refuseOpen(request: Request, option: string): void {
  refuseShared(request, option, true);
}

/**
 * Directories that nobody else ever sees: they have no place in any tree, and go with the descriptor where nothing uses them. Their
 * parent is the working directory afterwards.
 */
export function enterMemory(place: Place, names: readonly string[], options: readonly Option[] = []): Slot {
  const { writer } = place;
  place.keepWorkingDirectory();
  const memory = newFileSystem(place, 'tmpfs', options, noAttributes);
  // Whatever ours is: of an overlay's root the upper layer says who may enter it.
  writer.add(call.umask, 0);
  const umask = place.keep();
  for (const name of names) writer.add(call.mkdiratOf, memory, writer.addText(name), 0o755);
  writer.add(call.umaskOf, umask);
  place.forget(umask);
  writer.add(call.fchdir, memory);
  return memory;
}

/** Opens a layer, which errors name, and which may be optional. */
function openLayer(place: Place, path: string): Slot {
  const { writer } = place;
  writer.add(call.openat, AT_FDCWD, writer.addText(path), O_PATH | O_DIRECTORY | O_CLOEXEC);
  return place.leaveIfMissing().keep();
}

/** The mount of a directory, which a layer is a part of. */
function copyOf(place: Place, directory: Slot): Slot {
  const { writer } = place;
  // Without what is mounted below: an overlay shows that of no layer.
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
  writer.add(call.open_treeOf, directory, writer.addText(''), flags);
  return place.keep();
}

/** In memory, which is the working directory, and has a place as long as this is done. What is closed afterwards are the copies. */
function mountAll(
  place: Place,
  memory: Slot,
  copies: readonly Slot[],
  upper: { readonly upper: string; readonly work: string } | undefined,
  more: readonly string[],
  marks: readonly Option[],
  attributes: Attributes,
): Slot {
  const { writer } = place;
  const [type, at, empty] = [writer.addText('overlay'), writer.addText(everything), writer.addText('')];
  const names = copies.map((_, index) => String(index));
  const words = [`lowerdir=${[...names, ...more].join(':')}`];
  if (upper !== undefined) words.push(`upperdir=${escaped(upper.upper)}`, `workdir=${escaped(upper.work)}`);
  const data = [...words, ...marks.map(spelled)].join(',');
  const mount = place.whileAttached(memory, () => {
    copies.forEach((copy, index) => {
      writer.add(call.move_mountTo, copy, empty, AT_FDCWD, writer.addText(names[index]!), MOVE_MOUNT_F_EMPTY_PATH);
    });
    writer.add(call.mount, type, at, type, 0, writer.addText(data));
    writer.add(call.open_tree, AT_FDCWD, at, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    return place.keep();
  });
  setAttributes(writer, mount, attributes);
  for (const copy of copies) place.close(copy);
  return mount;
}

/** Names of the copies of so many lower layers, and of where all of it is. */
function placesFor(count: number): string[] {
  return [...Array.from({ length: count }, (_, index) => String(index)), everything];
}

function mountLayers(place: Place, request: Request, layers: Layers, attributes: Attributes): Slot {
  const { lower, upper } = layers;
  place.keepWorkingDirectory();
  const copies = lower.map((path) => {
    const directory = openLayer(place, path);
    const copy = copyOf(place, directory);
    place.close(directory);
    return copy;
  });
  // Both have to be of one mount, so these are told by their paths.
  const named = typeof upper === 'object' ? upper : undefined;
  for (const path of Object.values(named ?? {})) place.close(openLayer(place, path));
  const own = inMemory(layers);
  const memory = enterMemory(place, [...own, ...placesFor(lower.length)]);
  const more = own.filter((name) => name === nothing);
  const where = upper === 'memory' ? upperInMemory : named;
  const marks = [...marking(request), ...layers.options];
  const mount = mountAll(place, memory, copies, where, more, marks, attributes);
  place.close(memory);
  return mount;
}

/** Tells the kernel a layer; one whose path is too long is the working directory for that. @returns whether it was */
function tell(place: Place, context: Slot, option: string, path: string, said = path): boolean {
  if (Buffer.byteLength(said) < roomForString) {
    setOptions(place, context, [[option, said]]);
    return false;
  }
  const directory = openLayer(place, path);
  place.writer.add(call.fchdir, directory);
  setOptions(place, context, [[option, '.']]);
  place.close(directory);
  return true;
}

function isLong({ lower, upper }: Layers): boolean {
  const paths = typeof upper === 'object' ? [...lower, escapedAlone(upper.upper), escapedAlone(upper.work)] : lower;
  return paths.some((path) => Buffer.byteLength(path) >= roomForString);
}

/** The mount of these. */
export function layOver(place: Place, request: Request, layers: Layers, attributes: Attributes): Slot {
  const { lower, upper } = layers;
  const own = inMemory(layers);
  if (isKernelBefore(since(own.length > 0))) return mountLayers(place, request, layers, attributes);
  // Before what may be left out, for a path that is the working directory for a moment.
  if (isLong(layers)) place.keepWorkingDirectory();
  const memory = own.length > 0 ? enterMemory(place, own) : undefined;
  const context = beginFileSystem(place, 'overlay');
  const moved = lower.map((path) => tell(place, context, 'lowerdir+', path)).includes(true);
  if (typeof upper === 'object') {
    tell(place, context, 'upperdir', upper.upper, escapedAlone(upper.upper));
    tell(place, context, 'workdir', upper.work, escapedAlone(upper.work));
  }
  if (memory !== undefined && moved) place.writer.add(call.fchdir, memory);
  if (own.includes(nothing)) setOptions(place, context, [['lowerdir+', nothing]]);
  if (upper === 'memory') setOptions(place, context, tellMemory);
  setOptions(place, context, [...marking(request), ...layers.options]);
  const mount = finishFileSystem(place, context, attributes);
  if (memory !== undefined) place.close(memory);
  return mount;
}

const tellMemory: readonly Option[] = [
  ['upperdir', upperInMemory.upper],
  ['workdir', upperInMemory.work],
];

/** What {@link layOverOpen} wants in memory, which is entered before. */
export function memoryForOpen(): string[] {
  return [...Object.values(upperInMemory), ...(isKernelBefore(since(true)) ? placesFor(1) : [])];
}

/** The mount of a directory that is open, with its changes in memory, the working directory. */
export function layOverOpen(place: Place, request: Request, covered: Slot, memory: Slot, attributes: Attributes): Slot {
  const { writer } = place;
  const marks = marking(request);
  if (isKernelBefore(since(true)))
    return mountAll(place, memory, [copyOf(place, covered)], upperInMemory, [], marks, attributes);
  const context = beginFileSystem(place, 'overlay');
  // A layer is told by a path, which is looked up at once: the directory itself has one where it is the working directory.
  writer.add(call.fchdir, covered);
  setOptions(place, context, [['lowerdir+', '.']]);
  writer.add(call.fchdir, memory);
  setOptions(place, context, [...tellMemory, ...marks]);
  return finishFileSystem(place, context, attributes);
}

/** What a failure of one means. */
export function whyNoLayers(
  code: string,
  request: Request,
  syscall: string | undefined,
  lower: readonly string[] = [],
): string | undefined {
  if (syscall === undefined || !['fsconfig', 'mount', 'open_tree', 'openat'].includes(syscall)) return undefined;
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    // They were opened before. It is mounted while memory lies upon our root, where such links lead to.
    return syscall === 'mount'
      ? 'before Linux 6.7 the paths of upper and work cannot have relative links that go through /; give them without'
      : 'one of the layers is missing, or no directory';
  }
  // Each layer has to be a directory of its own, and none below another.
  if (code === 'ELOOP' && syscall !== 'openat') return 'a layer, upper or work is another one of them or lies below it';
  if (code !== 'EINVAL') return undefined;
  const covered = marking(request).length > 0 ? whyLocked(lower) : undefined;
  return covered ?? 'each layer must be a directory, upper and work on one file system that has extended attributes';
}

/** What is mounted below a layer was so outside of the user namespace, and what it hides is nobody's inside. */
function whyLocked(lower: readonly string[]): string | undefined {
  const below = (layer: string): string => (isTop(layer) ? layer : `${layer}/`);
  for (const layer of lower) {
    const mount = mountTable().find(({ target }) => target !== layer && target.startsWith(below(layer)));
    if (mount === undefined) continue;
    return `in a user namespace a layer may have no mount below it, and ${layer} has ${mount.target}: give the folders that have none`;
  }
  return undefined;
}
