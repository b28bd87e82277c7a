// Packs the declarations and compiles a user of them with every TypeScript that we support, as strictly as it can.
// The compilers come from npm, except for our own. Versions on the command line are taken in the place of those below.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
// 5.2 is the first that has `using`; the others are the last of their kind.
const supported = ['5.2.2', '5.5.4', '5.9.3', '6.0.3'];
const versions = process.argv.length > 2 ? process.argv.slice(2) : supported;
const own = join(root, 'node_modules/typescript/bin/tsc');

const strict = {
  target: 'es2022',
  lib: ['es2023', 'esnext.disposable'],
  types: ['node'],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  // The declarations are checked too.
  skipLibCheck: false,
  noEmit: true,
};
const projects = {
  import: { files: ['user.mts'], compilerOptions: { ...strict, module: 'node16', moduleResolution: 'node16' } },
  require: { files: ['user.cts'], compilerOptions: { ...strict, module: 'node16', moduleResolution: 'node16' } },
  bundler: { files: ['user.mts'], compilerOptions: { ...strict, module: 'esnext', moduleResolution: 'bundler' } },
};

const run = (command, args, cwd = root) => execFileSync(command, args, { cwd, encoding: 'utf8' });

/** The package as it would be installed, its dependencies left out: no declaration needs them. */
function install(folder) {
  const [{ filename }] = JSON.parse(run('npm', ['pack', '--ignore-scripts', '--json', `--pack-destination=${folder}`]));
  const installed = join(folder, 'node_modules/nsclone');
  mkdirSync(installed, { recursive: true });
  run('tar', ['-xzf', join(folder, filename), '--strip-components=1', '-C', installed]);
  for (const name of ['@types/node', 'undici-types']) {
    cpSync(join(root, 'node_modules', name), join(folder, 'node_modules', name), { recursive: true });
  }
  const user = readFileSync(join(root, 'test/package/user.ts'));
  for (const ending of ['mts', 'cts']) writeFileSync(join(folder, `user.${ending}`), user);
  for (const [name, project] of Object.entries(projects)) {
    writeFileSync(join(folder, `${name}.json`), JSON.stringify(project));
  }
}

function compiler(folder, version) {
  const prefix = join(folder, `typescript-${version}`);
  mkdirSync(prefix);
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-save', `--prefix=${prefix}`];
  run('npm', ['install', ...options, `typescript@${version}`]);
  return join(prefix, 'node_modules/typescript/bin/tsc');
}

/** What a compiler has against a project. Node's own types are not ours to mend: some are not fit for exact optional properties. */
function errorsOf(tsc, project, folder) {
  const { stdout, stderr } = spawnSync(process.execPath, [tsc, '-p', `${project}.json`], {
    cwd: folder,
    encoding: 'utf8',
  });
  const errors = `${stdout}${stderr}`.split(/^(?=\S)/m);
  return errors.filter((error) => !error.startsWith('node_modules/@types/node/')).join('');
}

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'nsclone-typescript-')));
try {
  install(folder);
  for (const version of [...versions, 'our own']) {
    const tsc = version === 'our own' ? own : compiler(folder, version);
    for (const project of Object.keys(projects)) {
      const errors = errorsOf(tsc, project, folder);
      console.log(`typescript ${version}, ${project}: ${errors === '' ? 'good' : `\n${errors}`}`);
      if (errors !== '') process.exitCode = 1;
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
