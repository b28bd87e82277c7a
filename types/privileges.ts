// The names of what a process may do.

/**
 * A capability, see capabilities(7). A name that is only known at run time is given as `name as CapabilityName`: what is none, or
 * none that this kernel knows, is refused with `ERR_INVALID_ARG_VALUE`.
 */
export type CapabilityName =
  | 'CAP_CHOWN'
  | 'CAP_DAC_OVERRIDE'
  | 'CAP_DAC_READ_SEARCH'
  | 'CAP_FOWNER'
  | 'CAP_FSETID'
  | 'CAP_KILL'
  | 'CAP_SETGID'
  | 'CAP_SETUID'
  | 'CAP_SETPCAP'
  | 'CAP_LINUX_IMMUTABLE'
  | 'CAP_NET_BIND_SERVICE'
  | 'CAP_NET_BROADCAST'
  | 'CAP_NET_ADMIN'
  | 'CAP_NET_RAW'
  | 'CAP_IPC_LOCK'
  | 'CAP_IPC_OWNER'
  | 'CAP_SYS_MODULE'
  | 'CAP_SYS_RAWIO'
  | 'CAP_SYS_CHROOT'
  | 'CAP_SYS_PTRACE'
  | 'CAP_SYS_PACCT'
  | 'CAP_SYS_ADMIN'
  | 'CAP_SYS_BOOT'
  | 'CAP_SYS_NICE'
  | 'CAP_SYS_RESOURCE'
  | 'CAP_SYS_TIME'
  | 'CAP_SYS_TTY_CONFIG'
  | 'CAP_MKNOD'
  | 'CAP_LEASE'
  | 'CAP_AUDIT_WRITE'
  | 'CAP_AUDIT_CONTROL'
  | 'CAP_SETFCAP'
  | 'CAP_MAC_OVERRIDE'
  | 'CAP_MAC_ADMIN'
  | 'CAP_SYSLOG'
  | 'CAP_WAKE_ALARM'
  | 'CAP_BLOCK_SUSPEND'
  | 'CAP_AUDIT_READ'
  | 'CAP_PERFMON'
  | 'CAP_BPF'
  | 'CAP_CHECKPOINT_RESTORE';

type Securebit = 'NOROOT' | 'NO_SETUID_FIXUP' | 'KEEP_CAPS' | 'NO_CAP_AMBIENT_RAISE';
type LockableSecurebit = Securebit | `${Securebit}_LOCKED`;

/**
 * A secure bit, see capabilities(7), with or without the kernel's prefix. A name that is only known at run time is given as
 * `name as SecurebitName`: what is none is refused with `ERR_INVALID_ARG_VALUE`.
 */
export type SecurebitName = LockableSecurebit | `SECBIT_${LockableSecurebit}`;
