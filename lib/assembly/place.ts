// Where mounts go: paths below the root that is being made, which no link leads out of, see RESOLVE_IN_ROOT in openat2(2).
import { constants } from '../kernel/constants';
import type { Slot, Writer } from '../program/writer';
import * as call from './calls';

const {
  AT_FDCWD,
  FSCONFIG_CMD_CREATE,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MNT_DETACH,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  RESOLVE_IN_ROOT,
  S_IFREG,
} = constants;

/** `struct open_how`: flags, mode, resolve. */
const openHowSize = 24;
const openHow = { mode: 8, resolve: 16 };

/** Of parents that are made. */
const usualMode = 0o755;

/** The names on the way to a target. */
function namesOf(target: string): string[] {
  return target.split('/').filter((name) => name !== '' && name !== '.');
}

/** Whether a target is the root itself. */
export function isTop(target: string): boolean {
  return namesOf(target).length === 0;
}

export class Place {
  readonly writer: Writer;
  /** What paths are resolved in. */
  root: Slot;
  /** Whether that is another one than the process has. */
  isNew: boolean;
  #isOptional = false;
  /** Instructions that lead behind the end of the mount where the kernel answers one of these. */
  #leaving: { readonly instruction: number; readonly errors: readonly string[] }[] = [];
  /** Results that are not needed any more: there are fewer than large containers have mounts. */
  readonly #free: Slot[] = [];
  #scratch: Slot | undefined;
  #scratchFiles = 0;
  #before: Slot | undefined;

  constructor(writer: Writer, root: Slot | undefined) {
    this.writer = writer;
    this.isNew = root !== undefined;
    this.root = root ?? openRoot(writer);
  }

  /** Where the instruction begun last is answered with one of these, nothing more is to be done for this entry. */
  leaveAt(...errors: string[]): this {
    this.#leaving.push({ instruction: this.writer.count - 1, errors });
    return this;
  }

  /** As {@link leaveAt}, where the entry is optional. */
  leaveIfMissing(): this {
    return this.#isOptional ? this.leaveAt('ENOENT', 'ENOTDIR') : this;
  }

  beginEntry(isOptional: boolean): void {
    this.#isOptional = isOptional;
  }

  /** The entry has all its instructions. */
  endEntry(): void {
    const { writer } = this;
    for (const { instruction, errors } of this.#leaving) {
      for (const errno of errors) writer.at(instruction).skip(errno, writer.count - instruction - 1);
    }
    this.#leaving = [];
  }

  /** Opens a path below the root. */
  open(path: string, flags: number, mode = 0): Slot {
    const { writer } = this;
    const how = writer.reserve(openHowSize);
    writer.setInt64(how, flags | O_CLOEXEC);
    writer.setInt64(how + openHow.mode, mode);
    writer.setInt64(how + openHow.resolve, RESOLVE_IN_ROOT);
    // openat2(2): EAGAIN where a rename in between leaves it unsure that the path stays inside.
    writer.add(call.openat2, this.root, writer.addText(path), how, openHowSize).retry();
    return this.keep();
  }

