// Step `scheduler`: policy and parameters of the kernel's scheduler.
import { spawnSync } from 'node:child_process';
import { getPriority, setPriority } from 'node:os';

import { type CloneOptions, Flags, plan, type Scheduler } from '../../lib';
import { stepConstants } from '../../lib/kernel/step-constants';
import { needing, withCapability, withoutCapability } from '../support/capability';
import { calls, failAt, fieldsOf } from '../support/fault';
import { hosts, onHost, status, withAnswers } from '../support/host';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted, linesOf } from '../support/listing';
import { planning, refusal } from '../support/refusal';

leavesNothing();

const own = getPriority();
const given = (scheduler: unknown): (() => unknown) => planning({ scheduler });
const deadline = { policy: 'SCHED_DEADLINE', runtime: 1_000_000, deadline: 5_000_000, period: 10_000_000 } as const;

describe('scheduler rejects', () => {
  test('a policy that is none, with the nearest', () => {
    expect(given({ policy: 'SCHED_FIFI' })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'scheduler.policy', `did you mean "SCHED_FIFO"?`),
    );
    expect(given({})).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'scheduler.policy'));
    expect(given({ policy: 1 })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'scheduler.policy'));
  });
  test('what is no field, and no object', () => {
    expect(given({ policy: 'SCHED_RR', priorty: 5 })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'scheduler.priorty', 'did you mean "priority"?'),
    );
    for (const value of ['SCHED_RR', 1, null, [], true])
      expect(given(value)).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'scheduler'));
  });
  test.each<[string, object]>([
    ['nice', { policy: 'SCHED_BATCH', nice: 20 }],
    ['nice', { policy: 'SCHED_OTHER', nice: -21 }],
    ['priority', { policy: 'SCHED_FIFO', priority: 0 }],
    ['priority', { policy: 'SCHED_RR', priority: 100 }],
    ['priority', { policy: 'SCHED_RR', priority: 1.5 }],
    ['runtime', { ...deadline, runtime: 1023 }],
    ['deadline', { ...deadline, deadline: -1 }],
    ['period', { ...deadline, period: -1 }],
  ])('a %s out of range: %j', (field, value) => {
    expect(given(value)).toThrow(refusal('ERR_OUT_OF_RANGE', `scheduler.${field}`));
  });
  test.each<[string, object]>([
    ['priority', { policy: 'SCHED_FIFO' }],
    ['runtime', { ...deadline, runtime: undefined }],
    ['deadline', { ...deadline, deadline: undefined }],
  ])('a %s that is missing: %j', (field, value) => {
    expect(given(value)).toThrow(refusal('ERR_INVALID_ARG_VALUE', `scheduler.${field}`, 'is missing'));
  });
  test.each<[string, object]>([
    ['nice', { policy: 'SCHED_FIFO', priority: 1, nice: 5 }],
    ['priority', { policy: 'SCHED_BATCH', priority: 1 }],
    ['runtime', { policy: 'SCHED_OTHER', runtime: 5000 }],
    ['period', { policy: 'SCHED_RR', priority: 1, period: 5000 }],
  ])('a %s that the policy has none of: %j', (field, value) => {
    expect(given(value)).toThrow(refusal('ERR_INVALID_ARG_VALUE', `scheduler.${field}`, 'is of '));
    expect(given({ ...value, [field]: 0 })).not.toThrow();
  });
  test('times that contradict each other', () => {
    expect(given({ ...deadline, runtime: 5_000_001 })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'scheduler.runtime'));
    expect(given({ ...deadline, period: 4_999_999 })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'scheduler.deadline'));
    expect(given({ ...deadline, period: 0 })).not.toThrow();
  });
  test('flags that are none, or of another policy', () => {
    expect(given({ policy: 'SCHED_OTHER', flags: ['RESET_ON_FORK'] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'scheduler.flags[0]', 'SCHED_FLAG_RESET_ON_FORK'),
    );
    expect(given({ policy: 'SCHED_OTHER', flags: 'SCHED_FLAG_RECLAIM' })).toThrow(
      refusal('ERR_INVALID_ARG_TYPE', 'scheduler.flags'),
    );
    expect(given({ policy: 'SCHED_OTHER', flags: ['SCHED_FLAG_RECLAIM'] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'scheduler.flags', 'SCHED_DEADLINE'),
    );
  });
  test('two nice values', () => {
    const both = (nice: number): CloneOptions => ({ nice: 5, scheduler: { policy: 'SCHED_BATCH', nice } });
    expect(planning(both(6))).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'scheduler.nice', 'the option nice is 5'));
    expect(planning(both(5))).not.toThrow();
  });
});

