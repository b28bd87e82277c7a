// An ESM user of the package.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

import * as nsclone from 'nsclone';

import { smoke } from './smoke.cjs';

// One copy of every class, under the same names, whichever way it is loaded.
const imported = { ...nsclone };
const required = Object.entries(createRequire(import.meta.url)('nsclone'));
const others = required.filter(([name, value]) => imported[name] !== value).map(([name]) => name);
assert.deepEqual(others, [], 'import lacks these, or has others');

await smoke(nsclone);
