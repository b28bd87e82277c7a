// Step `time`: the new time namespace and its offsets, which the second clone enters; see time_namespaces(7).
import { integer, plainObject } from '../check';
import { Flags } from '../flags';
import { whyNoMoreNamespaces, whyNoSuchNamespaces } from '../host/namespace-limits';
import { holds } from '../host/ourselves';
import { constants } from '../kernel/constants';
import * as call from '../assembly/calls';
import { whileDumpable } from './closed-to-others';
import { needs } from '../assembly/needs';
import type { TimeOffset } from '../assembly/settings';
import type { Step } from '../assembly/step';
import { mapsAside } from './maps-below';
import { fillProcFile, openProcFile } from './proc-file';

const clocks = ['monotonic', 'boottime'] as const;
/** KTIME_SEC_MAX / 2: the kernel allows no more. */
const largestOffset = Math.floor(2 ** 63 / 1e9 / 2);

function checkOffset(clock: (typeof clocks)[number], value: unknown): TimeOffset {
  const option = `timeOffsets.${clock}`;
  const given = plainObject(value, option, ['seconds', 'nanoseconds']);
  return {
    clock,
    seconds: integer(given.seconds, `${option}.seconds`, -largestOffset, largestOffset),
    nanoseconds: integer(given.nanoseconds ?? 0, `${option}.nanoseconds`, 0, 999_999_999),
  };
}

export const time: Step = {
  name: 'time',
  options: ['timeOffsets'],
  after: { user: 'a time namespace belongs to the user namespace that it is made in' },

  check(given, request) {
    const offsets = plainObject(given.timeOffsets, 'timeOffsets', clocks);
    request.timeOffsets = clocks
      .filter((clock) => offsets[clock] !== undefined)
      .map((clock) => checkOffset(clock, offsets[clock]));
  },

  settle(request) {
    if (request.timeOffsets.length === 0) return;
    needs(request, 'timeOffsets', Flags.NEWTIME, 'the offsets are those of a new time namespace', false);
  },

  emit(writer, request) {
    if (!request.creates(Flags.NEWTIME)) return;
    writer.about(this.name, 'flags').detail('CLONE_NEWTIME').add(call.unshare, Flags.NEWTIME);
    if (request.timeOffsets.length === 0) return;
    // Only until the first process is in it: afterwards the kernel answers EACCES.
    const text = request.timeOffsets
      .map(({ clock, seconds, nanoseconds }) => `${clock} ${seconds} ${nanoseconds}\n`)
      .join('');
    writer.about(this.name, 'timeOffsets').subject('/proc/self/timens_offsets');
    let file = request.timeSlot;
    if (!mapsAside(request)) whileDumpable(writer, request, () => (file = openProcFile(writer, 'self/timens_offsets')));
    fillProcFile(writer, file, text);
  },

  hint(code, label, request) {
    if (label.option === 'timeOffsets' && code === 'ERANGE') return 'the clock would be before 0, or too far ahead';
    if (code === 'EPERM' && !request.creates(Flags.NEWUSER) && holds(constants.CAP_SYS_ADMIN) !== true)
      return 'needs CAP_SYS_ADMIN; add Flags.NEWUSER';
    if (code === 'ENOSPC') return whyNoMoreNamespaces('CLONE_NEWTIME');
    if (code === 'EINVAL' && label.option === 'flags') return whyNoSuchNamespaces('CLONE_NEWTIME');
    return undefined;
  },
};
