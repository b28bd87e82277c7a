// What a test leaves in this process: descriptors, children, zombies.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { clone } from '../../lib';
import { clearFault } from './fault';
import { until } from './slow';

/** Memory files are pooled: how many there are is a matter of how many children ran at once. */
const pooled = '/memfd:nsclone/program';

/** Our open descriptors, 'number target' each, without those of the pool. */
export function ourDescriptors(): string[] {
  const found: string[] = [];
  for (const number of readdirSync('/proc/self/fd')) {
    try {
      const target = readlinkSync(`/proc/self/fd/${number}`);
      if (!target.startsWith(pooled)) found.push(`${number} ${target}`);
    } catch {
      // The descriptor of the listing itself.
    }
  }
  return found;
}

/** How many memory files the pool and the running children have. */
export function memoryFiles(): number {
  return readdirSync('/proc/self/fd').filter((number) => {
    try {
      return readlinkSync(`/proc/self/fd/${number}`).startsWith(pooled);
    } catch {
      return false;
    }
  }).length;
}

/** The pids of our children, zombies too, whichever of our threads made them. */
export function ourChildren(): number[] {
  return readdirSync('/proc/self/task').flatMap((thread) => {
    try {
      return readFileSync(`/proc/self/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
    } catch {
      // A thread that has ended meanwhile.
      return [];
    }
  });
}

/** What is there now and was not there before. */
export interface Leftovers {
  readonly descriptors: string[];
  readonly children: number[];
}

/** Notes what there is; the function it returns waits until what has come since is gone, and tells what stays. */
export function noteLeftovers(): () => Promise<Leftovers> {
  const descriptors = new Set(ourDescriptors());
  const children = new Set(ourChildren());
  const now = (): Leftovers => ({
    descriptors: ourDescriptors().filter((descriptor) => !descriptors.has(descriptor)),
    children: ourChildren().filter((child) => !children.has(child)),
  });
  return async () => {
    // What does not go is told by the comparison.
    await until(() => now().descriptors.length + now().children.length === 0).catch(() => {});
    return now();
  };
}

/** Every test of this file must leave nothing: no descriptor, no child, no zombie, no fault for the next one. */
export function leavesNothing(): void {
  let leftovers: (() => Promise<Leftovers>) | undefined;
  beforeAll(async () => {
    // The first child opens what all later ones share.
    await (
      await clone('/bin/true')
    ).exited;
  });
  beforeEach(() => {
    leftovers = noteLeftovers();
  });
  afterEach(async () => {
    clearFault();
    expect(await leftovers?.()).toEqual({ descriptors: [], children: [] });
  });
}
