// The form of a compiled filter, `struct sock_filter[]` of linux/filter.h, as the steps know it that install one.
import type { Place, Writer } from '../program/writer';

/** Bytes of an instruction. */
export const instructionSize = 8;
/** BPF_MAXINSNS of linux/bpf_common.h. */
export const mostInstructions = 4096;

/** AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64 of linux/audit.h: our own in `struct seccomp_data`. */
export const ownAudit = process.arch === 'arm64' ? 0xc000_00b7 : 0xc000_003e;

/** Writes a `struct sock_fprog`: how many instructions, and where they are. @returns its place */
export function setProgram(writer: Writer, at: Place, filter: Place, size: number): Place {
  writer.setInt32(at, size / instructionSize);
  writer.point(at + 8, filter);
  return at;
}
