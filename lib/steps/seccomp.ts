// Step `seccomp`: the filters of system calls, followed by nothing but the exec; see seccomp(2). Where there is to be no
// noNewPrivileges, they take CAP_SYS_ADMIN, and go in before the identity that may have it no more.
import { isUint8Array } from 'node:util/types';

import { array, oneOf, plainObject } from '../check';
import { invalidArgType, invalidArgValue, refusedOption } from '../errors/argument-error';
import { constants } from '../kernel/constants';
import type { Writer } from '../program/writer';
import { compileProfile } from '../seccomp/compile';
import * as call from '../assembly/calls';
import type { Filter, Request } from '../assembly/request';
import type { Step } from '../assembly/step';

const { SECCOMP_FILTER_FLAG_LOG, SECCOMP_FILTER_FLAG_SPEC_ALLOW, SECCOMP_FILTER_FLAG_TSYNC } = constants;
const { SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, SECCOMP_RET_ERRNO, SECCOMP_SET_MODE_FILTER } = constants;

const flagOf = {
  LOG: SECCOMP_FILTER_FLAG_LOG,
  SPEC_ALLOW: SECCOMP_FILTER_FLAG_SPEC_ALLOW,
  TSYNC: SECCOMP_FILTER_FLAG_TSYNC,
  WAIT_KILLABLE_RECV: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
} as const;
const flagNames = ['LOG', 'SPEC_ALLOW', 'TSYNC', 'WAIT_KILLABLE_RECV'] as const;

/** `struct sock_filter`. */
const instructionSize = 8;
/** BPF_MAXINSNS of linux/bpf_common.h. */
const mostInstructions = 4096;

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

function bitsOf(names: readonly (keyof typeof flagOf)[], option: string): number {
  const index = names.indexOf('WAIT_KILLABLE_RECV');
  if (index >= 0)
    throw refusedOption(`${option}[${index}]`, 'is about notifications, which no filter of clone() sends');
  return names.reduce((all, name) => all | flagOf[name], 0);
}

/** Whether it is meant to be a profile: a filter that is compiled has `filter`. */
const isProfile = (value: object): boolean =>
  !('filter' in value) && ['defaultAction', 'syscalls', 'architectures', 'archMap'].some((key) => key in value);

function fromProfile(value: object, option: string, request: Request): Filter {
  const { filter, skipped, flags, notifies, listenerPath } = compileProfile(value, option);
  if (notifies || listenerPath !== undefined) {
    throw refusedOption(option, 'has SCMP_ACT_NOTIFY or listenerPath: nobody would answer what it notifies of');
  }
  if (skipped.length > 0) {
    request.note(`${option}: names of no system call here, which are skipped: ${skipped.join(', ')}`);
  }
  return { option, filter: Buffer.from(filter), flags: bitsOf(flags, `${option}.flags`) };
}

function checkOne(value: unknown, option: string, request: Request): Filter {
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
    ),
  };
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

function install(writer: Writer, filters: readonly Filter[]): void {
  for (const { option, filter, flags } of filters) {
    // `struct sock_fprog`: how many, then where.
    const program = writer.reserve(16);
    writer.setInt32(program, filter.length / instructionSize);
    writer.point(program + 8, writer.addBytes(filter));
    writer.about('seccomp', option).add(call.seccomp, SECCOMP_SET_MODE_FILTER, flags, program);
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
  },

  check(given, request) {
    const { seccomp: value } = given;
    request.seccomp = Array.isArray(value)
      ? value.map((one: unknown, index) => checkOne(one, `seccomp[${index}]`, request))
      : [checkOne(value, 'seccomp', request)];
  },

  emit(writer, request) {
    if (request.noNewPrivileges === true) install(writer, request.seccomp);
  },

  hint(code) {
    if (code === 'EACCES') return 'needs CAP_SYS_ADMIN, or noNewPrivileges';
    if (code === 'EINVAL') return 'the kernel refuses this filter: a bad instruction, or a jump out of it';
    if (code === 'ENOMEM') return 'all filters together have more instructions than the kernel takes';
    return undefined;
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
    if (request.noNewPrivileges !== true) install(writer, request.seccomp);
  },
};
