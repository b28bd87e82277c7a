// From a profile to the instructions of its filter.
import { plainObject } from '../check';
import { invalidArgType, refusedOption } from '../errors/argument-error';
import { constants } from '../kernel/constants';
import type { CompiledFilter, CompileOptions, SeccompFlag, SeccompProfile } from '../../types/seccomp';
import { type Architecture, nativeArchitecture } from './architectures';
import { archOffset, Decisions, jump, type Node, numberOffset, type Range } from './decision';
import { assemble, instructionSize, mostInstructions } from './instructions';
import { numbersOf, x32Bit } from './numbers';
import { checkProfile, type Profile } from './profile';
import { rulesFor, targetsOf } from './rules';

const { SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_LOG, SECCOMP_RET_TRACE } = constants;
const { SECCOMP_RET_ACTION_FULL, SECCOMP_RET_USER_NOTIF } = constants;

const answerENOSYS = SECCOMP_RET_ERRNO | 38;
/** What a tracer makes of a call that is not to happen, see PTRACE_EVENT_SECCOMP in ptrace(2): it is seen once more. */
const noCall = 0xffff_ffff;

/** A profile, and what becomes of it. */
export interface Compiled {
  readonly filter: Uint8Array;
  readonly skipped: readonly string[];
  /** Rules that another one says the contrary of, each with the name: 'seccomp.syscalls[1] about mkdir'. */
  readonly overruled: readonly string[];
  readonly flags: readonly SeccompFlag[];
  readonly notifies: boolean;
  readonly listenerPath: string | undefined;
  readonly listenerMetadata: string | undefined;
}

const permissive = [SECCOMP_RET_ALLOW, SECCOMP_RET_LOG, SECCOMP_RET_TRACE];

/** Whether calls that are newer than the profile are answered with ENOSYS, as by runc: else a C library takes EPERM for the last word. */
function hidesNewer({ defaultAnswer }: Profile): boolean {
  if (defaultAnswer === answerENOSYS) return false;
  return !permissive.some((answer) => answer === (defaultAnswer & SECCOMP_RET_ACTION_FULL) >>> 0);
}

class Compiler {
  readonly #decisions = new Decisions();
  readonly #profile: Profile;
  readonly #default: Node;
  readonly #badArchitecture: Node;

  constructor(profile: Profile) {
    this.#profile = profile;
    this.#default = this.#decisions.return(profile.defaultAnswer);
    this.#badArchitecture = this.#decisions.return(SECCOMP_RET_KILL_THREAD);
  }