  /** Keeps the descriptor that the instruction begun last returns, until {@link close}. */
  keep(): Slot {
    return this.writer.keep(this.#free.pop());
  }

  close(slot: Slot): void {
    this.writer.add(call.close, slot);
    this.#free.push(slot);
  }

  /** Makes the parents of a target, as far as they are missing, and opens the last of them. Close it with {@link closeParent}. */
  makeParents(target: string): { parent: Slot; name: string } {
    const names = namesOf(target);
    const name = names.pop() ?? '.';
    return { parent: this.#makeAll(names), name };
  }

  closeParent(parent: Slot): void {
    if (parent !== this.root) this.close(parent);
  }

  /** One after the other: a parent that has been opened is inside, whoever changes what is there meanwhile. */
  #makeAll(names: readonly string[]): Slot {
    const { writer } = this;
    let parent = this.root;
    let path = '';
    for (const name of names) {
      path += `/${name}`;
      writer.add(call.mkdiratOf, parent, writer.addText(name), usualMode).accept('EEXIST');
      const next = this.open(path, O_PATH | O_DIRECTORY);
      this.closeParent(parent);
      parent = next;
    }
    return parent;
  }

  makeDirectory(target: string): void {
    const names = namesOf(target);
    this.closeParent(this.#makeAll(names));
  }

  /** Makes a target of the kind that the mount has. */
  makeLike(target: string, mount: Slot): void {
    const { writer } = this;
    const { parent, name } = this.makeParents(target);
    const text = writer.addText(name);
    this.whetherDirectory(mount, {
      directory: () => writer.add(call.mkdiratOf, parent, text, usualMode).accept('EEXIST'),
      other: () => this.#makeFile(parent, name),
    });
    this.closeParent(parent);
  }

  makeFile(target: string): void {
    const { parent, name } = this.makeParents(target);
    this.#makeFile(parent, name);
    this.closeParent(parent);
  }

  #makeFile(parent: Slot, name: string): void {
    const { writer } = this;
    writer.add(call.mknodatOf, parent, writer.addText(name), S_IFREG | 0o644, 0).accept('EEXIST');
  }

  /** Two ways, of which the child takes one, by what it finds. */
  whetherDirectory(file: Slot, { directory, other }: { directory: () => unknown; other: () => unknown }): void {
    const { writer } = this;
    writer.add(call.openatOf, file, writer.addText('.'), O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    const probe = writer.count - 1;
    const opened = this.keep();
    this.close(opened);
    directory();
    writer.jump(0);
    const jump = writer.count - 1;
    writer.at(probe).skip('ENOTDIR', writer.count - probe - 1);
    other();
    writer.landHere(jump);
  }

  /** Puts a mount on a file that is open. */
  attach(mount: Slot, target: Slot): void {
    const { writer } = this;
    const empty = writer.addText('');
    writer.add(call.move_mount, mount, empty, target, empty, MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
  }

  /** Puts a mount on the root: what follows is in it. */
  attachRoot(mount: Slot): void {
    this.attach(mount, this.root);
    this.close(this.root);
    this.root = mount;
    this.isNew = true;
  }

  /** Somewhere to make files in that are mounted elsewhere: a file system in memory of which nothing but them is ever seen. */
  scratch(): Slot {
    if (this.#scratch !== undefined) return this.#scratch;
    const { writer } = this;
    this.keepWorkingDirectory();
    writer.add(call.fsopen, writer.addText('tmpfs'), FSOPEN_CLOEXEC);
    const context = this.keep();
    writer.add(call.fsconfig, context, FSCONFIG_CMD_CREATE);
    writer.add(call.fsmount, context, FSMOUNT_CLOEXEC, 0);
    this.#scratch = this.keep();
    this.close(context);
    // Before Linux 6.15 only what is mounted somewhere can be cloned. Paths from the root on do not come across it there.
    this.attach(this.#scratch, this.root);
    return this.#scratch;
  }

  /** A name in {@link scratch} that is not taken. */
  scratchName(): string {
    return String(this.#scratchFiles++);
  }

  /** Before fchdir(2). */
  keepWorkingDirectory(): void {
    if (this.#before !== undefined) return;
    const { writer } = this;
    writer.add(call.openat, AT_FDCWD, writer.addText('.'), O_PATH | O_DIRECTORY | O_CLOEXEC);
    this.#before = this.keep();
  }

  /** All entries are done. */
  end(): void {
    const { writer } = this;
    if (this.#scratch !== undefined) {
      // A mount has no name of its own: the working directory is one.
      writer.add(call.fchdir, this.#scratch);
      writer.add(call.umount2, writer.addText('.'), MNT_DETACH);
      this.close(this.#scratch);
    }
    if (this.#before !== undefined) {
      writer.add(call.fchdir, this.#before);
      this.close(this.#before);
    }
    if (!this.isNew) this.close(this.root);
  }
}

/** `/`, as the process sees it now. */
export function openRoot(writer: Writer): Slot {
  writer.add(call.openat, AT_FDCWD, writer.addText('/'), O_PATH | O_DIRECTORY | O_CLOEXEC);
  return writer.keep();
}
