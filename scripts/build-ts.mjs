// Builds dist/: by tsc the declarations that a public one leads to, by esbuild CommonJS files with an ESM façade.
//
//   index.js     the public names
//   front.js     all that an import needs. One file, because Node takes a third of a millisecond for each that it loads.
//   core.js      what starts a command, options.js what options need, mounts.js and limits.js what those do that fewer have,
//                output.js what collects output, recording.js what records and lists, late.js what explains, namespaces.js what
//                makes and lists namespaces or moves a thread, fork.js what speaks with a module, probe.js what asks for what a host
//                allows, constants.js the constants of the kernel: each compiled by the first call that needs it, as a call pays for
//                every byte that it has compiled.
//                The core is compiled soon after the import where no call has needed it by then.
//   seccomp.js   the public names of `nsclone/seccomp`, and filters.js what they need
//   *.mjs        the same names and the same classes for `import`
//   cli.js       the command `nsclone`, a user of index.js
//
// No file requires a module of Node's: bundlers that write ESM would leave a call of require() that fails. Node gives them by
// process.getBuiltinModule().
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileFunction } from 'node:vm';

import { decode, encode } from '@jridgewell/sourcemap-codec';
import { build, transform } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist/lib');
const common = { platform: 'node', target: 'node20.17', logLevel: 'warning', sourcesContent: false };

/**
 * The files that are loaded at the import, and by all others. Of what is not among them they import functions alone: a value may
 * depend on the process that is running, and a class cannot be late.
 */
const front = [
  'addon',
  'builtin',
  'clone',
  'create-namespaces',
  'errors/abort-error',
  'errors/caller',
  'errors/illegal-constructor',
  'errors/max-buffer-error',
  'errors/printable',
  'errors/syscall-error',
  'flags',
  'fork',
  'index',
  'kernel/clone-constants',
  'late-file',
  'namespace',
  'namespace-set',
  'namespace-worker',
  'native-interface',
  'package-files',
  'perform',
  'plan',
  'probe',
  'realm',
  'record',
  'run',
  'run-in',
  'runtime',
  'seccomp',
  'setns',
  'timers',
  'unshare',
  'warm',
];
/**
 * The files that are loaded late, and together. Others import nothing of them but functions, and objects of functions: steps. What
 * is in no list is the core, which all of these import.
 */
