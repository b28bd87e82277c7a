// The rules of a profile for one architecture: numbers for names, and of the rules about one number which goes first. This is what
// libseccomp 2.5 makes of them, and runc.
import { refusedOption } from '../errors/argument-error';
import type { Architecture } from './architectures';
import { numbersOf } from './numbers';
import type { Condition, Profile, Rule, Wide } from './profile';

/** A rule about one number. */
export interface Alternative {
  readonly conditions: readonly Condition[];
  readonly answer: number;
}

/** On x86 the calls of sockets are calls of socketcall(2) too, with these numbers (linux/net.h), and those of ipc(2) (linux/ipc.h). */
const socketcalls =
  'socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom shutdown setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg';
const ipcs: Readonly<Record<string, number>> = {
  semop: 1,
  semget: 2,
  semctl: 3,
  semtimedop: 4,
  msgsnd: 11,
  msgrcv: 12,
  msgget: 13,
  msgctl: 14,
  shmat: 21,
  shmdt: 22,
  shmget: 23,
  shmctl: 24,
};
const multiplexed = new Map<string, readonly [by: string, call: number]>([
  ...socketcalls.split(' ').map((name, index) => [name, ['socketcall', index + 1]] as const),
  ...Object.entries(ipcs).map(([name, call]) => [name, ['ipc', call]] as const),
]);

const all: Wide = { high: 0xffff_ffff, low: 0xffff_ffff };

/** A number, and whether the first argument must be another call's number. */
interface Target {
  readonly number: number;
  readonly first?: Condition;
}

/** What a name means to this architecture; nothing where it has none of that name. */
export function targetsOf(name: string, { table }: Architecture): Target[] {
  const numbers = numbersOf(table);
  const targets: Target[] = [];
  const [by, call] = (table === 'x86' ? multiplexed.get(name) : undefined) ?? [];
  if (by !== undefined) {
    const first: Condition = { index: 0, operator: 'SCMP_CMP_EQ', mask: all, value: { high: 0, low: call! } };
    targets.push({ number: numbers.get(by)!, first });
  }
  const number = numbers.get(name);
  if (number !== undefined) targets.push({ number });
  return targets;
}

/** Without what says nothing here, and in words that this architecture compares. */
function conditionsHere(given: readonly Condition[], first: Condition | undefined, isWide: boolean): Condition[] {
  const conditions = first === undefined ? given : [first, ...given.filter(({ index }) => index !== 0)];
  const found: Condition[] = [];
  for (const condition of conditions) {
    const mask = { high: isWide ? condition.mask.high : 0, low: condition.mask.low };
    if (mask.high === 0 && mask.low === 0) continue;
    const value = { high: (condition.value.high & mask.high) >>> 0, low: (condition.value.low & mask.low) >>> 0 };
    found.push({ ...condition, mask, value });
  }
  return found;
}

const keyOf = ({ index, operator, mask, value }: Condition): string =>
  `${index} ${operator} ${mask.high} ${mask.low} ${value.high} ${value.low}`;

/** The rules about one number of one architecture. */
class Number {
  readonly #rules = new Map<string, { readonly alternative: Alternative; readonly keys: readonly string[] }>();
  /** By the beginnings of their conditions: what the rules with more conditions answer. */
  readonly #longer = new Map<string, number>();
  /** Conditions in the order in which they came. */
  readonly #seen = new Map<string, number>();
  #always: number | undefined;

  /** @returns false where the filter would have to give two answers to the same call */
  add(conditions: readonly Condition[], answer: number): boolean {
    // The first one that has no condition answers, whatever came before and comes after.
    if (this.#always !== undefined) return true;
    if (conditions.length === 0) {
      this.#always = answer;
      return true;
    }
    const keys = conditions.map(keyOf);
    const beginnings = keys.map((_, index) => keys.slice(0, index + 1).join(','));
    const key = beginnings.pop()!;
    const same = this.#rules.get(key);
    if (same !== undefined) return same.alternative.answer === answer;
    // Where one with fewer conditions answers already, this one never would.
    if (beginnings.some((beginning) => this.#rules.has(beginning))) return true;
    if ((this.#longer.get(key) ?? answer) !== answer) return false;
    for (const beginning of beginnings) {
      const other = this.#longer.get(beginning) ?? answer;
      this.#longer.set(beginning, other === answer ? answer : several);
    }
    for (const one of keys) if (!this.#seen.has(one)) this.#seen.set(one, this.#seen.size);
    this.#rules.set(key, { alternative: { conditions, answer }, keys });
    return true;
  }

  /** The first whose conditions hold answers. */
  inOrder(): Alternative[] {
    if (this.#always !== undefined) return [{ conditions: [], answer: this.#always }];
    const rules = [...this.#rules.values()].sort((a, b) => {
      for (let i = 0; i < Math.min(a.keys.length, b.keys.length); i++) {
        if (a.keys[i] === b.keys[i]) continue;
        const [one, other] = [a.alternative.conditions[i]!, b.alternative.conditions[i]!];
        return precedence(one, other) || this.#seen.get(a.keys[i]!)! - this.#seen.get(b.keys[i]!)!;
      }
      return a.keys.length - b.keys.length;
    });
    return rules.map(({ alternative }) => alternative);
  }
}

/** In the place of an answer: there are several. */
const several = -1;

const classes = {
  SCMP_CMP_EQ: 3,
  SCMP_CMP_NE: 3,
  SCMP_CMP_MASKED_EQ: 3,
  SCMP_CMP_LT: 2,
  SCMP_CMP_LE: 2,
  SCMP_CMP_GT: 1,
  SCMP_CMP_GE: 1,
} as const;

/** As libseccomp has it: the later argument, then the more exact operator, then the larger value, of "less than" the smaller. */
function precedence(a: Condition, b: Condition): number {
  const [one, other] = [classes[a.operator], classes[b.operator]];
  if (a.index !== b.index) return b.index - a.index;
  if (one !== other) return other - one;
  const larger = b.value.high - a.value.high || b.value.low - a.value.low;
  return one === classes.SCMP_CMP_LT ? -larger : larger;
}

/** @throws ArgumentError where two rules give the same call two answers */
export function rulesFor(architecture: Architecture, { defaultAnswer, rules }: Profile): Map<number, Alternative[]> {
  const numbers = new Map<number, Number>();
  for (const rule of rules) {
    // It would say what is said anyway.
    if (rule.answer === defaultAnswer) continue;
    for (const name of rule.names) addRule(numbers, architecture, rule, name);
  }
  return new Map(Array.from(numbers, ([number, found]) => [number, found.inOrder()]));
}

function addRule(numbers: Map<number, Number>, architecture: Architecture, rule: Rule, name: string): void {
  for (const { number, first } of targetsOf(name, architecture)) {
    let about = numbers.get(number);
    if (about === undefined) numbers.set(number, (about = new Number()));
    for (const conditions of rule.conditions.length === 0 ? [[]] : rule.conditions) {
      if (about.add(conditionsHere(conditions, first, architecture.wide), rule.answer)) continue;
      const reason = `contradicts an earlier rule about ${name} on ${architecture.name}: the same arguments, and another action`;
      throw refusedOption(rule.option, reason);
    }
  }
}
