// Step `scheduler`: policy and parameters of the kernel's scheduler, see sched_setattr(2) and sched(7).
import type { Scheduler, SchedulerFlag, SchedulerPolicy } from '../../types/limits';
import { os } from '../builtin';
import { array, integer, oneOf, plainObject } from '../check';
import { invalidArgValue, refusedOption } from '../errors/argument-error';
import { Flags } from '../flags';
import { host } from '../host/host';
import { holdsEverywhere } from '../host/ourselves';
import { constants } from '../kernel/constants';
import { stepConstants } from '../kernel/step-constants';
import type { Writer } from '../program/writer';
import * as call from '../assembly/calls';
import type { Request } from '../assembly/request';
import type { Scheduling } from '../assembly/settings';
import type { Step } from '../assembly/step';
import { clonesAgain } from './second-clone';

const policies: readonly SchedulerPolicy[] = [
  'SCHED_OTHER',
  'SCHED_FIFO',
  'SCHED_RR',
  'SCHED_BATCH',
  'SCHED_ISO',
  'SCHED_IDLE',
  'SCHED_DEADLINE',
];
const flagNames: readonly SchedulerFlag[] = [
  'SCHED_FLAG_RESET_ON_FORK',
  'SCHED_FLAG_RECLAIM',
  'SCHED_FLAG_DL_OVERRUN',
  'SCHED_FLAG_KEEP_POLICY',
  'SCHED_FLAG_KEEP_PARAMS',
  'SCHED_FLAG_UTIL_CLAMP_MIN',
  'SCHED_FLAG_UTIL_CLAMP_MAX',
];
const numbers = stepConstants();
const { SCHED_FLAG_KEEP_PARAMS, SCHED_FLAG_RESET_ON_FORK } = numbers;
const ofDeadlines = ['SCHED_FLAG_RECLAIM', 'SCHED_FLAG_DL_OVERRUN'] as const;

const fields = ['policy', 'nice', 'priority', 'flags', 'runtime', 'deadline', 'period'] as const;

/** `struct sched_attr`. */
const schedAttr = { size: 56, policy: 4, flags: 8, nice: 16, priority: 20, runtime: 24, deadline: 32, period: 40 };
/** The kernel counts a runtime in steps of 2^10 nanoseconds: DL_SCALE of kernel/sched/sched.h. */
const shortestRuntime = 1024;

const isFair = (policy: SchedulerPolicy): boolean => /^SCHED_(?:OTHER|BATCH|IDLE)$/.test(policy);
const isRealTime = (policy: SchedulerPolicy): boolean => /^SCHED_(?:FIFO|RR)$/.test(policy);

/** A field that only some policies have; 0 is as good as nothing, as in the kernel's struct. */
function checkField(given: unknown, name: string, belongs: boolean, whose: string, [least, most]: [number, number]) {
  const option = `scheduler.${name}`;
  if (given === undefined) return undefined;
  const value = integer(given, option, belongs ? least : Math.min(0, least), most);
  if (belongs) return value;
  if (value !== 0) throw refusedOption(option, `is of ${whose}: with another policy the kernel would not look at it`);
  return undefined;
}

function checkFlags(given: unknown, policy: SchedulerPolicy): number {
  const names = array(given, 'scheduler.flags').map((name, index) =>
    oneOf(name, `scheduler.flags[${index}]`, flagNames),
  );
  const stray = policy === 'SCHED_DEADLINE' ? undefined : ofDeadlines.find((name) => names.includes(name));
  if (stray !== undefined) throw refusedOption('scheduler.flags', `cannot have ${stray} but with 'SCHED_DEADLINE'`);
  return names.reduce((all, name) => all | numbers[name], 0);
}

function checkDeadline({ runtime, deadline, period = 0 }: Scheduling): void {
  for (const [name, value] of Object.entries({ runtime, deadline }))
    if (value === undefined) throw refusedOption(`scheduler.${name}`, "is missing: 'SCHED_DEADLINE' needs it");
  if (runtime! > deadline!)
    throw invalidArgValue('scheduler.runtime', runtime, `must not be more than the deadline, ${deadline}`);
  if (period !== 0 && deadline! > period)
    throw invalidArgValue('scheduler.deadline', deadline, `must not be more than the period, ${period}`);
}

function checkScheduler(value: unknown): Scheduling {
  const given = plainObject<keyof Scheduler>(value, 'scheduler', fields);
  const policy = oneOf(given.policy, 'scheduler.policy', policies);
  const flags = given.flags === undefined ? 0 : checkFlags(given.flags, policy);
  const isDeadline = policy === 'SCHED_DEADLINE';
  const time = (name: 'runtime' | 'deadline' | 'period', least: number): number | undefined =>
    checkField(given[name], name, isDeadline, "'SCHED_DEADLINE'", [least, Number.MAX_SAFE_INTEGER]);
  const fair = "'SCHED_OTHER', 'SCHED_BATCH' and 'SCHED_IDLE'";
  const checked = {
    policy,
    flags,
    nice: checkField(given.nice, 'nice', isFair(policy), fair, [-20, 19]),
    priority: checkField(given.priority, 'priority', isRealTime(policy), "'SCHED_FIFO' and 'SCHED_RR'", [1, 99]),
    runtime: time('runtime', shortestRuntime),
    deadline: time('deadline', shortestRuntime),
    period: time('period', 0),
  };
  // With this flag none of them counts.
  if ((flags & SCHED_FLAG_KEEP_PARAMS) !== 0) return checked;
  if (isRealTime(policy) && checked.priority === undefined)
    throw refusedOption('scheduler.priority', `is missing: '${policy}' needs it, from 1 to 99`);
  if (isDeadline) checkDeadline(checked);
  return checked;
}