const groups = {
  // Who has options, most of them.
  options: [
    'assembly/until-exec',
    'handed-namespaces',
    'host/mount-table',
    'join-target',
    'kernel/step-constants',
    'host/kernel-release',
    'steps/capabilities',
    'steps/capability-sets',
    'steps/cgroup',
    'steps/clone-into-cgroup',
    'steps/command-file',
    'steps/first-folder',
    'steps/id-map-writers',
    'steps/id-maps',
    'steps/init',
    'steps/join',
    'steps/loopback',
    'steps/securebits',
    'steps/subordinate-ids',
    'steps/sysctl',
    'within-ours',
  ],
  // Who has mounts, or another root.
  mounts: [
    'assembly/held-file',
    'assembly/idmap',
    'assembly/place',
    'assembly/same-file',
    'steps/map-first',
    'steps/mounts',
    'steps/root',
  ],
  // Who limits or confines a command, or gives it a terminal.
  limits: [
    'process/foreground',
    'steps/cpu-affinity',
    'steps/foreground',
    'steps/io-priority',
    'steps/keyring',
    'steps/landlock',
    'steps/landlock-access',
    'steps/memory-policy',
    'steps/own-lines',
    'steps/oom-score-adj',
    'steps/own-filter',
    'steps/own-terminal',
    'steps/pty',
    'steps/rlimits',
    'steps/scheduler',
    'steps/seccomp',
    'steps/seccomp-door',
    'steps/seccomp-listener',
    'steps/send-listener',
    'steps/security-label',
    'steps/sock-filter',
  ],
  // Who looks at namespaces, keeps or makes them, or moves a thread.
  namespaces: [
    'keep-namespace',
    'list-namespaces',
    'namespace-relations',
    'process/make-namespaces',
    'threads/bootstrap',
    'threads/enter',
    'threads/failure',
    'threads/leave',
    'threads/opened',
    'threads/pool',
    'threads/refuse',
    'threads/visit',
    'threads/worker',
  ],
  // Who collects output.
  output: ['collect', ...['descriptor-stream', 'output', 'pty', 'source', 'terminal'].map((name) => `process/${name}`)],
  // Who has a filter of system calls by names.
  filters: ['seccomp/compile', 'seccomp/disassemble', 'seccomp/instructions'],
  // Who forks.
  fork: ['process/channel', 'process/messages', 'process/serialized-bytes', 'process/start-forked'],
  // Who records, or prints a plan.
  recording: [
    'process/perform-recorded',
    'process/start-recorded',
    'program/listing',
    'program/record-line',
    'program/structure',
  ],
  // Who fails.
  late: [
    'errors/argument-error',
    'errors/nearest',
    'host/control-groups',
    'host/executable',
    'host/host',
    'host/kernel-version',
    'host/launching',
    'host/namespace-limits',
    'host/ourselves',
    'kernel/errno-texts',
    'process/failure',
    'process/descriptor-failure',
    'process/launch-failure',
    'program/call-at',
    'program/reader',
    'program/signatures',
    'steps/forbidden-user-namespaces',
    'steps/why-file-not-executed',
    'steps/why-no-process',
    'steps/why-not-executed',
    'stub-hint',
  ],
  // Who asks what a host allows.
  probe: ['probing/support'],
  // All but the front, which has the numbers that it needs; public as well.
  constants: ['kernel/constants'],
};
const lateNames = ['core', ...Object.keys(groups)];
const fileOf = (name) => join(root, 'lib', `${name}.ts`);
const nameOf = (file) => relative(join(root, 'lib'), file).replace(/\.ts$/, '');
/** What is in a folder of a group's own is loaded with it, and nobody else imports it. */
const folders = {
  options: [],
  mounts: ['steps/mounts'],
  limits: [],
  namespaces: [],
  output: [],
  fork: [],
  filters: ['seccomp'],
  recording: [],
  late: [],
  probe: ['probing'],
  constants: [],
};
/** What is imported by a name of its own. */
const subPaths = ['seccomp'];
function isIn(group, file) {
  if (groups[group].some((name) => fileOf(name) === file)) return true;
  return folders[group].some((name) => file.startsWith(join(root, 'lib', name, '/')));
}
function groupOf(file) {
  if (file.startsWith(join(root, 'types/')) || front.some((name) => fileOf(name) === file)) return 'front';
  return Object.keys(groups).find((group) => isIn(group, file)) ?? 'core';
}

/** What a file exports: it is run for that. */
async function exportsOf(file) {
  const options = { ...common, entryPoints: [file], bundle: true, format: 'cjs', write: false };
  const [{ text }] = (await build(options)).outputFiles;
  const module = { exports: {} };
  compileFunction(text, ['module', 'exports', 'require'])(module, module.exports, createRequire(import.meta.url));
  return module.exports;
}

/** A class cannot be stood in for: who imports one has the build fail. */
const isFunction = (value) => typeof value === 'function' && !/^class\b/.test(String(value));

/** What is late though it is a table, and public: what the front exports by its name is a function, which is asked whenever somebody looks. */
const table = 'constants';

