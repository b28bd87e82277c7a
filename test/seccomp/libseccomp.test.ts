// Filters by names against those that libseccomp makes of the same profile, for every number of every architecture.
import type { SeccompArchitecture, SeccompArgument, SeccompProfile } from '../../types/seccomp';
import { type Architecture, architectures } from '../../lib/seccomp/architectures';
import { compileFilter } from '../../lib/seccomp/compile';
import { numbersOf } from '../../lib/seccomp/numbers';
import { dockerShaped } from './docker-shaped';
import { engineFiles, engineProfile } from './engine-profiles';
import { argumentsFor, Chance, profileOf, type Shape } from './generated';
import { callOf, Interpreter } from './interpreter';
import { Reference, withLibseccomp } from './reference';
import { answerOf } from './reference-lines';

const reference = new Reference();
const native: SeccompArchitecture = 'SCMP_ARCH_X86_64';
const x32Bit = 0x4000_0000;
/** Of these libseccomp keeps more. */
const exact = ['SCMP_CMP_EQ', 'SCMP_CMP_NE', 'SCMP_CMP_MASKED_EQ'] as const;
const answerENOSYS = answerOf('SCMP_ACT_ERRNO', 38);

const names = [...new Set(architectures.flatMap(({ table }) => [...numbersOf(table).keys()]))];
/** libseccomp is older than some calls, and than map_shadow_stack(2) on x32. */
const knownNames = (): string[] => {
  const numbers = reference.numbersOf(native, names);
  return names.filter((name, index) => numbers[index] !== -1 && name !== 'map_shadow_stack');
};

/** On x86 these are what one number is about. */
const sockets = ['socket', 'bind', 'connect', 'accept', 'sendto', 'accept4', 'recvmmsg', 'socketcall'];
const ipcs = ['semop', 'msgget', 'shmat', 'semtimedop', 'ipc'];

function namesOf(name: string | undefined, { table }: Architecture): readonly string[] {
  if (table === 'x86' && name === 'socketcall') return sockets;
  if (table === 'x86' && name === 'ipc') return ipcs;
  return name === undefined ? [] : [name];
}

/** runc answers ENOSYS to what is newer than the profile, before the filter of libseccomp is asked. */
function newestOf(profile: SeccompProfile, { name, table }: Architecture): number {
  const permissive = ['SCMP_ACT_ALLOW', 'SCMP_ACT_LOG', 'SCMP_ACT_TRACE'].includes(profile.defaultAction);
  if (permissive || !profile.architectures?.includes(name)) return Infinity;
  const named = profile.syscalls!.flatMap((rule) => rule.names.map((one) => numbersOf(table).get(one) ?? -1));
  return Math.max(...named) < 0 ? Infinity : Math.max(...named);
}

function holds({ op, value, valueTwo = 0 }: SeccompArgument, argument: bigint, isWide: boolean): boolean {
  const [a, b, c] = [argument, BigInt(value), BigInt(valueTwo)].map((all) => (isWide ? all : all & 0xffff_ffffn)) as [
    bigint,
    bigint,
    bigint,
  ];
  switch (op) {
    case 'SCMP_CMP_NE':
      return a !== b;
    case 'SCMP_CMP_LT':
      return a < b;
    case 'SCMP_CMP_LE':
      return a <= b;
    case 'SCMP_CMP_EQ':
      return a === b;
    case 'SCMP_CMP_GE':
      return a >= b;
    case 'SCMP_CMP_GT':
      return a > b;
    case 'SCMP_CMP_MASKED_EQ':
      return (a & b) === (c & b);
  }
}

/** What the rules of which all conditions hold say; of the profile itself, with no filter between. */
function saidBy(profile: SeccompProfile, name: string, args: readonly bigint[], isWide: boolean): Set<number> {
  const said = profile
    .syscalls!.filter((rule) => rule.names.includes(name))
    .filter(({ args: all = [] }) => all.every((condition) => holds(condition, args[condition.index]!, isWide)))
    .map(({ action, errnoRet }) => answerOf(action, errnoRet));
  return new Set(said.length === 0 ? [answerOf(profile.defaultAction, profile.defaultErrnoRet)] : said);
}

