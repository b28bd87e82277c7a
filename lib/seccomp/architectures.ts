// The architectures that a filter can be for, by libseccomp's names. Each stands for one AUDIT_ARCH, but for x32, which is x86-64 with
// a bit in the number.
import { oneOf } from '../check';
import type { SeccompArchitecture } from '../../types/seccomp';
import type { TableName } from './numbers';

export interface Architecture {
  readonly name: SeccompArchitecture;
  readonly table: TableName;
  /** `seccomp_data.arch`, see linux/audit.h. */
  readonly audit: number;
  /** Whether its arguments have 64 bits. Of the others libseccomp compares the lower word alone. */
  readonly wide: boolean;
}

const auditX64 = 0xc000_003e;

export const architectures = [
  { name: 'SCMP_ARCH_X86_64', table: 'x86_64', audit: auditX64, wide: true },
  { name: 'SCMP_ARCH_X86', table: 'x86', audit: 0x4000_0003, wide: false },
  { name: 'SCMP_ARCH_X32', table: 'x32', audit: auditX64, wide: false },
  { name: 'SCMP_ARCH_AARCH64', table: 'aarch64', audit: 0xc000_00b7, wide: true },
  { name: 'SCMP_ARCH_ARM', table: 'arm', audit: 0x4000_0028, wide: false },
] as const satisfies readonly Architecture[];

const names = architectures.map(({ name }) => name);

/** The one of this name. @throws ArgumentError */
export function architectureNamed(value: unknown, option: string): Architecture {
  const name = oneOf(value, option, names);
  return architectures.find((architecture) => architecture.name === name)!;
}

const natives = {
  x64: 'SCMP_ARCH_X86_64',
  arm64: 'SCMP_ARCH_AARCH64',
  ia32: 'SCMP_ARCH_X86',
  arm: 'SCMP_ARCH_ARM',
} as const;

export type NativeName = keyof typeof natives;

/** The one that programs of this `process.arch` are of. */
export function nativeArchitecture(arch: unknown, option: string): Architecture {
  return architectureNamed(natives[oneOf(arch, option, Object.keys(natives) as NativeName[])], option);
}
