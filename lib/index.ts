// The package's public names.
export { clone } from './clone';
export { createNamespaces } from './create-namespaces';
export { AbortError } from './errors/abort-error';
export { isArgumentError } from './errors/argument-error';
export { MaxBufferError } from './errors/max-buffer-error';
export { SyscallError } from './errors/syscall-error';
export { Flags, formatFlags, parseFlags } from './flags';
export { fork } from './fork';
export * from './kernel/clone-constants';
export { constants } from './kernel/constants';
export { Namespace } from './namespace';
export { NamespaceWorker } from './namespace-worker';
export { NamespaceSet } from './namespace-set';
export { perform } from './perform';
export { Plan, plan } from './plan';
export { probe } from './probe';
export { Program, record } from './record';
export { run } from './run';
export { runIn } from './run-in';
export { setns, setnsSync } from './setns';
export { unshare, unshareSync } from './unshare';
import { warm } from './warm';
export type {
  AbstractUnixAddress,
  BufferHandle,
  Bytes,
  Calls,
  CapabilitySets,
  Environment,
  Fd,
  Int,
  InterfaceRequest,
  InternetAddress,
  Message,
  MountAttributes,
  NetlinkAddress,
  OpenHow,
  Received,
  RecordLock,
  Result,
  Rlimit,
  SignalAction,
  SocketAddress,
  Timespec,
  UnixAddress,
  Value,
} from '../types/calls';
export type { ClonedCommand, ClonedProcess, ExitStatus, PtyStream } from '../types/child';
export type { ArgumentError } from '../types/errors';
export type { ForkedModule, ForkedProcess, ForkOptions, ForkStdio } from '../types/fork';
export type { ListedNamespace, NamespaceHandle, NamespaceOptions } from '../types/namespace';
export type { NamespaceKind } from '../types/flags';
export type {
  ChildTarget,
  DescriptorTarget,
  JoinTarget,
  NamespaceSetTarget,
  NamespaceTarget,
  PidTarget,
  PidfdTarget,
} from '../types/join-target';
export type { ListedArgument, ListedCall, ListedPlan, ListedProgram } from '../types/listing';
export type {
  BindMount,
  Cgroup2Mount,
  ChmodEntry,
  DeviceEntry,
  DevMount,
  DevptsMount,
  DirectoryEntry,
  FifoEntry,
  FileMount,
  FilesystemMount,
  FilesystemOptions,
  Mask,
  Mount,
  MountAttribute,
  MountBase,
  MountEntry,
  MountIdMap,
  MountOptions,
  MountPropagation,
  MqueueMount,
  OverlayMount,
  ProcMount,
  ReadonlyEntry,
  Remount,
  RootMount,
  Size,
  SymlinkEntry,
  SysfsMount,
  TmpfsMount,
} from '../types/mounts';
export type { Landlock, LandlockAccess, LandlockPort, LandlockRule } from '../types/landlock';
export type {
  IoPriority,
  IoPriorityClass,
  MemoryPolicy,
  MemoryPolicyFlag,
  MemoryPolicyMode,
  Scheduler,
  SchedulerFlag,
  SchedulerPolicy,
} from '../types/limits';
export type {
  Capabilities,
  CloneOptions,
  HoldDescriptors,
  HoldPoint,
  IdMap,
  IdMapping,
  InnerUserNamespace,
  InitOptions,
  Propagation,
  Limit,
  RlimitName,
  StartOptions,
  TimeOffset,
} from '../types/options';
export type { Answer, Feature, Refusal, RefusalCause, Support } from '../types/probe';
export type {
  Seccomp,
  SeccompAction,
  SeccompArchitecture,
  SeccompArgument,
  SeccompFilter,
  SeccompFlag,
  SeccompOperator,
  SeccompProfile,
  SeccompRule,
} from '../types/seccomp';
export type { OutputEncoding, RunOptions, RunResult, RunStartOptions } from '../types/run';
export type { CapabilityName, SecurebitName } from '../types/privileges';
export type { MemoryField, RawArgument, RecordedOptions, Recorder, Results, Returned } from '../types/record';
export type { RealTimeSignal, Signal, SignalName } from '../types/signals';
export type { Step, StepPlace } from '../types/steps';
export type { PtyOption, PtyOptions, Stdio, StdioEntry } from '../types/stdio';
export type { Synchronous } from '../types/synchronous';
export type { NamespaceWorkerOptions } from '../types/worker';

warm();
