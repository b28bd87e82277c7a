// From a profile to a filter: what is refused, what rules mean, and what becomes of large ones.
import type { SeccompOperator, SeccompProfile, SeccompRule } from '../../types/seccomp';
import { compileFilter } from '../../lib/seccomp/compile';
import { numbersOf } from '../../lib/seccomp/numbers';
import { refusal } from '../support/refusal';
import { callOf, Interpreter } from './interpreter';
import { answerOf } from './reference-lines';

const x64 = 0xc000_003e;
const x86 = 0x4000_0003;
const x32Bit = 0x4000_0000;
const allow = answerOf('SCMP_ACT_ALLOW');
const EPERM = answerOf('SCMP_ACT_ERRNO');
const kill = answerOf('SCMP_ACT_KILL');
const ENOSYS = answerOf('SCMP_ACT_ERRNO', 38);

const compiling = (profile: unknown, options?: unknown) => (): Uint8Array =>
  compileFilter(profile as SeccompProfile, options as { arch: 'x64' });
const filterOf = (profile: Partial<SeccompProfile>): Interpreter =>
  new Interpreter(compileFilter({ defaultAction: 'SCMP_ACT_ERRNO', ...profile }, { arch: 'x64' }));
const numberOf = (name: string): number => numbersOf('x86_64').get(name)!;
const answer = (filter: Interpreter, name: string, ...args: bigint[]): number =>
  filter.answer(callOf(x64, numberOf(name), args));
const rule = (names: string[], args?: SeccompRule['args'], action: SeccompRule['action'] = 'SCMP_ACT_ALLOW') => ({
  names,
  action,
  args,
});

