// A device of the host, mounted: what a user namespace has in the place of a node that it may not make.
import { constants } from '../../kernel/constants';
import type { Slot } from '../../program/writer';
import * as call from '../../assembly/calls';
import type { Place } from '../../assembly/place';
import { sameDevice } from '../../assembly/same-file';

const { AT_FDCWD, OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE } = constants;

/** What a failure of that means. */
export function whyNoNode(code: string): string | undefined {
  return code === 'ENXIO' ? 'what is at this path of the host is another device' : undefined;
}

/** The mount of a node of our view, which must have these numbers. */
export function mountOfNode(place: Place, path: string, major: number, minor: number): Slot {
  const { writer } = place;
  writer.add(call.open_tree, AT_FDCWD, writer.addText(path), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  const mount = place.keep();
  sameDevice(writer, mount, major, minor, 'ENXIO');
  return mount;
}
