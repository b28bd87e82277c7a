// Type `overlay`: directories laid over each other.
import { resolve } from 'node:path';

import { array, string } from '../../check';
import { invalidArgValue, refusedOption } from '../../errors/argument-error';
import { attributeFields, checkAttributes } from './attributes';
import { checkOptions } from './file-systems';
import { type Layers, layOver, refuseLayers, whyNoLayers } from './layers';
import type { MountType } from '../../assembly/mount-type';

const absolute = (value: unknown, option: string): string => resolve(string(value, option, { nonEmpty: true }));

const isIn = (path: string, folder: string): boolean => `${path}/`.startsWith(folder === '/' ? folder : `${folder}/`);

/** What the layers say. */
const taken = { lowerdir: 'lower', 'lowerdir+': 'lower', upperdir: 'upper', workdir: 'work' };

export const overlay: MountType = {
  fields: ['lower', 'upper', 'work', 'options', 'create', ...attributeFields],
  isRoot: true,

  check(given, option) {
    const lower = array(given['lower'], `${option}.lower`).map((path, i) => absolute(path, `${option}.lower[${i}]`));
    if (lower.length === 0) throw invalidArgValue(`${option}.lower`, lower, 'must have at least one directory');
    const inMemory = given['upper'] === 'tmpfs';
    const upper = given['upper'] === undefined || inMemory ? undefined : absolute(given['upper'], `${option}.upper`);
    const work = given['work'] === undefined ? undefined : absolute(given['work'], `${option}.work`);
    if ((upper === undefined) !== (work === undefined)) {
      throw refusedOption(
        `${option}.work`,
        upper === undefined
          ? "needs upper, which is no 'tmpfs'"
          : 'is needed beside upper: an empty directory on the same file system',
      );
    }
    if (upper !== undefined && (isIn(upper, work!) || isIn(work!, upper)))
      throw refusedOption(`${option}.work`, 'must lie beside upper: neither of them in the other');
    const attributes = checkAttributes(given, option, [], false);
    const layers: Layers = {
      lower,
      upper: inMemory ? 'memory' : upper === undefined ? undefined : { upper, work: work! },
      options: checkOptions(given, option, taken),
    };
    return {
      source: lower.join(':'),
      looksUp: true,
      settle: (request, name) => refuseLayers(request, name, layers),
      make: (place, request) => layOver(place, request, layers, attributes),
      create: (place, target) => place.makeDirectory(target),
      hint: (code, request, syscall) => whyNoLayers(code, request, syscall, lower),
    };
  },
};
