// Builds dist/: declarations by tsc, and the library by esbuild, as three CommonJS files with an ESM façade:
//
//   core.js    all that the start of a command needs. One file, because Node takes a third of a millisecond for each that it loads.
//   late.js    what only some calls need, loaded by the first of them: an import of the package pays for every byte that it compiles.
//   index.js   the public names
//   index.mjs  the same names and the same classes for `import`
//
// No file requires a module of Node's: bundlers that write ESM would leave a call of require() that fails. Node gives them by
// process.getBuiltinModule().
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build, transform } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist/lib');
const common = { platform: 'node', target: 'node20.17', logLevel: 'warning', charset: 'utf8', sourcesContent: false };

/** The files of late.js. Others import nothing but functions of them. */
const late = [
  'errors/nearest',
  'host/control-groups',
  'host/executable',
  'host/mount-table',
  'kernel/errno-texts',
  'process/failure',
  'process/launch-failure',
  'process/start-recorded',
  'program/listing',
  'program/record-line',
  'program/structure',
  'steps/forbidden-user-namespaces',
  'stub-hint',
].map((name) => join(root, 'lib', `${name}.ts`));

/** The functions that a file exports. */
function functionsOf(file) {
  return Array.from(readFileSync(file, 'utf8').matchAll(/^export (?:async )?function (\w+)/gm), ([, name]) => name);
}

/** In the place of a late file: each of its functions loads late.js, and goes on there. */
function stand(file) {
  return functionsOf(file)
    .map((name) => `export function ${name}(...args) { return __require__('./late.js').${name}(...args); }`)
    .join('\n');
}

/** late.js itself. */
function allLate() {
  const names = late.flatMap(functionsOf);
  const twice = names.filter((name, index) => names.indexOf(name) !== index);
  if (twice.length > 0) throw new Error(`late.js would have two of ${twice.join(', ')}`);
  return late.map((file) => `export { ${functionsOf(file).join(', ')} } from ${JSON.stringify(file)};`).join('\n');
}

const lateFiles = {
  name: 'late-files',
  setup({ onLoad, onResolve, resolve }) {
    onResolve({ filter: /^late$/ }, () => ({ path: 'late', namespace: 'all-late' }));
    onLoad({ filter: /.*/, namespace: 'all-late' }, () => ({ contents: allLate(), resolveDir: root }));
    onResolve({ filter: /^\./ }, async ({ path: from, importer, kind, resolveDir, pluginData }) => {
      if (pluginData === 'resolving') return undefined;
      const { path } = await resolve(from, { importer, kind, resolveDir, pluginData: 'resolving' });
      return late.includes(path) ? { path, namespace: 'late' } : undefined;
    });
    onLoad({ filter: /.*/, namespace: 'late' }, ({ path }) => ({ contents: stand(path) }));
  },
};

/** The shared parts of index and late come out as a file of their own: the core. */
async function buildModules() {
  const { outputFiles } = await build({
    ...common,
    absWorkingDir: root,
    entryPoints: { index: 'lib/index.ts', late: 'late' },
    outdir: dist,
    bundle: true,
    splitting: true,
    chunkNames: 'core',
    format: 'esm',
    sourcemap: 'inline',
    plugins: [lateFiles],
    write: false,
  });
  return outputFiles;
}

/** Readable as it is: a stack, a debugger and the line that Node prints of an uncaught error show it. The map leads to the sources. */
async function writeCommonJS({ path, text }) {
  const name = path.slice(dist.length + 1);
  const { code, map } = await transform(text, { ...common, format: 'cjs', sourcemap: 'external', sourcefile: name });
  const js = code
    .replaceAll(/\brequire\("(node:[^"]+)"\)/g, 'process.getBuiltinModule("$1")')
    .replaceAll('__require__(', 'require(');
  writeFileSync(path, `${js}//# sourceMappingURL=${name}.map\n`);
  writeFileSync(`${path}.map`, map);
}

rmSync(join(root, 'dist'), { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
await Promise.all((await buildModules()).map(writeCommonJS));
const names = Object.keys(createRequire(import.meta.url)(join(dist, 'index.js'))).sort();
writeFileSync(
  join(dist, 'index.mjs'),
  [
    '// The ESM façade: the same names and the same classes as the CommonJS core.',
    "import core from './index.js';",
    `export const { ${names.join(', ')} } = core;`,
    '',
  ].join('\n'),
);
const { status } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