/** In the place of a late file: each of its functions loads the group, and goes on there. */
async function stand(file) {
  const field = (name, [key, value]) =>
    isFunction(value) ? `${key}: (...args) => ${home}.${name}.${key}(...args)` : `${key}: ${JSON.stringify(value)}`;
  const group = groupOf(file);
  const exported = group === 'core' ? `.doors[${JSON.stringify(nameOf(file))}]` : '';
  const home = `load('${group}')${exported}`;
  const stands = Object.entries(await exportsOf(file)).map(([name, value]) => {
    if (name === table) return `export function ${name}() { return ${home}.${name}; }`;
    if (isFunction(value)) return `export const ${name} = (...args) => ${home}.${name}(...args);`;
    if (typeof value !== 'object' || !Object.values(value).some(isFunction)) return '';
    // Nobody asks a step at run time what it comes after.
    const fields = Object.entries(value)
      .filter(([key]) => key !== 'after')
      .map((entry) => field(name, entry));
    return `export const ${name} = { ${fields.join(', ')} };`;
  });
  return [`import { load } from ${JSON.stringify(fileOf('late-file'))};`, ...stands].join('\n');
}

/** The files of the core that the front calls. */
const doors = new Set();

/** All that index and the core have is in a group too: what several entries share becomes a file of its own, which is the same for all. */
function together(group) {
  if (group === table) return "export * from './lib/kernel/constants.ts';";
  if (subPaths.includes(group)) return ["import './lib/index.ts';", `export * from './lib/${group}.ts';`].join('\n');
  const exports = groups[group].map((name) => `export * from './lib/${name}.ts';`);
  return ["import './lib/index.ts';", "import 'group:core';", ...exports].join('\n');
}

/** What the front finds in the core. By file, as two of them may have functions of the same name. */
async function core() {
  const names = [...doors].map(nameOf).sort();
  const door = async (name, index) => {
    const functions = Object.entries(await exportsOf(fileOf(name))).filter(([, value]) => isFunction(value));
    return `${JSON.stringify(name)}: { ${functions.map(([key]) => `${key}: door${index}.${key}`).join(', ')} },`;
  };
  const imports = names.map((name, index) => `import * as door${index} from './lib/${name}.ts';`);
  const fields = await Promise.all(names.map(door));
  return ["import './lib/index.ts';", ...imports, 'export const doors = {', ...fields, '};'].join('\n');
}

/** What a table is in a file that has one: the entries of its lines, each with its number, which is NaN where it depends on the host. */
async function tableOf(file) {
  const source = readFileSync(file, 'utf8');
  const line = /^  (\w+): (.*?),(?: \/\/.*)?$/gm;
  const entries = Array.from(source.matchAll(line), ([, name, value]) => [name, value, Number(value)]);
  const [values] = Object.values(await exportsOf(file));
  if (Object.keys(values).join() !== entries.map(([name]) => name).join()) throw new Error(`${file} is no table`);
  return { entries, source };
}

/** A file that has a table, in the way in which V8 reads a large one in half of the time. */
async function fromJSON(file) {
  const { entries, source } = await tableOf(file);
  const lines = entries.map(([name, , number], index) => {
    const end = index === entries.length - 1 ? '' : index % 40 === 39 ? ',\n' : ',';
    return `"${name}":${Number.isNaN(number) ? 0 : number}${end}`;
  });
  const others = entries.filter(([, , number]) => Number.isNaN(number)).map(([name, value]) => `${name}: ${value}`);
  const json = `JSON.parse(\`{${lines.join('')}}\`)`;
  const whole = others.length === 0 ? json : `Object.assign(${json}, { ${others.join(', ')} })`;
  return source.replace(/\{\n(?:  .*\n)+\}/, () => whole);
}

/** A file of the front, with the numbers of that table in it, and without what the declarations say of each name. */
async function asImported(file) {
  const { entries } = await tableOf(fileOf('kernel/constants'));
  const numbers = new Map(entries);
  return readFileSync(file, 'utf8')
    .replace(/^ *\/\*\*[^]*?\*\/$/gm, (lines) => lines.replace(/.+/g, ''))
    .replace(/^import \{ constants \} from .*$/m, '')
    .replace(/\bconstants\.(\w+)/g, (_, name) => {
      const value = numbers.get(name);
      if (!/^-?[\dx]/.test(value)) throw new Error(`${file}: ${name} is not the same everywhere`);
      return `(${value})`;
    });
}

