// From the arguments of a recorded call to those of the system call, along its signature.
import { refusedOption } from '../../errors/argument-error';
import { kindOf, type Kind as Signature, signatureOf } from '../signatures';
import {
  encodeAny,
  encodeArguments,
  encodeBytes,
  encodeEnvironment,
  encodeLengthWord,
  encodeOut,
  encodePair,
  encodeSocketOption,
  encodeText,
} from './memory';
import { checkSignal, encodeDescriptor, encodeFlags, encodeInteger, encodeLength, number } from './numbers';
import { encodeMessage, encodeReceived } from './messages';
import type { Operand, Sink } from './operand';
import {
  encodeCapabilities,
  encodeCapabilityHeader,
  encodeCpus,
  encodeFilter,
  encodeGroups,
  encodeInterfaceRequest,
  encodeLock,
  encodeSignalAction,
  encodeSignalSet,
  encodeSocketAddress,
  encodeStruct,
} from './structures';

type Encoder = (sink: Sink, value: unknown, option: string, about: string) => Operand;

/** What a caller gives, by the word of its kind. */
const given: Readonly<Record<string, Encoder>> = {
  fd: encodeDescriptor,
  int: encodeInteger,
  octal: encodeInteger,
  ioprio: encodeInteger,
  one: encodeInteger,
  socktype: encodeInteger,
  set: encodeFlags,
  signal: (_sink, value, option) => number(checkSignal(value, option)),
  path: encodeText,
  text: encodeText,
  argv: encodeArguments,
  env: encodeEnvironment,
  bytes: encodeBytes,
  sockopt: encodeSocketOption,
  out: (sink, value, option, about) => encodeOut(sink, value, option, Number(about)),
  struct: encodeStruct,
  sockaddr: encodeSocketAddress,
  sigset: encodeSignalSet,
  sigaction: encodeSignalAction,
  fprog: encodeFilter,
  groups: encodeGroups,
  cpus: encodeCpus,
  capabilities: encodeCapabilities,
  ifreq: encodeInterfaceRequest,
  flock: encodeLock,
  message: encodeMessage,
  received: encodeReceived,
  any: encodeAny,
};

/** What the recorder fills in. */
const filled: Readonly<Record<string, (sink: Sink, before: Operand | undefined, about: string) => Operand>> = {
  null: () => number(0),
  is: (_sink, _before, about) => number(Number(about)),
  length: (_sink, before) => number(before!.length),
  socklen: (sink, before) => encodeLengthWord(sink, before!),
  capheader: encodeCapabilityHeader,
  pair: encodePair,
  // Known only when the next argument is: set there.
  ahead: () => number(0),
};

/** Encodes all arguments of `name`. @throws ArgumentError */
export function encodeArgumentsOf(sink: Sink, name: string, args: readonly unknown[]): Operand[] {
  const kinds = signatureOf(name).map(kindOf);
  const operands: Operand[] = [];
  let next = 0;
  for (const kind of kinds) {
    if (kind.word === 'length' && kind.optional) {
      operands.push(
        encodeLength(sink, args[next], operands.at(-1)!.length, args[next - 1], `${name}[${next}] argument`),
      );
      next++;
      continue;
    }
    const fill = filled[kind.word];
    if (fill !== undefined) {
      operands.push(fill(sink, operands.at(-1), kind.about));
      continue;
    }
    const operand = encodeOne(sink, kind, args[next], `${name}[${next}] argument`);
    next++;
    if (kinds[operands.length - 1]?.word === 'ahead') operands[operands.length - 1] = number(operand.length);
    operands.push(operand);
  }
  if (args.length > next) throw refusedOption(`${name}[${next}] argument`, `is one too many: ${name}() takes ${next}`);
  return operands;
}

function encodeOne(sink: Sink, kind: Signature, value: unknown, option: string): Operand {
  if (kind.optional && (value === undefined || value === null)) return number(0);
  return given[kind.word]!(sink, value, option, kind.about);
}
