// A program as text: read back from the bytes that will run, so that a listing cannot say anything else.
import { printable } from '../errors/printable';
import { constants } from '../kernel/constants';
import { errnoName } from '../kernel/errno';
import { signalName } from '../kernel/signals';
import { syscallName } from '../kernel/syscalls';
import { AnyErrno, ChannelWord, Field, Kind, Op, Policy, ProcWord, Reserved } from './format';
import { spellSocketAddress } from './calls/socket-address';
import { kindOf, signatureOf } from './signatures';
import { quote, spellOne, spellSet, spellSocketType } from './spelling';
import { structs } from './structs';
import type { Writer } from './writer';

const two32 = 2 ** 32;
/** So many bytes of a buffer are shown. */
const shown = 32;

class Reader {
  readonly #writer: Writer;
  readonly #data: DataView;

  constructor(writer: Writer) {
    this.#writer = writer;
    this.#data = new DataView(writer.data.buffer, writer.data.byteOffset, writer.dataSize);
  }

  #word(instruction: number, field: number): number {
    return this.#writer.words[instruction * Field.Size + field]!;
  }

  op(instruction: number): Op {
    return this.#word(instruction, Field.Head) & 0xff;
  }

  argumentCount(instruction: number): number {
    return (this.#word(instruction, Field.Head) >> 8) & 0xff;
  }

  policy(instruction: number): number {
    return (this.#word(instruction, Field.Head) >> 24) & 0xff;
  }

  minimum(instruction: number): number {
    return this.#word(instruction, Field.Minimum);
  }

  /** The system call's name. */
  name(instruction: number): string {
    const number = this.#word(instruction, Field.Call) & 0xffff;
    return syscallName(number) ?? `syscall_${number}`;
  }

  /** The slot that keeps the result; undefined where none does. */
  slot(instruction: number): number | undefined {
    const keep = this.#word(instruction, Field.Call) >>> 16;
    return keep === 0 ? undefined : keep - 1;
  }

  rules(instruction: number): { errno: number; skip: number }[] {
    const count = (this.#word(instruction, Field.Head) >> 16) & 0xff;
    return Array.from({ length: count }, (_, index) => {
      const rule = this.#word(instruction, Field.Rules + index);
      return { errno: rule & 0xffff, skip: rule >>> 16 };
    });
  }

  kind(instruction: number, index: number): Kind {
    return (this.#word(instruction, Field.Kinds + (index >> 2)) >> ((index & 3) * 8)) & 0xff;
  }

  value(instruction: number, index: number): number {
    const at = Field.Arguments + index * 2;
    return this.#word(instruction, at + 1) * two32 + (this.#word(instruction, at) >>> 0);
  }

  string(place: number): string {
    const { data, dataSize } = this.#writer;
    const end = data.indexOf(0, place);
    return data.toString('utf8', place, end < 0 ? dataSize : Math.min(end, dataSize));
  }

  strings(place: number): string[] {
    const texts: string[] = [];
    for (let at = place; this.#data.getUint32(at, true) !== 0; at += 8)
      texts.push(this.string(this.#data.getUint32(at, true)));
    return texts;
  }

  bytes(place: number, length: number): Buffer {
    return this.#writer.data.subarray(place, Math.min(place + length, this.#writer.dataSize));
  }

  get sources(): number {
    return this.#writer.sources;
  }

  /** An array of unsigned 32-bit numbers. */
  unsigned(place: number, count: number): number[] {
    return Array.from({ length: count }, (_, index) => this.#data.getUint32(place + index * 4, true));
  }

  bits(place: number): bigint {
    return this.#data.getBigUint64(place, true);
  }

  /** Whether the program was recorded, so that its data has no words of stdio. */
  recorded(instruction: number): boolean {
    return this.#writer.labels?.[instruction]?.step === 'program';
  }

  number(place: number, size: 1 | 2 | 4 | 8): number {
    if (size === 8) return Number(this.#data.getBigInt64(place, true));
    return size === 4
      ? this.#data.getInt32(place, true)
      : size === 2
        ? this.#data.getUint16(place, true)
        : this.#data.getUint8(place);
  }
}

/** Kinds of which 0 is no number. */
const addresses = new Set(
  'argv bytes capabilities env fprog null out path pointer sigaction sigset sockaddr struct text'.split(' '),
);

function spellNumber(value: number, kind: string): string {
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
    .filter(([, value]) => value !== 0)
    .map(([field, value, kind]) => `${field}=${spellNumber(value, kind)}`);
  return `{${fields.join(', ')}}`;
}

function spellInterfaceRequest(reader: Reader, place: number): string {
  const flags = spellSet(reader.number(place + 16, 2), 'IFF_UP,IFF_RUNNING,IFF_PROMISC');
  return `{${quote(reader.string(place))}, ${flags}}`;
}

function spellSignals(mask: bigint): string {
  const names = Array.from({ length: 64 }, (_, bit) =>
    ((mask >> BigInt(bit)) & 1n) === 0n ? '' : signalName(bit + 1),
  );
  return `[${names.filter((name) => name !== '').join(' ')}]`;
}

function spellBytes(bytes: Buffer): string {
  const text = bytes.toString('latin1', 0, shown);
  const rest = bytes.length > shown ? '…' : '';
  return /^[\x20-\x7e\n\t]*$/.test(text) ? quote(text) + rest : `<${bytes.toString('hex', 0, shown)}${rest}>`;
}

function spellPlace(reader: Reader, instruction: number, index: number, place: number, kind: string): string {
  const { word, about } = kindOf(kind);
  switch (word) {
    case 'path':
    case 'text':
      return quote(reader.string(place));
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
    case 'bytes':
      // Memory that an earlier call fills, as far as that call will say.
      if (reader.kind(instruction, index + 1) !== Kind.Number) return `&data[${place}]`;
      return spellBytes(reader.bytes(place, reader.value(instruction, index + 1)));
    case 'struct':
      return spellStruct(reader, place, about);
    default:
      return `&data[${place}]`;
  }
}

function spellWord(reader: Reader, place: number): string {
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

function spellArgument(reader: Reader, instruction: number, index: number, kind: string): string {
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

function spellPolicies(reader: Reader, instruction: number): string {
  const parts: string[] = [];
  const policy = reader.policy(instruction);
  if ((policy & Policy.Fork) !== 0) parts.push('go on in the new process');
  if ((policy & Policy.Stay) !== 0) parts.push('the old one stays as pid 1');
  if ((policy & Policy.HasMinimum) !== 0) parts.push(`at least ${reader.minimum(instruction)}`);
  if ((policy & Policy.Retry) !== 0) parts.push('EAGAIN: once more');
  const targets = new Map<number, string[]>();
  for (const { errno, skip } of reader.rules(instruction)) {
    const name = errno === AnyErrno ? 'any error' : errnoName(errno);
    targets.set(skip, [...(targets.get(skip) ?? []), name]);
  }
  for (const [skip, names] of targets) {
    parts.push(skip === 0 ? `${names.join(', ')}: go on` : `${names.join(', ')}: go to ${instruction + skip + 1}`);
  }
  return parts.length === 0 ? '' : `  # ${parts.join('; ')}`;
}

function spellTarget(reader: Reader, instruction: number): string {
  const place = reader.value(instruction, 1);
  const isOurs = place < Reserved && !reader.recorded(instruction);
  return isOurs ? spellWord(reader, place) : `data[${place}]`;
}

function spellInstruction(reader: Reader, instruction: number): string {
  const argument = (index: number, kind: string): string => spellArgument(reader, instruction, index, kind);
  switch (reader.op(instruction)) {
    case Op.Store:
      return `${spellTarget(reader, instruction)} = ${argument(0, 'int')}`;
    case Op.Wait:
      return 'wait for the parent';
    case Op.Exit:
      return `exit with ${argument(0, 'int')}`;
    case Op.Fail:
      return `fail with ${errnoName(reader.value(instruction, 0))}`;
    case Op.Call: {
      const name = reader.name(instruction);
      const kinds = signatureOf(name);
      const count = reader.argumentCount(instruction);
      const args = Array.from({ length: count }, (_, index) => argument(index, kinds[index] ?? 'int'));
      const slot = reader.slot(instruction);
      return `${name}(${args.join(', ')})${slot === undefined ? '' : ` = r${slot}`}${spellPolicies(reader, instruction)}`;
    }
  }
}

/** One line an instruction: its number, step, option and call. */
export function list(writer: Writer): string {
  const reader = new Reader(writer);
  const rows = Array.from({ length: writer.count }, (_, instruction) => {
    const label = writer.labels?.[instruction];
    return [
      String(instruction),
      label?.step ?? '',
      label?.option ?? '',
      printable(spellInstruction(reader, instruction)),
    ];
  });
  const width = (column: number): number => Math.max(...rows.map((row) => row[column]!.length));
  const widths = [width(0), width(1), width(2)];
  return rows
    .map(([number, step, option, call]) =>
      [number!.padStart(widths[0]!), step!.padEnd(widths[1]!), option!.padEnd(widths[2]!), call].join('  ').trimEnd(),
    )
    .join('\n');
}

/** The system call of an instruction, and the first path among its arguments. */
export function callAt(writer: Writer, instruction: number): { syscall: string | undefined; path: string | undefined } {
  const reader = new Reader(writer);
  if (instruction >= writer.count || reader.op(instruction) !== Op.Call) return { syscall: undefined, path: undefined };
  const syscall = reader.name(instruction);
  const index = signatureOf(syscall).findIndex((kind) => kindOf(kind).word === 'path');
  const isText =
    index >= 0 && index < reader.argumentCount(instruction) && reader.kind(instruction, index) === Kind.Data;
  return { syscall, path: isText ? reader.string(reader.value(instruction, index)) : undefined };
}
