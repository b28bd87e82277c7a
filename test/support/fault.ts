// Lets a chosen instruction of a child fail, by the fault hook of the test build.
import { clone, type CloneOptions, plan, type Plan, type SyscallError } from '../../lib';
import { errnoByName } from '../../lib/kernel/errno';
import { addon } from './addon';
import { type Line, linesOf } from './listing';

/** In the place of an errno: the child is killed at this instruction. */
export const killed = -1;

/** In the place of an errno: Node is killed when the child comes to this instruction, and the child goes on. */
export const nodeKilled = -2;

function setFault(instruction: number, errno: number): void {
  addon().setFault!(instruction, errno);
}

/** No fault is left for a later child. */
export function clearFault(): void {
  setFault(-1, 0);
}

/** Starts the plan with this instruction failing, and returns what the call rejects with. */
export async function failureAt(made: Plan, instruction: number, errno: number | string): Promise<SyscallError> {
  setFault(instruction, typeof errno === 'string' ? errnoByName[errno]! : errno);
  let child;
  try {
    child = await clone(made);
  } catch (error) {
    return error as SyscallError;
  } finally {
    clearFault();
  }
  child.kill('SIGKILL');
  await child.exited;
  throw new Error(`the child started, although instruction ${instruction} was to fail:\n${made.toString()}`);
}

/** As {@link failureAt}, with the first instruction that matches. */
export async function failAt(
  options: CloneOptions,
  matches: (line: Line) => boolean,
  errno: number | string,
  command = '/bin/true',
): Promise<SyscallError> {
  const made = plan(command, [], options);
  const line = linesOf(made).find(matches);
  if (line === undefined) throw new Error(`no such instruction in\n${made.toString()}`);
  return failureAt(made, line.number, errno);
}

/** A line whose call begins like this. */
export function calls(beginning: string): (line: Line) => boolean {
  return ({ call }) => call.startsWith(beginning);
}

/** The fields of an error that its users see, with its message. */
export function fieldsOf(error: SyscallError): Record<string, unknown> {
  return { ...error, message: error.message };
}
