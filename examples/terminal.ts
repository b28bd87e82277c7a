// Our terminal joined with that of a child: what is typed here arrives there, what is written there appears here.
import type { ClonedCommand, ExitStatus } from 'nsclone';

const { stdin, stdout } = process;

/** A child whose stdio is a terminal of its own. */
export type Interactive = ClonedCommand<'pipe', true>;

/** The size that the child's terminal begins with. */
export const size = { columns: stdout.columns || 80, rows: stdout.rows || 24 };

/** Joins both until the child has ended, and tells how it did. */
export async function connect({ pty, exited }: Interactive): Promise<ExitStatus> {
  // What is typed into a shell that has just ended is lost, as at any terminal.
  pty.on('error', () => {});
  stdout.on('resize', () => pty.resize(stdout.columns, stdout.rows));
  // Every key goes through, Ctrl-C as well: the child's terminal makes signals of them.
  if (stdin.isTTY) stdin.setRawMode(true);
  try {
    stdin.pipe(pty);
    for await (const chunk of pty) stdout.write(chunk as Buffer);
    return await exited;
  } finally {
    if (stdin.isTTY) stdin.setRawMode(false);
    stdin.unpipe(pty);
    stdin.destroy();
  }
}