interface Difference {
  readonly call: string;
  readonly ours: number;
  readonly theirs: number;
  /** What the profile itself says; undefined for socketcall and ipc. */
  readonly said: Set<number> | undefined;
}

interface Found {
  compared: number;
  readonly size: { ours: number; theirs: number };
  readonly steps: { ours: number; theirs: number };
  readonly differences: Difference[];
}

const nothing = (): Found => ({
  compared: 0,
  size: { ours: 0, theirs: 0 },
  steps: { ours: 0, theirs: 0 },
  differences: [],
});

function compare(profile: SeccompProfile, ours: Interpreter, theirs: Interpreter, chance: Chance, found: Found): void {
  found.size.ours += ours.length;
  found.size.theirs += theirs.length;
  for (const architecture of architectures) {
    const { audit, table, wide } = architecture;
    const byNumber = new Map(Array.from(numbersOf(table), ([name, number]) => [number, name]));
    const isX32 = table === 'x32';
    const strange = isX32 ? [x32Bit, x32Bit + 999, 0xffff_fffe, 0xffff_ffff] : [999, 5000, x32Bit - 1];
    if (audit !== architectures[0].audit) strange.push(0x7fff_ffff, 0x8000_0000, 0xffff_ffff);
    const newest = newestOf(profile, architecture);
    for (const number of [...byNumber.keys(), ...strange]) {
      const name = byNumber.get(number);
      const about = namesOf(name, architecture);
      for (const args of argumentsFor(chance, profile, about)) {
        const call = callOf(audit, number, args);
        const answer = ours.answer(call);
        const wanted = number > newest ? answerENOSYS : theirs.answer(call);
        found.compared++;
        found.steps.ours += ours.steps;
        found.steps.theirs += theirs.steps;
        if (answer === wanted) continue;
        const [one] = about;
        const said = about.length === 1 ? saidBy(profile, one!, args, wide) : undefined;
        found.differences.push({
          call: `${table} ${name ?? number}(${args.join()})`,
          ours: answer,
          theirs: wanted,
          said,
        });
      }
    }
  }
}

const isContradiction = (error: unknown): boolean => (error as Error).message.includes('contradicts an earlier rule');

function compiledOrRefused(profile: SeccompProfile): Interpreter | undefined {
  try {
    return new Interpreter(compileFilter(profile, { arch: 'x64' }));
  } catch (error) {
    if (isContradiction(error)) return undefined;
    throw error;
  }
}

/** Compares so many profiles of this shape. */
function compareGenerated(
  count: number,
  shape: Shape,
  seed: number,
  known = knownNames(),
): Found & { onlyTheyRefused: number } {
  const chance = new Chance(seed);
  const profiles = Array.from({ length: count }, () => profileOf(chance, known, shape));
  const filters = reference.filtersOf(profiles, native);
  const found = { ...nothing(), onlyTheyRefused: 0 };
  profiles.forEach((profile, index) => {
    const ours = compiledOrRefused(profile);
    const theirs = filters[index];
    if (ours === undefined) expect(theirs).toBeUndefined();
    else if (theirs === undefined) found.onlyTheyRefused++;
    else compare(profile, ours, new Interpreter(theirs), chance, found);
  });
  expect(found.compared).toBeGreaterThan(count * 2000);
  return found;
}

/** Names that all architectures have, with numbers of their own. */
const everywhere = (): string[] =>
  knownNames().filter(
    (name) => !sockets.includes(name) && architectures.every(({ table }) => numbersOf(table).has(name)),
  );

withLibseccomp('200 profiles with one rule for a call are answered as by libseccomp, whatever is called', () => {
  const shape = { calls: 30, alternatives: 1, conditions: 3, mixed: false };
  const found = compareGenerated(200, shape, 1, everywhere());
  expect(found.differences.slice(0, 5)).toEqual([]);
  expect(found.onlyTheyRefused).toBe(0);
});

