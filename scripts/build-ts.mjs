// Builds dist/: declarations by tsc, and the library as one CommonJS file with an ESM façade, by esbuild.
//
// One file, because Node takes a third of a millisecond for each module that it loads: sixty of them would be most of the
// time that an import of the package may cost.
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
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
  // Readable as it is: a stack, a debugger and the line that Node prints of an uncaught error show it. The map leads to the lines
  // of the sources; their text is in the repository, and would be a third of the package.
  sourcemap: true,
  sourcesContent: false,
  format: 'cjs',
  external: ['node-gyp-build'],
});
// Names spelled out: for `export *` Node would first have to look through all of the file for them.
const names = Object.keys(createRequire(import.meta.url)(join(dist, 'lib/index.js'))).sort();
writeFileSync(
  join(dist, 'lib/index.mjs'),
  [
    '// The ESM façade: the same names and the same classes as the CommonJS core.',
    "import { createRequire } from 'node:module';",
    "const core = createRequire(import.meta.url)('./index.js');",
    `export const { ${names.join(', ')} } = core;`,
    '',
  ].join('\n'),
);
const { status } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
