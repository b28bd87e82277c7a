// The order of all steps. test/steps/order.test.ts checks it against what each step says it must come after.
import { cgroupFolder } from './cgroup';
import { closeFds } from './close-fds';
import { command } from './command';
import { control } from './control';
import { cpuAffinity } from './cpu-affinity';
import { cwd } from './cwd';
import { domainname } from './domainname';
import { dumpable } from './dumpable';
import { flags } from './flags';
import { hold, holdPidOne } from './hold';
import { hostname } from './hostname';
import { init } from './init';
import { identity } from './identity';
import { handover } from './handover';
import { join, joinSources } from './join';
import { keyring } from './keyring';
import { loopback } from './loopback';
import { mounts } from './mounts';
import { namespaces } from './namespaces';
import { nice } from './nice';
import { noNewPrivileges } from './no-new-privileges';
import { oomScoreAdj } from './oom-score-adj';
import { parentDeathSignal } from './parent-death-signal';
import { personality } from './personality';
import { pipeOwner, pipeOwnerOutside } from './pipe-owner';
import { process } from './process';
import { propagation } from './propagation';
import { foreground, pty, ptyOwner } from './pty';
import { raisedRlimits, rlimits } from './rlimits';
import { seccomp } from './seccomp';
import { session } from './session';
import { signalMask } from './signal-mask';
import { stdio, stdioSources } from './stdio';
import type { Step } from './step';
import { sysctl } from './sysctl';
import { time } from './time';
import { umask } from './umask';
import { owner, user } from './user';

export const order: readonly Step[] = [
  // What has no instruction of its own.
  flags,
  control,
  // While we have all of our rights, and our own view.
  stdioSources,
  joinSources,
  cgroupFolder,
  stdio,
  ptyOwner,
  pipeOwnerOutside,
  raisedRlimits,
  oomScoreAdj,
  nice,
  cpuAffinity,
  personality,
  // Into the namespaces.
  join,
  user,
  time,
  owner,
  dumpable,
  process,
  namespaces,
  hostname,
  domainname,
  loopback,
  sysctl,
  propagation,
  mounts,
  handover,
  // From here on somebody else may act, while the process waits or in the folder that it goes to.
  closeFds,
  // The process itself.
  keyring,
  session,
  pty,
  holdPidOne,
  init,
  foreground,
  pipeOwner,
  umask,
  rlimits,
  identity,
  cwd,
  noNewPrivileges,
  hold,
  parentDeathSignal,
  signalMask,
  seccomp,
  command,
];
