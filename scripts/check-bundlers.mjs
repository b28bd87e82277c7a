// Runs every recipe of docs/guides/bundling.md on the packed package, and each of the programs that come out where nothing else is.
// The bundlers come from npm.
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const page = readFileSync(join(root, 'docs/guides/bundling.md'), 'utf8');
const bundlers = {
  '@rollup/plugin-commonjs': '29.0.3',
  '@rollup/plugin-node-resolve': '16.0.3',
  '@vercel/ncc': '0.45.0',
  esbuild: '0.28.2',
  postject: '1.0.0-alpha.6',
  rollup: '4.68.8',
  webpack: '5.112.2',
  'webpack-cli': '7.3.1',
};
/** What the program of the page prints. */
const expected = 'box\nENOENT: no such file or directory, execve no-such-command: there is no such command in PATH\n';

const run = (command, args, options = {}) => execFileSync(command, args, { cwd: root, encoding: 'utf8', ...options });

/** The blocks of the page: files (`as=NAME`), and lines to run, on one architecture alone where that is named. */
const blocks = Array.from(page.matchAll(/^```(\w+) (.*)\n([^]*?)^```$/gm), ([, , words, code]) => ({
  name: /\bas=(\S+)/.exec(words)?.[1],
  runs: words.startsWith('run') && (words === 'run' || words === `run ${process.arch}`),
  code,
}));

/** A program that has the package and all bundlers. */
function makeProject(project) {
  mkdirSync(project);
  const [{ filename }] = JSON.parse(
    run('npm', ['pack', '--ignore-scripts', '--json', `--pack-destination=${dirname(project)}`]),
  );
  const dependencies = { nsclone: `file:${join(dirname(project), filename)}`, ...bundlers };
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'bundled', private: true, dependencies }));
  run('npm', ['install', '--no-audit', '--no-fund', '--no-package-lock'], { cwd: project });
}

/** What was made, run in a folder with nothing above it. */
function check(folder, made) {
  const moved = join(folder, 'moved');
  cpSync(made, moved, { recursive: true });
  try {
    const file = ['app', 'app.cjs', 'app.mjs', 'index.js', 'index.mjs'].find((name) =>
      readdirSync(moved).includes(name),
    );
    const command = file === 'app' ? [join(moved, file)] : [process.execPath, join(moved, file)];
    const output = run(command[0], command.slice(1), { cwd: '/', timeout: 30_000 });
    if (output !== expected) throw new Error(`has printed:\n${output}`);
  } finally {
    rmSync(moved, { recursive: true });
  }
}

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'nsclone-bundlers-')));
const project = join(folder, 'project');
try {
  makeProject(project);
  for (const { name, code } of blocks) if (name !== undefined) writeFileSync(join(project, name), code);
  for (const { runs, code } of blocks) {
    if (runs) run('sh', ['-e', '-c', code], { cwd: project, stdio: ['ignore', 'ignore', 'inherit'] });
  }
  const recipes = readdirSync(join(project, 'out'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const runs = blocks.filter((block) => block.runs).length;
  if (runs === 0 || recipes.length < runs) throw new Error(`${runs} recipes have made ${recipes.length} programs`);
  for (const { name } of recipes) {
    try {
      check(folder, join(project, 'out', name));
      console.log(`bundlers: ${name} is good`);
    } catch (error) {
      console.error(`bundlers: ${name} ${error.message}`);
      process.exitCode = 1;
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
