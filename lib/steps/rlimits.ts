// Step `rlimits`: resource limits, see getrlimit(2). Raised while we still have the privilege, lowered when set-up is done.
import { integer, plainObject } from '../check';
import { invalidArgType, invalidArgValue, outOfRange } from '../errors/argument-error';
import { host } from '../host/host';
import { holdsEverywhere, whoRefuses } from '../host/ourselves';
import { constants } from '../kernel/constants';
import type { Writer } from '../program/writer';
import { HardLimits } from '../privilege';
import type { RlimitName } from '../../types/options';
import * as call from '../assembly/calls';
import type { Rlimit } from '../assembly/settings';
import type { Step } from '../assembly/step';

const resources: Readonly<Record<RlimitName, number>> = {
  as: constants.RLIMIT_AS,
  core: constants.RLIMIT_CORE,
  cpu: constants.RLIMIT_CPU,
  data: constants.RLIMIT_DATA,
  fsize: constants.RLIMIT_FSIZE,
  locks: constants.RLIMIT_LOCKS,
  memlock: constants.RLIMIT_MEMLOCK,
  msgqueue: constants.RLIMIT_MSGQUEUE,
  nice: constants.RLIMIT_NICE,
  nofile: constants.RLIMIT_NOFILE,
  nproc: constants.RLIMIT_NPROC,
  rss: constants.RLIMIT_RSS,
  rtprio: constants.RLIMIT_RTPRIO,
  rttime: constants.RLIMIT_RTTIME,
  sigpending: constants.RLIMIT_SIGPENDING,
  stack: constants.RLIMIT_STACK,
};
const names = Object.keys(resources) as RlimitName[];

/** RLIM_INFINITY, as the 64 bits that it is. */
const infinity = -1;

function checkValue(value: unknown, option: string): number {
  if (value === 'unlimited') return infinity;
  if (value === Infinity) throw outOfRange(option, "an integer, or 'unlimited'", value);
  if (typeof value === 'string') throw invalidArgValue(option, value, "must be a number or 'unlimited'");
  return integer(value, option, 0);
}

function checkLimit(name: RlimitName, value: unknown, ownHard: number): Rlimit {
  const option = `rlimits.${name}`;
  const resource = resources[name];
  if (typeof value !== 'object' || value === null) {
    const both = checkValue(value, option);
    return { option, resource, soft: both, hard: both, ownHard };
  }
  const given: { soft?: unknown; hard?: unknown } = Array.isArray(value)
    ? {}
    : plainObject(value, option, ['soft', 'hard']);
  if (given.soft === undefined || given.hard === undefined) {
    throw invalidArgType(option, "a number, 'unlimited' or an object with soft and hard", value);
  }
  const soft = checkValue(given.soft, `${option}.soft`);
  const hard = checkValue(given.hard, `${option}.hard`);
  if (isAbove(soft, hard)) throw invalidArgValue(`${option}.soft`, given.soft, 'must not be above the hard limit');
  return { option, resource, soft, hard, ownHard };
}

function isAbove(a: number, b: number): boolean {
  return b !== infinity && (a === infinity || a > b);
}

function isRaised({ hard, ownHard }: Rlimit): boolean {
  return isAbove(hard, ownHard);
}

function setLimit(writer: Writer, limit: Rlimit, soft: number, hard: number): void {
  const values = writer.reserve(16);
  writer.setInt64(values, soft);
  writer.setInt64(values + 8, hard);
  writer.add(call.prlimit64, 0, limit.resource, values);
}

/** Hard limits that go up: the privilege for it ends with the user namespace. */
export const raisedRlimits: Step = {
  name: 'raised rlimits',
  options: [],
  onlyWhenGiven: 'rlimits',
  after: {},

  emit(writer, request) {
    for (const limit of request.rlimits) {
      if (!isRaised(limit)) continue;
      writer.about('rlimits', limit.option);
      setLimit(writer, limit, limit.ownHard, limit.hard);
    }
  },
};

export const rlimits: Step = {
  name: 'rlimits',
  options: ['rlimits'],
  onlyWhenGiven: true,
  after: {
    'raised rlimits': 'the hard limits that go up are up already',
    stdio: 'a low limit on descriptors would stop the set-up itself',
  },

  check(given, request) {
    const limits = plainObject<RlimitName>(given.rlimits, 'rlimits', names);
    const wanted = Object.keys(limits) as RlimitName[];
    const own = new HardLimits(wanted.map((name) => resources[name]));
    request.facts.push(own);
    request.rlimits = wanted.map((name, index) => checkLimit(name, limits[name], own.values[index]!));
  },

  emit(writer, request) {
    for (const limit of request.rlimits) {
      writer.about(this.name, limit.option);
      setLimit(writer, limit, limit.soft, limit.hard);
    }
  },

  hint(code, label, request) {
    if (code !== 'EPERM') return undefined;
    const limit = request.rlimits.find(({ option }) => option === label.option);
    if (limit === undefined) return undefined;
    const most = limit.resource === constants.RLIMIT_NOFILE ? host.read('/proc/sys/fs/nr_open') : undefined;
    if (most !== undefined && isAbove(limit.hard, Number(most)))
      return `sysctl fs.nr_open is ${Number(most)}, and no limit of descriptors may be above it`;
    if (!isRaised(limit)) return whoRefuses(code, 'prlimit64');
    return holdsEverywhere(constants.CAP_SYS_RESOURCE)
      ? whoRefuses(code, 'prlimit64')
      : 'raising a hard limit needs CAP_SYS_RESOURCE outside of any new user namespace';
  },
};