// What libseccomp 2.5 makes is not always what the profile says. With a call that an architecture lacks, it may forget to load the
// number. Several rules about one call it merges to a tree, and loses some on the way. Where several rules hold that say different
// things, either answer is right, and libseccomp's is not always that of its order.
describe.each([
  ['rules about calls that not every architecture has', { calls: 30, alternatives: 1, conditions: 3, mixed: false }],
  ['several rules for a call, with one action', { calls: 20, alternatives: 3, conditions: 1, mixed: false }],
  ['several rules for a call, with actions of their own', { calls: 20, alternatives: 3, conditions: 1, mixed: true }],
  [
    'several rules for a call, with two conditions',
    { calls: 20, alternatives: 3, conditions: 2, mixed: false, operators: exact },
  ],
] satisfies [string, Shape][])('%s', (_, shape) => {
  withLibseccomp('are answered as by libseccomp where it answers what a rule says', () => {
    const { compared, differences } = compareGenerated(60, shape, 2);
    const ofBoth = differences.filter(
      ({ ours, theirs, said }) => said === undefined || !said.has(ours) || (said.has(theirs) && said.size === 1),
    );
    expect(ofBoth.slice(0, 5)).toEqual([]);
    expect(differences.length / compared).toBeLessThan(0.01);
  });
});

describe('a profile of the shape that container engines ship', () => {
  withLibseccomp('is answered as by libseccomp', () => {
    const found = nothing();
    for (const tree of [false, true]) {
      const [theirs] = reference.filtersOf([dockerShaped], native, { tree });
      const ours = new Interpreter(compileFilter(dockerShaped, { arch: 'x64' }));
      compare(dockerShaped, ours, new Interpreter(theirs!), new Chance(3), found);
    }
    expect(found.differences.slice(0, 5)).toEqual([]);
    expect(found.compared).toBeGreaterThan(2000);
  });
  withLibseccomp('takes fewer instructions for a call than that of libseccomp, with its tree as without', () => {
    for (const tree of [false, true]) {
      const found = nothing();
      const [theirs] = reference.filtersOf([dockerShaped], native, { tree });
      const ours = new Interpreter(compileFilter(dockerShaped, { arch: 'x64' }));
      compare(dockerShaped, ours, new Interpreter(theirs!), new Chance(3), found);
      expect(found.steps.ours).toBeLessThan(found.steps.theirs);
      expect(ours.length).toBeLessThan(theirs!.length / 8);
    }
  });
  test('needs a few instructions for any call', () => {
    const filter = new Interpreter(compileFilter(dockerShaped, { arch: 'x64' }));
    for (const { audit, table } of architectures.filter(({ audit: one }) => one !== 0xc000_00b7)) {
      for (const number of numbersOf(table).values()) {
        filter.answer(callOf(audit, number, [1n, 2n, 3n, 4n, 5n, 6n]));
        expect(filter.steps).toBeLessThan(25);
      }
    }
  });
});

describe('the default profile of a container engine', () => {
  const sorts = [[], ['CAP_SYS_ADMIN', 'CAP_SYS_PTRACE'], ['CAP_CHOWN', 'CAP_SYS_CHROOT', 'CAP_SYS_TIME']];

  if (engineFiles.length === 0)
    test.skip('is answered as by libseccomp (skipped: needs one, such as /usr/share/containers/seccomp.json)', () =>
      undefined);
  for (const path of engineFiles) {
    withLibseccomp(`in ${path} is answered as by libseccomp`, () => {
      const known = new Set(knownNames());
      for (const capabilities of sorts) {
        const found = nothing();
        const whole = engineProfile(path, capabilities);
        const syscalls = whole.syscalls!.map((rule) => ({
          ...rule,
          names: rule.names.filter((name) => known.has(name)),
        }));
        const profile = { ...whole, syscalls };
        const [theirs] = reference.filtersOf([profile], native);
        const ours = new Interpreter(compileFilter(profile, { arch: 'x64' }));
        compare(profile, ours, new Interpreter(theirs!), new Chance(3), found);
        expect(found.differences.slice(0, 5)).toEqual([]);
        expect(found.compared).toBeGreaterThan(2000);
        expect(found.steps.ours).toBeLessThan(found.steps.theirs);
      }
    });
  }
});
