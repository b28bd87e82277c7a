// Mounts whose sources are paths of our own view, made before a new root lies upon ours: from then on every `..` that leads to our root
// leads on into the new one, where links are somebody else's.
import { realpathSync } from 'node:fs';

import { constants } from '../../kernel/constants';
import * as call from '../../assembly/calls';
import { changeable } from '../../assembly/fact';
import type { Checked } from '../../assembly/mount-type';
import type { Place } from '../../assembly/place';
import type { Request } from '../../assembly/request';
import { isTop } from '../../assembly/target';
import type { Slot } from '../../program/writer';

const { F_DUPFD_CLOEXEC, F_GETFD } = constants;

/** A descriptor each until they are put in their places, of which there are few for those that have hundreds. */
const most = 128;

/** Whether a path has no link in it, so that it leads where it leads whatever lies upon our root. */
function isPlain(path: string): boolean {
  try {
    return realpathSync.native(path) === path;
  } catch {
    return false;
  }
}

/** Chooses the entries whose mounts have to be made before, once for all writings of the program. */
export function chooseBeforeRoot(request: Request): void {
  const { root, mounts } = request;
  const first = root === undefined ? mounts.findIndex(becomesRoot) : 0;
  if (first === -1) return;
  const all = mounts.slice(first).filter(({ looksUp }) => looksUp === true);
  const mustBe = ({ plain }: Checked): boolean => plain === undefined || !isPlain(plain.path);
  const asksHost = all.length > most;
  request.earlyMounts = new Set(asksHost ? all.filter((entry) => mustBe(entry)) : all);
  // A path can have a link by the time of the next start, which is refused where this was asked before.
  if (asksHost) request.facts.push(changeable);
}

/** One that is optional may be left out on the way: then there is no descriptor. */
function makeOptional(place: Place, entry: Checked, request: Request): Slot {
  const { writer } = place;
  writer.add(call.fcntl, -1, F_GETFD).accept('EBADF');
  const kept = writer.keep();
  place.beginEntry(true);
  const mount = entry.make!(place, request, []);
  writer.add(call.fcntlOf, mount, F_DUPFD_CLOEXEC);
  writer.keep(kept);
  place.close(mount);
  place.endEntry();
  return kept;
}

/** Makes the mounts that look something up, before the first new root is attached. */
export function makeBeforeRoot(place: Place, request: Request): void {
  // Once for each writing of the program.
  const slots = (request.earlySlots = new Map<Checked, Slot>());
  request.mounts.forEach((entry, index) => {
    if (request.earlyMounts?.has(entry) !== true) return;
    place.writer.about('mounts', 'mounts', index).subject(entry.source, entry.target, 'mount');
    place.beginEntry(false);
    slots.set(entry, entry.optional ? makeOptional(place, entry, request) : entry.make!(place, request, []));
    place.endEntry();
  });
}

/** The mount of an entry: that which was made so, or one that is made now. */
export function makeMount(place: Place, request: Request, entry: Checked, prepared: readonly Slot[]): Slot {
  const { writer } = place;
  const mount = request.earlySlots?.get(entry);
  if (mount === undefined) {
    const { plain, source, target } = entry;
    if (request.earlySlots === undefined || plain === undefined) return entry.make!(place, request, prepared);
    // Its source alone, by which a failure is told from one of the target.
    writer.subject(plain.path, undefined, 'mount');
    const opened = plain.open(place);
    writer.subject(source, target, 'mount');
    return entry.make!(place, request, [opened]);
  }
  if (entry.optional) {
    writer.add(call.fcntlOf, mount, F_GETFD);
    place.leaveIfMissing('EBADF');
  }
  return place.take(mount);
}

/** Of a failure of the call that opens such a source later. */
export function whyNotPlain(code: string): string | undefined {
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'the source is missing';
  return code === 'ELOOP'
    ? 'there is a link in the path of the source, which was not when the program was written: write it anew'
    : undefined;
}

/** Whether an entry becomes the root. */
export function becomesRoot({ make, target }: Checked): boolean {
  return make !== undefined && isTop(target);
}
