// From arguments to a checked request, and from a request to a program: the two places that know that there are many steps.
import { array, copyObject, plainObject, string } from '../check';
import { invalidArgType, refusedOption, unknownOption } from '../errors/argument-error';
import { SyscallError } from '../errors/syscall-error';
import { Writer } from '../program/writer';
import { order } from './order';
import { Request } from './request';
import type { Given, OptionName, Step } from './step';
import { tellFailures } from './told-failures';

/** A step, with its bit in {@link Request.given}; 0 where it is always asked. */
interface Entry {
  readonly step: Step;
  readonly bit: number;
}

const bits = new Map<Step, number>();
for (const step of order) if (step.onlyWhenGiven === true) bits.set(step, 1 << bits.size);
if (bits.size > 32) throw new RangeError('more steps are asked only when given than Request.given has bits');

function bitOf(step: Step): number {
  const { onlyWhenGiven: option } = step;
  const given = typeof option === 'string' ? order.find(({ options }) => options.includes(option))! : step;
  return bits.get(given) ?? 0;
}

const entries = order.map((step): Entry => ({ step, bit: bitOf(step) }));
const owners = new Map<string, Entry>(
  entries.flatMap((entry) => entry.step.options.map((option) => [option, entry] as const)),
);
const settling = entries.filter(({ step }) => step.settle !== undefined);
const emitting = entries.filter(({ step }) => step.emit !== undefined);
/** What comes after it is about what is executed. */
const handoverAt = order.findIndex(({ name }) => name === 'handover');
const isBeforeHandover = ({ step }: Entry): boolean => order.indexOf(step) <= handoverAt;
const known = [...owners.keys()] as OptionName[];

/** What people know from child_process, and where it is here. */
const ofRun = 'is an option of run(), which collects the output';
const ofFork = 'is an option of fork(), which starts a Node module with a channel for messages';
const elsewhere: Readonly<Record<string, string>> = {
  shell: "is unknown: the command is no line for a shell; execute one, with '/bin/sh', ['-c', line]",
  input: ofRun,
  encoding: ofRun,
  maxBuffer: ofRun,
  execArgv: ofFork,
  execPath: ofFork,
  maxMessageSize: ofFork,
  serialization: ofFork,
  silent: ofFork,
  windowsHide: 'is unknown: it is about Windows',
  windowsVerbatimArguments: 'is unknown: it is about Windows',
};

/** The names of all options of clone(). */
export const optionNames: readonly string[] = known;

/**
 * Checks `clone(command, args?, options?)` and copies all of it.
 * @throws ArgumentError
 */
export function checkRequest(command: unknown, args: unknown, options: unknown): Request {
  const request = new Request();
  checkLine(command, args, request);
  if (options !== undefined && options !== null) check(copyOptions(options), request);
  settle(request);
  return request;
}

/** The same for options that are a copy already, and a command and arguments that are of the right type. */
export function checkCopied(command: string, args: readonly unknown[], given: Given): Request {
  const request = new Request();
  checkLine(command, args, request);
  check(given, request);
  settle(request);
  return request;
}

function checkLine(command: unknown, args: unknown, request: Request): void {
  request.command = string(command, 'command argument', { nonEmpty: true });
  if (args === undefined || args === null) return;
  // Not by map(), which makes what the caller's class says, and passes by what is missing.
  const copied: string[] = [];
  const given = array(args, 'args argument');
  for (let index = 0; index < given.length; index++) copied.push(string(given[index], `args[${index}]`));
  request.args = copied;
}

/** A copy, of the options alone: what they hold is still the caller's. */
export function copyOptions(options: unknown): Given {
  if (typeof options !== 'object') throw invalidArgType('options argument', 'of type object', options);
  return copyObject<OptionName>(options, 'options argument');
}

/** The options of createNamespaces(). */
export const namespaceOptions = [
  'join',
  'uidMap',
  'gidMap',
  'setgroups',
  'hostname',
  'domainname',
  'timeOffsets',
  'loopback',
  'sysctl',
  'signal',
  'timeout',
] as const satisfies readonly OptionName[];

