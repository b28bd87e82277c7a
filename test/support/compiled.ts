// C programs and libraries of the tests, compiled when a file needs them, where every user may execute them.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

export const compiler = ['gcc', 'cc', 'clang-19'].find((command) => spawnSync(command, ['--version']).status === 0);

/** What a library has to be compiled with whose loading is all that it does. */
export const library = ['-shared', '-fPIC', '-Wl,-z,nodelete'] as const;

/** As `test()`, for what needs such a program. */
export function withCompiler(name: string, body: (() => void) | (() => Promise<unknown>)): void {
  if (compiler === undefined) test.skip(`${name} (skipped: needs a C compiler)`, body);
  else test(name, body);
}

/** What a compiler refuses by itself from GCC 14 on is refused by all. */
const warnings = ['-Wall', '-Wextra', '-Werror=implicit'];

/** Compiles `source`.c, a path below test/, for the tests of a file; the path is there once they run. */
export function compiled(source: string, options: readonly string[] = []): { readonly path: string } {
  const result = { path: '' };
  let folder: string | undefined;
  beforeAll(() => {
    if (compiler === undefined) return;
    folder = mkdtempSync(join(tmpdir(), 'nsclone-compiled-'));
    chmodSync(folder, 0o755);
    result.path = join(folder, basename(source));
    const file = join(__dirname, '..', `${source}.c`);
    const { status, stderr } = spawnSync(compiler, [...warnings, '-O1', ...options, file, '-o', result.path], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(stderr);
  });
  afterAll(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true });
  });
  return result;
}
