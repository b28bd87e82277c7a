// shell [COMMAND [ARGUMENT…]]: an interactive root shell in namespaces of its own, over a terminal of its own.
import { constants } from 'node:os';

import { clone, type ClonedCommand, Flags, SyscallError } from 'nsclone';

const { stdin, stdout } = process;

/** A child whose stdio is a terminal. */
type Shell = ClonedCommand<'pipe', true>;

function start(command: string, args: readonly string[]): Promise<Shell> {
  return clone(command, args, {
    flags: Flags.NEWUSER | Flags.NEWPID | Flags.NEWNS | Flags.NEWUTS | Flags.NEWIPC | Flags.NEWNET,
    uidMap: 'root',
    gidMap: 'root',
    hostname: 'box',
    mounts: [{ type: 'proc', target: '/proc' }],
    loopback: true,
    // The shell is not pid 1 itself, so that orphans are reaped and every signal does what it always does.
    init: true,
    pty: { columns: stdout.columns || 80, rows: stdout.rows || 24 },
    env: { ...process.env, PS1: '\\$ ' },
  });
}

/** Joins our terminal and the child's, until the child has ended. */
async function connect(child: Shell): Promise<void> {
  const { pty } = child;
  // What is typed into a shell that has just ended is lost, as at any terminal.
  pty.on('error', () => {});
  stdout.on('resize', () => pty.resize(stdout.columns, stdout.rows));
  // A hang-up of our own ends us, which hangs up the child's terminal.
  process.on('SIGTERM', () => child.kill('SIGHUP'));
  // Every key goes through, Ctrl-C as well: the child's terminal makes signals of them.
  if (stdin.isTTY) stdin.setRawMode(true);
  try {
    stdin.pipe(pty);
    for await (const chunk of pty) stdout.write(chunk as Buffer);
    const { code, signal } = await child.exited;
    process.exitCode = code ?? 128 + constants.signals[signal as NodeJS.Signals];
  } finally {
    if (stdin.isTTY) stdin.setRawMode(false);
    stdin.unpipe(pty);
    stdin.destroy();
  }
}

async function main(): Promise<void> {
  const [command = '/bin/sh', ...args] = process.argv.slice(2);
  try {
    await connect(await start(command, args));
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    console.error(`This host does not allow the shell. ${error.message}`);
    process.exitCode = 1;
  }
}

void main();
