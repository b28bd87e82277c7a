// Whether it was the filter of the option `seccomp` that refused a call of the set-up: those that are installed before it is done.
import type { Filter } from '../assembly/settings';
import { constants } from '../kernel/constants';
import { errnoByName } from '../kernel/errno';
import { instructionSize, ownAudit } from './sock-filter';
import { syscallNumber, syscalls, type SyscallName } from '../kernel/syscalls';

const { SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV } = constants;
const { SECCOMP_RET_ACTION_FULL, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_LOG, SECCOMP_RET_USER_NOTIF } =
  constants;
/** BPF_CLASS and BPF_JMP of linux/bpf_common.h. */
const [classOf, jumps] = [0x07, 0x05];
/** In the place of an answer: one that has been computed. */
const computed = -1;

/** A comparison of classic BPF with a number; undefined where it is none. */
function compare(code: number, word: number, value: number): boolean | undefined {
  if (code === 0x15) return word === value;
  if (code === 0x25) return word > value;
  if (code === 0x35) return word >= value;
  return code === 0x45 ? (word & value) !== 0 : undefined;
}

/** What it may answer to a call whatever its arguments are. */
function answersTo({ filter }: Pick<Filter, 'filter'>, number: number): Set<number> {
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
    else if (code === 0x16) answers.add(computed);
    else if (code === 0x05) ways.push([at + 1 + value, word]);
    else if (code === 0x20) ways.push([at + 1, value === 0 ? number : value === 4 ? ownAudit : undefined]);
    else if ((code & classOf) !== jumps) ways.push([at + 1, undefined]);
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

/** Whether it lets this call through, whatever its arguments are. */
export function letsThrough(filter: Pick<Filter, 'filter'>, call: SyscallName): boolean {
  const letting = (answer: number): boolean => {
    const action = (answer & SECCOMP_RET_ACTION_FULL) >>> 0;
    return answer !== computed && (action === SECCOMP_RET_ALLOW || action === SECCOMP_RET_LOG);
  };
  return [...answersTo(filter, syscalls[call])].every(letting);
}

/** Whether it may answer this call with success without making it. */
export function mayPretend(filter: Pick<Filter, 'filter'>, call: SyscallName): boolean {
  const answers = answersTo(filter, syscalls[call]);
  return answers.has(SECCOMP_RET_ERRNO) || answers.has(computed);
}

/** Whether it may answer this call with an error or an end. Who is notified may still let it through. */
export function mayKeep({ filter, listener }: Pick<Filter, 'filter' | 'listener'>, call: SyscallName): boolean {
  return [...answersTo({ filter }, syscalls[call])].some((answer) => {
    const action = (answer & SECCOMP_RET_ACTION_FULL) >>> 0;
    if (action === SECCOMP_RET_USER_NOTIF) return listener === undefined;
    return answer !== computed && action !== SECCOMP_RET_ALLOW && action !== SECCOMP_RET_LOG;
  });
}

export function whyFiltered(call: string): string {
  return `the filter of the option seccomp must allow ${call}`;
}

/** Why the kernel takes a filter from nobody, or not this one from us. */
export function whyNotInstalled(code: string, flags = 0): string | undefined {
  switch (code) {
    case 'EBUSY':
      return 'we are supervised ourselves: the kernel takes one listener for a process and all that it starts';
    case 'EACCES':
      return 'needs CAP_SYS_ADMIN, or noNewPrivileges';
    case 'EINVAL':
      return (flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) === 0
        ? 'the kernel refuses this filter: a bad instruction, or a jump out of it'
        : 'the kernel refuses this filter, or the flag WAIT_KILLABLE_RECV, which came with Linux 5.19';
    case 'ENOMEM':
      return 'all filters together have more instructions than the kernel takes';
    default:
      return undefined;
  }
}
