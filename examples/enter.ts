// enter PID [COMMAND [ARGUMENT…]]: a command, or our shell, in all namespaces of a process, as nsenter(1) has it.
import { constants } from 'node:os';

import { clone, isArgumentError, SyscallError } from 'nsclone';

async function enter(pid: number, command: string, args: readonly string[]): Promise<void> {
  const child = await clone(command, args, {
    // All kinds that differ from ours. In their user namespace we are its root, in their mount namespace at its root.
    join: { pid },
    stdio: 'inherit',
  });
  // The terminal sends these to us as well; they are for the command.
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.on(signal, () => {});
  // These are sent to us alone.
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  const { code, signal } = await child.exited;
  process.exitCode = code ?? 128 + constants.signals[signal as NodeJS.Signals];
}

async function main(): Promise<void> {
  const [pid, command, ...args] = process.argv.slice(2);
  if (pid === undefined || !/^[1-9]\d*$/.test(pid)) {
    console.error('usage: enter PID [COMMAND [ARGUMENT…]]');
    process.exitCode = 2;
    return;
  }
  try {
    await enter(Number(pid), command ?? process.env['SHELL'] ?? '/bin/sh', args);
  } catch (error) {
    if (!(error instanceof SyscallError) && !isArgumentError(error)) throw error;
    console.error(`Cannot enter the namespaces of process ${pid}. ${error.message}`);
    process.exitCode = 1;
  }
}

void main();
