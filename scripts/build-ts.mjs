// Builds dist/: by tsc the declarations that a public one leads to, by esbuild CommonJS files with an ESM façade.
//
//   core.js      all that the start of a command needs. One file, because Node takes a third of a millisecond for each that it loads.
//   options.js   what options need, output.js what collects output, fork.js what speaks with a module, late.js what records, lists
//                and explains: each compiled by the first call that needs it, as an import pays for every byte that it compiles
//   index.js     the public names
//   index.mjs    the same names and the same classes for `import`
//
// No file requires a module of Node's: bundlers that write ESM would leave a call of require() that fails. Node gives them by
// process.getBuiltinModule().
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileFunction } from 'node:vm';

import { decode, encode } from '@jridgewell/sourcemap-codec';
import { build, transform } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist/lib');
const common = { platform: 'node', target: 'node20.17', logLevel: 'warning', sourcesContent: false };

/** The files that are loaded late, and together. Others import nothing of them but functions, and objects of functions: steps. */
const groups = {
  // Who has options, most of them.
  options: [
    'assembly/held-file',
    'assembly/place',
    'assembly/same-file',
    'handed-namespaces',
    'host/mount-table',
    'join-target',
    'steps/capabilities',
    'steps/capability-sets',
    'steps/cgroup',
    'steps/clone-into-cgroup',
    'steps/cpu-affinity',
    'steps/id-map-writers',
    'steps/id-maps',
    'steps/init',
    'steps/join',
    'steps/keyring',
    'steps/loopback',
    'steps/mounts',
    'steps/root',
    'steps/oom-score-adj',
    'steps/pty',
    'steps/rlimits',
    'steps/seccomp',
    'steps/securebits',
    'steps/subordinate-ids',
    'steps/sysctl',
  ],
  // Who collects output.
  output: ['collect', ...['descriptor-stream', 'output', 'pty', 'source', 'terminal'].map((name) => `process/${name}`)],
  // Who forks.
  fork: ['process/channel', 'process/messages', 'process/start-forked'],
  // Who records, prints, or fails.
  late: [
    'errors/argument-error',
    'errors/nearest',
    'host/control-groups',
    'host/executable',
    'host/host',
    'host/ourselves',
    'kernel/errno-texts',
    'process/failure',
    'process/launch-failure',
    'process/start-recorded',
    'program/listing',
    'program/record-line',
    'program/structure',
    'steps/forbidden-user-namespaces',
    'steps/why-no-process',
    'steps/why-not-executed',
    'stub-hint',
  ],
};
const fileOf = (name) => join(root, 'lib', `${name}.ts`);
/** What is in a folder of a group's own is loaded with it, and nobody else imports it. */
const folders = { options: ['steps/mounts'], output: [], fork: [], late: [] };
function isIn(group, file) {
  if (groups[group].some((name) => fileOf(name) === file)) return true;
  return folders[group].some((name) => file.startsWith(join(root, 'lib', name, '/')));
}
const groupOf = (file) => Object.keys(groups).find((group) => isIn(group, file));

/** What a file exports: it is run for that. */
async function exportsOf(file) {
  const options = { ...common, entryPoints: [file], bundle: true, format: 'cjs', write: false };
  const [{ text }] = (await build(options)).outputFiles;
  const module = { exports: {} };
  compileFunction(text, ['module', 'exports', 'require'])(module, module.exports, createRequire(import.meta.url));
  return module.exports;
}

/** In the place of a late file: each of its functions loads the group, and goes on there. */
async function stand(file) {
  // A class cannot be stood in for: who imports one has the build fail.
  const isFunction = (value) => typeof value === 'function' && !/^class\b/.test(String(value));
  const field = (name, [key, value]) =>
    isFunction(value)
      ? `${key}(...args) { return home().${name}.${key}(...args); }`
      : `${key}: ${JSON.stringify(value)}`;
  const group = groupOf(file);
  const loads = [
    `import { load } from ${JSON.stringify(fileOf('late-file'))};`,
    'let group;',
    `const home = () => (group ??= load('${group}', () => __require__('./${group}.js')));`,
  ].join('\n');
  const stands = Object.entries(await exportsOf(file)).map(([name, value]) => {
    if (isFunction(value)) return `export function ${name}(...args) { return home().${name}(...args); }`;
    if (typeof value !== 'object' || !Object.values(value).some(isFunction)) return '';
    // Nobody asks a step at run time what it comes after.
    const fields = Object.entries(value)
      .filter(([key]) => key !== 'after')
      .map((entry) => field(name, entry));
    return `export const ${name} = { ${fields.join(', ')} };`;
  });
  return [loads, ...stands].join('\n');
}

