// The instructions of the steps `mapped mounts` and `mapped view`: a root in memory with our view in one folder of it and each mount in
// another, and the way from the copy of that back to our view.
import { constants } from '../kernel/constants';
import { ProcWord } from '../program/format';
import type { Slot, Writer } from '../program/writer';
import * as call from '../assembly/calls';
import { openRoot, Place } from '../assembly/place';
import type { Request } from '../assembly/request';
import type { MappedMount } from '../assembly/settings';
import { sameFile } from '../assembly/same-file';
import { Flags } from '../flags';
import { noAttributes } from './mounts/attributes';
import { newFileSystem } from './mounts/file-systems';
import { returning } from './mounts/idmap';

const {
  AT_FDCWD,
  AT_RECURSIVE,
  F_GETFD,
  MNT_DETACH,
  MS_PRIVATE,
  MS_SLAVE,
  O_CLOEXEC,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
  S_IFREG,
} = constants;

/** `struct mount_attr`: attr_set, attr_clr, propagation, userns_fd. */
const mountAttrSize = 32;
const mountAttrPropagation = 16;

/** With its NUL byte, see PATH_MAX in limits.h. */
const longestPath = 4096;

/** The folder with our own view. */
const view = 'view';

function about(writer: Writer, { option, index, parts, target }: MappedMount): void {
  writer.about(option, option, index).subject(parts.source, target, 'mount');
}

/** Whether a later step goes elsewhere, wherever we are. */
function goesElsewhere({ changesRoot, cwd }: Request): boolean {
  return changesRoot || cwd?.startsWith('/') === true;
}

/** The working directory is to be the same one afterwards. */
function holdDirectory(writer: Writer, request: Request): void {
  if (goesElsewhere(request)) return;
  const path = writer.reserve(longestPath);
  writer.add(call.readlinkatAt, ProcWord, writer.addText('self/cwd'), path, longestPath - 1);
  writer.add(call.openat, AT_FDCWD, writer.addText('.'), O_PATH | O_DIRECTORY | O_CLOEXEC);
  request.workingDirectory = { path, file: writer.keep() };
}

function newNamespace(writer: Writer, request: Request): void {
  writer.add(call.unshare, Flags.NEWNS);
  const attributes = writer.reserve(mountAttrSize);
  writer.setInt64(attributes + mountAttrPropagation, request.propagation === 'slave' ? MS_SLAVE : MS_PRIVATE);
  writer.add(call.mount_setattr, AT_FDCWD, writer.addText('/'), AT_RECURSIVE, attributes, mountAttrSize);
}

/** Puts a mount on a file of its kind that is made in a folder. */
function put(place: Place, folder: Slot, name: string, { slot, optional }: { slot: Slot; optional: boolean }): void {
  const { writer } = place;
  const text = writer.addText(name);
  // One that was missing is none.
  if (optional) writer.add(call.fcntlOf, slot, F_GETFD);
  const first = writer.count - 1;
  place.whetherDirectory(slot, {
    directory: () => writer.add(call.mkdiratOf, folder, text, 0o755),
    other: () => writer.add(call.mknodatOf, folder, text, S_IFREG | 0o644, 0),
  });
  writer.add(call.openatOf, folder, text, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
  const there = place.keep();
  place.attach(slot, there);
  place.close(there);
  place.close(slot);
  if (optional) writer.at(first).skip('EBADF', writer.count - first - 1);
}

/** Written while we have all of our rights. */
export function makeMapped(writer: Writer, request: Request): void {
  const mounts = request.mappedFirst;
  about(writer, mounts[0]!);
  holdDirectory(writer, request);
  newNamespace(writer, request);
  const place = new Place(writer, undefined);
  // All paths are looked up before a mount lies upon the root, where `..` of the root leads to it.
  const made = mounts.map((mount) => {
    about(writer, mount);
    place.beginEntry(mount.optional);
    const slot = mount.mapped.open(place, request);
    place.endEntry();
    return { slot, optional: mount.optional };
  });
  about(writer, mounts[0]!);
  const root = newFileSystem(place, 'tmpfs', [], noAttributes);
  writer.add(call.mkdiratOf, root, writer.addText(view), 0o755);
  place.attach(root, place.root);
  mounts.forEach((mount, index) => {
    about(writer, mount);
    put(place, root, String(index), made[index]!);
  });
  about(writer, mounts[0]!);
  writer.add(call.fchdir, root);
  writer.add(call.pivot_root, writer.addText('.'), writer.addText(view));
  place.close(root);
  place.end();
}

/** Written in the copy that the new mount namespace is. */
export function enterMappedView(writer: Writer, request: Request): void {
  const mounts = request.mappedFirst;
  const cloning = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE;
  mounts.forEach((mount, index) => {
    about(writer, mount);
    writer.add(call.open_tree, AT_FDCWD, writer.addText(String(index)), cloning);
    if (mount.optional) writer.accept('ENOENT');
    request.mapped.set(mount.mapped, writer.keep());
  });
  about(writer, mounts[0]!);
  const place = new Place(writer, openRoot(writer));
  writer.add(call.open_tree, AT_FDCWD, writer.addText(view), cloning);
  const ours = place.keep();
  place.attach(ours, place.root);
  writer.add(call.fchdir, ours);
  place.close(ours);
  place.close(place.root);
  const here = writer.addText('.');
  writer.add(call.pivot_root, here, here);
  writer.add(call.umount2, here, MNT_DETACH);
  comeBack(writer, request);
}

function comeBack(writer: Writer, request: Request): void {
  const directory = request.workingDirectory;
  if (directory === undefined || goesElsewhere(request)) return;
  const { path, file } = directory;
  writer.subject('the working directory', undefined, returning);
  writer.add(call.chdir, path);
  writer.add(call.openat, AT_FDCWD, writer.addText('.'), O_PATH | O_DIRECTORY | O_CLOEXEC);
  const found = writer.keep();
  sameFile(writer, found, file, 'ESTALE');
  writer.add(call.close, found);
  writer.add(call.close, file);
}
