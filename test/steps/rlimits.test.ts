// Step `rlimits`: resource limits.
import { readFileSync } from 'node:fs';

import { clone, constants, Flags, plan, type RlimitName, type SyscallError } from '../../lib';
import { HardLimits } from '../../lib/privilege';
import { withCapability, withoutCapability } from '../support/capability';
import { calls, failAt, fieldsOf } from '../support/fault';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted, linesOf } from '../support/listing';
import { evaluate } from '../support/own-process';
import { planning, refusal } from '../support/refusal';

leavesNothing();

/** Each limit as /proc/PID/limits calls it, with one that is below what a user has. */
const resources: readonly (readonly [name: RlimitName, shown: string, soft: number, hard: number])[] = [
  ['as', 'Max address space', 2 ** 38, 2 ** 39],
  ['core', 'Max core file size', 0, 4096],
  ['cpu', 'Max cpu time', 100, 200],
  ['data', 'Max data size', 2 ** 30, 2 ** 31],
  ['fsize', 'Max file size', 2 ** 30, 2 ** 33],
  ['locks', 'Max file locks', 10, 20],
  ['memlock', 'Max locked memory', 4096, 8192],
  ['msgqueue', 'Max msgqueue size', 4096, 8192],
  ['nice', 'Max nice priority', 0, 0],
  ['nofile', 'Max open files', 16, 32],
  ['nproc', 'Max processes', 1000, 2000],
  ['rss', 'Max resident set', 2 ** 30, 2 ** 31],
  ['rtprio', 'Max realtime priority', 0, 0],
  ['rttime', 'Max realtime timeout', 10, 20],
  ['sigpending', 'Max pending signals', 10, 20],
  ['stack', 'Max stack size', 2 ** 20, 2 ** 21],
];

type Shown = Record<string, readonly [soft: string, hard: string]>;

/** The lines of a limits file. */
function limitsIn(text: string): Shown {
  const lines = text.split('\n').slice(1);
  return Object.fromEntries(
    lines.flatMap((line) => {
      const [, name, soft, hard] = /^(Max .*?) {2,}(\S+) +(\S+)/.exec(line) ?? [];
      return name === undefined ? [] : [[name, [soft!, hard!]] as const];
    }),
  );
}

const limitsOf = async (options: object): Promise<Shown> => limitsIn(await inside('cat /proc/self/limits', options));
const ours = (): Shown => limitsIn(readFileSync('/proc/self/limits', 'utf8'));

const aboveOurs = new HardLimits([constants.RLIMIT_NOFILE]).values[0]! + 1;

describe('rlimits rejects', () => {
  test('a limit that nobody knows, with the nearest', () => {
    expect(planning({ rlimits: { nofiles: 5 } })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'rlimits.nofiles', /is unknown; did you mean "nofile"\?$/),
    );
    expect(planning({ rlimits: { RLIMIT_NOFILE: 5 } })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    );
  });
  test.each([5, null, true, 'nofile', [], [['nofile', 5]]])('%p', (rlimits) => {
    expect(planning({ rlimits })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'rlimits'));
  });
  test.each([null, true, [], 5n])('the limit %p', (nofile) => {
    expect(planning({ rlimits: { nofile } })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'rlimits.nofile'));
  });
  test.each([-1, 1.5, NaN, Infinity, 2 ** 53])('the number %p', (nofile) => {
    expect(planning({ rlimits: { nofile } })).toThrow(refusal('ERR_OUT_OF_RANGE', 'rlimits.nofile'));
    expect(planning({ rlimits: { nofile: { soft: 0, hard: nofile } } })).toThrow(
      refusal('ERR_OUT_OF_RANGE', 'rlimits.nofile.hard'),
    );
  });
  test("a word that is not 'unlimited'", () => {
    expect(planning({ rlimits: { core: 'infinity' } })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'rlimits.core', "must be a number or 'unlimited'"),
    );
  });
  test('one of soft and hard without the other, for the other would be a guess', () => {
    for (const nofile of [{}, { soft: 5 }, { hard: 5 }, { soft: 5, hard: undefined }]) {
      expect(planning({ rlimits: { nofile } })).toThrow(
        refusal('ERR_INVALID_ARG_TYPE', 'rlimits.nofile', 'an object with soft and hard'),
      );
    }
    expect(planning({ rlimits: { nofile: { soft: 5, hard: 6, max: 7 } } })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'rlimits.nofile.max', 'is unknown'),
    );
  });
  test('a soft limit above the hard one', () => {
    for (const [soft, hard] of [
      [6, 5],
      ['unlimited', 5],
    ]) {
      expect(planning({ rlimits: { nofile: { soft, hard } } })).toThrow(
        refusal('ERR_INVALID_ARG_VALUE', 'rlimits.nofile.soft', 'must not be above the hard limit'),
      );
    }
  });
});

