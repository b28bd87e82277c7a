// Type `tmpfs`: a file system in memory, empty or with what it covers.
import { boolean } from '../../check';
import { refusedOption } from '../../errors/argument-error';
import { constants } from '../../kernel/constants';
import type { Slot } from '../../program/writer';
import type { Request } from '../../assembly/request';
import * as call from '../../assembly/calls';
import type { Given, MountType, Parts } from '../../assembly/mount-type';
import type { Place } from '../../assembly/place';
import { isTop } from '../../assembly/target';
import { copyOwner } from '../../assembly/same-file';
import { type Attributes, attributeFields, checkAttributes, keepPropagation } from './attributes';
import { checkMode, checkOptions, checkSize, type Option, parts } from './file-systems';
import { enterMemory, layOverOpen, memoryForOpen, refuseOpen, whyNoLayers } from './layers';

const { O_CLOEXEC, O_DIRECTORY, O_PATH, O_RDONLY } = constants;

const presets = ['nosuid', 'nodev'] as const;

interface Layer {
  readonly size: readonly Option[];
  readonly mode: number | undefined;
  readonly attributes: Attributes;
}

/** An overlay of the directory that it will cover, with an invisible layer in memory: no straight line of calls copies a tree. */
function overlayOf(place: Place, covered: Slot, request: Request, { size, mode, attributes }: Layer): Slot {
  const { writer } = place;
  const memory = enterMemory(place, memoryForOpen(), size);
  writer.add(call.openatOf, memory, writer.addText('upper'), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  const upper = place.keep();
  copyOwner(writer, covered, upper, mode);
  place.close(upper);
  const mount = layOverOpen(place, request, covered, memory, attributes);
  place.close(memory);
  return mount;
}

function copyingUp(given: Given, option: string, layer: Layer): Parts {
  const { target } = given;
  if (typeof target !== 'string' || isTop(target))
    throw refusedOption(`${option}.copyUp`, 'is about what it is mounted on, and a root is mounted on nothing');
  const create = given['create'] === true;
  return {
    source: 'tmpfs',
    settle: (request, name) => refuseOpen(request, name),
    emit(place, path, request) {
      // Before what may be left out.
      place.keepWorkingDirectory();
      if (create) place.makeDirectory(path);
      const covered = place.open(path, O_PATH | O_DIRECTORY);
      place.leaveIfMissing();
      const mount = overlayOf(place, covered, request, layer);
      place.attach(mount, covered);
      keepPropagation(place.writer, mount, layer.attributes);
      place.close(mount);
      place.close(covered);
    },
    hint: whyNoLayers,
  };
}

export const tmpfs: MountType = {
  fields: ['size', 'mode', 'copyUp', 'options', 'create', ...attributeFields],
  isRoot: true,

  check(given, option) {
    const mode = given['mode'] === undefined ? undefined : checkMode(given['mode'], `${option}.mode`);
    const size: Option[] = given['size'] === undefined ? [] : [['size', checkSize(given['size'], `${option}.size`)]];
    const own = checkOptions(given, option, { size: 'size', nr_blocks: 'size', mode: 'mode' });
    if (given['copyUp'] !== undefined && boolean(given['copyUp'], `${option}.copyUp`)) {
      if (given['options'] !== undefined)
        throw refusedOption(`${option}.options`, 'cannot be given beside copyUp, which lays an overlay');
      return copyingUp(given, option, { size, mode, attributes: checkAttributes(given, option, presets, false) });
    }
    return parts('tmpfs', given, option, presets, [['mode', (mode ?? 0o755).toString(8)], ...size, ...own]);
  },
};
