// Packs the package as it would be published, installs it into an empty project, and runs small programs of users there.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');
export const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

export const run = (command, args, cwd = root) =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

/** Packs a folder with npm, and tells the archive's path and what is in it. */
export function pack(folder, into) {
  const [packed] = JSON.parse(run('npm', ['pack', folder, '--ignore-scripts', '--json', `--pack-destination=${into}`]));
  const { filename, files: sizes, size } = packed;
  return { archive: join(into, filename), files: sizes.map(({ path }) => path), sizes, size };
}

/** An empty project with the archive and the programs. Its dependencies come from our node_modules: no network is needed. */
export function install(folder, archive) {
  const dependencies = { nsclone: `file:${archive}` };
  for (const name of Object.keys(manifest.dependencies)) {
    dependencies[name] = `file:${pack(join(root, 'node_modules', name), dirname(archive)).archive}`;
  }
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'consumer', private: true, dependencies }));
  run('npm', ['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'], folder);
  cpSync(join(root, 'test/package/smoke'), folder, { recursive: true });
}

/** Runs one of the programs by this command. A warning is a failure too. */
export function use(folder, program, command = [process.execPath]) {
  const argv = [...command, program];
  const options = { cwd: folder, encoding: 'utf8', timeout: 60_000 };
  const { error, status, signal, stdout, stderr } = spawnSync(argv[0], argv.slice(1), options);
  if (status !== 0 || stdout !== 'good\n' || stderr !== '')
    throw new Error(`${argv.join(' ')} has ended with ${error?.message ?? signal ?? status}:\n${stdout}${stderr}`);
}
