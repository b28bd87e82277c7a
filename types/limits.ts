// What a child gets of processors, disks and memory: names and meanings of config.json of the OCI runtime specification.

/**
 * How the kernel chooses a process to run, see sched(7): 'SCHED_OTHER' is the usual one, 'SCHED_BATCH' and 'SCHED_IDLE' give way to it,
 * 'SCHED_FIFO', 'SCHED_RR' and 'SCHED_DEADLINE' come before all of these. 'SCHED_ISO' has a number, and no kernel that knows it.
 */
export type SchedulerPolicy =
  | 'SCHED_OTHER'
  | 'SCHED_FIFO'
  | 'SCHED_RR'
  | 'SCHED_BATCH'
  | 'SCHED_ISO'
  | 'SCHED_IDLE'
  | 'SCHED_DEADLINE';

/** A flag of sched_setattr(2). */
export type SchedulerFlag =
  | 'SCHED_FLAG_RESET_ON_FORK'
  | 'SCHED_FLAG_RECLAIM'
  | 'SCHED_FLAG_DL_OVERRUN'
  | 'SCHED_FLAG_KEEP_POLICY'
  | 'SCHED_FLAG_KEEP_PARAMS'
  | 'SCHED_FLAG_UTIL_CLAMP_MIN'
  | 'SCHED_FLAG_UTIL_CLAMP_MAX';

/** Scheduling policy and its parameters, see sched_setattr(2). */
export interface Scheduler {
  policy: SchedulerPolicy;
  /** -20 (first) to 19, of 'SCHED_OTHER', 'SCHED_BATCH' and 'SCHED_IDLE'. Default: that of the option `nice`, else ours. */
  nice?: number | undefined;
  /** 1 to 99 (first), of 'SCHED_FIFO' and 'SCHED_RR', which need it. */
  priority?: number | undefined;
  /**
   * Default none. 'SCHED_FLAG_RESET_ON_FORK': what the program starts is 'SCHED_OTHER' again. 'SCHED_FLAG_RECLAIM' and
   * 'SCHED_FLAG_DL_OVERRUN' are of 'SCHED_DEADLINE'. 'SCHED_FLAG_UTIL_CLAMP_MIN' and 'SCHED_FLAG_UTIL_CLAMP_MAX' set that clamp to 0,
   * as config.json has no value for it.
   */
  flags?: readonly SchedulerFlag[] | undefined;
  /** Nanoseconds in each period, at least 1024, of 'SCHED_DEADLINE', which needs it. */
  runtime?: number | undefined;
  /** Nanoseconds from the beginning of a period until the runtime is had, of 'SCHED_DEADLINE', which needs it. */
  deadline?: number | undefined;
  /** Nanoseconds, of 'SCHED_DEADLINE'. Default: `deadline`. */
  period?: number | undefined;
}

/** Which requests to a disk come first, see ioprio_set(2): real-time, best-effort, or when nobody else wants it. */
export type IoPriorityClass = 'IOPRIO_CLASS_RT' | 'IOPRIO_CLASS_BE' | 'IOPRIO_CLASS_IDLE';

/** The I/O priority, see ioprio_set(2). */
export interface IoPriority {
  /** 'IOPRIO_CLASS_RT' takes CAP_SYS_NICE or CAP_SYS_ADMIN. */
  class: IoPriorityClass;
  /** 0 (first) to 7, within the class; within 'IOPRIO_CLASS_IDLE' it says nothing. Default 4. */
  priority?: number | undefined;
}

/** On which nodes memory is taken, see set_mempolicy(2). */
export type MemoryPolicyMode =
  | 'MPOL_DEFAULT'
  | 'MPOL_PREFERRED'
  | 'MPOL_BIND'
  | 'MPOL_INTERLEAVE'
  | 'MPOL_LOCAL'
  | 'MPOL_PREFERRED_MANY'
  | 'MPOL_WEIGHTED_INTERLEAVE';

/** A flag of set_mempolicy(2). */
export type MemoryPolicyFlag = 'MPOL_F_NUMA_BALANCING' | 'MPOL_F_RELATIVE_NODES' | 'MPOL_F_STATIC_NODES';

/** The memory policy of a process on a machine with several nodes, see set_mempolicy(2) and numa(7). */
export interface MemoryPolicy {
  /** 'MPOL_PREFERRED_MANY' needs Linux 5.15, 'MPOL_WEIGHTED_INTERLEAVE' 6.9. */
  mode: MemoryPolicyMode;
  /**
   * '0-3,7', or the numbers. 'MPOL_DEFAULT' and 'MPOL_LOCAL' have none, 'MPOL_PREFERRED' may have none (the node that the program
   * runs on), the others need at least one.
   */
  nodes?: string | readonly number[] | undefined;
  /**
   * Default none. 'MPOL_F_STATIC_NODES': the nodes stay these when the cpuset changes; 'MPOL_F_RELATIVE_NODES': they are counted
   * within the cpuset; 'MPOL_F_NUMA_BALANCING', of 'MPOL_BIND' and 'MPOL_PREFERRED_MANY': pages move to where they are used.
   */
  flags?: readonly MemoryPolicyFlag[] | undefined;
}
