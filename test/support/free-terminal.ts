// A terminal that controls no session.
import { constants, perform, record } from '../../lib';

const { AT_FDCWD, O_CLOEXEC, O_NOCTTY, O_NONBLOCK, O_RDWR, TIOCGPTPEER, TIOCSPTLCK } = constants;

export interface FreeTerminal {
  /** Non-blocking. */
  readonly ours: number;
  readonly theirs: number;
}

/** Both ends of one, for the caller to close. */
export function freeTerminal(): FreeTerminal {
  return perform(
    record((c) => {
      const ours = c.openat(AT_FDCWD, '/dev/ptmx', O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
      c.ioctl(ours, TIOCSPTLCK, c.memory([{ u32: 0 }]));
      return { ours, theirs: c.ioctl(ours, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC) };
    }),
  );
}
