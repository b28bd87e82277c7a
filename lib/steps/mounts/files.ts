// Types that make something in what is mounted, or mount a file that is made for it: `file`, `symlink`, `dir`, `chmod`.
import { isUint8Array } from 'node:util/types';

import { boolean, string } from '../../check';
import { invalidArgType, refusedOption } from '../../errors/argument-error';
import { constants } from '../../kernel/constants';
import type { Slot } from '../../program/writer';
import * as call from '../../assembly/calls';
import { type Attributes, checkAttributes, noAttributes, setAttributes } from './attributes';
import { checkMode, newFileSystem } from './file-systems';
import type { MountType } from '../../assembly/mount-type';
import type { Place } from '../../assembly/place';

const {
  AT_EMPTY_PATH,
  AT_RECURSIVE,
  MOUNT_ATTR_NODEV,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_NOCTTY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_TRUNC,
  O_WRONLY,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} = constants;

/** What such a file may be forbidden to be used for. */
const uses = ['nosuid', 'nodev', 'noexec'] as const;

const cloning = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
const withoutDevices = { ...noAttributes, below: { set: MOUNT_ATTR_NODEV, clear: 0 } };

function bytesOf(content: unknown, option: string): Buffer {
  if (typeof content === 'string') return Buffer.from(content);
  if (isUint8Array(content)) return Buffer.from(content);
  throw invalidArgType(option, 'of type string or an instance of Uint8Array', content);
}

/** Writes it, with the permissions that were asked for, whatever the umask is. */
function fill({ writer }: Place, file: Slot, content: Buffer, mode: number): void {
  if (content.length > 0) {
    writer.add(call.write, file, writer.addBytes(content), content.length).minimum(content.length).secret();
  }
  writer.add(call.fchmodOf, file, mode);
}

function placeFile(place: Place, target: string, content: Buffer, mode: number): void {
  const { writer } = place;
  const { parent, name } = place.makeParents(target);
  // A device that is there must not be written to: by this view of the folder none can be opened, whoever changes what is in it.
  writer.add(call.open_treeOf, parent, writer.addText(''), cloning | AT_EMPTY_PATH | AT_RECURSIVE);
  const view = place.keep();
  setAttributes(writer, view, withoutDevices);
  // No link that is there is followed, and no pipe waited for.
  const flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  writer.add(call.openatOf, view, writer.addText(name), flags, 0o600);
  const file = place.keep();
  fill(place, file, content, mode);
  place.close(file);
  place.close(view);
  place.closeParent(parent);
}

/** A mount of a file by itself, in a file system of which nothing else is ever seen. */
function newFile(place: Place, content: Buffer, mode: number): Slot {
  const { writer } = place;
  // Before what may be left out.
  place.keepWorkingDirectory();
  const memory = newFileSystem(place, 'tmpfs', [], noAttributes);
  const name = writer.addText('file');
  writer.add(call.openatOf, memory, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600);
  const file = place.keep();
  fill(place, file, content, mode);
  place.close(file);
  // Before Linux 6.15 only what is mounted somewhere can be cloned.
  const mount = place.whileAttached(memory, () => {
    writer.add(call.open_treeOf, memory, name, cloning);
    return place.keep();
  });
  place.close(memory);
  return mount;
}

function mountFile(place: Place, target: string, content: Buffer, mode: number, attributes: Attributes): void {
  const mount = newFile(place, content, mode);
  setAttributes(place.writer, mount, attributes);
  const there = place.open(target, O_PATH);
  place.leaveIfMissing();
  place.attach(mount, there);
  place.close(mount);
  place.close(there);
}

export const file: MountType = {
  fields: ['content', 'mode', 'writable', 'place', 'create', ...uses],

  check(given, option) {
    const content = bytesOf(given['content'], `${option}.content`);
    const mode = given['mode'] === undefined ? 0o644 : checkMode(given['mode'], `${option}.mode`);
    const is = (name: string): boolean => given[name] !== undefined && boolean(given[name], `${option}.${name}`);
    const [writable, placed, create] = [is('writable'), is('place'), is('create')];
    if (placed && writable)
      throw refusedOption(`${option}.writable`, 'says nothing beside place: a real file is written');
    const attributes = checkAttributes({ ...given, readonly: !writable }, option, [], false);
    const idle = placed ? uses.find((name) => given[name] !== undefined) : undefined;
    if (idle !== undefined) throw refusedOption(`${option}.${idle}`, 'says nothing beside place: nothing is mounted');
    return {
      makes: placed,
      emit(place, target) {
        if (placed) return placeFile(place, target, content, mode);
        if (create) place.makeFile(target);
        mountFile(place, target, content, mode, attributes);
      },
    };
  },
};

export const symlink: MountType = {
  fields: ['to'],

  check(given, option) {
    const to = string(given['to'], `${option}.to`, { nonEmpty: true });
    const length = Buffer.byteLength(to);
    return {
      source: to,
      makes: true,
      emit(place, target) {
        const { writer } = place;
        const { parent, name } = place.makeParents(target);
        const [text, link] = [writer.addText(to), writer.addText(name)];
        writer.add(call.symlinkat, text, parent, link);
        const made = writer.count - 1;
        writer.jump(0);
        const jump = writer.count - 1;
        writer.at(made).skip('EEXIST', 1);
        // What is there must say the same, and not more.
        const found = writer.reserve(length + 1);
        writer.add(call.readlinkat, parent, link, found, length + 1).skip('EINVAL', 1);
        writer.jump(1);
        writer.fail('EEXIST');
        writer.compare(found, text, length + 1, 'EEXIST');
        writer.landHere(jump);
        place.closeParent(parent);
      },
      hint: (code) => (code === 'EEXIST' ? 'something else is there already' : undefined),
    };
  },
};

export const dir: MountType = {
  fields: ['mode'],

  check(given, option) {
    const mode = given['mode'] === undefined ? 0o755 : checkMode(given['mode'], `${option}.mode`);
    return {
      makes: true,
      emit(place, target) {
        const { writer } = place;
        const { parent, name } = place.makeParents(target);
        const text = writer.addText(name);
        writer.add(call.mkdiratOf, parent, text, mode);
        const made = writer.count - 1;
        writer.add(call.openatOf, parent, text, O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
        const opened = place.keep();
        writer.add(call.fchmodOf, opened, mode);
        place.close(opened);
        writer.at(made).skip('EEXIST', writer.count - made - 1);
        // What is there may be something else.
        place.close(place.open(target, O_PATH | O_DIRECTORY));
        place.closeParent(parent);
      },
    };
  },
};

export const chmod: MountType = {
  fields: ['mode'],

  check(given, option) {
    const mode = checkMode(given['mode'], `${option}.mode`);
    return {
      detail: mode.toString(8),
      emit(place, target) {
        const { writer } = place;
        const there = place.open(target, O_PATH);
        place.leaveIfMissing();
        writer.add(call.fchmodat2, there, writer.addText(''), mode, AT_EMPTY_PATH);
        const changed = writer.count - 1;
        writer.jump(0);
        const jump = writer.count - 1;
        // Before Linux 6.6 it has to be opened, a device too. Older profiles of containers answer EPERM to what they do not know.
        writer.at(changed).skip('ENOSYS', 1).skip('EPERM', 1);
        const opened = place.open(target, O_NONBLOCK | O_NOCTTY);
        writer.add(call.fchmodOf, opened, mode);
        place.close(opened);
        writer.landHere(jump);
        place.close(there);
      },
    };
  },
};
