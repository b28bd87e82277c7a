// What probe() tells of a host, and why a host refuses something.
import type { NamespaceKind } from './flags';

/**
 * What it is that refuses:
 *
 * - `kernel`: the kernel itself: it is too old, was built without it, or knows a rule that says no (chroot).
 * - `sysctl`: a parameter of the kernel, see sysctl(8), or, as the error is the same, namespaces that are nested too deep.
 * - `apparmor`, `selinux`: a security module, or its profile or policy.
 * - `seccomp`: a filter of system calls, as containers and systemd have them.
 * - `capability`: a capability that we do not have.
 * - `helper`: newuidmap(1) or newgidmap(1): missing, or without the right that it needs.
 * - `subids`: no ids are lent to this user in /etc/subuid or /etc/subgid.
 * - `masked-proc`: /proc is partly covered, as in containers, or is none.
 * - `cgroup`: the cgroup hierarchy: of version 1, read-only, somebody else's; or a limit of a cgroup.
 * - `limit`: a shortage for now: of processes, descriptors, memory or time.
 */
export type RefusalCause =
  | 'kernel'
  | 'sysctl'
  | 'apparmor'
  | 'selinux'
  | 'seccomp'
  | 'capability'
  | 'helper'
  | 'subids'
  | 'masked-proc'
  | 'cgroup'
  | 'limit';

/** Why a host refuses something: what errors say in their `hint`, and {@link probe} in its answers. */
export interface Refusal {
  readonly cause: RefusalCause;
  /** What was found: 'sysctl user.max_user_namespaces is 0'. */
  readonly detail?: string;
  /** What can be done about it. */
  readonly hint?: string;
}

/** Whether something can be had here; where it can, `detail` may tell more of it ('ABI 7'). */
export type Answer = { readonly available: true; readonly detail?: string } | ({ readonly available: false } & Refusal);

/**
 * What {@link probe} asks for beside namespaces:
 *
 * - `clone3`: clone3(2). Without it children are made by clone(2).
 * - `pidfd`: pidfd_open(2).
 * - `executableMemory`: the program that sets commands up can be executed from memory. Without it the environment variable
 *   `NSCLONE_STUB` has to name it as a file.
 * - `closeFds`: close_range(2), by which every command gets no descriptor but its own. Without it `closeFds: false` is needed.
 * - `subordinateIds`: ids of /etc/subuid and /etc/subgid, which `uidMap: 'auto'` maps.
 * - `idMapHelpers`: maps of more ids than the own: by newuidmap(1) and newgidmap(1), or with CAP_SETUID and CAP_SETGID without them.
 * - `proc`: a fresh proc, `mounts: [{ type: 'proc', … }]`.
 * - `mountCalls`: the system calls that mounts are made by, see fsopen(2), open_tree(2), mount_setattr(2).
 * - `overlay`: an overlay in a user namespace.
 * - `idmappedMounts`: a mount with other owners in a user namespace, see MOUNT_ATTR_IDMAP in mount_setattr(2).
 * - `cgroup`: a child that is born into a cgroup of version 2, one that we may make below ours. `detail` has the controllers there.
 * - `seccomp`: filters of system calls.
 * - `seccompListener`: a filter that asks another process, see seccomp_unotify(2).
 * - `landlock`: see landlock(7). `detail` has the version of its ABI.
 */
export type Feature =
  | 'clone3'
  | 'pidfd'
  | 'executableMemory'
  | 'closeFds'
  | 'subordinateIds'
  | 'idMapHelpers'
  | 'proc'
  | 'mountCalls'
  | 'overlay'
  | 'idmappedMounts'
  | 'cgroup'
  | 'seccomp'
  | 'seccompListener'
  | 'landlock';

/** What this host allows the user that Node runs as. */
export interface Support {
  /** Its release: '6.8.0-45-generic'. */
  readonly kernel: string;
  /**
   * New namespaces, as `clone()` gets them: an ordinary user together with a new user namespace, in which the own ids are mapped
   * (`uidMap: 'root'`).
   */
  readonly namespaces: Readonly<Record<NamespaceKind, Answer>>;
  readonly features: Readonly<Record<Feature, Answer>>;
}
