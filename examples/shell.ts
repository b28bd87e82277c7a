// shell [COMMAND [ARGUMENT…]]: an interactive root shell in namespaces of its own, over a terminal of its own.
import { constants } from 'node:os';

import { clone, Flags, SyscallError } from 'nsclone';

import { connect, type Interactive, size } from './terminal';

function start(command: string, args: readonly string[]): Promise<Interactive> {
  return clone(command, args, {
    flags: Flags.NEWUSER | Flags.NEWPID | Flags.NEWNS | Flags.NEWUTS | Flags.NEWIPC | Flags.NEWNET,
    uidMap: 'root',
    gidMap: 'root',
    hostname: 'box',
    mounts: [{ type: 'proc', target: '/proc' }],
    loopback: true,
    // The shell is not pid 1 itself, so that orphans are reaped and every signal does what it always does.
    init: true,
    pty: size,
    env: { ...process.env, PS1: '\\$ ' },
  });
}

async function main(): Promise<void> {
  const [command = '/bin/sh', ...args] = process.argv.slice(2);
  try {
    const child = await start(command, args);
    // A hang-up of our own ends us, which hangs up the child's terminal.
    process.on('SIGTERM', () => child.kill('SIGHUP'));
    const { code, signal } = await connect(child);
    process.exitCode = code ?? 128 + constants.signals[signal as NodeJS.Signals];
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    console.error(`This host does not allow the shell. ${error.message}`);
    process.exitCode = 1;
  }
}

void main();
