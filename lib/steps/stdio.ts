// Step `stdio`: the program's descriptors, from 0 on.
import { fileDescriptor } from '../check';
import { invalidArgType, invalidArgValue } from '../errors/argument-error';
import { constants } from '../kernel/constants';
import { ProcWord } from '../program/format';
import type { Slot, Writer } from '../program/writer';
import * as call from '../assembly/calls';
import type { Request } from '../assembly/request';
import { channelEntry, channelSource, defaultStdio, type StdioSource } from '../assembly/stdio-source';
import type { Step } from '../assembly/step';
import { lowestFree, sourceWord } from '../assembly/words';

const { AT_FDCWD, F_DUPFD_CLOEXEC, F_SETFD, O_CLOEXEC, O_RDWR } = constants;

/** asm/ioctls.h: switches O_NONBLOCK, which is shared by all who have the open file. */
const FIONBIO = 0x5421;

const words = "'pipe', 'overlapped', 'socket', 'inherit' or 'ignore'";
/** The most descriptors that a child may be given at once. */
const mostEntries = 1024;

function descriptorOf(value: object): unknown {
  const { fd, _handle: handle } = value as { fd?: unknown; _handle?: { fd?: unknown } };
  return typeof fd === 'number' ? fd : handle?.fd;
}

function checkEntry(value: unknown, index: number): StdioSource {
  const option = `stdio[${index}]`;
  const standard = index < 3;
  switch (value ?? (standard ? 'pipe' : 'ignore')) {
    case 'pipe':
    case 'overlapped':
      return { kind: 'pipe', socket: !standard };
    case 'socket':
      return { kind: 'pipe', socket: true };
    case 'inherit':
      return { kind: 'descriptor', descriptor: index };
    case 'ignore':
      return { kind: standard ? 'null' : 'closed' };
    case channelEntry:
      return channelSource;
    case 'ipc':
      throw invalidArgValue(option, value, "cannot be 'ipc': only fork() has a channel for messages");
    default:
  }
  if (typeof value === 'number') return { kind: 'descriptor', descriptor: fileDescriptor(value, option) };
  if (typeof value === 'string') throw invalidArgValue(option, value, `must be ${words}`);
  // Told by its shape, as child_process does: a stream of another realm or library is one too.
  if (typeof value === 'object' && value !== null && ('fd' in value || '_handle' in value || 'pipe' in value)) {
    const descriptor = descriptorOf(value);
    if (typeof descriptor !== 'number' || descriptor < 0) {
      throw invalidArgValue(option, value, 'must be a stream that is open and has a descriptor of its own');
    }
    return { kind: 'descriptor', descriptor, stream: value };
  }
  throw invalidArgType(option, `${words}, a descriptor or a stream`, value);
}

const inherited: readonly StdioSource[] = [0, 1, 2].map((index) => checkEntry('inherit', index));
const ignored: readonly StdioSource[] = [0, 1, 2].map((index) => checkEntry('ignore', index));

/** Checks a `stdio` option; missing entries of 0 to 2 are pipes, as with child_process. */
export function checkStdio(value: unknown): readonly StdioSource[] {
  if (value === 'pipe' || value === 'overlapped') return defaultStdio;
  if (value === 'ignore') return ignored;
  if (value === 'inherit') return inherited;
  if (typeof value === 'string') throw invalidArgValue('stdio', value, `must be ${words.replace("'socket', ", '')}`);
  if (!Array.isArray(value)) throw invalidArgType('stdio', 'of type string or an instance of Array', value);
  if (value.length > mostEntries)
    throw invalidArgValue('stdio', value.length, `must have at most ${mostEntries} entries`);
  return Array.from({ length: Math.max(3, value.length) }, (_, index) => checkEntry(value[index], index));
}

/**
 * First of all: room for the numbers of our ends, and what is opened before the view changes. Sources that lie where another
 * entry goes are moved out of the way.
 */
