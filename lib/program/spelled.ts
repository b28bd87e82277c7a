// Instructions spelled with the kernel's names, argument by argument.
import { constants } from '../kernel/constants';
import { errnoName } from '../kernel/errno-texts';
import { signalName } from '../kernel/signals';
import { stepConstants } from '../kernel/step-constants';
import { spellSocketAddress } from './calls/socket-address';
import { AnyErrno, ChannelWord, Kind, Policy, ProcWord, Reserved } from './format';
import type { Reader } from './reader';
import { kindOf, signatureOf } from './signatures';
import { quote, spellOne, spellSet, spellSocketType } from './spelling';
import { structs } from './structs';

/** So many bytes of a buffer are shown. */
const shown = 32;

/** Kinds of which 0 is no number. */
const addresses = new Set(
  'argv bytes capabilities env fprog nodes null out path pointer sigaction sigset sockaddr struct text'.split(' '),
);

/** Flags in the upper bits, of which none are said where there are none. */
function spellMemoryPolicy(value: number): string {
  const mode = spellOne(
    value & 0xfff,
    'MPOL_DEFAULT,MPOL_PREFERRED,MPOL_BIND,MPOL_INTERLEAVE,MPOL_LOCAL,MPOL_WEIGHTED_',
  );
  const flags = value & ~0xfff;
  return flags === 0 ? mode : `${mode}|${spellSet(flags, 'MPOL_F_')}`;
}

export function spellNumber(value: number, kind: string): string {
  const { word, about } = kindOf(kind);
  switch (word) {
    case 'fd':
      return value === constants.AT_FDCWD ? 'AT_FDCWD' : String(value);
    case 'set':
      return spellSet(value, about);
    case 'one':
      return spellOne(value, about);
    case 'socktype':
      return spellSocketType(value);
    case 'octal':
      return value === 0 ? '0' : `0${value.toString(8)}`;
    case 'ioprio':
      // The kernel's own macro, of linux/ioprio.h.
      return `IOPRIO_PRIO_VALUE(${spellOne(value >> 13, 'IOPRIO_CLASS_')}, ${value & 0x1fff})`;
    case 'mempolicy':
      return spellMemoryPolicy(value);
    case 'signal':
      return value === 0 ? '0' : signalName(value);
    case 'limit':
      return value === -1 ? 'RLIM_INFINITY' : String(value);
    default:
      if (value === 0 && addresses.has(word)) return 'NULL';
      return value === 0xffffffff ? '~0' : String(value);
  }
}

function spellStruct(reader: Reader, place: number, name: string): string {
  const struct = structs[name];
  if (struct === undefined) return `{${name}}`;
  const fields = Object.entries(struct.fields)
    .map(([field, { at, size, kind }]) => [field, reader.number(place + at, size), kind ?? 'int'] as const)
    // 0 is nothing, but where numbers have names.
    .filter(([, value, kind]) => value !== 0 || kind.startsWith('one:'))
    .map(([field, value, kind]) => `${field}=${spellNumber(value, kind)}`);
  return `{${fields.join(', ')}}`;
}

/** Of `struct msghdr`: how many bytes, without those of which a call tells how many they are, and how much room for descriptors. */
function spellMessage(reader: Reader, place: number): string {
  const vectors = reader.number(place + 16, 8);
  const lengths = Array.from({ length: reader.number(place + 24, 8) }, (_, i) =>
    reader.number(vectors + i * 16 + 8, 8),
  );
  const bytes = `${lengths.reduce((sum, length) => sum + length, 0)} bytes`;
  if (reader.number(place + 40, 8) === 0) return `{${bytes}}`;
  return `{${bytes}, SCM_RIGHTS of ${(reader.number(reader.number(place + 32, 8), 8) - 16) / 4}}`;
}

function spellInterfaceRequest(reader: Reader, place: number): string {
  const flags = spellSet(reader.number(place + 16, 2), 'IFF_UP,IFF_RUNNING,IFF_PROMISC');
  return `{${quote(reader.string(place))}, ${flags}}`;
}

