// The structs that programs hand to the kernel: their sizes and fields, checked against the headers by a test.

/** A field: its offset, its size in bytes, and how it is spelled. */
export interface Field {
  readonly at: number;
  readonly size: 1 | 2 | 4 | 8;
  readonly kind?: string;
}

export interface Struct {
  readonly size: number;
  readonly fields: Readonly<Record<string, Field>>;
}

const offset = (at: number, size: 1 | 2 | 4 | 8, kind?: string): Field =>
  kind === undefined ? { at, size } : { at, size, kind };

export const structs: Readonly<Record<string, Struct>> = {
  landlock_net_port_attr: {
    size: 16,
    fields: { allowed_access: offset(0, 8, 'set:LANDLOCK_ACCESS_NET_'), port: offset(8, 8) },
  },
  // Packed.
  landlock_path_beneath_attr: {
    size: 12,
    fields: { allowed_access: offset(0, 8, 'set:LANDLOCK_ACCESS_FS_'), parent_fd: offset(8, 4, 'fd') },
  },
  landlock_ruleset_attr: {
    size: 24,
    fields: {
      handled_access_fs: offset(0, 8, 'set:LANDLOCK_ACCESS_FS_'),
      handled_access_net: offset(8, 8, 'set:LANDLOCK_ACCESS_NET_'),
      scoped: offset(16, 8, 'set:LANDLOCK_SCOPE_'),
    },
  },
  mount_attr: {
    size: 32,
    fields: {
      attr_set: offset(0, 8, 'set:MOUNT_ATTR_'),
      attr_clr: offset(8, 8, 'set:MOUNT_ATTR_'),
      propagation: offset(16, 8, 'set:MS_'),
      userns_fd: offset(24, 8, 'fd'),
    },
  },
  open_how: {
    size: 24,
    fields: { flags: offset(0, 8, 'set:O_'), mode: offset(8, 8, 'octal'), resolve: offset(16, 8, 'set:RESOLVE_') },
  },
  rlimit64: { size: 16, fields: { rlim_cur: offset(0, 8, 'limit'), rlim_max: offset(8, 8, 'limit') } },
  sched_attr: {
    size: 56,
    fields: {
      size: offset(0, 4),
      sched_policy: offset(4, 4, 'one:SCHED_OTHER,SCHED_FIFO,SCHED_RR,SCHED_BATCH,SCHED_ISO,SCHED_IDLE,SCHED_DEADLINE'),
      sched_flags: offset(8, 8, 'set:SCHED_FLAG_'),
      sched_nice: offset(16, 4),
      sched_priority: offset(20, 4),
      sched_runtime: offset(24, 8),
      sched_deadline: offset(32, 8),
      sched_period: offset(40, 8),
      sched_util_min: offset(48, 4),
      sched_util_max: offset(52, 4),
    },
  },
  timespec: { size: 16, fields: { tv_sec: offset(0, 8), tv_nsec: offset(8, 8) } },
};