describe('scheduler emits', () => {
  const emits = (scheduler: Scheduler, options: CloneOptions = {}): string[] =>
    emitted('scheduler', { ...options, scheduler });

  test('nothing where it is not given', () => {
    expect(emitted('scheduler', {})).toEqual([]);
  });
  test('one call, with the names of the kernel', () => {
    expect(emits({ policy: 'SCHED_FIFO', priority: 10, flags: ['SCHED_FLAG_RESET_ON_FORK'] })).toEqual([
      'scheduler: sched_setattr(0, {size=56, sched_policy=SCHED_FIFO, sched_flags=SCHED_FLAG_RESET_ON_FORK, sched_priority=10}, 0)',
    ]);
    expect(emits({ ...deadline, flags: ['SCHED_FLAG_RECLAIM', 'SCHED_FLAG_DL_OVERRUN'] })).toEqual([
      'scheduler: sched_setattr(0, {size=56, sched_policy=SCHED_DEADLINE, sched_flags=SCHED_FLAG_RECLAIM|SCHED_FLAG_DL_OVERRUN, sched_runtime=1000000, sched_deadline=5000000, sched_period=10000000}, 0)',
    ]);
  });
  test('the nice value that is given, that of the option nice, or ours', () => {
    const call = (nice: number): string[] => [
      `scheduler: sched_setattr(0, {size=56, sched_policy=SCHED_OTHER${nice === 0 ? '' : `, sched_nice=${nice}`}}, 0)`,
    ];
    expect(emits({ policy: 'SCHED_OTHER', nice: -3 })).toEqual(call(-3));
    expect(emits({ policy: 'SCHED_OTHER' }, { nice: 7 })).toEqual(call(7));
    expect(emits({ policy: 'SCHED_OTHER' })).toEqual(call(own));
  });
  test('before the user namespace, where the privilege for it ends', () => {
    const options: CloneOptions = { ...owned(Flags.NEWPID), scheduler: { policy: 'SCHED_RR', priority: 1 } };
    const steps = linesOf(plan('/bin/true', [], options)).map(({ step }) => step);
    expect(steps.indexOf('scheduler')).toBeGreaterThan(0);
    expect(steps.indexOf('scheduler')).toBeLessThan(steps.indexOf('user'));
  });
  test.each<[string, Scheduler]>([
    ['a deadline', deadline],
    ['what resets on fork', { policy: 'SCHED_RR', priority: 1, flags: ['SCHED_FLAG_RESET_ON_FORK'] }],
  ])('%s after the last clone', (_, scheduler) => {
    const lines = linesOf(plan('/bin/true', [], { flags: Flags.NEWPID, init: true, scheduler }));
    const last = lines.findLastIndex(({ call }) => call.startsWith('clone('));
    const at = lines.flatMap(({ call }, index) => (call.startsWith('sched_setattr') ? [index] : []));
    expect(at).toHaveLength(1);
    expect(at[0]).toBeGreaterThan(last);
  });
});

/** What the kernel tells of a process, see /proc/PID/stat in proc(5). */
function read(stat: string): { nice: number; priority: number; policy: string } {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // The first of these is the third of all.
  const [nice, priority, policy] = [19, 40, 41].map((field) => Number(fields[field - 3])) as [number, number, number];
  const names = Object.entries(stepConstants()).filter(([name]) => !name.includes('FLAG'));
  return { nice, priority, policy: names.find(([, number]) => number === policy)![0] };
}

async function seen(scheduler: Scheduler | undefined, options: CloneOptions = {}) {
  return read(await inside('exec cat /proc/self/stat', { ...options, scheduler }));
}

const places: readonly (readonly [string, CloneOptions])[] = [
  ['', {}],
  [' in namespaces of its own', owned(Flags.NEWPID)],
  [' beside a pid 1', { ...owned(Flags.NEWPID), init: true }],
];

