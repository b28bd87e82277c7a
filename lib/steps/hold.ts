// Steps of the option `hold`: where the set-up waits for start(). At 'exec' all is set up but the filters. Beside a pid 1 of ours it is
// that which waits, before it makes the program: what is done to a held child has to reach the program, and most of it is inherited
// by a fork.
import { array, oneOf } from '../check';
import { invalidArgType, invalidArgValue, refusedOption } from '../errors/argument-error';
import { Flags } from '../flags';
import type { HoldPoint, Request } from '../assembly/request';
import type { Step } from '../assembly/step';
import { lookForCommand } from './look-for-command';
import { holdHere } from './wait-for-start';

const points = ['maps', 'mounts', 'exec'] as const;

function pointsOf(value: unknown): readonly HoldPoint[] {
  if (typeof value === 'boolean') return value ? ['exec'] : [];
  if (typeof value === 'string') return [oneOf(value, 'hold', points)];
  if (!Array.isArray(value))
    throw invalidArgType('hold', `of type boolean, one of ${points.join(', ')}, or an array of them`, value);
  if (value.length === 0) throw invalidArgValue('hold', value, 'must not be empty');
  return array(value, 'hold').map((point, index) => oneOf(point, `hold[${index}]`, points));
}

function refuseWithMaps(request: Request, option: 'uidMap' | 'gidMap'): void {
  if (request[option] === undefined) return;
  throw refusedOption(option, "must not be given with hold 'maps': somebody else writes them");
}

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

  check(given, request) {
    request.holds = pointsOf(given.hold);
  },

  settle(request) {
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
    lookForCommand(writer, request);
    holdHere(writer, request, 'exec');
  },
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
    if (request.holdsAt('mounts')) holdHere(writer, request, 'mounts');
  },
};

export const holdPidOne: Step = {
  name: 'hold of pid 1',
  options: [],
  onlyWhenGiven: 'hold',
  after: { mounts: 'what pid 1 and the program share is all set up' },

  emit(writer, request) {
    if (!request.holdsAt('exec') || !request.init) return;
    lookForCommand(writer, request);
    holdHere(writer, request, 'exec');
  },
};
