// Checks which folder may import which, by the tables below; prints what breaks them and exits with 1.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const bare = (file) => file.replace(/\.[cm]?[jt]s$|\.(cc|h)$/, '');

/** The files whose values the order imports: the steps. */
function stepsOf(order) {
  if (!existsSync(join(root, order))) return [];
  const imports = [...importsOf(readFileSync(join(root, order), 'utf8'))].filter(({ type }) => !type);
  return imports.map(({ from }) => bare(posix.join(posix.dirname(order), from)));
}

// The first rule whose `of` fits a file is the file's rule. Names are files without their ending, or folders ('lib/kernel/'):
//   may        what it may import beside itself
//   except     what of that it may not
//   packages   the npm packages and built-in modules it may import; built-in ones ('node:') without a list
//   typeOnly   it may import types only
const typescript = [
  { of: 'types/', may: ['types/'], typeOnly: true },
  { of: 'lib/kernel/', may: ['lib/kernel/'] },
  { of: 'lib/errors/', may: ['lib/errors/', 'lib/kernel/', 'types/'] },
  { of: 'lib/flags', may: ['lib/errors/', 'lib/kernel/', 'types/'] },
  { of: 'lib/check', may: ['lib/errors/', 'lib/kernel/', 'lib/flags', 'types/'] },
  {
    of: 'lib/program/',
    may: ['lib/program/', 'lib/kernel/', 'lib/errors/', 'lib/check', 'lib/flags', 'types/'],
  },
  { of: 'lib/host/', may: ['lib/host/', 'lib/kernel/', 'lib/builtin', 'lib/open-file', 'lib/proc', 'types/'] },
  {
    of: 'lib/seccomp/',
    may: ['lib/seccomp/', 'lib/kernel/', 'lib/errors/', 'lib/check', 'types/'],
  },
  { of: 'lib/assembly/order', may: ['lib/assembly/', 'lib/steps/', 'types/'] },
  {
    of: 'lib/assembly/',
    may: [
      'lib/assembly/',
      'lib/program/',
      'lib/kernel/',
      'lib/errors/',
      'lib/check',
      'lib/flags',
      'lib/privilege',
      'lib/cgroup-folder',
      'lib/join-target',
      'lib/own-environment',
      'types/',
    ],
    // What all steps share knows none of them, but for types.
    except: ['lib/steps/'],
  },
  {
    of: 'lib/steps/',
    may: [
      'lib/steps/',
      'lib/assembly/',
      'lib/program/',
      'lib/kernel/',
      'lib/errors/',
      'lib/check',
      'lib/flags',
      'lib/builtin',
      'lib/host/',
      'lib/privilege',
      'lib/cgroup-folder',
      'lib/join-target',
      'lib/within-ours',
      'lib/own-environment',
      'lib/open-file',
      'lib/own-name',
      'lib/proc',
      'lib/handed-namespaces',
      'lib/seccomp/',
      'types/',
    ],
    // A step never calls another step; what steps have in common is in files that the order does not list.
    except: stepsOf('lib/assembly/order.ts'),
  },
  // The command is a user of the package, and a tool is one too.
  { of: 'lib/cli/plan', may: ['lib/cli/', 'tools/bwrap/command'] },
  { of: 'lib/cli/bwrap', may: ['lib/cli/', 'tools/bwrap/command'] },
  { of: 'tools/bwrap/', may: ['tools/bwrap/', 'lib/index'] },
  { of: 'lib/addon', may: ['lib/', 'types/'], packages: ['node-gyp-build'] },
  { of: 'lib/', may: ['lib/', 'types/'] },
];

