// Step `seccomp`: the filter of system calls, followed by nothing but the exec; see seccomp(2).
import { isUint8Array } from 'node:util/types';

import { array, oneOf, plainObject } from '../check';
import { invalidArgType, invalidArgValue } from '../errors/argument-error';
import { constants } from '../kernel/constants';
import * as call from '../assembly/calls';
import type { Step } from '../assembly/step';

const { SECCOMP_FILTER_FLAG_LOG, SECCOMP_FILTER_FLAG_SPEC_ALLOW, SECCOMP_SET_MODE_FILTER } = constants;

const flagOf = { LOG: SECCOMP_FILTER_FLAG_LOG, SPEC_ALLOW: SECCOMP_FILTER_FLAG_SPEC_ALLOW } as const;
const flagNames = ['LOG', 'SPEC_ALLOW'] as const;

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
    if (isUint8Array(value)) {
      request.seccomp = { filter: checkFilter(value, 'seccomp'), flags: 0 };
      return;
    }
    if (typeof value !== 'object' || value === null) {
      throw invalidArgType('seccomp', 'an instance of Uint8Array or an object with filter and flags', value);
    }
    const { filter, flags } = plainObject(value, 'seccomp', ['filter', 'flags']);
    const names = flags === undefined ? [] : array(flags, 'seccomp.flags');
    request.seccomp = {
      filter: checkFilter(filter, 'seccomp.filter'),
      flags: names.reduce<number>(
        (all, name, index) => all | flagOf[oneOf(name, `seccomp.flags[${index}]`, flagNames)],
        0,
      ),
    };
  },

  emit(writer, { seccomp: given }) {
    if (given === undefined) return;
    // `struct sock_fprog`: how many, then where.
    const program = writer.reserve(16);
    writer.setInt32(program, given.filter.length / instructionSize);
    writer.point(program + 8, writer.addBytes(given.filter));
    writer.about(this.name, 'seccomp').add(call.seccomp, SECCOMP_SET_MODE_FILTER, given.flags, program);
  },

  hint(code) {
    if (code === 'EACCES') return 'needs CAP_SYS_ADMIN, or noNewPrivileges';
    if (code === 'EINVAL') return 'the kernel refuses this filter: a bad instruction, or a jump out of it';
    return undefined;
  },
};
