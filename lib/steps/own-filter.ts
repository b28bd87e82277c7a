// Whether it was the filter of the option `seccomp` that refused a call of the set-up: those that are installed before it is done.
import type { Filter } from '../assembly/request';
import { constants } from '../kernel/constants';
import { errnoByName } from '../kernel/errno';
import { syscallNumber } from '../kernel/syscalls';

const { SECCOMP_RET_ERRNO } = constants;
/** AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64 of linux/audit.h. */
const ourArchitecture = process.arch === 'arm64' ? 0xc000_00b7 : 0xc000_003e;
const instructionSize = 8;

/** A comparison of classic BPF; undefined where it is none. */
function compare(code: number, word: number, value: number): boolean | undefined {
  if (code === 0x15) return word === value;
  if (code === 0x25) return word > value;
  if (code === 0x35) return word >= value;
  return code === 0x45 ? (word & value) !== 0 : undefined;
}

/** What it may answer to a call whatever its arguments are. */
function answersTo({ filter }: Filter, number: number): Set<number> {
  const answers = new Set<number>();
  const ways: [at: number, word: number | undefined][] = [[0, undefined]];
  const seen = new Set<string>();
  for (let way = ways.pop(); way !== undefined; way = ways.pop()) {
    const [at, word] = way;
    const offset = at * instructionSize;
    if (offset >= filter.length || seen.has(way.join())) continue;
    seen.add(way.join());
    const [code, value] = [filter.readUInt16LE(offset), filter.readUInt32LE(offset + 4)];
    const [yes, no] = [filter[offset + 2]!, filter[offset + 3]!];
    if (code === 0x06) answers.add(value);
    else if (code === 0x05) ways.push([at + 1 + value, word]);
    else if (code === 0x20) ways.push([at + 1, value === 0 ? number : value === 4 ? ourArchitecture : undefined]);
    else if (compare(code, 0, 0) === undefined) ways.push([at + 1, undefined]);
    else {
      const holds = word === undefined ? undefined : compare(code, word, value);
      if (holds !== false) ways.push([at + 1 + yes, word]);
      if (holds !== true) ways.push([at + 1 + no, word]);
    }
  }
  return answers;
}

/** Whether one of them may answer this call with this error. */
export function mayRefuse(filters: readonly Filter[], call: string, code: string): boolean {
  const number = syscallNumber(call);
  const errno = errnoByName[code];
  if (number === undefined || errno === undefined) return false;
  return filters.some((filter) => answersTo(filter, number).has(SECCOMP_RET_ERRNO | errno));
}

export function whyFiltered(call: string): string {
  return `the filter of the option seccomp must allow ${call}`;
}
