// Profiles as the lines that reference.c reads, which asks libseccomp for their filters.
import type { SeccompAction, SeccompArchitecture, SeccompOperator, SeccompProfile } from '../../types/seccomp';

/** Before the program's own source: the linker is not to leave it out as not needed so far. */
export const library = ['-Wl,--no-as-needed', '-l:libseccomp.so.2'] as const;

/** As seccomp.h has them. */
export const tokens: Readonly<Record<SeccompArchitecture, number>> = {
  SCMP_ARCH_X86_64: 0xc000_003e,
  SCMP_ARCH_X86: 0x4000_0003,
  SCMP_ARCH_X32: 0x4000_003e,
  SCMP_ARCH_AARCH64: 0xc000_00b7,
  SCMP_ARCH_ARM: 0x4000_0028,
};
const operators: Readonly<Record<SeccompOperator, number>> = {
  SCMP_CMP_NE: 1,
  SCMP_CMP_LT: 2,
  SCMP_CMP_LE: 3,
  SCMP_CMP_EQ: 4,
  SCMP_CMP_GE: 5,
  SCMP_CMP_GT: 6,
  SCMP_CMP_MASKED_EQ: 7,
};
const actions: Readonly<Record<SeccompAction, number>> = {
  SCMP_ACT_KILL: 0,
  SCMP_ACT_KILL_THREAD: 0,
  SCMP_ACT_KILL_PROCESS: 0x8000_0000,
  SCMP_ACT_TRAP: 0x0003_0000,
  SCMP_ACT_ERRNO: 0x0005_0000,
  SCMP_ACT_TRACE: 0x7ff0_0000,
  SCMP_ACT_ALLOW: 0x7fff_0000,
  SCMP_ACT_LOG: 0x7ffc_0000,
  SCMP_ACT_NOTIFY: 0x7fc0_0000,
};

/** What a filter returns for an action of a profile. */
export function answerOf(action: SeccompAction, errnoRet?: number): number {
  const takesErrno = action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE';
  return (actions[action] | (takesErrno ? (errnoRet ?? 1) : 0)) >>> 0;
}

/** The lines for reference.c. @param native the architecture that is always there; it is that of this machine for libseccomp */
export function* linesOf(profile: SeccompProfile, native: SeccompArchitecture, tree: boolean): Generator<string> {
  const said = answerOf(profile.defaultAction, profile.defaultErrnoRet);
  yield `filter ${said}`;
  for (const name of new Set([native, ...(profile.architectures ?? [])])) yield `arch ${tokens[name]}`;
  const machine = process.arch === 'arm64' ? 'SCMP_ARCH_AARCH64' : 'SCMP_ARCH_X86_64';
  if (machine !== native && !profile.architectures?.includes(machine)) yield `without ${tokens[machine]}`;
  if (tree) yield 'tree';
  for (const { action, errnoRet, names, args = [] } of profile.syscalls ?? []) {
    const answer = answerOf(action, errnoRet);
    if (answer === said) continue;
    const words = args.map(({ index, op, value, valueTwo = 0 }) => `${index} ${operators[op]} ${value} ${valueTwo}`);
    const isOnce = new Set(args.map(({ index }) => index)).size === args.length;
    for (const name of names) {
      for (const line of isOnce ? [words.join(' ')] : words) yield `rule ${answer} ${name} ${line}`;
    }
  }
  yield 'export';
}