describe('rlimits emits', () => {
  test('nothing where there is none', () => {
    expect(emitted('rlimits', {})).toEqual([]);
    expect(emitted('rlimits', { rlimits: {} })).toEqual([]);
    expect(emitted('rlimits', { rlimits: { nofile: undefined } })).toEqual([]);
  });
  test.each(resources)('one call for %s', (name, _shown, soft, hard) => {
    const values = [soft === 0 ? '' : `rlim_cur=${soft}`, hard === 0 ? '' : `rlim_max=${hard}`]
      .filter(Boolean)
      .join(', ');
    expect(emitted('rlimits', { rlimits: { [name]: { soft, hard } } }).at(-1)).toBe(
      `rlimits.${name}: prlimit64(0, RLIMIT_${name.toUpperCase()}, {${values}}, NULL)`,
    );
  });
  test('a number for both limits', () => {
    expect(emitted('rlimits', { rlimits: { nofile: 7 } })).toEqual([
      'rlimits.nofile: prlimit64(0, RLIMIT_NOFILE, {rlim_cur=7, rlim_max=7}, NULL)',
    ]);
  });
  test("'unlimited' as RLIM_INFINITY", () => {
    expect(emitted('rlimits', { rlimits: { core: 'unlimited' } }).at(-1)).toBe(
      'rlimits.core: prlimit64(0, RLIMIT_CORE, {rlim_cur=RLIM_INFINITY, rlim_max=RLIM_INFINITY}, NULL)',
    );
  });
  test('a hard limit that goes up while the privilege is there, and the rest when the set-up is done', () => {
    const lines = linesOf(
      plan('/bin/true', [], { ...owned(Flags.NEWPID), rlimits: { nofile: { soft: 5, hard: aboveOurs } } }),
    );
    const at = lines.flatMap(({ option, number }) => (option === 'rlimits.nofile' ? [number] : []));
    expect(at.map((number) => lines[number]!.call)).toEqual([
      `prlimit64(0, RLIMIT_NOFILE, {rlim_cur=${aboveOurs - 1}, rlim_max=${aboveOurs}}, NULL)`,
      `prlimit64(0, RLIMIT_NOFILE, {rlim_cur=5, rlim_max=${aboveOurs}}, NULL)`,
    ]);
    const step = (name: string): number => lines.findIndex((line) => line.step === name);
    expect(at[0]).toBeLessThan(step('user'));
    expect(at[1]).toBeGreaterThan(step('closeFds'));
  });
});

