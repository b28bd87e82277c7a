// The package's public names.
export { clone } from './clone';
export { AbortError } from './errors/abort-error';
export { isArgumentError } from './errors/argument-error';
export { MaxBufferError } from './errors/max-buffer-error';
export { SyscallError } from './errors/syscall-error';
export { Flags, formatFlags, parseFlags } from './flags';
export { fork } from './fork';
export * from './kernel/clone-constants';
export { constants } from './kernel/constants';
export { Namespace } from './namespace';
export { Plan, plan } from './plan';
export { Program, record } from './record';
export { run } from './run';
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
  MountAttributes,
  NetlinkAddress,
  OpenHow,
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
export type { NamespaceHandle } from '../types/namespace';
export type { NamespaceKind } from '../types/flags';
export type {
  ChildTarget,
  DescriptorTarget,
  JoinTarget,
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
  Mask,
  Mount,
  MountAttribute,
  MountBase,
  MountEntry,
  MountOptions,
  MountPropagation,
  MqueueMount,
  OverlayMount,
  ProcMount,
  ReadonlyEntry,
  RootMount,
  Size,
  SymlinkEntry,
  SysfsMount,
  TmpfsMount,
} from '../types/mounts';
export type {
  Capabilities,
  CloneOptions,
  IdMap,
  IdMapping,
  Propagation,
  Limit,
  RlimitName,
  SeccompFilter,
  StartOptions,
  TimeOffset,
} from '../types/options';
export type { OutputEncoding, RunOptions, RunResult } from '../types/run';
export type { CapabilityName, SecurebitName } from '../types/privileges';
export type { RawArgument, RecordedOptions, Recorder, Results, Returned } from '../types/record';
export type { RealTimeSignal, Signal, SignalName } from '../types/signals';
export type { PtyOption, Stdio, StdioEntry } from '../types/stdio';

warm();
