// Targets as the addon takes them.
import { addon } from '../addon';
import { SyscallError } from '../errors/syscall-error';
import type { Opened, Target } from '../join-target';

/** Targets that are open. */
export interface OpenedTargets {
  /** [descriptor, kinds] of each, with room for what the addon has to tell. */
  readonly places: Int32Array;
  /** Closes those that were opened for this. Closing twice does nothing. */
  readonly close: () => void;
}

/**
 * @param lasting whether they must be what they are when their owner has closed them
 * @throws SyscallError where one cannot be opened; then none is
 */
export function openTargets(targets: readonly Target[], lasting = false): OpenedTargets {
  const places = new Int32Array(Math.max(1, targets.length) * 2);
  const opened: number[] = [];
  const close = (): void => {
    for (const descriptor of opened.splice(0)) addon().close(descriptor);
  };
  try {
    for (const [index, target] of targets.entries()) {
      const found = target.open();
      const { descriptor, own } = lasting && !found.own ? duplicate(found.descriptor) : found;
      if (own) opened.push(descriptor);
      places[2 * index] = descriptor;
      places[2 * index + 1] = target.flags;
    }
  } catch (error) {
    close();
    throw error;
  }
  return { places, close };
}

function duplicate(descriptor: number): Opened {
  const result = addon().duplicate(descriptor);
  if (result < 0) throw new SyscallError({ errno: -result, syscall: 'fcntl' });
  return { descriptor: result, own: true };
}
