// Filters of one profile: ours, and those of libseccomp where it is installed.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const pathOf = (name) => fileURLToPath(new URL(name, import.meta.url));
const folder = pathOf('../build/bench/');

/** A source of the tests, which are TypeScript. */
async function source(name) {
  const options = { bundle: true, format: 'esm', platform: 'node', write: false, logLevel: 'error' };
  const [{ contents }] = (await build({ ...options, entryPoints: [pathOf(`../test/seccomp/${name}.ts`)] })).outputFiles;
  return import(`data:text/javascript;base64,${Buffer.from(contents).toString('base64')}`);
}

/** Compiles a program in C. @returns where it is */
export function compiled(file, options = []) {
  mkdirSync(folder, { recursive: true });
  const path = `${folder}${file.replace(/^.*\/|\.c$/g, '')}`;
  execFileSync('gcc', ['-O2', '-Wall', '-Wextra', ...options, '-o', path, pathOf(file)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return path;
}

/** The profile of the tests that has the shape and the size of those of container engines. */
export async function engineProfile() {
  return (await source('docker-shaped')).dockerShaped;
}

/** By who has made them: a list of comparisons, and since libseccomp 2.5 a tree where that is asked for. */
export async function filtersOfLibseccomp(profile, missing) {
  const { library, linesOf } = await source('reference-lines');
  const native = process.arch === 'arm64' ? 'SCMP_ARCH_AARCH64' : 'SCMP_ARCH_X86_64';
  try {
    const reference = compiled('../test/seccomp/reference.c', library);
    const made = (tree) => {
      const input = `${[...linesOf(profile, native, tree)].join('\n')}\n`;
      const { status, stdout } = spawnSync(reference, { input, maxBuffer: 1 << 28 });
      if (status !== 0) throw new Error(`reference.c ended with ${status}`);
      return stdout.subarray(4);
    };
    return { libseccomp: made(false), 'libseccomp, tree': made(true) };
  } catch (error) {
    const isMissing = /cannot find -l:libseccomp/.test(error.stderr);
    missing.push({ subject: 'libseccomp', reason: isMissing ? 'libseccomp.so.2 is not installed' : error.message });
    return {};
  }
}