/**
 * Checks the options of a child that executes nothing, and is made for its namespaces alone.
 * @throws ArgumentError
 */
export function checkNamespaces(flags: number, options: unknown): Request {
  const given = copyOptions(options ?? {});
  for (const name of Object.keys(given) as OptionName[]) {
    if ((namespaceOptions as readonly OptionName[]).includes(name)) continue;
    if (given[name] === undefined) continue;
    if (!owners.has(name)) throw unknownOption(name, name, namespaceOptions);
    throw refusedOption(name, 'is an option of clone(): nothing is executed in namespaces that are only made');
  }
  const request = new Request();
  request.forNamespaces = true;
  request.stdio = [];
  check({ ...given, flags }, request);
  settle(request);
  return request;
}

function settle(request: Request): void {
  for (const { step, bit } of request.forNamespaces ? settling.filter(isBeforeHandover) : settling) {
    if (bit === 0 || (request.given & bit) !== 0) step.settle!(request);
  }
}

/** An option that is none of ours, with what there is in its place. */
function strangeOption(name: string): Error {
  if (Object.hasOwn(elsewhere, name)) return refusedOption(name, elsewhere[name]!);
  return unknownOption(name, name, known);
}

function check(given: Given, request: Request): void {
  const checked: Step[] = [];
  for (const name of Object.keys(given) as OptionName[]) {
    if (given[name] === undefined) continue;
    const entry = owners.get(name);
    if (entry === undefined) throw strangeOption(name);
    const { step, bit } = entry;
    request.given |= bit;
    if (step.options.length > 1) {
      if (checked.includes(step)) continue;
      checked.push(step);
    }
    step.check?.(given, request);
  }
}

const startOptions = ['env', 'stdio', 'signal', 'timeout'] as const satisfies readonly OptionName[];

/** Whether a start takes the plan's own program. */
export function isSameProgram(request: Request, changed: Request): boolean {
  return changed.env === request.env && changed.stdio === request.stdio && changed.isOfSame(request);
}

/** The request of a plan with what may differ from one start to the next: who we are, too. */
export function checkStart(request: Request, options: unknown): Request {
  const changed = request.holdsForUs ? request.copy() : request.anew();
  if (options !== undefined) checkStartOptions(options, changed);
  // Only where the program is another one, by which failures are told: of the plan's own is true what was found when that was written.
  if (!isSameProgram(request, changed)) settle(changed);
  return changed;
}

function checkStartOptions(options: unknown, changed: Request): void {
  const given = plainObject<OptionName>(options, 'options argument');
  for (const name of Object.keys(given)) {
    if ((startOptions as readonly string[]).includes(name)) continue;
    if (!owners.has(name)) throw unknownOption(name, name, startOptions);
    throw refusedOption(name, `is an option of plan(): of its own a start has ${startOptions.join(', ')}`);
  }
  check(given, changed);
}

/**
 * Writes the whole program of a request.
 * @throws SyscallError E2BIG, with the option that did not go in any more
 */
export function assemble(writer: Writer, request: Request): void {
  try {
    write(writer, request);
  } catch (error) {
    // Only with labels it is known; the error is the same then.
    if (writer.labels === undefined && error instanceof SyscallError) labelled(request);
    throw error;
  }
}

function write(writer: Writer, request: Request): void {
  const isLabelled = writer.labels !== undefined;
  const tells = request.heldBy?.report !== undefined;
  if (tells) writer.labels ??= [];
  for (const { step, bit } of request.forNamespaces ? emitting.filter(isBeforeHandover) : emitting) {
    if (bit === 0 || (request.given & bit) !== 0) step.emit!(writer, request);
  }
  if (tells) tellFailures(writer);
  if (!isLabelled) writer.labels = undefined;
  writer.finish();
}

/** The program of a request, with what each instruction is for. */
export function labelled(request: Request): Writer {
  const writer = new Writer().reset(true);
  assemble(writer, request);
  return writer;
}

/** What a person can do about the failure of an instruction of this step. */
export function stepNamed(name: string): Step | undefined {
  return order.find((step) => step.name === name);
}
