// FIFOs, and what is read from one without waiting for more.
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync } from 'node:fs';

const { O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;
const modes = { both: O_RDWR, reading: O_RDONLY | O_NONBLOCK, writing: O_WRONLY | O_NONBLOCK } as const;

/** Those that a test has open; closed at its end. */
const open = new Set<number>();
afterEach(() => {
  for (const descriptor of open) closeSync(descriptor);
  open.clear();
});

/** Makes one. */
export function fifo(path: string): string {
  execFileSync('mkfifo', ['-m', '600', path]);
  return path;
}

export function opened(path: string, mode: keyof typeof modes = 'both'): number {
  const descriptor = openSync(path, modes[mode]);
  open.add(descriptor);
  return descriptor;
}

/** Before the end of the test. */
export function closed(descriptor: number): void {
  open.delete(descriptor);
  closeSync(descriptor);
}

/** What there is, of one that was opened for reading alone; 'end' where nobody can write to it any more, and 'nothing' otherwise. */
export function waiting(descriptor: number): string {
  const bytes = Buffer.alloc(4096);
  try {
    return bytes.toString('utf8', 0, readSync(descriptor, bytes)) || 'end';
  } catch {
    return 'nothing';
  }
}
