// From arguments to a checked request, and from a request to a program: the two places that know that there are many steps.
import { array, copyObject, plainObject, string } from '../check';
import { invalidArgType, unknownOption } from '../errors/argument-error';
import type { Writer } from '../program/writer';
import { order } from './order';
import { Request } from './request';
import type { Given, OptionName, Step } from './step';

const owners = new Map<string, Step>(order.flatMap((step) => step.options.map((option) => [option, step] as const)));
const settling = order.filter((step) => step.settle !== undefined);
const emitting = order.filter((step) => step.emit !== undefined);
const known = [...owners.keys()] as OptionName[];

/** The names of all options of clone(). */
export const optionNames: readonly string[] = known;

/**
 * Checks `clone(command, args?, options?)` and copies all of it.
 * @throws ArgumentError
 */
export function checkRequest(command: unknown, args: unknown, options: unknown): Request {
  const request = new Request();
  request.command = string(command, 'command argument', { nonEmpty: true });
  if (args !== undefined && args !== null) {
    request.args = array(args, 'args argument').map((argument, index) => string(argument, `args[${index}]`));
  }
  if (options !== undefined && options !== null) {
    if (typeof options !== 'object') throw invalidArgType('options argument', 'of type object', options);
    check(copyObject<OptionName>(options, 'options argument'), request);
  }
  for (const step of settling) step.settle!(request);
  return request;
}

function check(given: Given, request: Request): void {
  const checked: Step[] = [];
  for (const name of Object.keys(given) as OptionName[]) {
    if (given[name] === undefined) continue;
    const step = owners.get(name);
    if (step === undefined) throw unknownOption(name, name, known);
    if (step.options.length > 1) {
      if (checked.includes(step)) continue;
      checked.push(step);
    }
    step.check?.(given, request);
  }
}

const startOptions = ['env', 'stdio', 'signal', 'timeout'] as const satisfies readonly OptionName[];

/** The request of a plan with what may differ from one start to the next. */
export function checkStart(request: Request, options: unknown): Request {
  const given = plainObject<(typeof startOptions)[number]>(options, 'options argument', startOptions);
  const changed = Object.assign(new Request(), request);
  check(given, changed);
  for (const step of settling) step.settle!(changed);
  return changed;
}

/** Writes the whole program of a request. */
export function assemble(writer: Writer, request: Request): void {
  for (const step of emitting) step.emit!(writer, request);
  writer.finish();
}

/** What a person can do about the failure of an instruction of this step. */
export function stepNamed(name: string): Step | undefined {
  return order.find((step) => step.name === name);
}