describe('a profile is refused, with the part that is wrong', () => {
  const good = { defaultAction: 'SCMP_ACT_ALLOW' };
  const withRule = (part: object): object => ({
    ...good,
    syscalls: [
      { names: ['read'], action: 'SCMP_ACT_ERRNO' },
      { names: ['write'], action: 'SCMP_ACT_ERRNO', ...part },
    ],
  });
  const withArgument = (part: object): object =>
    withRule({ args: [{ index: 0, value: 1, op: 'SCMP_CMP_EQ', ...part }] });
  const value = 'ERR_INVALID_ARG_VALUE' as const;
  const type = 'ERR_INVALID_ARG_TYPE' as const;
  const range = 'ERR_OUT_OF_RANGE' as const;

  test.each<[object, typeof value | typeof type | typeof range, string, string]>([
    [{}, value, 'profile.defaultAction', 'SCMP_ACT_KILL'],
    [{ defaultAction: 'SCMP_ACT_ALOW' }, value, 'profile.defaultAction', 'did you mean "SCMP_ACT_ALLOW"?'],
    [{ defaultAction: 5 }, value, 'profile.defaultAction', 'must be one of'],
    [{ ...good, defaultErrnoRet: 1 }, value, 'profile.defaultErrnoRet', 'SCMP_ACT_ALLOW'],
    [{ defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: 4096 }, range, 'profile.defaultErrnoRet', '4095'],
    [{ ...good, syscall: [] }, value, 'profile.syscall', 'did you mean "syscalls"?'],
    [{ ...good, archMap: [] }, value, 'profile.archMap', 'Docker'],
    [{ ...good, architectures: 'SCMP_ARCH_X86' }, type, 'profile.architectures', 'Array'],
    [
      { ...good, architectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_RISCV64'] },
      value,
      'profile.architectures[1]',
      'SCMP_ARCH_ARM',
    ],
    [{ ...good, flags: ['SECCOMP_FILTER_FLAG_LOG', 'TSYNK'] }, value, 'profile.flags[1]', 'did you mean "TSYNC"?'],
    [{ ...good, listenerPath: '' }, value, 'profile.listenerPath', 'empty'],
    [{ ...good, listenerMetadata: 5 }, type, 'profile.listenerMetadata', 'string'],
    [{ ...good, syscalls: {} }, type, 'profile.syscalls', 'Array'],
    [{ ...good, syscalls: [null] }, type, 'profile.syscalls[0]', 'plain object'],
    [withRule({ names: [] }), value, 'profile.syscalls[1].names', 'at least one name'],
    [withRule({ names: 'write' }), type, 'profile.syscalls[1].names', 'Array'],
    [withRule({ names: ['write', 5] }), type, 'profile.syscalls[1].names[1]', 'string'],
    [withRule({ names: [''] }), value, 'profile.syscalls[1].names[0]', 'empty'],
    [withRule({ name: 'write' }), value, 'profile.syscalls[1].name', 'Docker'],
    [withRule({ action: 'ALLOW' }), value, 'profile.syscalls[1].action', "'SCMP_ACT_ALLOW'"],
    [withRule({ action: 'SCMP_ACT_LOG', errnoRet: 0 }), value, 'profile.syscalls[1].errnoRet', 'SCMP_ACT_LOG'],
    [withRule({ errnoRet: -1 }), range, 'profile.syscalls[1].errnoRet', '>= 0'],
    [withRule({ errnoRet: 4096 }), range, 'profile.syscalls[1].errnoRet', '<= 4095'],
    [withRule({ action: 'SCMP_ACT_TRACE', errnoRet: 65_536 }), range, 'profile.syscalls[1].errnoRet', '<= 65535'],
    [withRule({ args: {} }), type, 'profile.syscalls[1].args', 'Array'],
    [withArgument({ op: 'SCMP_CMP_QE' }), value, 'profile.syscalls[1].args[0].op', 'did you mean "SCMP_CMP_'],
    [withArgument({ op: undefined }), value, 'profile.syscalls[1].args[0].op', 'must be one of'],
    [withArgument({ index: 6 }), range, 'profile.syscalls[1].args[0].index', '<= 5'],
    [withArgument({ index: undefined }), type, 'profile.syscalls[1].args[0].index', 'number'],
    [withArgument({ value: undefined }), type, 'profile.syscalls[1].args[0].value', 'number or bigint'],
    [withArgument({ value: -1 }), range, 'profile.syscalls[1].args[0].value', '>= 0'],
    [withArgument({ value: 2n ** 64n }), range, 'profile.syscalls[1].args[0].value', '2 ** 64'],
    [withArgument({ value: 2 ** 60 }), value, 'profile.syscalls[1].args[0].value', 'bigint'],
    [withArgument({ valueTwo: '5' }), type, 'profile.syscalls[1].args[0].valueTwo', 'number or bigint'],
    [withArgument({ values: 5 }), value, 'profile.syscalls[1].args[0].values', 'did you mean "value"?'],
  ])('%j', (profile, code, option, words) => {
    expect(compiling(profile)).toThrow(refusal(code, option, words));
  });
  test.each([null, undefined, 'profile', 5])('no profile at all: %p', (profile) => {
    expect(compiling(profile)).toThrow(refusal(type, 'profile'));
  });
  test('options that are none', () => {
    expect(compiling(good, { arch: 'mips' })).toThrow(refusal(value, 'arch', "'x64', 'arm64'"));
    expect(compiling(good, { architecture: 'x64' })).toThrow(refusal(value, 'architecture', 'unknown'));
  });
  test('two answers to the same call', () => {
    const first = { names: ['read'], action: 'SCMP_ACT_ERRNO', args: [{ index: 0, value: 1, op: 'SCMP_CMP_EQ' }] };
    const syscalls = [first, { ...first, action: 'SCMP_ACT_LOG' }];
    expect(compiling({ ...good, syscalls })).toThrow(
      refusal(value, 'profile.syscalls[1]', 'contradicts an earlier rule about read'),
    );
    // On x86 the lower words alone are compared.
    const other = { ...first, action: 'SCMP_ACT_LOG', args: [{ index: 0, value: 2 ** 32 + 1, op: 'SCMP_CMP_EQ' }] };
    expect(compiling({ ...good, syscalls: [first, other] })).not.toThrow();
    expect(compiling({ ...good, architectures: ['SCMP_ARCH_X86'], syscalls: [first, other] })).toThrow(
      refusal(value, 'profile.syscalls[1]', 'on SCMP_ARCH_X86:'),
    );
  });
});

describe('a profile means', () => {
  test('its default for what it does not name, EPERM where no errno is given', () => {
    expect(answer(filterOf({}), 'read')).toBe(EPERM);
    expect(answer(filterOf({ defaultErrnoRet: 13 }), 'read')).toBe(answerOf('SCMP_ACT_ERRNO', 13));
    expect(answer(filterOf({ defaultAction: 'SCMP_ACT_KILL_PROCESS' }), 'read')).toBe(0x8000_0000);
  });
  test('the end of the thread for a call of an architecture that it does not name', () => {
    const filter = filterOf({ defaultAction: 'SCMP_ACT_ALLOW' });
    expect(filter.answer(callOf(x86, 1))).toBe(kill);
    expect(filter.answer(callOf(x64, x32Bit + 1))).toBe(kill);
    // A tracer's mark for a call that is not to happen.
    expect(filter.answer(callOf(x64, 0xffff_ffff))).toBe(allow);
    expect(filterOf({ defaultAction: 'SCMP_ACT_ALLOW', architectures: ['SCMP_ARCH_X86'] }).answer(callOf(x86, 1))).toBe(
      allow,
    );
  });
  test('the architecture of the machine, whatever it lists', () => {
    const filter = filterOf({ architectures: ['SCMP_ARCH_ARM'], syscalls: [rule(['read'])] });
    expect(answer(filter, 'read')).toBe(allow);
    expect(filter.answer(callOf(0x4000_0028, 3))).toBe(allow);
  });
  test('ENOSYS for what is newer than all that it names, where its architectures are listed', () => {
    const syscalls = [rule(['read', 'openat'])];
    const listed = filterOf({ architectures: ['SCMP_ARCH_X86_64'], syscalls });
    expect(answer(listed, 'open')).toBe(EPERM);
    expect(answer(listed, 'openat2')).toBe(ENOSYS);
    expect(answer(filterOf({ syscalls }), 'openat2')).toBe(EPERM);
    const architectures = ['SCMP_ARCH_X86_64'] as const;
    expect(answer(filterOf({ defaultAction: 'SCMP_ACT_LOG', architectures, syscalls }), 'openat2')).toBe(
      answerOf('SCMP_ACT_LOG'),
    );
  });
  test('all conditions of a rule, and one of those on the same argument', () => {
    const both = rule(
      ['socket'],
      [
        { index: 1, value: 1, op: 'SCMP_CMP_EQ' },
        { index: 0, value: 2, op: 'SCMP_CMP_EQ' },
      ],
    );
    const filter = filterOf({ syscalls: [both] });
    expect([
      answer(filter, 'socket', 2n, 1n),
      answer(filter, 'socket', 2n, 2n),
      answer(filter, 'socket', 1n, 1n),
    ]).toEqual([allow, EPERM, EPERM]);
    const either = rule(
      ['socket'],
      [
        { index: 0, value: 1, op: 'SCMP_CMP_EQ' },
        { index: 0, value: 2, op: 'SCMP_CMP_EQ' },
      ],
    );
    expect(answer(filterOf({ syscalls: [either] }), 'socket', 2n)).toBe(allow);
  });
  test('a rule without conditions before those with', () => {
    const conditional = rule(['read'], [{ index: 0, value: 1, op: 'SCMP_CMP_EQ' }], 'SCMP_ACT_LOG');
    for (const syscalls of [
      [conditional, rule(['read'])],
      [rule(['read']), conditional],
    ]) {
      expect(answer(filterOf({ syscalls }), 'read', 1n)).toBe(allow);
    }
  });
  test('of several rules that hold, the first in an order of its own, whatever theirs is', () => {
    const on = (index: number, op: SeccompOperator, value: number, action: SeccompRule['action']): SeccompRule =>
      rule(['ioctl'], [{ index, value, op }], action);
    const pairs = [
      // The later argument.
      [on(1, 'SCMP_CMP_GE', 0, 'SCMP_ACT_LOG'), on(0, 'SCMP_CMP_EQ', 5, 'SCMP_ACT_TRAP')],
      // The more exact operator.
      [on(0, 'SCMP_CMP_EQ', 5, 'SCMP_ACT_LOG'), on(0, 'SCMP_CMP_LE', 5, 'SCMP_ACT_TRAP')],
      [on(0, 'SCMP_CMP_LE', 5, 'SCMP_ACT_LOG'), on(0, 'SCMP_CMP_GE', 5, 'SCMP_ACT_TRAP')],
      // The larger value, and of "less than" the smaller.
      [on(0, 'SCMP_CMP_GT', 4, 'SCMP_ACT_LOG'), on(0, 'SCMP_CMP_GT', 3, 'SCMP_ACT_TRAP')],
      [on(0, 'SCMP_CMP_LT', 6, 'SCMP_ACT_LOG'), on(0, 'SCMP_CMP_LT', 7, 'SCMP_ACT_TRAP')],
      [on(0, 'SCMP_CMP_LT', 2 ** 33, 'SCMP_ACT_LOG'), on(0, 'SCMP_CMP_LT', 2 ** 33 + 1, 'SCMP_ACT_TRAP')],
    ];
    for (const [first, second] of pairs) {
      for (const syscalls of [
        [first!, second!],
        [second!, first!],
      ]) {
        expect([syscalls, answer(filterOf({ syscalls }), 'ioctl', 5n)]).toEqual([syscalls, answerOf('SCMP_ACT_LOG')]);
      }
    }
  });
  test('names that no architecture has are listed, and skipped', () => {
    const syscalls = [rule(['read', 'raed', 's390_pci_mmio_read', 'waitpid'])];
    const names = ['raed', 's390_pci_mmio_read'];
    const profile = { defaultAction: 'SCMP_ACT_ERRNO', syscalls } as const;
    expect(compileFilter(profile, { arch: 'x64' }).skipped).toEqual([...names, 'waitpid']);
    const compiled = compileFilter({ ...profile, architectures: ['SCMP_ARCH_X86'] }, { arch: 'x64' });
    expect(compiled.skipped).toEqual(names);
    expect(compiled).toBeInstanceOf(Uint8Array);
    expect(Object.keys(compiled)).not.toContain('skipped');
  });
  test('a socket call on x86 by socketcall(2) too', () => {
    const filter = filterOf({ architectures: ['SCMP_ARCH_X86'], syscalls: [rule(['bind', 'statx'])] });
    const socketcall = numbersOf('x86').get('socketcall')!;
    expect(filter.answer(callOf(x86, socketcall, [2n]))).toBe(allow);
    expect(filter.answer(callOf(x86, socketcall, [3n]))).toBe(EPERM);
    expect(filter.answer(callOf(x86, numbersOf('x86').get('bind')!))).toBe(allow);
  });
  test('the machine by default', () => {
    const { arch } = process as { arch: 'x64' };
    const profile = {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [rule(['read'], undefined, 'SCMP_ACT_ERRNO')],
    } as const;
    expect(compileFilter(profile)).toEqual(compileFilter(profile, { arch }));
    expect(compileFilter(profile, { arch: 'arm64' })).not.toEqual(compileFilter(profile, { arch: 'x64' }));
  });
});

describe('large profiles', () => {
  const manyValues = (count: number): SeccompRule[] =>
    Array.from({ length: count }, (_, index) => rule(['ioctl'], [{ index: 1, value: index * 7, op: 'SCMP_CMP_EQ' }]));

  test('jumps of more than 255 instructions lead where they should', () => {
    const filter = filterOf({ syscalls: [...manyValues(1500), rule(['read', 'statx', 'close'])] });
    expect(filter.length).toBeGreaterThan(1500);
    for (const index of [0, 1, 700, 1498, 1499]) {
      expect(answer(filter, 'ioctl', 0n, BigInt(index * 7))).toBe(allow);
      expect(answer(filter, 'ioctl', 0n, BigInt(index * 7 + 1))).toBe(EPERM);
    }
    expect(['read', 'write', 'close', 'statx', 'rseq'].map((name) => answer(filter, name))).toEqual([
      allow,
      EPERM,
      allow,
      allow,
      EPERM,
    ]);
  });
  test('more than the kernel takes is refused, with how much it is', () => {
    expect(compiling({ defaultAction: 'SCMP_ACT_ERRNO', syscalls: manyValues(10_000) }, { arch: 'x64' })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'profile', 'instructions, and the kernel takes 4096'),
    );
  });
  test('10,000 rules that say the same are a few instructions', () => {
    const syscalls = Array.from({ length: 10_000 }, () => rule(['read', 'write']));
    expect(filterOf({ syscalls }).length).toBeLessThan(20);
  });
});