describe('scheduler, seen from inside', () => {
  test.each(places)('what an ordinary user may ask for%s', async (_, options) => {
    expect(await seen({ policy: 'SCHED_BATCH', nice: 19 }, options)).toMatchObject({ policy: 'SCHED_BATCH', nice: 19 });
    expect(await seen({ policy: 'SCHED_IDLE' }, options)).toMatchObject({ policy: 'SCHED_IDLE', nice: own });
    expect(await seen({ policy: 'SCHED_BATCH' }, { ...options, nice: 18 })).toMatchObject({
      policy: 'SCHED_BATCH',
      nice: 18,
    });
  });
  test('without the option it is ours', async () => {
    expect(await seen(undefined)).toMatchObject({ policy: 'SCHED_OTHER', nice: own });
  });
  withCapability(
    'CAP_SYS_NICE',
    'our nice value stays where none is given, also where it has changed since',
    async () => {
      try {
        for (const nice of [4, 9]) {
          setPriority(nice);
          expect(await seen({ policy: 'SCHED_BATCH' })).toMatchObject({ nice });
        }
      } finally {
        setPriority(own);
      }
    },
  );
  for (const [name, options] of places) {
    withCapability('CAP_SYS_NICE', `a real-time priority${name}`, async () => {
      expect(await seen({ policy: 'SCHED_RR', priority: 7 }, options)).toMatchObject({
        policy: 'SCHED_RR',
        priority: 7,
      });
    });
  }
  withCapability('CAP_SYS_NICE', 'of which what it starts has nothing, where it resets', async () => {
    const scheduler: Scheduler = { policy: 'SCHED_FIFO', priority: 2, flags: ['SCHED_FLAG_RESET_ON_FORK'] };
    const script = 'cat /proc/$$/stat; (exec cat /proc/self/stat)';
    for (const options of [
      {},
      { flags: Flags.NEWPID | Flags.NEWNS, init: true, mounts: [{ type: 'proc', target: '/proc' }] },
    ]) {
      const [program, next] = (await inside(script, { ...options, scheduler } as CloneOptions)).split('\n').map(read);
      expect(program).toMatchObject({ policy: 'SCHED_FIFO', priority: 2 });
      expect(next).toMatchObject({ policy: 'SCHED_OTHER', priority: 0 });
    }
  });
  const chrt = spawnSync('chrt', ['--version']).status === 0;
  const asRoot = needing(process.getuid!() === 0 && chrt, 'root, and chrt(1)');
  asRoot('a deadline, in a pid namespace too', async () => {
    for (const options of [{}, { flags: Flags.NEWPID }, { flags: Flags.NEWPID, init: true }]) {
      const told = await inside('exec chrt -p $$', { ...options, scheduler: deadline });
      expect(told).toContain('SCHED_DEADLINE');
      expect(told).toContain('1000000/5000000/10000000');
    }
  });
});

describe('scheduler, when the kernel refuses', () => {
  const hintOf = async (scheduler: Scheduler, code: string, options: CloneOptions = {}): Promise<string | undefined> =>
    (await failAt({ ...options, scheduler }, calls('sched_setattr'), code)).hint;
  const lacking = { files: hosts.ubuntu };
  const holding = { files: hosts.free };

  test('names the call, and what it takes', async () => {
    const error = await onHost(lacking, () =>
      failAt({ scheduler: { policy: 'SCHED_FIFO', priority: 1 } }, calls('sched_setattr'), 'EPERM'),
    );
    const hint = 'a real-time policy needs CAP_SYS_NICE, or a limit of rlimits.rtprio';
    expect(fieldsOf(error)).toEqual({
      code: 'EPERM',
      errno: -1,
      step: 'scheduler',
      option: 'scheduler',
      syscall: 'sched_setattr',
      hint,
      message: `EPERM: operation not permitted, sched_setattr (scheduler): ${hint}`,
    });
  });
  test('each policy for its own reason', async () => {
    expect(await onHost(lacking, () => hintOf(deadline, 'EPERM'))).toContain('needs CAP_SYS_NICE outside');
    expect(await onHost(lacking, () => hintOf({ policy: 'SCHED_BATCH' }, 'EPERM'))).toContain('a lower nice value');
    expect(await onHost(holding, () => hintOf({ policy: 'SCHED_BATCH' }, 'EPERM'))).toBeUndefined();
    expect(await onHost(holding, () => hintOf(deadline, 'EPERM'))).toBeUndefined();
    expect(await onHost(holding, () => hintOf(deadline, 'EPERM', { cpuAffinity: [0] }))).toContain('cpuAffinity');
    const files = { ...hosts.free, '/proc/thread-self/status': status({ capabilities: '000001ffffffffff', uid: 0 }) };
    expect(await onHost({ files }, () => hintOf(deadline, 'EPERM', owned(Flags.NEWPID)))).toMatch(
      /^a deadline is set after the last clone, .*Flags\.NEWUSER/,
    );
  });
  test('a deadline that cannot be kept', async () => {
    expect(await hintOf(deadline, 'EBUSY')).toContain('promised to other deadlines');
    const answers = {
      files: {
        '/proc/sys/kernel/sched_deadline_period_min_us': '100',
        '/proc/sys/kernel/sched_deadline_period_max_us': '9000',
      },
    };
    expect(await withAnswers(answers, () => hintOf(deadline, 'EINVAL'))).toContain(
      'from 100000 to 9000000 nanoseconds',
    );
    expect(await withAnswers(answers, () => hintOf({ ...deadline, period: 0 }, 'EINVAL'))).toBeUndefined();
  });
  test('what no kernel has, and what this one was built without', async () => {
    expect(await hintOf({ policy: 'SCHED_ISO' }, 'EINVAL')).toContain('its number is reserved');
    expect(await hintOf({ policy: 'SCHED_OTHER', flags: ['SCHED_FLAG_UTIL_CLAMP_MAX'] }, 'EOPNOTSUPP')).toContain(
      'CONFIG_UCLAMP_TASK',
    );
  });
  withoutCapability('CAP_SYS_NICE', 'a real-time priority to an ordinary user', async () => {
    await expect(inside('true', { scheduler: { policy: 'SCHED_RR', priority: 1 } })).rejects.toMatchObject({
      code: 'EPERM',
      option: 'scheduler',
    });
  });
});
