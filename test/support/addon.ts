// The test build of the addon: the same sources with the fault hook. Stands in for lib/addon.ts in every test.
import { join } from 'node:path';

import type { Addon } from '../../lib/native-interface';

const loaded = require(join(__dirname, '../../build/Release/nsclone_test.node')) as Addon;

export function addon(): Addon {
  return loaded;
}
