// Builds dist/: declarations by tsc, and the library as one CommonJS file with an ESM façade, by esbuild.
//
// One file, because Node takes a third of a millisecond for each module that it loads: sixty of them would be most of the
// time that an import of the package may cost.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');
const common = { absWorkingDir: root, platform: 'node', target: 'node20.17', logLevel: 'warning', charset: 'utf8' };

rmSync(dist, { recursive: true, force: true });
await build({
  ...common,
  entryPoints: ['lib/index.ts'],
  outfile: 'dist/lib/index.js',
  bundle: true,
  format: 'cjs',
  external: ['node-gyp-build'],
});
await build({ ...common, entryPoints: ['lib/index.mts'], outfile: 'dist/lib/index.mjs', format: 'esm' });
const { status } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
