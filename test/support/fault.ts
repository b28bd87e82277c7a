// Lets a chosen instruction of a child fail, by the fault hook of the test build.
import { clone, type ClonedProcess, type CloneOptions, plan, type Plan, type SyscallError } from '../../lib';
import { errnoByName } from '../../lib/kernel/errno';
import { addon } from './addon';
import { type Line, linesOf } from './listing';

/** In the place of an errno: the child is killed at this instruction. */
export const killed = -1;

/** In the place of an errno: Node is killed when the child comes to this instruction, and the child goes on. */
export const nodeKilled = -2;

/** In the place of an errno: the child is stopped; of an instruction that clones, whoever has called it, right behind it. */
export const stopped = -3;

function setFault(instruction: number, errno: number): void {
  addon().setFault!(instruction, errno);
}

/** No fault is left for a later child. */
export function clearFault(): void {
  setFault(-1, 0);
}

/** Starts the plan with this instruction failing, which comes after the stop that it is held at. */
export async function heldBefore(made: Plan, instruction: number, errno: number | string): Promise<ClonedProcess> {
  setFault(instruction, typeof errno === 'string' ? errnoByName[errno]! : errno);
  try {
    return await clone(made);
  } finally {
    clearFault();
  }
}

/** Starts the plan with this instruction failing, and returns what the call rejects with. */
export async function failureAt(made: Plan, instruction: number, errno: number | string): Promise<SyscallError> {
  let child;
  try {
    child = await heldBefore(made, instruction, errno);
  } catch (error) {
    return error as SyscallError;
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
