// The form of a compiled filter, `struct sock_filter[]` of linux/filter.h, as the steps know it that install one.

/** Bytes of an instruction. */
export const instructionSize = 8;
/** BPF_MAXINSNS of linux/bpf_common.h. */
export const mostInstructions = 4096;

/** AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64 of linux/audit.h: our own in `struct seccomp_data`. */
export const ownAudit = process.arch === 'arm64' ? 0xc000_00b7 : 0xc000_003e;