function setBits(mask: Buffer): number[] {
  return [...mask].flatMap((byte, at) =>
    Array.from({ length: 8 }, (_, bit) => bit)
      .filter((bit) => ((byte >> bit) & 1) === 1)
      .map((bit) => at * 8 + bit),
  );
}

function spellSignals(mask: bigint): string {
  const names = Array.from({ length: 64 }, (_, bit) =>
    ((mask >> BigInt(bit)) & 1n) === 0n ? '' : signalName(bit + 1),
  );
  return `[${names.filter((name) => name !== '').join(' ')}]`;
}

/** What a piece of the data has to be; undefined where that is still to be found out. */
export function spellExpected(bytes: Buffer): string | undefined {
  if (bytes.every((byte) => byte === 0)) return undefined;
  // A string is shown without the NUL byte that ends it.
  const text = bytes.at(-1) === 0 ? spellBytes(bytes.subarray(0, -1)) : '';
  return text.startsWith('"') ? text : spellBytes(bytes);
}

export function spellBytes(bytes: Buffer): string {
  const text = bytes.toString('latin1', 0, shown);
  const rest = bytes.length > shown ? '…' : '';
  return /^[\x20-\x7e\n\t]*$/.test(text) ? quote(text) + rest : `<${bytes.toString('hex', 0, shown)}${rest}>`;
}

function spellPlace(reader: Reader, instruction: number, index: number, place: number, kind: string): string {
  const { word, about } = kindOf(kind);
  switch (word) {
    case 'path':
    case 'text':
      return reader.isFilled(place) ? `&data[${place}]` : quote(reader.string(place));
    case 'argv':
      return `[${reader.strings(place).map(quote).join(', ')}]`;
    case 'env':
      // Long, and full of secrets.
      return `[${reader.strings(place).length} variables]`;
    case 'sockaddr':
      return spellSocketAddress(reader.bytes(place, reader.value(instruction, index + 1)));
    case 'ifreq':
      // Requests about interfaces are those of linux/sockios.h; the others that set-up needs take a number.
      return reader.value(instruction, 1) >> 8 === 0x89
        ? spellInterfaceRequest(reader, place)
        : `[${reader.number(place, 4)}]`;
    case 'sigset':
      return spellSignals(reader.bits(place));
    case 'sigaction':
      return reader.number(place, 8) === 1 ? '{SIG_IGN}' : '{SIG_DFL}';
    case 'fprog':
      return `{${reader.number(place, 2)} instructions}`;
    case 'groups':
      return `[${reader.unsigned(place, reader.value(instruction, index - 1)).join(', ')}]`;
    case 'nodes':
      return `[${setBits(reader.bytes(place, reader.value(instruction, index + 1) >> 3)).join(' ')}]`;
    case 'bytes':
      // Memory that an earlier call fills, as far as that call will say.
      if (reader.kind(instruction, index + 1) !== Kind.Number) return `&data[${place}]`;
      if (reader.label(instruction)?.isSecret) return `[${reader.value(instruction, index + 1)} bytes]`;
      return spellBytes(reader.bytes(place, reader.value(instruction, index + 1)));
    case 'message':
    case 'received':
      return spellMessage(reader, place);
    case 'struct':
      return spellStruct(reader, place, about);
    default:
      return `&data[${place}]`;
  }
}

export function spellWord(reader: Reader, place: number): string {
  switch (place) {
    case ChannelWord:
      return 'channel';
    case ProcWord:
      return 'proc';
    default: {
      const source = (place - Reserved) / 4;
      return source < reader.sources ? `source[${source}]` : `data[${place}]`;
    }
  }
}

export function spellArgument(reader: Reader, instruction: number, index: number, kind: string): string {
  const value = reader.value(instruction, index);
  switch (reader.kind(instruction, index)) {
    case Kind.Number:
      return spellNumber(value, kind);
    case Kind.Data:
      return spellPlace(reader, instruction, index, value, kind);
    case Kind.Result:
      return `r${value}`;
    case Kind.Word:
      if (reader.recorded(instruction)) return `data[${value}]`;
      return spellWord(reader, value);
    case Kind.Report:
      return '&report.pid';
  }
}