/** The nice value that we have, which a child begins with; the struct has no word for "as it is". */
class OwnNice {
  readonly value = os().getPriority();

  holds(): boolean {
    return os().getPriority() === this.value;
  }
}

function settleNice(request: Request, given: Scheduling): void {
  if (given.nice !== undefined && request.nice !== undefined && given.nice !== request.nice) {
    throw refusedOption('scheduler.nice', `is ${given.nice}, and the option nice is ${request.nice}: give one of them`);
  }
  if (!isFair(given.policy) || given.nice !== undefined) return;
  let nice = request.nice;
  if (nice === undefined) {
    const own = new OwnNice();
    request.facts.push(own);
    nice = own.value;
  }
  request.scheduler = { ...given, nice };
}

/**
 * Whether it must wait for the last clone: the child of a process that resets on fork does not have it, and one with a deadline may not
 * fork at all. All others have it early, as the privilege for it ends with our user namespace.
 */
function isOfOneProcess(request: Request): boolean {
  const { policy, flags } = request.scheduler!;
  const stays = policy === 'SCHED_DEADLINE' || (flags & SCHED_FLAG_RESET_ON_FORK) !== 0;
  return stays && (request.init || clonesAgain(request));
}

function emitScheduler(writer: Writer, { policy, flags, ...given }: Scheduling): void {
  const attributes = writer.reserve(schedAttr.size);
  writer.setInt32(attributes, schedAttr.size);
  writer.setInt32(attributes + schedAttr.policy, numbers[policy]);
  writer.setInt64(attributes + schedAttr.flags, flags);
  writer.setInt32(attributes + schedAttr.nice, given.nice ?? 0);
  writer.setInt32(attributes + schedAttr.priority, given.priority ?? 0);
  for (const name of ['runtime', 'deadline', 'period'] as const)
    writer.setInt64(attributes + schedAttr[name], given[name] ?? 0);
  writer.about('scheduler', 'scheduler').add(call.sched_setattr, 0, attributes);
}

export const scheduler: Step = {
  name: 'scheduler',
  options: ['scheduler'],
  onlyWhenGiven: true,
  after: {
    'raised rlimits': 'a priority may be had by a limit that goes up',
    nice: 'it sets the nice value anew',
    cpuAffinity: 'a deadline is promised on all processors that the process may run on',
  },

  check(given, request) {
    request.scheduler = checkScheduler(given.scheduler);
  },

  settle(request) {
    settleNice(request, request.scheduler!);
  },

  emit(writer, request) {
    if (!isOfOneProcess(request)) emitScheduler(writer, request.scheduler!);
  },

  hint: (code, _label, request) => whyNotScheduled(code, request),
};

/** The same, where no clone may come after it. */
export const lastScheduler: Step = {
  name: 'scheduler of the program',
  options: [],
  onlyWhenGiven: 'scheduler',
  after: {
    process: 'a clone would undo it, or be refused',
    init: 'a clone would undo it, or be refused',
    cpuAffinity: 'a deadline is promised on all processors that the process may run on',
  },

  emit(writer, request) {
    if (isOfOneProcess(request)) emitScheduler(writer, request.scheduler!);
  },
};

/** The sysctl in microseconds, as nanoseconds. */
function nanoseconds(sysctl: string): number {
  return Number(host.read(`/proc/sys/kernel/${sysctl}`)) * 1000;
}

function whyNotPermitted(request: Request): string | undefined {
  const { policy } = request.scheduler!;
  if (!holdsEverywhere(constants.CAP_SYS_NICE)) {
    if (policy === 'SCHED_DEADLINE') return "'SCHED_DEADLINE' needs CAP_SYS_NICE outside of any user namespace";
    return isRealTime(policy)
      ? 'a real-time policy needs CAP_SYS_NICE, or a limit of rlimits.rtprio'
      : 'a lower nice value than ours, and to leave SCHED_IDLE, needs CAP_SYS_NICE, or a limit of rlimits.nice';
  }
  if (isOfOneProcess(request) && (request.creates(Flags.NEWUSER) || request.joinsUser)) {
    const what = policy === 'SCHED_DEADLINE' ? 'a deadline' : 'what the next process does not have';
    return `${what} is set after the last clone, and the right to it ends with our user namespace: leave out Flags.NEWUSER, or what takes another clone`;
  }
  return policy !== 'SCHED_DEADLINE' || request.cpuAffinity === undefined
    ? undefined
    : 'a deadline is for all processors of the cpuset: leave out cpuAffinity, or use a cpuset of these processors';
}

function whyNotScheduled(code: string, request: Request): string | undefined {
  const { policy, deadline = Number.NaN, period } = request.scheduler!;
  switch (code) {
    case 'EPERM':
      return whyNotPermitted(request);
    case 'EINVAL': {
      if (policy === 'SCHED_ISO') return "this kernel has no 'SCHED_ISO', nor has any: its number is reserved";
      const length = period === undefined || period === 0 ? deadline : period;
      const [least, most] = [nanoseconds('sched_deadline_period_min_us'), nanoseconds('sched_deadline_period_max_us')];
      return length < least || length > most
        ? `a period is from ${least} to ${most} nanoseconds here; see the sysctls kernel.sched_deadline_period_min_us and …_max_us`
        : undefined;
    }
    case 'EBUSY':
      return 'too much is promised to other deadlines already; see the sysctls kernel.sched_rt_runtime_us and kernel.sched_rt_period_us';
    case 'EOPNOTSUPP':
    case 'ENOTSUP':
      return 'this kernel cannot clamp utilization: it is built without CONFIG_UCLAMP_TASK';
    default:
      return undefined;
  }
}