const lateFiles = {
  name: 'late-files',
  setup({ onLoad, onResolve, resolve }) {
    onResolve({ filter: /^group:/ }, ({ path }) => ({ path, namespace: 'group' }));
    onLoad({ filter: /.*/, namespace: 'group' }, async ({ path }) => {
      const group = path.slice('group:'.length);
      return { contents: group === 'core' ? await core() : together(group), resolveDir: root };
    });
    onResolve({ filter: /^\./ }, async ({ path: from, importer, kind, namespace, resolveDir, pluginData }) => {
      if (pluginData === 'resolving' || namespace === 'group') return undefined;
      const { path } = await resolve(from, { importer, kind, resolveDir, pluginData: 'resolving' });
      const group = groupOf(path);
      const importing = groupOf(importer);
      // One for all, in the front.
      if (group === table) return { path, namespace: 'late' };
      if (group === importing || group === 'front' || (group === 'core' && importing !== 'front')) return undefined;
      if (group === 'core') doors.add(path);
      // One for each group: what two of them share would become a file of its own.
      return { path, namespace: 'late', suffix: `?in=${importing}` };
    });
    onLoad({ filter: /\/lib\/kernel\/(constants|syscalls-\w+)\.ts$/, namespace: 'file' }, async ({ path }) => ({
      contents: await fromJSON(path),
      loader: 'ts',
    }));
    onLoad({ filter: /\.ts$/, namespace: 'file' }, async ({ path }) =>
      groupOf(path) === 'front' ? { contents: await asImported(path), loader: 'ts' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'late' }, async ({ path }) => ({
      contents: await stand(path),
      resolveDir: root,
    }));
  },
};

/** The files of these entries, and what they share. */
async function bundled(entryPoints) {
  const { outputFiles } = await build({
    ...common,
    absWorkingDir: root,
    entryPoints,
    outdir: dist,
    bundle: true,
    splitting: true,
    format: 'esm',
    sourcemap: 'inline',
    define: { lateFiles: '__lateFiles__', front: '__front__' },
    plugins: [lateFiles],
    write: false,
  });
  return new Map(outputFiles.map(({ path, text }) => [basename(path), text]));
}

/** The name of a file that this one imports. */
const sharedBy = (text) => Array.from(text.matchAll(/ from "\.\/(\S+)";$/gm), ([, name]) => name);

/** Gives what other files import of the core short names, as they are written wherever it is used. The front asks for `doors`. */
function shortenExports(files, core) {
  const clause = /^export \{([^}]+)\};$/m;
  const kept = ['doors', ...live];
  const short = new Map();
  const shortened = namesIn(clause.exec(files.get('core.js'))[1]).map(([local, name]) => {
    if (!kept.includes(name)) short.set(name, short.size.toString(36).replace(/^\d/, '_$&'));
    return `${local} as ${short.get(name) ?? name}`;
  });
  files.set('core.js', files.get('core.js').replace(clause, `export {\n  ${shortened.join(',\n  ')}\n};`));
  for (const [name, text] of files) {
    const imported = text.replace(/^import \{([^}]+)\} from "\.\/(\S+)";$/gm, (line, names, from) => {
      if (from !== core) return line;
      const renamed = namesIn(names).map(([exported, local]) => `${short.get(exported) ?? exported} as ${local}`);
      return `import {\n  ${renamed.join(',\n  ')}\n} from "./${core}";`;
    });
    files.set(name, imported);
  }
}

