// Names as types: a misspelt one does not compile, and one that is only known at run time is checked there.
import { constants as node } from 'node:os';

import { expectTypeOf } from 'expect-type';

import {
  type CapabilityName,
  clone,
  type ClonedProcess,
  type constants,
  type ExitStatus,
  plan,
  type RealTimeSignal,
  record,
  type SecurebitName,
  type SignalName,
} from '../../lib';
import { signalName, signalNumber } from '../../lib/kernel/signals';
import { refusal } from '../support/refusal';

type ConstantNames = keyof typeof constants;

test('capabilities are those of the kernel', () => {
  type Known = Exclude<Extract<ConstantNames, `CAP_${string}`>, 'CAP_LAST_CAP'>;
  expectTypeOf<CapabilityName>().toEqualTypeOf<Known>();
  // @ts-expect-error -- no such capability
  expect(() => plan('/bin/true', { capabilities: ['CAP_NOPE'] })).toThrow(
    refusal('ERR_INVALID_ARG_VALUE', 'capabilities[0]'),
  );
  // @ts-expect-error -- nor one without its prefix
  expect(() => plan('/bin/true', { capabilities: { ambient: ['KILL'] } })).toThrow(/did you mean "CAP_KILL"/);
});

test('secure bits are those of the kernel, with and without their prefix', () => {
  type Known = Extract<ConstantNames, `SECBIT_${string}`>;
  type Short<Name> = Name extends `SECBIT_${infer Rest}` ? Rest : never;
  expectTypeOf<SecurebitName>().toEqualTypeOf<Known | Short<Known>>();
  // @ts-expect-error -- no such bit
  expect(() => plan('/bin/true', { securebits: ['NOROOTS'] })).toThrow(
    refusal('ERR_INVALID_ARG_VALUE', 'securebits[0]'),
  );
});

test("signals are Node's and the real-time ones", () => {
  expectTypeOf<NodeJS.Signals>().toExtend<SignalName>();
  expectTypeOf<'SIGRTMIN' | 'SIGRTMIN+1' | 'SIGRTMIN+30' | 'SIGRTMAX' | 'SIGRTMAX-30'>().toExtend<RealTimeSignal>();
  const program = record(() => {});
  const options = (): void => {
    void clone('/bin/true', [], { killSignal: 'SIGRTMIN+1', parentDeathSignal: 'SIGTERM' });
    // @ts-expect-error -- no such signal
    void clone('/bin/true', [], { killSignal: 'SIGTREM' });
    // @ts-expect-error -- nor so many
    void clone('/bin/true', [], { killSignal: 'SIGRTMIN+31' });
    // @ts-expect-error -- nor for a recorded child
    void clone(program, { exitSignal: 'SIGCHILD' });
    // @ts-expect-error -- nor in a recording
    record((c) => void c.kill(1, 'SIGTREM'));
  };
  expect(options).toBeDefined();
  const kill = (child: ClonedProcess): boolean[] => [
    child.kill(),
    child.kill('SIGRTMAX-1'),
    child.kill(64),
    // @ts-expect-error -- no such signal
    child.kill('SIGKIL'),
  ];
  expect(kill).toBeDefined();
});

test('every number from 1 to 64 has a name that `exited` may tell', () => {
  const names = Array.from({ length: 64 }, (_, index) => signalName(index + 1));
  // The type cannot be looked at here: what it is made of can.
  const real = [0, ...Array.from({ length: 29 }, (_, index) => index + 1)].map((n) => `SIGRTMIN${n ? `+${n}` : ''}`);
  expect(new Set(names)).toEqual(
    new Set([...names.filter((name) => name in node.signals), ...real, 'SIGRTMAX', 'SIG32', 'SIG33']),
  );
  expect(signalNumber('SIGRTMAX-30' satisfies SignalName)).toBe(34);
  expect(signalNumber('SIGRTMIN+30' satisfies SignalName)).toBe(64);
  expectTypeOf<ExitStatus['signal']>().toEqualTypeOf<SignalName | 'SIG32' | 'SIG33' | null>();
});

test('a name of run time is told to be one, and checked all the same', () => {
  const [capability, bit, signal]: string[] = ['CAP_NOPE', 'NOROOTS', 'SIGTREM'];
  const refused = [
    () => plan('/bin/true', { capabilities: [capability as CapabilityName] }),
    () => plan('/bin/true', { securebits: [bit as SecurebitName] }),
    () => plan('/bin/true', { killSignal: signal as SignalName }),
  ];
  expect(refused[0]).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'capabilities[0]'));
  expect(refused[1]).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'securebits[0]'));
  expect(refused[2]).toThrow(refusal('ERR_UNKNOWN_SIGNAL', 'killSignal', 'did you mean "SIGTERM"'));
});
