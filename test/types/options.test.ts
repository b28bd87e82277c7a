// Options that are not given: left out or `undefined`, which is the same, to the compiler as well as to clone().
import { expectTypeOf } from 'expect-type';

import {
  type Capabilities,
  type CapabilitySets,
  type CloneOptions,
  type InterfaceRequest,
  type IoPriority,
  type Landlock,
  type Limit,
  type MemoryPolicy,
  type MountAttributes,
  type NetlinkAddress,
  type OpenHow,
  type PidfdTarget,
  type PidTarget,
  plan,
  type ProcMount,
  type RecordedOptions,
  type RlimitName,
  type RunOptions,
  type Scheduler,
  type SeccompFilter,
  type SignalAction,
  type StartOptions,
  type TimeOffset,
  type Timespec,
} from '../../lib';

/** The names of the options of T that may be left out and yet must not be `undefined`. */
type OnlyLeftOut<T> = {
  [Name in keyof T]-?: T extends Required<Pick<T, Name>> ? never : undefined extends Required<T>[Name] ? never : Name;
}[keyof T];

test('what may be left out may be undefined too', () => {
  expectTypeOf<OnlyLeftOut<{ a?: number; b?: number | undefined; c: number }>>().toEqualTypeOf<'a'>();
  expectTypeOf<OnlyLeftOut<CloneOptions>>().toBeNever();
  expectTypeOf<OnlyLeftOut<StartOptions>>().toBeNever();
  expectTypeOf<OnlyLeftOut<RunOptions>>().toBeNever();
  expectTypeOf<OnlyLeftOut<RecordedOptions>>().toBeNever();
  type In<Name extends keyof CloneOptions> = Extract<CloneOptions[Name], object>;
  expectTypeOf<OnlyLeftOut<In<'pty'>>>().toBeNever();
  expectTypeOf<OnlyLeftOut<In<'timeOffsets'>>>().toBeNever();
  expectTypeOf<OnlyLeftOut<TimeOffset>>().toBeNever();
  expectTypeOf<OnlyLeftOut<In<'rlimits'>>>().toBeNever();
  expectTypeOf<In<'rlimits'>>().toEqualTypeOf<{ readonly [Name in RlimitName]?: Limit | undefined }>();
  expectTypeOf<OnlyLeftOut<Capabilities>>().toBeNever();
  expectTypeOf<OnlyLeftOut<SeccompFilter>>().toBeNever();
  expectTypeOf<OnlyLeftOut<Scheduler>>().toBeNever();
  expectTypeOf<OnlyLeftOut<IoPriority>>().toBeNever();
  expectTypeOf<OnlyLeftOut<MemoryPolicy>>().toBeNever();
  expectTypeOf<OnlyLeftOut<Landlock>>().toBeNever();
  expectTypeOf<OnlyLeftOut<ProcMount>>().toBeNever();
  expectTypeOf<OnlyLeftOut<PidTarget>>().toBeNever();
  expectTypeOf<OnlyLeftOut<PidfdTarget>>().toBeNever();
  type Given = [OpenHow, MountAttributes, NetlinkAddress, Timespec, InterfaceRequest, SignalAction, CapabilitySets];
  expectTypeOf<{ [I in keyof Given]: OnlyLeftOut<Given[I]> }[number]>().toBeNever();
  // And clone() reads it so.
  const nothing: CloneOptions = {
    hostname: undefined,
    rlimits: { nofile: undefined },
    capabilities: undefined,
    sysctl: { 'net.ipv4.ip_forward': undefined },
    timeOffsets: undefined,
    mounts: undefined,
    stdio: undefined,
    pty: undefined,
  };
  expect(String(plan('/bin/true', nothing))).toBe(String(plan('/bin/true')));
});

test('arrays may be frozen', () => {
  const groups: readonly number[] = Object.freeze([5]);
  expectTypeOf(groups).toExtend<CloneOptions['groups']>();
  expectTypeOf<readonly ProcMount[]>().toExtend<CloneOptions['mounts']>();
  expectTypeOf<readonly ['ignore', 'pipe', 'inherit', 5]>().toExtend<CloneOptions['stdio']>();
  expect(String(plan('/bin/true', { uid: 0, gid: 0, groups }))).toContain('setgroups(1, ');
});