export const stdioSources: Step = {
  name: 'stdio sources',
  options: [],
  after: {},

  emit(writer, request) {
    const { stdio } = request;
    writer.sources = stdio.length + request.targets.length + request.cgroups.length;
    writer.reserve(writer.sources * 4);
    const none = stdio.findIndex((source) => source.kind === 'null');
    if (none < 0) return;
    writer.about(this.name, 'stdio', none).subject('/dev/null');
    writer.add(call.openat, AT_FDCWD, writer.addText('/dev/null'), O_RDWR | O_CLOEXEC);
    const opened = writer.keep();
    writer.add(call.fcntlOf, opened, F_DUPFD_CLOEXEC, lowestFree(request));
    writer.keep();
    writer.add(call.close, opened);
  },
};

/** The kept result of {@link stdioSources}, which is the second of the program. */
const nullDescriptor: Slot = 1;

/** The number of our /proc, which may lie where an entry goes. */
function moveProc(writer: Writer, request: Request): void {
  if (request.stdio.length <= 3 || request.procOption === undefined) return;
  writer.about('stdio', request.procOption).add(call.fcntlAt, ProcWord, F_DUPFD_CLOEXEC, lowestFree(request));
  const moved = writer.keep();
  writer.add(call.closeAt, ProcWord).store(moved, ProcWord, 4);
}

export const stdio: Step = {
  name: 'stdio',
  options: ['stdio'],
  after: {
    'join sources': 'what is joined may lie where an entry goes',
    cgroup: 'its descriptor may lie where an entry goes',
    'mount sources': 'they may lie where an entry goes',
    'landlock sources': 'they may lie where an entry goes',
    'command file': 'its descriptor may lie where an entry goes',
    'seccomp listener': 'its socket is moved out of the way of the entries',
    'terminal socket': 'it may lie where an entry goes',
  },

  check(given, request) {
    request.stdio = checkStdio(given.stdio);
    request.stdioGiven = true;
  },

  emit(writer, request) {
    moveProc(writer, request);
    const sources = request.stdio;
    const moved: Slot[] = [];
    for (let index = 0; index < sources.length; index++) {
      const source = sources[index]!;
      if (source.kind !== 'descriptor' || source.descriptor === index || source.descriptor >= sources.length) continue;
      writer.about(this.name, 'stdio', index);
      writer.add(call.fcntl, source.descriptor, F_DUPFD_CLOEXEC, lowestFree(request));
      moved[index] = writer.keep();
    }
    request.movedSlots = moved.filter((slot) => slot !== undefined);
    for (let index = 0; index < sources.length; index++) {
      const source = sources[index]!;
      writer.about(this.name, 'stdio', index);
      switch (source.kind) {
        case 'closed':
          break;
        case 'null':
          writer.add(call.dup3Of, nullDescriptor, index);
          break;
        case 'pty':
        case 'pipe':
          writer.add(call.dup3At, sourceWord(index), index);
          break;
        case 'descriptor':
          if (source.descriptor === index) {
            // dup3(2) of a descriptor onto itself is EINVAL, and those of Node are close-on-exec.
            writer.add(call.fcntl, index, F_SETFD);
          } else {
            const slot = moved[index];
            if (slot === undefined) writer.add(call.dup3, source.descriptor, index);
            else writer.add(call.dup3Of, slot, index);
          }
          writer.keepOpen(source.descriptor);
          // Node's own are non-blocking, which programs do not expect of 0 to 2; what cannot be switched is none that blocks.
          if (index < 3) writer.add(call.ioctl, index, FIONBIO, writer.reserve(8)).acceptAny();
          break;
      }
    }
    // Whatever has these numbers in Node must not reach the program. Last: until now it may have been a source.
    for (let index = 0; index < sources.length; index++) {
      if (sources[index]!.kind !== 'closed') continue;
      writer.about(this.name, 'stdio', index).add(call.close_range, index, index);
    }
  },

  hint: (code) => (code === 'EBADF' ? 'this descriptor is not open in Node' : undefined),
};
