// Profiles made by chance, the same in every run, and the calls by which two filters of one are told apart.
import type {
  SeccompAction,
  SeccompArchitecture,
  SeccompArgument,
  SeccompProfile,
  SeccompRule,
} from '../../types/seccomp';

/** Numbers from 0 up to 1, by a linear congruence of 32 bits. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  #next(): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    // The lower bits of such a number repeat soon.
    return (this.#state >>> 8) / 2 ** 24;
  }

  below(end: number): number {
    return Math.floor(this.#next() * end);
  }

  one<T>(of: readonly T[]): T {
    return of[this.below(of.length)]!;
  }

  is(probability: number): boolean {
    return this.#next() < probability;
  }
}

const actions: readonly SeccompAction[] = [
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_TRAP',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_LOG',
];
const operators = [
  'SCMP_CMP_NE',
  'SCMP_CMP_LT',
  'SCMP_CMP_LE',
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
] as const;
const architectureSets: readonly (readonly SeccompArchitecture[] | undefined)[] = [
  undefined,
  [],
  ['SCMP_ARCH_X86_64'],
  ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
  ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  ['SCMP_ARCH_X32'],
  ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
  ['SCMP_ARCH_ARM', 'SCMP_ARCH_X32', 'SCMP_ARCH_AARCH64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X86_64'],
];
const values = [
  0n,
  1n,
  2n,
  5n,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  0x1_0000_0000n,
  0x1_0000_0005n,
  0xffff_ffff_ffff_ffffn,
];
const masks = [
  0n,
  1n,
  6n,
  0xff00n,
  0x7e02_0000n,
  0xffff_ffffn,
  0x1_0000_0000n,
  0x3_0000_00ffn,
  0xffff_ffff_0000_0000n,
  0xffff_ffff_ffff_ffffn,
];

export interface Shape {
  /** How many calls have rules. */
  readonly calls: number;
  /** The most rules that one call has. */
  readonly alternatives: number;
  /** The most conditions of a rule. */
  readonly conditions: number;
  /** Whether the rules about one call answer differently. */
  readonly mixed: boolean;
  readonly operators?: readonly (typeof operators)[number][];
}

function conditionOf(chance: Chance, index: number, allowed: Shape['operators']): SeccompArgument {
  const op = chance.one(allowed ?? operators);
  const value = chance.one(op === 'SCMP_CMP_MASKED_EQ' ? masks : values);
  return { index, op, value, ...(op === 'SCMP_CMP_MASKED_EQ' ? { valueTwo: chance.one(masks) } : {}) };
}

function actionOf(chance: Chance): Pick<SeccompRule, 'action' | 'errnoRet'> {
  const action = chance.one(actions);
  const takes = action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE';
  return takes && chance.is(0.5) ? { action, errnoRet: chance.below(100) } : { action };
}

/** A profile of this shape with these names. */
export function profileOf(chance: Chance, names: readonly string[], shape: Shape): SeccompProfile {
  const { action: defaultAction, errnoRet: defaultErrnoRet } = actionOf(chance);
  const syscalls: SeccompRule[] = [];
  const free = new Set(names);
  const take = (): string => {
    const name = chance.one([...free]);
    free.delete(name);
    return name;
  };
  const count = 1 + chance.below(shape.calls);
  for (let i = 0; i < count; i++) {
    const name = take();
    if (chance.is(0.4)) {
      syscalls.push({ names: [name, take()], ...actionOf(chance) });
      continue;
    }
    const same = actionOf(chance);
    for (let rule = chance.below(shape.alternatives); rule >= 0; rule--) {
      const indices = [0, 1, 2, 3, 4, 5].filter(() => chance.is(0.5)).slice(0, 1 + chance.below(shape.conditions));
      const args = indices.map((index) => conditionOf(chance, index, shape.operators));
      syscalls.push({ names: [name], ...(shape.mixed ? actionOf(chance) : same), args });
    }
  }
  const architectures = chance.one(architectureSets);
  return {
    defaultAction,
    ...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet }),
    ...(architectures === undefined ? {} : { architectures }),
    syscalls,
  };
}

const most = 0xffff_ffff_ffff_ffffn;

/** Values of an argument at which some condition changes its mind. */
function edgesOf(conditions: readonly SeccompArgument[], index: number): bigint[] {
  const edges = new Set([0n, most]);
  for (const condition of conditions) {
    if (condition.index !== index) continue;
    const [value, second] = [BigInt(condition.value), BigInt(condition.valueTwo ?? 0)];
    for (const edge of condition.op === 'SCMP_CMP_MASKED_EQ'
      ? [second, second & value, ~value & most, value]
      : [value]) {
      for (const near of [edge, edge + 1n, edge - 1n, edge ^ (1n << 32n)])
        if (near >= 0n && near <= most) edges.add(near);
    }
  }
  return [...edges];
}

/** Arguments by which the rules about these names are told apart. */
export function argumentsFor(chance: Chance, { syscalls = [] }: SeccompProfile, names: readonly string[]): bigint[][] {
  const conditions = syscalls
    .filter((rule) => rule.names.some((name) => names.includes(name)))
    .flatMap(({ args }) => args ?? []);
  if (conditions.length === 0) return [[]];
  const edges = [0, 1, 2, 3, 4, 5].map((index) => edgesOf(conditions, index));
  const count = edges.reduce((product, { length }) => product * length, 1);
  return Array.from({ length: Math.min(60, count) }, () => edges.map((of) => chance.one(of)));
}
