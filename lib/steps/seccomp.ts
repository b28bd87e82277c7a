// Step `seccomp`: the filters of system calls, followed by nothing but the exec; see seccomp(2). Where there is to be no
// noNewPrivileges, they take CAP_SYS_ADMIN, and go in before the identity that may have it no more.
import { isUint8Array } from 'node:util/types';

import { array, oneOf, plainObject } from '../check';
import { invalidArgType, invalidArgValue, refusedOption } from '../errors/argument-error';
import { constants } from '../kernel/constants';
import { instructionSize, mostInstructions, setProgram } from './sock-filter';
import type { Place, Writer } from '../program/writer';
import { type Compiled, compileProfile } from '../seccomp/compile';
import * as call from '../assembly/calls';
import type { Request } from '../assembly/request';
import type { Filter, Listener } from '../assembly/settings';
import type { Step } from '../assembly/step';
import { letsThrough, mayKeep, mayPretend, whyNotInstalled } from './own-filter';
import { knockPlaces, throughDoor, withDoor } from './seccomp-door';
import { prepareListener, sendListener } from './send-listener';

const { SECCOMP_FILTER_FLAG_LOG, SECCOMP_FILTER_FLAG_NEW_LISTENER, SECCOMP_FILTER_FLAG_SPEC_ALLOW } = constants;
const { SECCOMP_FILTER_FLAG_TSYNC, SECCOMP_FILTER_FLAG_TSYNC_ESRCH, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV } =
  constants;
const { PR_SET_SECCOMP, SECCOMP_MODE_FILTER, SECCOMP_RET_ERRNO, SECCOMP_SET_MODE_FILTER } = constants;

const flagOf = {
  LOG: SECCOMP_FILTER_FLAG_LOG,
  SPEC_ALLOW: SECCOMP_FILTER_FLAG_SPEC_ALLOW,
  TSYNC: SECCOMP_FILTER_FLAG_TSYNC,
  WAIT_KILLABLE_RECV: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
} as const;
const flagNames = ['LOG', 'SPEC_ALLOW', 'TSYNC', 'WAIT_KILLABLE_RECV'] as const;

function checkFilter(value: unknown, option: string): Buffer {
  if (!isUint8Array(value)) throw invalidArgType(option, 'an instance of Uint8Array', value);
  if (value.length === 0 || value.length % instructionSize !== 0) {
    throw invalidArgValue(option, value.length, `must be a whole number of instructions of ${instructionSize} bytes`);
  }
  if (value.length > mostInstructions * instructionSize) {
    throw invalidArgValue(option, value.length, `must have at most ${mostInstructions} instructions`);
  }
  return Buffer.from(value);
}

function bitsOf(names: readonly (keyof typeof flagOf)[], option: string, hasListener: boolean): number {
  const index = names.indexOf('WAIT_KILLABLE_RECV');
  if (index >= 0 && !hasListener) {
    const reason = 'is about notifications, and this filter sends none: that takes a profile with listenerPath';
    throw refusedOption(`${option}[${index}]`, reason);
  }
  const bits = names.reduce((all, name) => all | flagOf[name], 0);
  if (!hasListener) return bits;
  // Without it the kernel refuses the two together: what such a call brings would be a descriptor, or a thread.
  const both = (bits & SECCOMP_FILTER_FLAG_TSYNC) === 0 ? 0 : SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
  return bits | both | SECCOMP_FILTER_FLAG_NEW_LISTENER;
}

/** Whether it is meant to be a profile: a filter that is compiled has `filter`. */
const isProfile = (value: object): boolean =>
  !('filter' in value) && ['defaultAction', 'syscalls', 'architectures', 'archMap'].some((key) => key in value);

