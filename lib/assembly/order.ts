// The order of all steps. test/steps/order.test.ts checks it against what each step says it must come after.
import { cgroupFolder } from '../steps/cgroup';
import { closeFds } from '../steps/close-fds';
import { command } from '../steps/command';
import { commandFile } from '../steps/command-file';
import { control } from '../steps/control';
import { cpuAffinity } from '../steps/cpu-affinity';
import { cwd } from '../steps/cwd';
import { domainname } from '../steps/domainname';
import { dumpable } from '../steps/dumpable';
import { flags } from '../steps/flags';
import { controllingTerminal, foreground, foregroundOfPidOne } from '../steps/foreground';
import { hold, holdMounts, holdPidOne, holdSources, startReport } from '../steps/hold';
import { hostname } from '../steps/hostname';
import { init } from '../steps/init';
import { identity } from '../steps/identity';
import { handover, lateHandover } from '../steps/handover';
import { inner, innerNamespace, innerSource } from '../steps/inner';
import { join, joinSources } from '../steps/join';
import { ioPriority } from '../steps/io-priority';
import { keyring } from '../steps/keyring';
import { landlock, landlockRules, landlockSources } from '../steps/landlock';
import { loopback } from '../steps/loopback';
import { mappedMounts, mappedView } from '../steps/mapped-mounts';
import { memoryPolicy } from '../steps/memory-policy';
import { mounts } from '../steps/mounts';
import { mountedTerminal, mountSources } from '../steps/mount-sources';
import { namespaces } from '../steps/namespaces';
import { nice } from '../steps/nice';
import { noNewPrivileges } from '../steps/no-new-privileges';
import { oomScoreAdj } from '../steps/oom-score-adj';
import { containerTerminal, sentTerminal, terminalSocket } from '../steps/own-terminal';
import { parentDeathSignal } from '../steps/parent-death-signal';
import { personality } from '../steps/personality';
import {
  filteredLines,
  linesAfterMounts,
  linesAtStart,
  linesBeforeExec,
  linesInNamespaces,
  linesInRoot,
} from '../steps/own-lines';
import { pipeOwner, pipeOwnerOutside } from '../steps/pipe-owner';
import { process } from '../steps/process';
import { propagation } from '../steps/propagation';
import { pty, ptyForeground, ptyOwner } from '../steps/pty';
import { raisedRlimits, rlimits } from '../steps/rlimits';
import { root } from '../steps/root';
import { rootSwitch } from '../steps/root-switch';
import { lastScheduler, scheduler } from '../steps/scheduler';
import { privilegedSeccomp, seccomp } from '../steps/seccomp';
import { seccompListener } from '../steps/seccomp-listener';
import { securityLabel } from '../steps/security-label';
import { session } from '../steps/session';
import { signalMask } from '../steps/signal-mask';
import { stdio, stdioSources } from '../steps/stdio';
import type { Step } from './step';
import { sysctl } from '../steps/sysctl';
import { time } from '../steps/time';
import { umask } from '../steps/umask';
import { owner, user } from '../steps/user';

export const order: readonly Step[] = [
  // What has no instruction of its own.
  flags,
  control,
  // While we have all of our rights, and our own view.
  stdioSources,
  joinSources,
  innerSource,
  cgroupFolder,
  mountSources,
  landlockSources,
  commandFile,
  holdSources,
  seccompListener,
  terminalSocket,
  stdio,
  sentTerminal,
  mountedTerminal,
  ptyOwner,
  pipeOwnerOutside,
  linesAtStart,
  raisedRlimits,
  oomScoreAdj,
  securityLabel,
  nice,
  cpuAffinity,
  scheduler,
  ioPriority,
  personality,
  mappedMounts,
  // Into the namespaces.
  join,
  user,
  time,
  owner,
  innerNamespace,
  dumpable,
  process,
  namespaces,
  mappedView,
  hostname,
  domainname,
  loopback,
  sysctl,
  propagation,
  handover,
  linesInNamespaces,
  root,
  mounts,
  linesAfterMounts,
  holdMounts,
  rootSwitch,
  linesInRoot,
  landlockRules,
  session,
  containerTerminal,
  inner,
  lateHandover,
  // From here on somebody else may act, while the process waits or in the folder that it goes to.
  closeFds,
  // The process itself.
  keyring,
  pty,
  controllingTerminal,
  holdPidOne,
  foregroundOfPidOne,
  init,
  ptyForeground,
  pipeOwner,
  umask,
  memoryPolicy,
  lastScheduler,
  rlimits,
  privilegedSeccomp,
  identity,
  cwd,
  noNewPrivileges,
  linesBeforeExec,
  landlock,
  hold,
  foreground,
  parentDeathSignal,
  signalMask,
  startReport,
  seccomp,
  filteredLines,
  command,
];
