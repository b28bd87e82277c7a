// A profile in the form of the OCI runtime specification, checked: what its words mean in numbers.
import { array, integer, oneOf, plainObject, string } from '../check';
import { invalidArgType, invalidArgValue, outOfRange, refusedOption } from '../errors/argument-error';
import { constants } from '../kernel/constants';
import type { SeccompAction, SeccompFlag, SeccompOperator } from '../../types/seccomp';
import { architectureNamed, type Architecture } from './architectures';

const { SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD } = constants;
const { SECCOMP_RET_LOG, SECCOMP_RET_TRACE, SECCOMP_RET_TRAP, SECCOMP_RET_USER_NOTIF } = constants;

const answerOf: Readonly<Record<SeccompAction, number>> = {
  SCMP_ACT_KILL: SECCOMP_RET_KILL_THREAD,
  SCMP_ACT_KILL_PROCESS: SECCOMP_RET_KILL_PROCESS,
  SCMP_ACT_KILL_THREAD: SECCOMP_RET_KILL_THREAD,
  SCMP_ACT_TRAP: SECCOMP_RET_TRAP,
  SCMP_ACT_ERRNO: SECCOMP_RET_ERRNO,
  SCMP_ACT_TRACE: SECCOMP_RET_TRACE,
  SCMP_ACT_ALLOW: SECCOMP_RET_ALLOW,
  SCMP_ACT_LOG: SECCOMP_RET_LOG,
  SCMP_ACT_NOTIFY: SECCOMP_RET_USER_NOTIF,
};
const actions = Object.keys(answerOf) as SeccompAction[];

/** The largest number that goes with an action; the kernel makes 4095 of a larger errno. */
const mostData: Readonly<Partial<Record<SeccompAction, number>>> = { SCMP_ACT_ERRNO: 4095, SCMP_ACT_TRACE: 0xffff };
const EPERM = 1;

const operators = [
  'SCMP_CMP_NE',
  'SCMP_CMP_LT',
  'SCMP_CMP_LE',
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
] as const satisfies SeccompOperator[];

const prefix = 'SECCOMP_FILTER_FLAG_';
const flagNames = ['LOG', 'SPEC_ALLOW', 'TSYNC', 'WAIT_KILLABLE_RECV'] as const satisfies readonly SeccompFlag[];

/** An unsigned number of 64 bits, in two words. */
export interface Wide {
  readonly high: number;
  readonly low: number;
}

export interface Condition {
  readonly index: number;
  readonly operator: SeccompOperator;
  readonly mask: Wide;
  readonly value: Wide;
}

export interface Rule {
  /** 'seccomp.syscalls[3]' */
  readonly option: string;
  readonly names: readonly string[];
  /** What the filter returns. */
  readonly answer: number;
  /** All of them must hold; of several lists, any. Without a list it always answers. */
  readonly conditions: readonly (readonly Condition[])[];
}

export interface Profile {
  readonly defaultAnswer: number;
  readonly architectures: readonly Architecture[];
  readonly flags: readonly SeccompFlag[];
  readonly listenerPath: string | undefined;
  readonly listenerMetadata: string | undefined;
  readonly rules: readonly Rule[];
}

const most64 = 0xffff_ffff_ffff_ffffn;
const all: Wide = { high: 0xffff_ffff, low: 0xffff_ffff };

function wide(value: unknown, option: string): Wide {
  if (typeof value === 'bigint') {
    if (value < 0n || value > most64) throw outOfRange(option, '>= 0 && < 2 ** 64', value);
    return { high: Number(value >> 32n), low: Number(value & 0xffff_ffffn) };
  }
  if (typeof value !== 'number') throw invalidArgType(option, 'of type number or bigint', value);
  if (!Number.isInteger(value) || value < 0) throw outOfRange(option, 'an integer >= 0 && < 2 ** 64', value);
  if (!Number.isSafeInteger(value)) {
    throw invalidArgValue(option, value, 'must be a bigint above 2 ** 53: JSON.parse() and numbers round it');
  }
  return { high: Math.floor(value / 2 ** 32), low: value >>> 0 };
}

function checkAnswer(action: unknown, data: unknown, option: string, names: readonly [string, string]): number {
  const name = oneOf(action, `${option}.${names[0]}`, actions);
  const most = mostData[name];
  const dataOption = `${option}.${names[1]}`;
  if (most === undefined) {
    if (data !== undefined) throw refusedOption(dataOption, `says nothing with ${name}, which has no errno`);
    return answerOf[name];
  }
  return (answerOf[name] | (data === undefined ? EPERM : integer(data, dataOption, 0, most))) >>> 0;
}

