// Where mounts go: paths below the root that is being made, which no link leads out of, see RESOLVE_IN_ROOT in openat2(2).
import { constants } from '../kernel/constants';
import type { Place as Address, Slot, Writer } from '../program/writer';
import * as call from './calls';
import { namesOf } from './target';

const {
  AT_FDCWD,
  MNT_DETACH,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_SYMLINKS,
  S_IFREG,
} = constants;

/** `struct open_how`: flags, mode, resolve. */
const openHowSize = 24;
const openHowResolve = 16;

/** Of parents that are made. */
const usualMode = 0o755;

/** An instruction that leads behind the end of the entry where the kernel answers one of these. */
interface Leaving {
  readonly instruction: number;
  readonly errors: readonly string[];
  /** What has to be closed then. */
  readonly open: readonly Slot[];
}

export class Place {
  readonly writer: Writer;
  /** What paths are resolved in. */
  root: Slot;
  /** Whether that is another one than the process has. */
  isNew: boolean;
  #isOptional = false;
  #leaving: Leaving[] = [];
  /** Descriptors that the entry has open, and the instruction that each is from. */
  readonly #open = new Map<Slot, number>();
  /** Results that are not needed any more: there are fewer than large containers have mounts. */
  readonly #free: Slot[] = [];
  #before: Slot | undefined;

  constructor(writer: Writer, root: Slot | undefined) {
    this.writer = writer;
    this.isNew = root !== undefined;
    this.root = root ?? openRoot(writer);
  }

  /** Where the instruction begun last is answered with one of these, nothing more is to be done for this entry. */
  leaveAt(...errors: string[]): this {
    const instruction = this.writer.count - 1;
    const open = [...this.#open].filter(([, from]) => from !== instruction).map(([slot]) => slot);
    this.#leaving.push({ instruction, errors, open });
    return this;
  }

  /** As {@link leaveAt}, where the entry is optional. */
  leaveIfMissing(...errors: string[]): this {
    if (!this.#isOptional) return this;
    return errors.length === 0 ? this.leaveAt('ENOENT', 'ENOTDIR') : this.leaveAt(...errors);
  }

  beginEntry(isOptional: boolean): void {
    this.#isOptional = isOptional;
    this.#open.clear();
  }

  /** The entry has all its instructions. */
  endEntry(): void {
    const { writer } = this;
    const isClean = ({ open }: Leaving): boolean => open.length === 0;
    let left = this.#leaving.filter((leaving) => !isClean(leaving));
    while (left.length > 0) {
      const { open } = left[0]!;
      const isSame = (other: Leaving): boolean => other.open.join() === open.join();
      // What was open by then is closed on the way out, which the others pass by.
      writer.jump(open.length);
      this.#land(left.filter(isSame));
      for (const slot of open) writer.add(call.close, slot);
      left = left.filter((leaving) => !isSame(leaving));
    }
    this.#land(this.#leaving.filter(isClean));
    this.#leaving = [];
  }

  #land(leaving: readonly Leaving[]): void {
    const { writer } = this;
    for (const { instruction, errors } of leaving) {
      for (const errno of errors) writer.at(instruction).skip(errno, writer.count - instruction - 1);
    }
  }

  /** `struct open_how`. */
  #how(flags: number, resolve: number): Address {
    const { writer } = this;
    const how = writer.reserve(openHowSize);
    writer.setInt64(how, flags | O_CLOEXEC);
    writer.setInt64(how + openHowResolve, resolve);
    return how;
  }

  /** Opens a path of our own view that has no link in it, and leads where it leads whatever lies upon our root. */
  openPlain(path: string): Slot {
    const { writer } = this;
    const how = this.#how(O_PATH, RESOLVE_NO_SYMLINKS);
    writer.add(call.openat2Number, AT_FDCWD, writer.addText(path), how, openHowSize);
    return this.leaveIfMissing().keep();
  }

  /** Opens a path below the root. */
  open(path: string, flags: number): Slot {
    const { writer } = this;
    const how = this.#how(flags, RESOLVE_IN_ROOT);
    // A slash at the end would have a link followed, O_NOFOLLOW or not.
    const text = writer.addText(`/${namesOf(path).join('/')}`);
    // openat2(2): EAGAIN where a rename in between leaves it unsure that the path stays inside.
    writer.add(call.openat2, this.root, text, how, openHowSize).retry();
    return this.keep();
  }

  /** Keeps the descriptor that the instruction begun last returns, until {@link close}. */
  keep(): Slot {
    const slot = this.writer.keep(this.#free.pop());
    this.#open.set(slot, this.writer.count - 1);
    return slot;
  }

  /** A descriptor from before is the entry's from here on: as those of {@link keep}. */
  take(slot: Slot): Slot {
    this.#open.set(slot, -1);
    return slot;
  }

  close(slot: Slot): void {
    this.writer.add(call.close, slot);
    this.#open.delete(slot);
    this.#free.push(slot);
  }

  /** A kept result that is no descriptor is not needed any more. */
  forget(slot: Slot): void {
    this.#open.delete(slot);
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
    writer.add(call.mknodatOf, parent, writer.addText(name), S_IFREG | 0o444, 0).accept('EEXIST');
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
    // A directory that we may not enter: there is nothing to close.
    writer.at(probe).skip('EACCES', 1);
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

  /**
   * Gives a mount a place for as long as something else is written. It lies on the root: any `..` that comes to the root leads on into
   * it, so no path of somebody else may be looked up meanwhile.
   */
  whileAttached<T>(mount: Slot, use: () => T): T {
    const { writer } = this;
    this.keepWorkingDirectory();
    this.attach(mount, this.root);
    const result = use();
    // A mount has no name of its own: the working directory is one.
    writer.add(call.fchdir, mount);
    writer.add(call.umount2, writer.addText('.'), MNT_DETACH);
    return result;
  }

  /** Before fchdir(2). */
  keepWorkingDirectory(): void {
    if (this.#before !== undefined) return;
    // Else it would not be kept where the entry is left out, and gone back to at the end.
    if (this.#leaving.length > 0) throw new Error('the working directory is kept before an entry can be left out');
    const { writer } = this;
    writer.add(call.openat, AT_FDCWD, writer.addText('.'), O_PATH | O_DIRECTORY | O_CLOEXEC);
    this.#before = writer.keep(this.#free.pop());
  }

  /** Before a path is looked up that may be relative: where somebody else is by now. */
  goBack(): void {
    if (this.#before !== undefined) this.writer.add(call.fchdir, this.#before);
  }

  /** All entries are done. */
  end(): void {
    const { writer } = this;
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