describe('rlimits, seen from inside', () => {
  test.each(resources)('%s, and no other', async (name, shown, soft, hard) => {
    const before = ours();
    expect(await limitsOf({ rlimits: { [name]: { soft, hard } } })).toEqual({
      ...before,
      [shown]: [String(soft), String(hard)],
    });
    expect(ours()).toEqual(before);
  });
  test('all at once', async () => {
    const rlimits = Object.fromEntries(resources.map(([name, , soft, hard]) => [name, { soft, hard }]));
    expect(await limitsOf({ rlimits })).toEqual(
      Object.fromEntries(resources.map(([, shown, soft, hard]) => [shown, [String(soft), String(hard)]])),
    );
  });
  test('in namespaces of its own', async () => {
    const found = await limitsOf({ ...owned(Flags.NEWPID | Flags.NEWNS), rlimits: { nofile: 16, core: 0 } });
    expect([found['Max open files'], found['Max core file size']]).toEqual([
      ['16', '16'],
      ['0', '0'],
    ]);
  });
  test('fewer descriptors than the set-up itself has open', async () => {
    expect(
      (await limitsOf({ rlimits: { nofile: 4 }, stdio: ['ignore', 'pipe', 'pipe', 'ignore', 'ignore', 'ignore'] }))[
        'Max open files'
      ],
    ).toEqual(['4', '4']);
  });
  test('a soft limit goes up to the hard one without privilege', () => {
    expect(
      evaluate(
        `const { stdout } = await nsclone.run('sh', ['-c', 'ulimit -Sn; ulimit -Hn'], { rlimits: { nofile: { soft: 200, hard: 300 } } });
         return stdout;`,
        ['prlimit', '--nofile=100:300'],
      ),
    ).toBe('200\n300\n');
  });
  withCapability('CAP_SYS_RESOURCE', 'a hard limit goes up, in a user namespace too', async () => {
    for (const options of [{}, owned(Flags.NEWPID)]) {
      const found = await limitsOf({ ...options, rlimits: { nofile: { soft: 5, hard: aboveOurs } } });
      expect(found['Max open files']).toEqual(['5', String(aboveOurs)]);
    }
  });
});

describe('rlimits, when the kernel refuses', () => {
  withoutCapability('CAP_SYS_RESOURCE', 'a hard limit above ours, with what it takes', async () => {
    for (const options of [{}, owned(Flags.NEWPID)]) {
      const promise = clone('/bin/true', { ...options, rlimits: { core: 0, nofile: { soft: 5, hard: aboveOurs } } });
      expect(fieldsOf((await promise.catch((error: unknown) => error)) as SyscallError)).toEqual({
        code: 'EPERM',
        errno: -1,
        step: 'rlimits',
        option: 'rlimits.nofile',
        syscall: 'prlimit64',
        hint: 'raising a hard limit needs CAP_SYS_RESOURCE outside of any new user namespace',
        message:
          'EPERM: operation not permitted, prlimit64 (rlimits.nofile): ' +
          'raising a hard limit needs CAP_SYS_RESOURCE outside of any new user namespace',
      });
    }
  });
  withoutCapability('CAP_SYS_RESOURCE', 'of what is no limit of descriptors nothing of those is said', async () => {
    const lowered = evaluate<string>(
      `
      const unlimited = { rlimits: { memlock: 'unlimited' } };
      return (await nsclone.run('true', [], unlimited).catch((error) => error)).hint;`,
      ['prlimit', '--memlock=65536:65536'],
    );
    expect(lowered).toBe('raising a hard limit needs CAP_SYS_RESOURCE outside of any new user namespace');
  });
  test('names the limit', async () => {
    const error = await failAt({ rlimits: { core: 0, stack: 2 ** 20 } }, calls('prlimit64(0, RLIMIT_STACK'), 'EINVAL');
    expect(error).toMatchObject({ code: 'EINVAL', step: 'rlimits', option: 'rlimits.stack', syscall: 'prlimit64' });
    expect(error.hint).toBeUndefined();
  });
  test('an exec that the limits leave no room for', async () => {
    // The kernel takes a quarter of the stack for arguments, and always grants 128 KiB.
    const error = await clone('/bin/echo', ['a'.repeat(100_000), 'b'.repeat(100_000)], {
      rlimits: { stack: 4096 },
    }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'E2BIG', step: 'command', hint: expect.stringContaining('RLIMIT_STACK') });
  });
});
