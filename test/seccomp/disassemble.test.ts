// Filters as text.
import { disassemble } from '../../lib/seccomp';
import { compileFilter } from '../../lib/seccomp/compile';
import { refusal } from '../support/refusal';
import { dockerShaped } from './docker-shaped';

const profile = {
  defaultAction: 'SCMP_ACT_ERRNO',
  architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
  syscalls: [
    { names: ['openat', 'nosuch'], action: 'SCMP_ACT_ALLOW' },
    {
      names: ['openat2'],
      action: 'SCMP_ACT_TRACE',
      errnoRet: 7,
      args: [{ index: 3, value: 0xff00, valueTwo: 0x1200, op: 'SCMP_CMP_MASKED_EQ' }],
    },
  ],
} as const;

/** An array of `struct sock_filter`. */
function filter(...instructions: [code: number, yes: number, no: number, value: number][]): Uint8Array {
  const bytes = Buffer.alloc(instructions.length * 8);
  instructions.forEach(([code, yes, no, value], index) => {
    bytes.writeUInt16LE(code, index * 8);
    bytes.set([yes, no], index * 8 + 2);
    bytes.writeUInt32LE(value, index * 8 + 4);
  });
  return bytes;
}

test('a filter of ours: calls by the names that they have on the architecture in scope', () => {
  const text = disassemble(compileFilter(profile, { arch: 'x64' }));
  expect(text).toMatch(/^ 0 {2}load arch\n 1 {2}if arch == x86_64 then next else \d+\n 2 {2}load number\n/);
  expect(text).toContain('257 (openat)');
  expect(text).toContain('295 (openat)');
  expect(text).toContain('load args[3].low');
  expect(text).toContain('and 0xff00');
  expect(text).toContain('if (args[3].low & 0xff00) == 0x1200 then');
  for (const answer of ['ALLOW', 'TRACE 7', 'ERRNO EPERM', 'ERRNO ENOSYS', 'KILL_THREAD']) {
    expect(text).toMatch(new RegExp(`^ *\\d+ {2}return ${answer}$`, 'm'));
  }
  expect(text).not.toContain('# never reached');
});

test('each instruction is a line, and leads to one that there is', () => {
  const compiled = compileFilter(dockerShaped, { arch: 'x64' });
  const lines = disassemble(compiled).split('\n');
  expect(lines).toHaveLength(compiled.length / 8);
  for (const [at, line] of lines.entries()) {
    for (const [, target] of line.matchAll(/(?:then|else|go to) (\d+)/g)) {
      expect(Number(target)).toBeGreaterThan(at);
      expect(Number(target)).toBeLessThan(lines.length);
    }
  }
});

test('one of somebody else', () => {
  const text = disassemble(
    filter(
      [0x20, 0, 0, 0],
      [0x15, 1, 0, 59],
      [0x05, 0, 0, 1],
      [0x06, 0, 0, 0x7fc0_0000],
      [0x07, 0, 0, 5],
      [0x06, 0, 0, 0],
    ),
  );
  // No architecture has been looked at: nobody knows whose 59 it is.
  expect(text.split('\n')).toEqual([
    '0  load number',
    '1  if number == 0x3b then 3 else next',
    '2  go to 4',
    '3  return NOTIFY',
    '4  instruction 7 0 0 5',
    '5  return KILL_THREAD',
  ]);
  expect(disassemble(filter([0x06, 0, 0, 0x0005_0000], [0x06, 0, 0, 0x8000_0000]))).toBe(
    '0  return ERRNO 0\n1  return KILL_PROCESS  # never reached',
  );
});

test('what is no filter is refused', () => {
  for (const bytes of [new Uint8Array(0), new Uint8Array(7), new Uint8Array(4097 * 8)]) {
    expect(() => disassemble(bytes)).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'filter', '1 to 4096 instructions'));
  }
  for (const value of [undefined, 'filter', [6, 0, 0, 0, 0, 0, 0, 0]]) {
    expect(() => disassemble(value as unknown as Uint8Array)).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'filter'));
  }
});
