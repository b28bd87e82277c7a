// Steps of the option `hold`: where the set-up waits for start(). At 'exec' all is set up but the filters. Beside a pid 1 of ours it is
// that which waits, before it makes the program: what is done to a held child has to reach the program, and most of it is inherited
// by a fork.
import { array, oneOf } from '../check';
import { invalidArgType, invalidArgValue, refusedOption } from '../errors/argument-error';
import { Flags } from '../flags';
import type { Request } from '../assembly/request';
import type { HoldPoint } from '../assembly/settings';
import type { Step } from '../assembly/step';
import type { Label, Writer } from '../program/writer';
import { descriptorsOf, holdForByte, sayExecuting, takeDescriptors } from './hold-by-descriptor';
import { lookForCommand } from './look-for-command';
import { holdHere } from './wait-for-start';

const points = ['maps', 'mounts', 'exec'] as const;

function pointsOf(value: unknown): readonly HoldPoint[] {
  if (typeof value === 'boolean') return value ? ['exec'] : [];
  if (typeof value === 'string') return [oneOf(value, 'hold', points)];
  if (!Array.isArray(value))
    throw invalidArgType('hold', `of type boolean, one of ${points.join(', ')}, an array of them, or { fd }`, value);
  if (value.length === 0) throw invalidArgValue('hold', value, 'must not be empty');
  return array(value, 'hold').map((point, index) => oneOf(point, `hold[${index}]`, points));
}

function refuseWithMaps(request: Request, option: 'uidMap' | 'gidMap'): void {
  if (request[option] === undefined) return;
  throw refusedOption(option, "must not be given with hold 'maps': somebody else writes them");
}

function holdAtExec(writer: Writer, request: Request): void {
  lookForCommand(writer, request);
  if (request.heldBy === undefined) holdHere(writer, request, 'exec');
  else holdForByte(writer, request);
}

function hint(code: string, { option }: Label): string | undefined {
  if (option === 'hold.fd' && code === 'EIO')
    return 'nobody can write to it any more; open a FIFO for reading and writing, so that there is always one who can';
  return undefined;
}

export const holdSources: Step = {
  name: 'hold sources',
  options: [],
  onlyWhenGiven: 'hold',
  after: { 'stdio sources': 'room for the numbers of our ends is made there' },

  emit(writer, request) {
    if (request.heldBy !== undefined) takeDescriptors(writer, request);
  },
};

export const hold: Step = {
  name: 'hold',
  options: ['hold'],
  onlyWhenGiven: true,
  after: {
    identity: 'what is done to a held child is done to the final one',
    noNewPrivileges: 'only the filters are left',
    cwd: 'only the filters are left',
    'steps at exec': 'only the filters are left',
    landlock: 'only the filters are left',
  },

  check({ hold: value }, request) {
    const isByDescriptor = typeof value === 'object' && value !== null && !Array.isArray(value);
    request.heldBy = isByDescriptor ? descriptorsOf(value) : undefined;
    request.holds = isByDescriptor ? ['exec'] : pointsOf(value);
  },

  settle(request) {
    if (request.heldBy !== undefined && request.parentDeathSignal !== 0) {
      throw refusedOption(
        'parentDeathSignal',
        'cannot go with hold: { fd }: the child is to outlive who would send it',
      );
    }
    if (request.holdsAt('mounts') && !request.creates(Flags.NEWNS) && !request.joinsAny(Flags.NEWNS)) {
      throw refusedOption('hold', "cannot be 'mounts' without Flags.NEWNS in flags: there are none of its own");
    }
    if (!request.holdsAt('maps')) return;
    if (!request.creates(Flags.NEWUSER)) {
      throw refusedOption('hold', "cannot be 'maps' without Flags.NEWUSER in flags: there is nothing to map");
    }
    if (request.joinsUser)
      throw refusedOption(
        'hold',
        "cannot be 'maps' below a user namespace that is joined: others there could look into who waits for its maps",
      );
    refuseWithMaps(request, 'uidMap');
    refuseWithMaps(request, 'gidMap');
  },

  emit(writer, request) {
    if (!request.holdsAt('exec') || request.init) return;
    holdAtExec(writer, request);
  },

  hint,
};

export const holdMounts: Step = {
  name: 'hold at mounts',
  options: [],
  onlyWhenGiven: 'hold',
  after: {
    mounts: 'they are all made',
    'steps at mounts': 'they are all made',
    handover: 'we may enter what it is in',
  },

  emit(writer, request) {
    if (!request.holdsAt('mounts')) return;
    // In another root it is looked for at the stop 'exec'; and a hook may bring what lines of its own mount.
    if (!request.changesRoot && request.ownLines.length === 0) lookForCommand(writer, request, false);
    holdHere(writer, request, 'mounts');
  },
};

export const holdPidOne: Step = {
  name: 'hold of pid 1',
  options: [],
  onlyWhenGiven: 'hold',
  after: { mounts: 'what pid 1 and the program share is all set up' },

  emit(writer, request) {
    if (!request.holdsAt('exec') || !request.init) return;
    holdAtExec(writer, request);
  },
};

export const startReport: Step = {
  name: 'start report',
  options: [],
  onlyWhenGiven: 'hold',
  after: {
    hold: 'whoever has started it is told how far it came',
    'signal mask': 'a signal that was waiting has ended the process by then, which would never execute what it says',
  },

  emit: sayExecuting,
};
