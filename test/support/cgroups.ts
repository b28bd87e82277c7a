// Cgroups of a test's own, in a hierarchy of version 2 and in those of version 1: gone after it, with whoever is in them.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';

import { until } from './slow';

type Body = (() => void) | (() => Promise<unknown>);

/** Where a hierarchy is mounted that we may make cgroups in: `kind` is 'cgroup2', or a controller of version 1. */
export function hierarchy(kind: string): string | undefined {
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [before, after] = line.split(' - ');
    const [type, , options] = (after ?? '').split(' ');
    if (kind === 'cgroup2' ? type !== kind : type !== 'cgroup' || !options!.split(',').includes(kind)) continue;
    const path = before!.split(' ')[4]!;
    try {
      rmdirSync(mkdtempSync(`${path}/nsclone-test-`));
      return path;
    } catch {
      // Not ours to write.
    }
  }
  return undefined;
}

const made = new Set<string>();

/** A new one below `parent`. */
export function makeCgroup(parent: string): string {
  const folder = mkdtempSync(`${parent}/nsclone-test-`);
  made.add(folder);
  return folder;
}

/** The pids of those in a cgroup. */
export function membersOf(folder: string): number[] {
  return readFileSync(`${folder}/cgroup.procs`, 'utf8').split('\n').filter(Boolean).map(Number);
}

function remove(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) remove(`${folder}/${entry.name}`);
  for (const file of ['freezer.state', 'cgroup.freeze']) {
    try {
      writeFileSync(`${folder}/${file}`, file === 'freezer.state' ? 'THAWED' : '0');
    } catch {
      // Of the other version.
    }
  }
  // A threaded one does not tell; its domain does.
  const isThreaded =
    existsSync(`${folder}/cgroup.type`) && readFileSync(`${folder}/cgroup.type`, 'utf8') === 'threaded\n';
  for (const pid of isThreaded ? [] : membersOf(folder)) {
    try {
      if (pid !== process.pid) process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
  rmdirSync(folder);
}

/** Ends who is in a cgroup or below it, and removes it once they are gone: the kernel is not done with them when their end is told. */
export async function removeCgroup(folder: string): Promise<void> {
  await until(() => {
    try {
      remove(folder);
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ENOENT';
    }
    return true;
  });
  made.delete(folder);
}

async function removeAll(): Promise<void> {
  for (const folder of made) await removeCgroup(folder);
}

afterEach(removeAll);
afterAll(removeAll);

/** As `test()`, for what needs cgroups that we may make, of all these kinds. */
export function withHierarchies(kinds: readonly string[], name: string, body: Body): void {
  const missing = kinds.filter((kind) => hierarchy(kind) === undefined);
  if (missing.length === 0) test(name, body);
  else test.skip(`${name} (skipped: needs a cgroup hierarchy that we may write: ${missing.join(', ')})`, body);
}

/** Makes one below each of these. */
export function makeCgroups(...kinds: string[]): string[] {
  return kinds.map((kind) => makeCgroup(hierarchy(kind)!));
}

/** One below `parent`, by name. */
export function makeBelow(parent: string, name: string): string {
  mkdirSync(`${parent}/${name}`);
  return `${parent}/${name}`;
}
