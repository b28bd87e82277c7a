// What a child's descriptors are connected to.
import type { Stream } from 'node:stream';

/**
 * One descriptor of the child: 'pipe' (a pipe for 0 to 2, a duplex socket above), 'overlapped' (the same), 'socket' (a duplex
 * socket anywhere), 'inherit' (our descriptor of that number), 'ignore' (`/dev/null` for 0 to 2, closed above), a descriptor
 * of ours, or a stream that has one. `null` and `undefined` are 'pipe' for 0 to 2 and 'ignore' above.
 */
export type StdioEntry = 'pipe' | 'overlapped' | 'socket' | 'inherit' | 'ignore' | number | Stream | null | undefined;

/** All descriptors of the child, from 0 on; a single word stands for 0 to 2. */
export type Stdio = 'pipe' | 'overlapped' | 'inherit' | 'ignore' | readonly StdioEntry[];