// Headers between "" by folder, those between <> by pattern.
const kernelHeaders = /^(std(int|def)\.h|(linux|asm)\/.*)$/;
const notNode = /^(?!.*(napi|node_api|uv|v8|node)\.h$)/;
const native = [
  { of: 'src-native/loop/', may: ['src-native/loop/'], headers: kernelHeaders },
  { of: 'src-native/stub/', may: ['src-native/loop/', 'src-native/stub/'], headers: kernelHeaders },
  // The other half of the child's code: what runs between the clone and the loop.
  { of: 'src-native/launch/entry', may: ['src-native/loop/'], headers: kernelHeaders },
  {
    of: 'src-native/launch/',
    may: ['src-native/launch/', 'src-native/loop/'],
    generated: ['stub_image.h'],
    headers: notNode,
  },
  {
    of: 'src-native/watch/',
    may: ['src-native/watch/', 'src-native/launch/', 'src-native/loop/'],
    headers: notNode,
  },
  { of: 'src-native/binding/', may: ['src-native/'], headers: /./ },
];

const sources = (folder, ending) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && ending.test(entry.name))
    .map((entry) => posix.join(folder, entry.parentPath.slice(join(root, folder).length), entry.name))
    .sort();

const within = (name, places = []) =>
  places.some((place) => (place.endsWith('/') ? name.startsWith(place) : name === place));
const ruleOf = (file, rules) => rules.find((rule) => within(bare(file), [rule.of]));

const violations = [];
const refuse = (file, source, index, what) =>
  violations.push(`${file}:${source.slice(0, index).split('\n').length}: ${what}`);

/** Every import, export-from, import() and require() of a TypeScript source, comments aside. */
function* importsOf(source) {
  const code = source.replace(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, (comment) => comment.replace(/[^\n]/g, ' '));
  const statement = /^(import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm;
  for (const match of code.matchAll(statement))
    yield { index: match.index, type: match[2] !== undefined, from: match[3] };
  for (const match of code.matchAll(/\bimport\('([^']+)'\)(?=\.)/g))
    yield { index: match.index, type: true, from: match[1] };
  for (const match of code.matchAll(/\b(?:import|require)\(\s*'([^']+)'\s*\)/g)) {
    if (code[match.index + match[0].length] === '.' && match[0].startsWith('import')) continue;
    yield { index: match.index, type: false, from: match[1] };
  }
}

function checkTypeScript(file) {
  const source = readFileSync(join(root, file), 'utf8');
  const rule = ruleOf(file, typescript);
  for (const { index, type, from } of importsOf(source)) {
    const problem = problemOf(file, rule, from);
    if (problem) refuse(file, source, index, `${rule.of} ${problem}`);
    if (rule.typeOnly && !type) refuse(file, source, index, `${rule.of} may import types only ('${from}')`);
  }
}

function problemOf(file, rule, from) {
  if (from.endsWith('.node')) return `may not load '${from}': lib/addon alone loads the addon, through node-gyp-build`;
  if (!from.startsWith('.')) {
    return from.startsWith('node:') || within(from, rule.packages) ? undefined : `may not import '${from}'`;
  }
  const target = bare(posix.join(posix.dirname(file), from));
  const own = rule.of.endsWith('/') ? [] : [rule.of];
  const allowed = within(target, [...rule.may, ...own]) && !within(target, rule.except);
  return allowed ? undefined : `may not import ${target}`;
}

function checkNative(file) {
  const source = readFileSync(join(root, file), 'utf8');
  const rule = ruleOf(file, native);
  if (rule === undefined) return refuse(file, source, 0, 'is in no layer');
  for (const { index, 1: system, 2: local } of source.matchAll(/^\s*#\s*include\s+(?:<([^>]+)>|"([^"]+)")/gm)) {
    if (system !== undefined && !rule.headers.test(system))
      refuse(file, source, index, `${rule.of} may not include <${system}>`);
    if (local === undefined || rule.generated?.includes(local)) continue;
    const target = bare(`src-native/${local}`);
    if (!within(target, [...rule.may, rule.of])) refuse(file, source, index, `${rule.of} may not include "${local}"`);
  }
}

sources('types', /\.[cm]?ts$/).forEach(checkTypeScript);
sources('lib', /\.[cm]?ts$/).forEach(checkTypeScript);
sources('tools', /\.[cm]?ts$/).forEach(checkTypeScript);
sources('src-native', /\.(cc|h)$/).forEach(checkNative);

for (const violation of violations) console.error(violation);
if (violations.length > 0) process.exit(1);
console.log('layers: every import points where it may');
