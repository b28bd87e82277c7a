// Compiles a small C++ program against the system's headers and the addon's own, and runs it.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { needing } from '../support/capability';
import { root } from '../support/own-process';

/** The addon was built with one, so it is an error if there is none. */
const compiler = ['g++', 'c++', 'clang++-19'].find((command) => spawnSync(command, ['--version']).status === 0);

/** The folder of node_api.h and uv.h that the addon was built with. */
export function nodeHeaders(): string | undefined {
  const config = readFileSync(join(root, 'build/config.gypi'), 'utf8');
  const folder = join(/"nodedir": "(.*)"/.exec(config)?.[1] ?? '', 'include/node');
  return existsSync(join(folder, 'node_api.h')) ? folder : undefined;
}

/** As `test()`, for what includes them: a checkout that was built on another machine has none. */
export const withNodeHeaders = needing(
  nodeHeaders() !== undefined,
  'the headers of Node that the addon was built with',
);

/** What the program prints. @throws what the compiler says */
export function outputOf(source: string, folders: readonly string[] = []): string {
  const folder = mkdtempSync(join(tmpdir(), 'nsclone-compile-'));
  try {
    const file = join(folder, 'program.cc');
    const program = join(folder, 'program');
    writeFileSync(file, source);
    const include = [join(root, 'src-native'), ...folders].map((name) => `-I${name}`);
    const compiled = spawnSync(compiler!, ['-std=c++20', ...include, file, '-o', program], { encoding: 'utf8' });
    if (compiled.status !== 0) throw new Error(compiled.stderr);
    const { status, stdout, stderr } = spawnSync(program, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`the compiled program ended with ${status}: ${stderr}`);
    return stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The values of C++ expressions, in the order given. */
export function valuesOf(
  headers: readonly string[],
  expressions: readonly string[],
  folders: readonly string[] = [],
): number[] {
  const source = [
    '#include <cstddef>',
    '#include <cstdio>',
    ...headers.map((header) => `#include ${header.startsWith('"') ? header : `<${header}>`}`),
    'int main() {',
    ...expressions.map((expression) => `  printf("%lld\\n", static_cast<long long>(${expression}));`),
    '}',
  ];
  return outputOf(`${source.join('\n')}\n`, folders)
    .trim()
    .split('\n')
    .map(Number);
}