function checkCondition(value: unknown, option: string): Condition {
  const given = plainObject(value, option, ['index', 'value', 'valueTwo', 'op']);
  const operator = oneOf(given.op, `${option}.op`, operators);
  const first = wide(given.value, `${option}.value`);
  const second = given.valueTwo === undefined ? { high: 0, low: 0 } : wide(given.valueTwo, `${option}.valueTwo`);
  const index = integer(given.index, `${option}.index`, 0, 5);
  if (operator === 'SCMP_CMP_MASKED_EQ') return { index, operator, mask: first, value: second };
  return { index, operator, mask: all, value: first };
}

function checkConditions(value: unknown, option: string): (readonly Condition[])[] {
  if (value === undefined || value === null) return [];
  const given = array(value, option).map((one, index) => checkCondition(one, `${option}[${index}]`));
  if (given.length === 0) return [];
  // Two on one argument were alternatives before a rule could have several conditions, and runc has kept that.
  const isOnce = new Set(given.map(({ index }) => index)).size === given.length;
  return isOnce ? [given.sort((a, b) => a.index - b.index)] : given.map((one) => [one]);
}

const dockers =
  'is of the form that Docker and podman read, not of that of the OCI runtime specification: drop it, and keep or drop each rule by its includes and excludes';

function checkRule(value: unknown, option: string): Rule {
  for (const key of ['includes', 'excludes', 'name']) {
    const holder = value as Record<string, unknown> | null | undefined;
    if (typeof holder === 'object' && holder?.[key] !== undefined) throw refusedOption(`${option}.${key}`, dockers);
  }
  const given = plainObject(value, option, ['names', 'action', 'errnoRet', 'args']);
  const names = array(given.names, `${option}.names`);
  if (names.length === 0) throw invalidArgValue(`${option}.names`, names, 'must have at least one name');
  return {
    option,
    names: names.map((name, index) => string(name, `${option}.names[${index}]`, { nonEmpty: true })),
    answer: checkAnswer(given.action, given.errnoRet, option, ['action', 'errnoRet']),
    conditions: checkConditions(given.args, `${option}.args`),
  };
}

/** 'LOG', and in a profile its name in the specification too. */
export function checkFlags(value: unknown, option: string, inProfile: boolean): SeccompFlag[] {
  if (value === undefined) return [];
  return array(value, option).map((name, index) => {
    const isLong = inProfile && typeof name === 'string' && name.startsWith(prefix);
    return oneOf(isLong ? name.slice(prefix.length) : name, `${option}[${index}]`, flagNames);
  });
}

/** Of `struct sockaddr_un`, with the NUL byte that ends it. */
const longestPath = 107;

const keys = [
  'defaultAction',
  'defaultErrnoRet',
  'architectures',
  'flags',
  'listenerPath',
  'listenerMetadata',
  'syscalls',
] as const;

/** @throws ArgumentError, which names the part of it. */
export function checkProfile(value: unknown, option: string): Profile {
  const holder = value as Record<string, unknown>;
  if (holder['archMap'] !== undefined) throw refusedOption(`${option}.archMap`, dockers);
  const given = plainObject(value, option, keys);
  const { architectures: listed, syscalls, listenerPath, listenerMetadata } = given;
  return {
    defaultAnswer: checkAnswer(given.defaultAction, given.defaultErrnoRet, option, [
      'defaultAction',
      'defaultErrnoRet',
    ]),
    architectures:
      listed === undefined
        ? []
        : array(listed, `${option}.architectures`).map((name, index) =>
            architectureNamed(name, `${option}.architectures[${index}]`),
          ),
    flags: checkFlags(given.flags, `${option}.flags`, true),
    listenerPath:
      listenerPath === undefined
        ? undefined
        : string(listenerPath, `${option}.listenerPath`, { nonEmpty: true, maxBytes: longestPath }),
    listenerMetadata:
      listenerMetadata === undefined ? undefined : string(listenerMetadata, `${option}.listenerMetadata`),
    rules:
      syscalls === undefined
        ? []
        : array(syscalls, `${option}.syscalls`).map((rule, index) => checkRule(rule, `${option}.syscalls[${index}]`)),
  };
}