/** Who is told of a profile's notifications. */
function listenerOf(compiled: Compiled, option: string): Listener | undefined {
  const { notifies, listenerPath: path, listenerMetadata: metadata } = compiled;
  if (path === undefined) {
    if (metadata !== undefined)
      throw refusedOption(`${option}.listenerMetadata`, 'is told to a listenerPath, which is not given');
    if (notifies)
      throw refusedOption(option, 'has SCMP_ACT_NOTIFY and no listenerPath: nobody would answer what it notifies of');
    return undefined;
  }
  if (!notifies)
    throw refusedOption(`${option}.listenerPath`, 'is told of SCMP_ACT_NOTIFY, which no rule says; drop it');
  return { option: `${option}.listenerPath`, path, metadata };
}

type GivenFilter = Omit<Filter, 'call'>;

function fromProfile(value: object, option: string, request: Request): GivenFilter {
  const compiled = compileProfile(value, option);
  const { filter, skipped, overruled, flags } = compiled;
  const listener = listenerOf(compiled, option);
  if (overruled.length > 0) request.note(`an earlier rule without args says something else: ${overruled.join(', ')}`);
  if (skipped.length > 0) {
    request.note(`${option}: names of no system call here, which are skipped: ${skipped.join(', ')}`);
  }
  const bits = bitsOf(flags, `${option}.flags`, listener !== undefined);
  return { option, filter: Buffer.from(filter), flags: bits, listener };
}

function checkOne(value: unknown, option: string, request: Request): GivenFilter {
  if (isUint8Array(value)) return { option, filter: checkFilter(value, option), flags: 0 };
  if (typeof value !== 'object' || value === null) {
    throw invalidArgType(option, 'an instance of Uint8Array, an object with filter and flags, or a profile', value);
  }
  if (isProfile(value)) return fromProfile(value, option, request);
  const { filter, flags } = plainObject(value, option, ['filter', 'flags']);
  const names = flags === undefined ? [] : array(flags, `${option}.flags`);
  return {
    option,
    filter: checkFilter(filter, `${option}.filter`),
    flags: bitsOf(
      names.map((name, index) => oneOf(name, `${option}.flags[${index}]`, flagNames)),
      `${option}.flags`,
      false,
    ),
  };
}

/**
 * What installs each of them. prctl(2) can do it as well as seccomp(2) where there are no flags, and a list of what is allowed may have
 * that alone, as bubblewrap asks for no more. What is answered with errno 0 looks done: those that come later would be missing, and a
 * 0 be sent as a listener.
 */
function withInstallers(given: readonly GivenFilter[]): Filter[] {
  const keeping = { seccomp: false, prctl: false };
  const pretending: { seccomp?: string; prctl?: string } = {};
  return given.map((filter, index) => {
    const installer = filter.flags === 0 && keeping.seccomp && !keeping.prctl ? 'prctl' : 'seccomp';
    if (pretending[installer] !== undefined) {
      const reason = `answers ${installer} with errno 0, as if it had been made: the filters after it would not be installed`;
      throw refusedOption(pretending[installer], reason);
    }
    // Each is looked at once, however many there are.
    for (const name of index < given.length - 1 ? (['seccomp', 'prctl'] as const) : []) {
      keeping[name] ||= mayKeep(filter, name);
      if (mayPretend(filter, name)) pretending[name] ??= filter.option;
    }
    return { ...filter, call: installer };
  });
}

/** What has to be known of all together where one has a listener. */
function withListener(filters: readonly GivenFilter[], request: Request): readonly GivenFilter[] {
  const at = filters.findIndex(({ listener }) => listener !== undefined);
  if (at < 0) return filters;
  const second = filters.find(({ listener }, index) => listener !== undefined && index > at);
  if (second !== undefined)
    throw refusedOption(
      second.listener!.option,
      `is one too many: the kernel takes one for a process, and ${filters[at]!.option} has it`,
    );
  return filters.map((filter, index) => {
    // Those that come later are installed when it has been sent.
    if (index > at || throughDoor.every((name) => letsThrough(filter, name))) return filter;
    if (withDoor(filter.filter).length > mostInstructions * instructionSize) {
      const reason = `does not let ${throughDoor.join(' and ')} through, by which the listener is sent, and has no room for a door`;
      throw refusedOption(filter.option, reason);
    }
    request.note(`${filter.option}: has a door for the calls that send the listener, which nobody else can open`);
    return { ...filter, closed: true };
  });
}

