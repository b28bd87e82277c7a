// Which system calls c.syscall() takes.
import { string } from '../../check';
import { invalidArgValue, refusedOption } from '../../errors/argument-error';
import { didYouMean } from '../../errors/nearest';
import { syscallNumber, syscalls } from '../../kernel/syscalls';

const twoProcesses = 'both processes would go on along the line and write into one report';

/** Calls that leave the line, and why. */
const refused: Readonly<Record<string, string>> = {
  clone: twoProcesses,
  clone3: twoProcesses,
  fork: twoProcesses,
  vfork: twoProcesses,
  execve: 'use c.execve(), which puts the signals in order before',
  execveat: 'use c.execveat(), which puts the signals in order before',
  exit: 'use c.exit(), which says that the line is done',
  exit_group: 'use c.exit(), which says that the line is done',
  rt_sigreturn: 'it returns from a signal handler, and there is none',
};

/** The number of a system call by its name. @throws ArgumentError */
export function rawCallNumber(given: unknown): number {
  const name = string(given, 'name argument');
  const reason = Object.hasOwn(refused, name) ? refused[name] : undefined;
  if (reason !== undefined) throw refusedOption('name argument', `cannot be ${name}: ${reason}`);
  const number = syscallNumber(name);
  if (number === undefined) {
    throw invalidArgValue(
      'name argument',
      name,
      `must be a system call of this architecture${didYouMean(name, Object.keys(syscalls))}`,
    );
  }
  return number;
}