async function buildModules() {
  const index = 'lib/index.ts';
  // Finds the doors.
  await bundled({ index });
  const entries = Object.fromEntries(lateNames.map((group) => [group, `group:${group}`]));
  const named = Object.fromEntries(subPaths.map((name) => [name, `group:${name}`]));
  const files = await bundled({ index, ...named, ...entries });
  const [front] = sharedBy(files.get('index.js'));
  const shared = sharedBy(files.get('core.js'));
  if (files.size !== lateNames.length + subPaths.length + 3)
    throw new Error(`two groups share what the core does not have: ${[...files.keys()]}`);
  const [core] = shared.filter((name) => name !== front);
  // It has nothing but the names of what is shared.
  files.set('core.js', files.get(core));
  files.set('front.js', files.get(front));
  files.delete(core);
  files.delete(front);
  shortenExports(files, core);
  return Array.from(files, ([name, text]) => [
    name,
    text.replaceAll(`"./${front}"`, '"./front.js"').replaceAll(`"./${core}"`, '"./core.js"'),
  ]);
}

/** From dist/lib. */
const sourceRoot = '../../';

/** Where each line of it comes from. Of every word, the maps would be a fifth of the package. */
function byLines(map) {
  const { mappings, sources, ...rest } = JSON.parse(map);
  const lines = decode(mappings).map((segments) => segments.slice(0, 1).map((segment) => segment.slice(0, 4)));
  // What stands for a late file is not where that lies on this machine.
  const relocated = sources.map((source) =>
    source
      .replace(/^(late|group):.*?(?=\/lib\/|[^/]*$)\/?/, sourceRoot)
      .replace(/\?in=\w+$/, '')
      .slice(sourceRoot.length),
  );
  return JSON.stringify({ ...rest, sourceRoot, sources: relocated, names: [], mappings: encode(lines) });
}

/** The names in a clause, each with what it is called on the other side: `{ a, b as c }` are a → a, b → c. */
const namesIn = (clause) =>
  clause
    .split(',')
    .map((part) => part.trim().split(' as '))
    .map(([name, other = name]) => [name, other]);

/** Takes the only clause that exports out of a bundle. */
function withoutExports(text) {
  const clause = /^export \{([^}]+)\};\n/m;
  const [, names] = clause.exec(text);
  return { body: text.replace(clause, ''), exported: namesIn(names) };
}

/** Whose lines people come across: in a debugger that steps into a call, in a profile. */
const isSeen = (name) => ['front.js', ...subPaths.map((path) => `${path}.js`)].includes(name);
/** The others are two fifths smaller without their indentation and with short names. The map leads to the lines of the sources. */
const dense = { minifyWhitespace: true, minifyIdentifiers: true };
/** So long is a line of those. */
const longest = 1000;

/**
 * Breaks lines behind a brace, a comma or a semicolon, where a map says that something begins. Not by esbuild's own limit, which breaks
 * within strings: bundlers that indent what they take in change these.
 */
function broken({ code, map }) {
  const { mappings, ...rest } = JSON.parse(map);
  const decoded = decode(mappings);
  const lines = [];
  const segments = [];
  code.split('\n').forEach((line, index) => {
    const own = decoded[index] ?? [];
    let from = 0;
    let first = own[0];
    for (const segment of own) {
      const [at] = segment;
      if (at - from < longest || !';{},'.includes(line[at - 1])) continue;
      lines.push(line.slice(from, at));
      segments.push(first === undefined ? [] : [[0, ...first.slice(1)]]);
      from = at;
      first = segment;
    }
    lines.push(line.slice(from));
    segments.push(first === undefined ? [] : [[0, ...first.slice(1)]]);
  });
  return { code: lines.join('\n'), map: JSON.stringify({ ...rest, mappings: encode(segments) }) };
}

/** What changes after the file that has it was run. */
const live = ['mailbox'];

function field([local, name], isOfFront) {
  if (live.includes(name)) return `get ${name}() { return ${local}; }`;
  if (isOfFront && name === table) {
    const set = `Object.defineProperty(this, "${name}", { value, writable: true, enumerable: true, configurable: true });`;
    return `get ${name}() { return ${local}(); },\n  set ${name}(value) { ${set} }`;
  }
  return name === local ? name : `${name}: ${local}`;
}

const object = (fields) => `{\n  ${fields.join(',\n  ')},\n}`;

