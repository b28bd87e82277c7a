// Type `dev`: a minimal /dev, with what programs expect of one; see "Default Devices" of OCI's runtime-spec for Linux.
import { boolean } from '../../check';
import { Flags } from '../../flags';
import { constants } from '../../kernel/constants';
import type { Slot } from '../../program/writer';
import * as call from '../../assembly/calls';
import { type HeldSource, mountHeld } from '../../assembly/held-file';
import type { MountType } from '../../assembly/mount-type';
import type { Place } from '../../assembly/place';
import type { Request } from '../../assembly/request';
import { attributeFields, checkAttributes, noAttributes, setAttributes } from './attributes';
import { mountOfNode, whyNoNode } from './device-node';
import { devptsOptions, newFileSystem } from './file-systems';

const { MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOVE_MOUNT_F_EMPTY_PATH, MS_PRIVATE, O_PATH, S_IFREG } =
  constants;

/** Of the host, with their numbers, see Documentation/admin-guide/devices.txt of the kernel. */
const devices = [
  { name: 'null', major: 1, minor: 3 },
  { name: 'zero', major: 1, minor: 5 },
  { name: 'full', major: 1, minor: 7 },
  { name: 'random', major: 1, minor: 8 },
  { name: 'urandom', major: 1, minor: 9 },
  { name: 'tty', major: 5, minor: 0 },
] as const;

const links = {
  fd: '/proc/self/fd',
  stdin: '/proc/self/fd/0',
  stdout: '/proc/self/fd/1',
  stderr: '/proc/self/fd/2',
  core: '/proc/kcore',
  ptmx: 'pts/ptmx',
} as const;

// Of none of these may a program be executed. Nodes that are made in it later may be opened.
const closed = { ...noAttributes, alone: { set: MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, clear: 0 } };
const closedToNodes = {
  ...noAttributes,
  alone: { set: MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV, clear: 0 },
};

/** What is mounted in it has its place in a file system that nobody else can see yet: no path leads astray. */
class DevFolder {
  readonly #place: Place;
  readonly #folder: Slot;
  readonly #target: string;

  constructor(place: Place, folder: Slot, target: string) {
    this.#place = place;
    this.#folder = folder;
    this.#target = target;
  }

  about(source: string, name: string): void {
    this.#place.writer.subject(source, `${this.#target}/${name}`, 'mount');
  }

  makeFile(name: string): void {
    const { writer } = this.#place;
    writer.add(call.mknodatOf, this.#folder, writer.addText(name), S_IFREG | 0o644, 0);
  }

  /** Mounts it on a file that is made for it. */
  mountFile(name: string, mount: Slot): void {
    this.makeFile(name);
    this.#attach(name, mount);
  }

  mountFolder(name: string, mount: Slot): void {
    const { writer } = this.#place;
    writer.add(call.mkdiratOf, this.#folder, writer.addText(name), 0o755);
    this.#attach(name, mount);
  }

  #attach(name: string, mount: Slot): void {
    const { writer } = this.#place;
    const [empty, path] = [writer.addText(''), writer.addText(name)];
    writer.add(call.move_mount, mount, empty, this.#folder, path, MOVE_MOUNT_F_EMPTY_PATH);
    this.#place.close(mount);
  }

  link(name: string, to: string): void {
    const { writer } = this.#place;
    writer.add(call.symlinkat, writer.addText(to), this.#folder, writer.addText(name));
  }
}

function fill(place: Place, folder: DevFolder, request: Request, prepared: readonly Slot[]): void {
  devices.forEach(({ name }, index) => {
    folder.about(`/dev/${name}`, name);
    folder.mountFile(name, prepared[index]!);
  });
  const terminal = prepared[devices.length];
  if (terminal !== undefined) {
    folder.about('the terminal', 'console');
    folder.mountFile('console', terminal);
  } else if (request.pty?.from === 'container') {
    folder.about('the terminal', 'console');
    folder.makeFile('console');
  }
  folder.about('devpts', 'pts');
  folder.mountFolder('pts', newFileSystem(place, 'devpts', devptsOptions, closed));
  folder.about('tmpfs', 'shm');
  folder.mountFolder('shm', newFileSystem(place, 'tmpfs', [['mode', '1777']], closedToNodes));
  if (request.creates(Flags.NEWIPC)) {
    folder.about('mqueue', 'mqueue');
    folder.mountFolder('mqueue', newFileSystem(place, 'mqueue', [], closedToNodes));
  }
  for (const [name, to] of Object.entries(links)) {
    folder.about(to, name);
    folder.link(name, to);
  }
}

export const dev: MountType = {
  fields: ['create', ...attributeFields],

  check(given, option) {
    const attributes = checkAttributes(given, option, ['nosuid', 'noexec'], false);
    const create = given['create'] !== undefined && boolean(given['create'], `${option}.create`);
    const terminal: HeldSource = { descriptor: 'terminal', name: 'the terminal', recursive: false };
    return {
      source: 'dev',
      held: terminal,

      settle(request, name, target) {
        if (!request.creates(Flags.NEWIPC))
          request.note(`${name}: ${target} has no mqueue: the ipc namespace is not new, see Flags.NEWIPC`);
        if (request.pty?.from === 'host' && !request.canMountTerminal)
          request.note(`${name}: ${target} has no console: the terminal has no place in a joined mount namespace`);
      },

      hint: whyNoNode,

      prepare(place, request) {
        const nodes = devices.map(({ name: file, major, minor }) => {
          place.writer.subject(`/dev/${file}`, undefined, 'mount');
          return mountOfNode(place, `/dev/${file}`, major, minor);
        });
        if (!request.canMountTerminal) return nodes;
        place.writer.subject(terminal.name, undefined, 'mount');
        const console = mountHeld(place, request, terminal);
        // It was copied before ours were made private: what is mounted upon it is not for the host.
        setAttributes(place.writer, console, { ...noAttributes, propagation: MS_PRIVATE });
        return [...nodes, console];
      },

      emit(place, target, request, prepared) {
        const { writer } = place;
        if (create) place.makeDirectory(target);
        const there = place.open(target, O_PATH);
        place.leaveIfMissing();
        const mount = newFileSystem(place, 'tmpfs', [['mode', '755']], closed);
        place.attach(mount, there);
        place.close(there);
        const folder = new DevFolder(place, mount, target);
        fill(place, folder, request, prepared);
        writer.subject('dev', target, 'mount');
        // What may not be written to had to be filled first.
        setAttributes(writer, mount, attributes);
        place.close(mount);
      },
    };
  },
};
