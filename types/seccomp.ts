// Filters of system calls: what the option `seccomp` takes, and what `nsclone/seccomp` makes.

/** What a filter answers, see SECCOMP_SET_MODE_FILTER in seccomp(2). `SCMP_ACT_KILL` is `SCMP_ACT_KILL_THREAD`. */
export type SeccompAction =
  | 'SCMP_ACT_KILL'
  | 'SCMP_ACT_KILL_PROCESS'
  | 'SCMP_ACT_KILL_THREAD'
  | 'SCMP_ACT_TRAP'
  | 'SCMP_ACT_ERRNO'
  | 'SCMP_ACT_TRACE'
  | 'SCMP_ACT_ALLOW'
  | 'SCMP_ACT_LOG'
  | 'SCMP_ACT_NOTIFY';

/** How an argument is compared, unsigned. */
export type SeccompOperator =
  | 'SCMP_CMP_NE'
  | 'SCMP_CMP_LT'
  | 'SCMP_CMP_LE'
  | 'SCMP_CMP_EQ'
  | 'SCMP_CMP_GE'
  | 'SCMP_CMP_GT'
  | 'SCMP_CMP_MASKED_EQ';

/** Whose system calls a filter knows. */
export type SeccompArchitecture =
  | 'SCMP_ARCH_X86_64'
  | 'SCMP_ARCH_X86'
  | 'SCMP_ARCH_X32'
  | 'SCMP_ARCH_AARCH64'
  | 'SCMP_ARCH_ARM';

/** How a filter is installed, see SECCOMP_FILTER_FLAG_LOG and its neighbours in seccomp(2). */
export type SeccompFlag = 'LOG' | 'SPEC_ALLOW' | 'TSYNC' | 'WAIT_KILLABLE_RECV';

/** A condition on an argument of a system call. */
export interface SeccompArgument {
  /** Which argument, 0 to 5. */
  index: number;
  /**
   * What it is compared with; for `SCMP_CMP_MASKED_EQ` the mask. A bigint above 2^53: `JSON.parse` rounds such numbers, which are
   * refused.
   */
  value: number | bigint;
  /** For `SCMP_CMP_MASKED_EQ`: what the masked argument is compared with. Default 0. */
  valueTwo?: number | bigint | undefined;
  op: SeccompOperator;
}

/** What is answered to some system calls. */
export interface SeccompRule {
  /** The kernel's names. Those that no architecture of the filter has are skipped, and listed in the result. */
  names: readonly string[];
  action: SeccompAction;
  /** The errno of `SCMP_ACT_ERRNO`, the message of `SCMP_ACT_TRACE`. Default 1 (EPERM). */
  errnoRet?: number | undefined;
  /**
   * All of these must hold. Where two are on one argument, each is a rule of its own, as runc has it: one of them must hold.
   */
  args?: readonly SeccompArgument[] | undefined;
}

/** A filter by names, in the form of the OCI runtime specification (`linux.seccomp` of config.json). */
export interface SeccompProfile {
  /** What is answered to a system call that no rule is about. */
  defaultAction: SeccompAction;
  /** Its errno, as {@link SeccompRule.errnoRet}. */
  defaultErrnoRet?: number | undefined;
  /**
   * Whose system calls are meant; that of the machine always is. A system call of any other kills the thread. Of those that are
   * listed here, what is newer than all that the profile names is answered with ENOSYS unless the default lets it through: C
   * libraries then fall back to what they did before.
   */
  architectures?: readonly SeccompArchitecture[] | undefined;
  flags?: readonly (SeccompFlag | `SECCOMP_FILTER_FLAG_${SeccompFlag}`)[] | undefined;
  /**
   * A Unix stream socket, on which somebody listens who answers `SCMP_ACT_NOTIFY`: it gets the listener, and the state of the process as
   * the specification has it. Connected to by each start, from where this process is; at most 107 bytes. One of the filters of a command
   * may have one.
   */
  listenerPath?: string | undefined;
  /** What is told there beside it, as it is. */
  listenerMetadata?: string | undefined;
  syscalls?: readonly SeccompRule[] | undefined;
}

/** A compiled filter: an array of `struct sock_filter`, see seccomp(2). */
export interface SeccompFilter {
  filter: Uint8Array;
  flags?: readonly SeccompFlag[] | undefined;
}

/** A compiled filter, or one by names. */
export type Seccomp = Uint8Array | SeccompFilter | SeccompProfile;

/** What {@link SeccompProfile} has been compiled to: an array of `struct sock_filter`. */
export interface CompiledFilter extends Uint8Array {
  /** The names that no architecture of the profile has: misspelt, of another architecture, or newer than this package. */
  readonly skipped: readonly string[];
}

/** Options of `compile()`. */
export interface CompileOptions {
  /** The machine that the filter is for, as `process.arch` has it. Default: this one. */
  arch?: 'x64' | 'arm64' | 'ia32' | 'arm' | undefined;
}
