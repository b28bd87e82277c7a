// C sources of this folder, compiled when a test needs them.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const compiler = ['gcc', 'cc', 'clang-19'].find((command) => spawnSync(command, ['--version']).status === 0);

/** As `test()`, for what needs such a program. */
export function withCompiler(name: string, body: () => void): void {
  if (compiler === undefined) test.skip(`${name} (skipped: needs a C compiler)`, body);
  else test(name, body);
}

/** Compiles `name`.c for the tests of this file; the path is there once they run. */
export function compiled(name: string, options: readonly string[] = []): { readonly path: string } {
  const result = { path: '' };
  let folder: string | undefined;
  beforeAll(() => {
    if (compiler === undefined) return;
    folder = mkdtempSync(join(tmpdir(), 'nsclone-compiled-'));
    result.path = join(folder, name);
    const { status, stderr } = spawnSync(
      compiler,
      ['-Wall', '-Wextra', ...options, join(__dirname, `${name}.c`), '-o', result.path],
      {
        encoding: 'utf8',
      },
    );
    if (status !== 0) throw new Error(stderr);
  });
  afterAll(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true });
  });
  return result;
}