/** What the arguments of a call are, as far as it is known; of some calls one of them tells of the others. */
export function kindsOf(reader: Reader, instruction: number): readonly string[] {
  const name = reader.name(instruction);
  if (name === 'landlock_add_rule' && reader.value(instruction, 1) === stepConstants().LANDLOCK_RULE_NET_PORT)
    return ruleOfPort;
  if (name !== 'prctl' || reader.kind(instruction, 0) !== Kind.Number) return signatureOf(name);
  switch (reader.value(instruction, 0)) {
    case constants.PR_CAPBSET_DROP:
      return prctlOfCapability;
    case constants.PR_SET_SECCOMP:
      return reader.value(instruction, 1) === constants.SECCOMP_MODE_FILTER ? prctlOfFilter : signatureOf(name);
    case constants.PR_CAP_AMBIENT:
      return reader.value(instruction, 1) === constants.PR_CAP_AMBIENT_CLEAR_ALL ? prctlOfClearing : prctlOfAmbient;
    default:
      return signatureOf(name);
  }
}

const ruleOfPort = ['fd', 'one:LANDLOCK_RULE_', 'struct:landlock_net_port_attr', 'int'];
const [operation] = signatureOf('prctl');
const prctlOfCapability = [operation!, 'one:CAP_'];
const prctlOfFilter = [operation!, 'one:SECCOMP_MODE_', 'fprog'];
const prctlOfClearing = [operation!, 'one:PR_CAP_AMBIENT_', 'any?'];
const prctlOfAmbient = [operation!, 'one:PR_CAP_AMBIENT_', 'one:CAP_'];

/** What is not plain of an instruction: 'at least 5', 'EEXIST: go on', 'EACCES: go to 17'. */
export function spellPolicies(reader: Reader, instruction: number): string[] {
  const parts: string[] = [];
  const policy = reader.policy(instruction);
  if ((policy & Policy.Fork) !== 0) parts.push('go on in the new process');
  if ((policy & Policy.Stay) !== 0) parts.push('the old one stays as pid 1');
  if ((policy & Policy.HasMinimum) !== 0) parts.push(`at least ${reader.minimum(instruction)}`);
  if ((policy & Policy.Retry) !== 0) parts.push('EAGAIN: once more');
  if ((policy & Policy.Awaits) !== 0) parts.push('when it can be read');
  if ((policy & Policy.Explains) !== 0) parts.push(`failure: read(${spellArgument(reader, instruction, 0, 'fd')})`);
  const targets = new Map<number, string[]>();
  for (const { errno, skip } of reader.rules(instruction)) {
    const name = errno === AnyErrno ? 'any error' : errnoName(errno);
    targets.set(skip, [...(targets.get(skip) ?? []), name]);
  }
  for (const [skip, names] of targets) {
    parts.push(skip === 0 ? `${names.join(', ')}: go on` : `${names.join(', ')}: go to ${instruction + skip + 1}`);
  }
  return parts;
}

export function spellTarget(reader: Reader, instruction: number): string {
  const place = reader.value(instruction, 1);
  const isOurs = place < Reserved && !reader.recorded(instruction);
  return isOurs ? spellWord(reader, place) : `data[${place}]`;
}

/** A system call, in parts. */
export interface SpelledCall {
  readonly name: string;
  readonly args: readonly string[];
  /** ' = r3' */
  readonly kept: string;
  readonly policies: readonly string[];
}

export function spellCall(reader: Reader, instruction: number): SpelledCall {
  const kinds = kindsOf(reader, instruction);
  const slot = reader.slot(instruction);
  return {
    name: reader.name(instruction),
    args: Array.from({ length: reader.argumentCount(instruction) }, (_, index) =>
      spellArgument(reader, instruction, index, kinds[index] ?? 'int'),
    ),
    kept: slot === undefined ? '' : ` = r${slot}`,
    policies: spellPolicies(reader, instruction),
  };
}

/** 'openat(AT_FDCWD, "/", O_RDONLY) = r3  # EAGAIN: once more' */
export function joinCall({ name, args, kept, policies }: SpelledCall): string {
  const rest = policies.length === 0 ? '' : `  # ${policies.join('; ')}`;
  return `${name}(${args.join(', ')})${kept}${rest}`;
}