/** The file of a group. What two entries share becomes a file of its own: the core, with all that index has. */
function together(group) {
  const exports = groups[group].map((name) => `export * from './lib/${name}.ts';`);
  return ["import './lib/index.ts';", ...exports].join('\n');
}

const lateFiles = {
  name: 'late-files',
  setup({ onLoad, onResolve, resolve }) {
    onResolve({ filter: /^group:/ }, ({ path }) => ({ path, namespace: 'group' }));
    onLoad({ filter: /.*/, namespace: 'group' }, ({ path }) => ({
      contents: together(path.slice('group:'.length)),
      resolveDir: root,
    }));
    onResolve({ filter: /^\./ }, async ({ path: from, importer, kind, namespace, resolveDir, pluginData }) => {
      if (pluginData === 'resolving' || namespace === 'group') return undefined;
      const { path } = await resolve(from, { importer, kind, resolveDir, pluginData: 'resolving' });
      const group = groupOf(path);
      if (group === undefined || group === groupOf(importer)) return undefined;
      // One for each group: what two of them share would become a file of its own.
      return { path, namespace: 'late', suffix: `?in=${groupOf(importer) ?? 'core'}` };
    });
    onLoad({ filter: /.*/, namespace: 'late' }, async ({ path }) => ({
      contents: await stand(path),
      resolveDir: root,
    }));
  },
};

async function buildModules() {
  const { outputFiles } = await build({
    ...common,
    absWorkingDir: root,
    entryPoints: {
      index: 'lib/index.ts',
      ...Object.fromEntries(Object.keys(groups).map((group) => [group, `group:${group}`])),
    },
    outdir: dist,
    bundle: true,
    splitting: true,
    chunkNames: 'core',
    format: 'esm',
    sourcemap: 'inline',
    define: { lateFiles: JSON.stringify(Object.keys(groups)), core: '__core__' },
    plugins: [lateFiles],
    write: false,
  });
  return outputFiles;
}

/** Where each line of it comes from. Of every word, the maps would be a fifth of the package. */
function byLines(map) {
  const { mappings, ...rest } = JSON.parse(map);
  const lines = decode(mappings).map((segments) => segments.slice(0, 1).map((segment) => segment.slice(0, 4)));
  return JSON.stringify({ ...rest, names: [], mappings: encode(lines) });
}

/** Readable as it is: a stack, a debugger and the line that Node prints of an uncaught error show it. The map leads to the sources. */
async function writeCommonJS({ path, text }) {
  const name = path.slice(dist.length + 1);
  const { code, map } = await transform(text, { ...common, format: 'cjs', sourcemap: 'external', sourcefile: name });
  const js = code
    .replaceAll(/\brequire\("(node:[^"]+)"\)/g, 'process.getBuiltinModule("$1")')
    .replaceAll('__require__(', 'require(')
    .replaceAll('__core__', 'module.exports')
    // Only ours require the others: they can do without a second object with a getter for each name.
    .replace(/^module\.exports = __toCommonJS\(((?!index)\w+_exports)\);$/m, 'module.exports = $1;');
  writeFileSync(path, `${js}//# sourceMappingURL=${name}.map\n`);
  writeFileSync(`${path}.map`, byLines(map));
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

/** The declarations that one leads to. */
function reached(file, found = new Set()) {
  if (found.has(file)) return found;
  found.add(file);
  for (const [, from] of readFileSync(file, 'utf8').matchAll(/(?:from |import\()['"](\.[^'"]+?)(?:\.js)?['"]/g)) {
    reached(`${join(dirname(file), from)}.d.ts`, found);
  }
  return found;
}

const wanted = new Set([...reached(join(dist, 'index.d.ts')), join(dist, 'index.d.mts')]);
for (const name of readdirSync(join(root, 'dist'), { recursive: true })) {
  const file = join(root, 'dist', name);
  if (/\.d\.m?ts$/.test(name) && !wanted.has(file)) rmSync(file);
}