/** BPF: RET with a constant, and with what has been computed. */
const [returnConstant, returnComputed] = [0x06, 0x16];

/** Whether it answers some call with success without making it. */
function pretends({ filter }: Filter): boolean {
  for (let at = 0; at < filter.length; at += instructionSize) {
    const code = filter.readUInt16LE(at);
    if (code === returnComputed) return true;
    if (code === returnConstant && filter.readUInt32LE(at + 4) === SECCOMP_RET_ERRNO) return true;
  }
  return false;
}

/** The filter in the data, as it is installed. */
function addFilter(
  writer: Writer,
  { filter, closed }: Filter,
  knock: Place | undefined,
): { place: Place; size: number } {
  if (closed !== true || knock === undefined) return { place: writer.addBytes(filter), size: filter.length };
  const bytes = withDoor(filter);
  const place = writer.addBytes(bytes);
  knockPlaces.forEach((at, index) => writer.storeWord(knock + index * 4, place + at, 4));
  return { place, size: bytes.length };
}

function install(writer: Writer, request: Request): void {
  const { seccomp: filters, listener } = request;
  const closed = filters.some((filter) => filter.closed);
  const prepared = listener === undefined ? undefined : prepareListener(writer, request, listener, closed);
  for (const filter of filters) {
    writer.about('seccomp', filter.option);
    const { place, size } = addFilter(writer, filter, prepared?.knock);
    const program = setProgram(writer, writer.reserve(16), place, size);
    if (filter.call === 'prctl') writer.add(call.prctlWithFilter, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program);
    else writer.add(call.seccomp, SECCOMP_SET_MODE_FILTER, filter.flags, program);
    if (filter.listener !== undefined) sendListener(writer, request, filter.listener, prepared!);
  }
}

export const seccomp: Step = {
  name: 'seccomp',
  options: ['seccomp'],
  onlyWhenGiven: true,
  after: {
    noNewPrivileges: 'without CAP_SYS_ADMIN the kernel takes a filter only then',
    landlock: 'the filter may forbid its call',
    'signal mask': 'the filter may forbid all that set-up needs, and is followed by the exec alone',
    'seccomp listener': 'the socket for it is taken there',
  },

  check({ seccomp: value }, request) {
    const given = Array.isArray(value)
      ? value.map((one: unknown, index) => checkOne(one, `seccomp[${index}]`, request))
      : [checkOne(value, 'seccomp', request)];
    const filters = withInstallers(withListener(given, request));
    request.seccomp = filters;
    request.listener = filters.find(({ listener }) => listener !== undefined)?.listener;
  },

  emit(writer, request) {
    if (request.noNewPrivileges === true) install(writer, request);
  },

  hint(code, { option }, { listener, seccomp: filters }) {
    if (listener !== undefined && option === listener.option && ['EPIPE', 'ECONNRESET'].includes(code))
      return 'who listened there has closed the connection';
    return whyNotInstalled(code, filters.find((filter) => filter.option === option)?.flags);
  },
};

export const privilegedSeccomp: Step = {
  name: 'seccomp with privilege',
  options: [],
  onlyWhenGiven: 'seccomp',
  after: {
    init: 'pid 1 has no filter: it has to go on reaping',
    rlimits: 'what comes after it has to be let through by it, so as little as can be does',
  },

  settle({ noNewPrivileges, seccomp: filters }) {
    if (noNewPrivileges !== false) return;
    const pretending = filters.find(pretends);
    if (pretending === undefined) return;
    const reason =
      'answers calls with errno 0, as if they had been made: with noNewPrivileges false it would do so to the set-up';
    throw refusedOption(pretending.option, reason);
  },

  emit(writer, request) {
    if (request.noNewPrivileges !== true) install(writer, request);
  },
};