  compile(architectures: readonly Architecture[]): Uint8Array {
    const byAudit = new Map<number, Architecture[]>();
    for (const one of architectures) byAudit.set(one.audit, [...(byAudit.get(one.audit) ?? []), one]);
    let root = this.#badArchitecture;
    for (const [audit, sharing] of [...byAudit].reverse()) {
      const found = this.#decisions.search(merged(this.#rangesOf(sharing)));
      const entry = found.kind === 'test' ? this.#decisions.load(numberOffset, found) : found;
      root = this.#decisions.test(jump.JEQ, audit, entry, root);
    }
    return assemble(this.#decisions, this.#decisions.load(archOffset, root));
  }

  /** Of those that share an AUDIT_ARCH: one, or x86-64 and x32. */
  #rangesOf(sharing: readonly Architecture[]): Range[] {
    const [x32, other] = [true, false].map((is) => sharing.find(({ table }) => (table === 'x32') === is));
    if (other !== undefined && other.table !== 'x86_64') return this.#ranges(other, 0);
    return [
      ...(other === undefined ? [{ from: 0, node: this.#badArchitecture }] : this.#ranges(other, 0)),
      ...(x32 === undefined
        ? [
            { from: x32Bit, node: this.#badArchitecture },
            { from: noCall, node: this.#default },
          ]
        : this.#ranges(x32, x32Bit)),
    ];
  }

  #ranges(architecture: Architecture, from: number): Range[] {
    const ranges: Range[] = [{ from, node: this.#default }];
    const rules = [...rulesFor(architecture, this.#profile)].sort(([a], [b]) => a - b);
    for (const [number, alternatives] of rules) {
      const node = alternatives.reduceRight((otherwise, { conditions, answer }) => {
        const said = this.#decisions.return(answer);
        return conditions.reduceRight(
          (yes, condition) => this.#decisions.condition(condition, architecture.wide, yes, otherwise),
          said,
        );
      }, this.#default);
      ranges.push({ from: number, node }, { from: number + 1, node: this.#default });
    }
    const newest = this.#newestNamed(architecture);
    if (newest !== undefined) ranges.push({ from: newest + 1, node: this.#decisions.return(answerENOSYS) });
    return ranges;
  }

  #newestNamed(architecture: Architecture): number | undefined {
    if (!hidesNewer(this.#profile) || !this.#profile.architectures.includes(architecture)) return undefined;
    let newest: number | undefined;
    for (const { names } of this.#profile.rules) {
      for (const name of names) {
        const number = numbersOf(architecture.table).get(name);
        if (number !== undefined) newest = Math.max(newest ?? 0, number);
      }
    }
    return newest;
  }
}

/** Without those that begin where the next one does, and those that go on as the one before. */
function merged(ranges: readonly Range[]): Range[] {
  const kept: Range[] = [];
  for (const range of ranges) {
    if (kept.at(-1)?.from === range.from) kept.pop();
    if (kept.at(-1)?.node !== range.node) kept.push(range);
  }
  return kept;
}

function skippedNames({ rules }: Profile, architectures: readonly Architecture[]): string[] {
  const skipped = new Set<string>();
  for (const { names } of rules) {
    for (const name of names) {
      if (!architectures.some((architecture) => targetsOf(name, architecture).length > 0)) skipped.add(name);
    }
  }
  return [...skipped];
}

/** Of rules without arguments the first one counts, as with libseccomp. */
function overruledRules({ defaultAnswer, rules }: Profile): string[] {
  const answers = new Map<string, number>();
  const overruled = new Set<string>();
  for (const { names, answer, conditions, option } of rules) {
    if (conditions.length > 0 || answer === defaultAnswer) continue;
    for (const name of names) {
      if ((answers.get(name) ?? answer) !== answer) overruled.add(`${option} about ${name}`);
      else answers.set(name, answer);
    }
  }
  return [...overruled];
}

/**
 * @param option the profile's name in errors: 'seccomp'
 * @param arch the `process.arch` that programs are of, an option of that name
 */
export function compileProfile(value: unknown, option: string, arch: unknown = process.arch): Compiled {
  const native = nativeArchitecture(arch, 'arch');
  const profile = checkProfile(value, option);
  // libseccomp begins with that of the machine.
  const architectures = [...new Set([native, ...profile.architectures])];
  const filter = new Compiler(profile).compile(architectures);
  const count = filter.length / instructionSize;
  if (count > mostInstructions) {
    const reason = `makes a filter of ${count} instructions, and the kernel takes ${mostInstructions}`;
    throw refusedOption(option, `${reason}: fewer rules with arguments, or several profiles`);
  }
  const answers = [profile.defaultAnswer, ...profile.rules.map(({ answer }) => answer)];
  const { flags, listenerPath, listenerMetadata } = profile;
  return {
    filter,
    skipped: skippedNames(profile, architectures),
    overruled: overruledRules(profile),
    flags,
    notifies: answers.includes(SECCOMP_RET_USER_NOTIF),
    listenerPath,
    listenerMetadata,
  };
}

/** @see compile of lib/seccomp.ts */
export function compileFilter(profile: SeccompProfile, options: CompileOptions = {}): CompiledFilter {
  if (typeof profile !== 'object' || profile === null)
    throw invalidArgType('profile argument', 'of type object', profile);
  const { arch } = plainObject(options, 'options argument', ['arch']);
  const { filter, skipped } = compileProfile(profile, 'profile', arch);
  // Not enumerable: what is shown of it are bytes.
  return Object.defineProperty(filter, 'skipped', { value: Object.freeze(skipped) }) as CompiledFilter;
}
