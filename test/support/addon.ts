// The test build of the addon: the same sources with the fault hook. Stands in for lib/addon.ts in every test.
import { join } from 'node:path';

import type { Addon } from '../../lib/native-interface';

// Not by require(), which keeps it for the next test file: that would have its watch, and may pretend to be another runtime.
const loaded = { exports: {} };
process.dlopen(loaded, join(__dirname, '../../build/Release/nsclone_test.node'));

export function addon(): Addon {
  return loaded.exports as Addon;
}