/** What others find in a file, as CommonJS. Only ours require these: they can do without a getter for each name. */
function exportsOfFile(name, exported, publicNames) {
  const isFront = name === 'front.js';
  const fields = exported.map((entry) => field(entry, isFront));
  if (!isFront) return `module.exports = ${object(fields)};\n`;
  const local = new Map(exported.map(([local, name]) => [name, local]));
  const none = '__proto__: null';
  return [
    // Whoever takes index.js out of the cache gets other ones, as of any module.
    'function publicNames() {',
    // Without a prototype at first: V8 makes such a large object as a dictionary, in an eighth of the time.
    `const names = ${object([none, ...publicNames.map(([name, exported]) => field([local.get(name), exported], true))])};`,
    'Object.setPrototypeOf(names, Object.prototype);',
    'return Object.defineProperty(names, "__esModule", { value: true });',
    '}',
    `module.exports = ${object([none, 'publicNames', ...fields])};`,
    '',
  ].join('\n');
}

/** Readable as it is: a stack, a debugger and the line that Node prints of an uncaught error show it. The map leads to the sources. */
async function writeCommonJS(name, text, publicNames) {
  const { body, exported } = withoutExports(text);
  const exports = exportsOfFile(name, exported, publicNames);
  const options = {
    ...common,
    minifySyntax: true,
    format: 'cjs',
    sourcemap: 'external',
    sourcefile: name,
    logOverride: { 'commonjs-variable-in-esm': 'silent' },
  };
  // The last line of the front may need them.
  const { code, map } = isSeen(name)
    ? await transform(body, options).then((it) => ({
        ...it,
        code: it.code.replace(/(^warm\(\);\n)?(?![^])/m, `${exports}$1`),
      }))
    : broken(await transform(body.replace(/(?=^\/\/# sourceMappingURL=)/m, exports), { ...options, ...dense }));
  const known = new Map();
  const js = code
    // What a module of Node's has is looked through at each call.
    .replaceAll(/([\w$]+)( ?= ?)require\("(node:[^"]+)"\)/g, (_, variable, is, id) => {
      const first = known.get(id);
      if (first === undefined) known.set(id, variable);
      return `${variable}${is}${first ?? `process.getBuiltinModule("${id}")`}`;
    })
    // What they export needs no `this`. Behind a name it would be an argument.
    .replaceAll(/(?<![\w$)\]])\(0,([\w$]+\.[\w$]+)\)\(/g, '$1(')
    .replaceAll(/(?<=(?<![\w$.])(?:return|await|throw|typeof|void|new))\(0,([\w$]+\.[\w$]+)\)\(/g, ' $1(')
    .replace('__lateFiles__', `{ ${lateNames.map((group) => `${group}: () => require("./${group}.js")`).join(', ')} }`)
    .replace('__front__', 'module.exports');
  const path = join(dist, name);
  writeFileSync(path, `${js.trimEnd()}\n//# sourceMappingURL=${name}.map\n`);
  writeFileSync(`${path}.map`, byLines(map));
}

/** The public names, of which the bundle of index is nothing but a list: each with its name in the front. */
function publicNamesOf(text) {
  const { exported } = withoutExports(text);
  const local = new Map(namesIn(/^import \{([^}]+)\} from/m.exec(text)[1]).map(([name, local]) => [local, name]));
  return exported.map(([name, exported]) => [local.get(name), exported]);
}

function writeIndex(names) {
  writeFileSync(
    join(dist, 'index.js'),
    [
      '// The public names.',
      'const { publicNames } = require("./front.js");',
      '// In two steps: Node would look for names in what is required, and make a binding of each, which nobody imports.',
      'module.exports = publicNames();',
      '',
    ].join('\n'),
  );
  writeFileSync(
    join(dist, 'index.mjs'),
    [
      '// The ESM façade: the same names and the same classes as the CommonJS files.',
      "import front from './index.js';",
      `export const { ${names
        .map(([, exported]) => exported)
        .sort()
        .join(', ')} } = front;`,
      '',
    ].join('\n'),
  );
}

async function writeFacade(name) {
  const names = Object.keys(createRequire(import.meta.url)(join(dist, `${name}.js`))).sort();
  writeFileSync(
    join(dist, `${name}.mjs`),
    [
      '// The ESM façade: the same names as those of the CommonJS file.',
      `import core from './${name}.js';`,
      `export const { ${names.join(', ')} } = core;`,
      '',
    ].join('\n'),
  );
}

/** A user of the package: what it imports of it is what everybody gets. */
const publicNames = {
  name: 'public-names',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.\/index$/ }, () => ({ path: './index.js', external: true }));
    onResolve({ filter: /\/lib\/index$/ }, () => ({ path: '../../lib/index.js', external: true }));
    onResolve({ filter: /\/tools\/\w+\/command\.js$/ }, ({ path }) => ({
      path: path.replace('../../', '../').replace(/command\.js$/, 'all.js'),
      external: true,
    }));
  },
};

