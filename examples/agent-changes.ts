// What a command has changed of a folder: the upper layer of an overlay, read, and copied back where it is to be kept.
import { chmodSync, cpSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, type Stats } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { clone, Flags, type Mount, record, run } from 'nsclone';

/** A path below the folder, and what has become of it. */
interface Change {
  readonly path: string;
  readonly kind: 'new' | 'changed' | 'removed';
  /** Of a folder only. */
  readonly mode: number | undefined;
}

function entry(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

function modeOf(stats: Stats): number {
  return stats.mode & 0o7777;
}

/** A folder that hides the one below it, see "whiteouts and opaque directories" in the kernel's overlayfs.rst. */
async function isOpaque(folder: string): Promise<boolean> {
  const program = record((c) => ({
    size: c.syscall('lgetxattr', folder, 'user.overlay.opaque', null, 0).accept('ENODATA'),
  }));
  return (await clone(program, { flags: Flags.VM | Flags.FILES })).results.size > 0;
}

export function lineOf({ kind, path, mode }: Change): string {
  // No name of a file is to command our terminal.
  const printable = path.replaceAll(/\p{C}/gu, (one) => `\\u{${one.codePointAt(0)!.toString(16)}}`);
  return `${kind} ${printable}${mode === undefined ? '' : '/'}`;
}

export class Changes {
  readonly #folder = mkdtempSync(join(tmpdir(), 'agent-'));
  readonly #upper = join(this.#folder, 'upper');
  readonly #project: string;
  readonly mount: Mount;

  constructor(project: string) {
    const work = join(this.#folder, 'work');
    for (const path of [this.#upper, work]) mkdirSync(path);
    // What the command sees of the project's own folder is the upper layer's.
    chmodSync(this.#upper, modeOf(lstatSync(project)));
    this.#project = project;
    const attributes = { nosuid: true, nodev: true, create: true };
    this.mount = { type: 'overlay', target: project, lower: [project], upper: this.#upper, work, ...attributes };
  }

  /** Once: it opens folders of the layer that the command has closed to their owner. */
  async read(): Promise<Change[]> {
    return this.#of('.', true);
  }

  /** Makes the same changes in the project itself. */
  keep(changes: readonly Change[]): void {
    for (const { path, kind, mode } of changes) {
      const target = join(this.#project, path);
      if (mode !== undefined && entry(target)?.isDirectory() === true) continue;
      // Never through a link that is there in the project.
      rmSync(target, { recursive: true, force: true });
      if (mode !== undefined) mkdirSync(target);
      else if (kind !== 'removed')
        cpSync(join(this.#upper, path), target, { verbatimSymlinks: true, preserveTimestamps: true });
    }
    // At last, and from within: nothing can be made in a folder that is read-only.
    for (const { path, mode } of changes.toReversed())
      if (mode !== undefined) chmodSync(join(this.#project, path), mode);
  }

  /** `known`: whether the folder above is one in the project as well, and no link there. */
  async #of(path: string, known: boolean): Promise<Change[]> {
    const now = lstatSync(join(this.#upper, path));
    // A device is a whiteout: the command itself can make none.
    if (now.isCharacterDevice()) return [{ path, kind: 'removed', mode: undefined }];
    const before = known ? entry(join(this.#project, path)) : undefined;
    const mode = now.isDirectory() ? modeOf(now) : undefined;
    const own: Change = { path, kind: before === undefined ? 'new' : 'changed', mode };
    if (mode === undefined) return [own];
    chmodSync(join(this.#upper, path), mode | 0o700);
    const same = before?.isDirectory() === true;
    return [...(same && modeOf(before) === mode ? [] : [own]), ...(await this.#below(path, same))];
  }

  async #below(path: string, known: boolean): Promise<Change[]> {
    const names = readdirSync(join(this.#upper, path)).sort();
    const changes = known ? await this.#hidden(path, names) : [];
    for (const name of names) changes.push(...(await this.#of(join(path, name), known)));
    return changes;
  }

  /** What an opaque folder has not taken over of the project's. */
  async #hidden(path: string, names: readonly string[]): Promise<Change[]> {
    if (!(await isOpaque(join(this.#upper, path)))) return [];
    const gone = readdirSync(join(this.#project, path)).filter((name) => !names.includes(name));
    return gone.map((name) => ({ path: join(path, name), kind: 'removed', mode: undefined }));
  }

  /** As root of a user namespace, to whom no folder is closed that the command, or the kernel, has closed to its owner. */
  async [Symbol.asyncDispose](): Promise<void> {
    await run('rm', ['-rf', '--', this.#folder], { flags: Flags.NEWUSER, uidMap: 'root', gidMap: 'root' });
  }
}
