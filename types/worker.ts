// Workers in namespaces.
import type { WorkerOptions } from 'node:worker_threads';

import type { JoinTarget } from './join-target';

/** Options of {@link NamespaceWorker}: those of a Worker, and where its thread is. */
export interface NamespaceWorkerOptions extends WorkerOptions {
  /**
   * Namespaces to enter: network, uts, ipc and cgroup, and pid for its children. Of a process all that differ from ours, or those of
   * its `flags`. They are opened in the call.
   */
  join?: JoinTarget | readonly JoinTarget[] | undefined;
  /** Namespaces to create: a `|` of `Flags.NEWNET`, `NEWUTS`, `NEWIPC`, `NEWCGROUP` and, for its children, `NEWPID`. */
  flags?: number | undefined;
  /** The host name; needs `Flags.NEWUTS`, or a uts namespace in `join`. */
  hostname?: string | undefined;
  /** Brings up the loopback interface; needs `Flags.NEWNET`, or a network namespace in `join`. */
  loopback?: boolean | undefined;
}