/** Runs where `/bin/sh` does, and in Node: what Node changes before its first line is written down in front of it. */
const launcher = readFileSync(join(root, 'lib/cli/launcher.sh'), 'utf8');

async function buildCommand() {
  await build({
    ...common,
    minify: true,
    absWorkingDir: root,
    entryPoints: ['lib/cli/main.ts'],
    outfile: join(dist, 'cli.js'),
    bundle: true,
    format: 'cjs',
    banner: { js: launcher },
    // What a command is made of is loaded in the way that costs least.
    supported: { 'dynamic-import': false },
    plugins: [publicNames],
  });
  chmodSync(join(dist, 'cli.js'), 0o755);
}

/** `nsclone/bwrap`, and the command that is made of the same: in one file, of which the façades have the public names. */
async function buildTools() {
  const home = join(root, 'dist/tools/bwrap');
  await build({
    ...common,
    minify: true,
    absWorkingDir: root,
    stdin: {
      contents: "export * from './tools/bwrap/index'; export { planBwrap, runBwrap } from './tools/bwrap/command';",
      resolveDir: root,
    },
    outfile: join(home, 'all.js'),
    bundle: true,
    format: 'cjs',
    plugins: [publicNames],
  });
  const names = ['fromBwrap', 'bwrapExitCode'].join(', ');
  writeFileSync(join(home, 'index.js'), `const { ${names} } = require('./all.js');\nmodule.exports = { ${names} };\n`);
  writeFileSync(join(home, 'index.mjs'), `import all from './all.js';\nexport const { ${names} } = all;\n`);
}

rmSync(join(root, 'dist'), { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
const { 'index.js': index, ...modules } = Object.fromEntries(await buildModules());
const names = publicNamesOf(index);
await Promise.all(Object.entries(modules).map(([name, text]) => writeCommonJS(name, text, names)));
writeIndex(names);
await buildCommand();
await buildTools();
await Promise.all(subPaths.map(writeFacade));
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

const wanted = new Set(
  [...['index', ...subPaths].map((name) => join(dist, name)), join(root, 'dist/tools/bwrap/index')].flatMap((name) => [
    ...reached(`${name}.d.ts`),
    `${name}.d.mts`,
  ]),
);
for (const name of readdirSync(join(root, 'dist'), { recursive: true })) {
  const file = join(root, 'dist', name);
  if (!/\.d\.m?ts$/.test(name)) continue;
  if (wanted.has(file)) writeFileSync(file, concise(readFileSync(file, 'utf8')));
  else rmSync(file);
}

/** As its source is indented, and without what `Readonly` says of a whole table; that of the constants is 900 lines. */
function concise(declarations) {
  return declarations
    .replace(/^(?: {4})+/gm, (spaces) => spaces.slice(spaces.length / 2))
    .replace(/Readonly<\{\n[^}]+\}>/g, (table) => table.replaceAll(/^ +readonly (\w+): /gm, '$1:'));
}
