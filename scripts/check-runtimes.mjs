// Packs the package, and tries it in Node, Bun and Deno, as root also as an ordinary user. The runtimes come from npm.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

// The packages of this platform themselves: `bun` and `deno` fetch them by an install script.
const { bun, deno } = {
  x64: { bun: ['@oven/bun-linux-x64', 'bin/bun'], deno: ['@deno/linux-x64-glibc', 'deno'] },
  arm64: { bun: ['@oven/bun-linux-aarch64', 'bin/bun'], deno: ['@deno/linux-arm64-glibc', 'deno'] },
}[process.arch];
const bunVersion = '1.4.5';
const denoVersion = '2.9.6';

const ordinary = ['setpriv', '--reuid=1000', '--regid=1000', '--clear-groups', '--inh-caps=-all'];
const longest = 300_000;

const run = (command, args, cwd = root) => execFileSync(command, args, { cwd, encoding: 'utf8' });

/** An empty project with the package in it. Its dependencies come from our node_modules. */
function install(folder) {
  const [{ filename }] = JSON.parse(run('npm', ['pack', '--ignore-scripts', '--json', `--pack-destination=${folder}`]));
  const project = join(folder, 'project');
  const installed = join(project, 'node_modules/nsclone');
  mkdirSync(installed, { recursive: true });
  run('tar', ['-xzf', join(folder, filename), '--strip-components=1', '--no-same-owner', '-C', installed]);
  for (const name of Object.keys(manifest.dependencies))
    cpSync(join(root, 'node_modules', name), join(project, 'node_modules', name), { recursive: true });
  const dependencies = { nsclone: manifest.version };
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'project', private: true, dependencies }));
  cpSync(join(root, 'test/package/runtimes'), project, { recursive: true });
  return project;
}

/** The programs that run a file, each with its arguments. */
function runtimes(folder) {
  const prefix = join(folder, 'runtimes');
  mkdirSync(prefix);
  const wanted = [`${bun[0]}@${bunVersion}`, `${deno[0]}@${denoVersion}`];
  run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-save', `--prefix=${prefix}`, ...wanted]);
  const program = ([name, file]) => {
    const path = join(prefix, 'node_modules', name, file);
    chmodSync(path, 0o755);
    return path;
  };
  return [
    { name: `Node ${process.versions.node}`, command: [process.execPath] },
    { name: `Bun ${bunVersion}`, command: [program(bun)] },
    { name: `Deno ${denoVersion}`, command: [program(deno), 'run', '-A'], permits: '--no-prompt' },
  ];
}

/** Whoever runs it gets a home of his own: a runtime may keep a cache there. */
function usersIn(folder) {
  const home = (name) => {
    const path = join(folder, `home-${name}`);
    mkdirSync(path);
    return path;
  };
  const us = { name: process.getuid() === 0 ? 'root' : 'an ordinary user', prefix: [], home: home('ours') };
  if (process.getuid() !== 0) return [us];
  const him = { name: 'an ordinary user', prefix: ordinary, home: home('his') };
  run('chown', ['1000:1000', him.home]);
  return [us, him];
}

function start({ prefix, home }, command, project) {
  const argv = [...prefix, ...command];
  const { PATH } = process.env;
  const env = { PATH, HOME: home, LANG: 'C.UTF-8', NO_COLOR: '1' };
  const { status, signal, stdout, stderr } = spawnSync(argv[0], argv.slice(1), {
    cwd: project,
    env,
    encoding: 'utf8',
    timeout: longest,
    killSignal: 'SIGKILL',
  });
  return { status, signal, output: stdout + stderr };
}

/** What fails, in a sentence each. */
function failuresOf({ command, permits }, user, project) {
  const failures = [];
  const smoke = start(user, [...command, 'smoke.mjs'], project);
  if (smoke.status !== 0) failures.push(`smoke.mjs ended with ${smoke.status ?? smoke.signal}:\n${smoke.output}`);
  const leaves = start(user, [...command, 'leaves.cjs'], project);
  if (leaves.status !== 4) failures.push(`leaves.cjs ended with ${leaves.status ?? leaves.signal}:\n${leaves.output}`);
  const child = Number(leaves.output);
  try {
    process.kill(child, 'SIGKILL');
  } catch {
    failures.push(`leaves.cjs left no child: ${leaves.output}`);
  }
  if (permits !== undefined) {
    const [program, verb] = command;
    const { output } = start(user, [program, verb, permits, '--allow-read', '--allow-env', 'leaves.cjs'], project);
    if (!/^nsclone is a native addon, .* --allow-ffi/m.test(output)) failures.push(`without its permission: ${output}`);
  }
  return failures;
}

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'nsclone-runtimes-')));
try {
  chmodSync(folder, 0o755);
  const project = install(folder);
  const users = usersIn(folder);
  for (const runtime of runtimes(folder)) {
    for (const user of users) {
      const failures = failuresOf(runtime, user, project);
      console.log(`${runtime.name}, ${user.name}: ${failures.length === 0 ? 'good' : failures.join('\n')}`);
      if (failures.length > 0) process.exitCode = 1;
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
