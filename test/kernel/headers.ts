// What the system's C headers say, for the tests that compare the vendored tables with them.
import { spawnSync } from 'node:child_process';

export type Architecture = 'x64' | 'arm64';

const commands: Readonly<Record<Architecture, readonly string[]>> = {
  x64: ['x86_64-linux-gnu-gcc', ...(process.arch === 'x64' ? ['gcc'] : [])],
  arm64: ['aarch64-linux-gnu-gcc', ...(process.arch === 'arm64' ? ['gcc'] : [])],
};

function compile(command: string, options: readonly string[], source: string): string | undefined {
  const { status, stdout } = spawnSync(command, [...options, '-xc', '-', '-o', '-'], {
    input: source,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  return status === 0 ? stdout : undefined;
}

/** A compiler with the kernel's headers for the architecture; `undefined` where this system has none. */
export function compilerFor(arch: Architecture): string | undefined {
  const source = '#include <linux/openat2.h>\n#include <sys/socket.h>\n';
  return commands[arch].find((command) => compile(command, ['-E'], source) !== undefined);
}

const include = (headers: readonly string[]): string =>
  ['#define _GNU_SOURCE', ...headers.map((header) => `#include <${header}>`), ''].join('\n');

/** The names of the macros that the headers define. */
export function macroNames(command: string, headers: readonly string[]): string[] {
  const text = compile(command, ['-E', '-dM'], include(headers)) ?? '';
  return [...text.matchAll(/^#define (\w+) /gm)].map((match) => match[1] ?? '');
}

/** The values of C constants by name, in the order given; all of them must be in the headers. */
export function valuesOf(command: string, headers: readonly string[], names: readonly string[]): Map<string, bigint> {
  const lines = names.map((name) => `const long long value_${name} = (long long)(${name});`);
  const text = compile(command, ['-S', '-w'], `${include(headers)}${lines.join('\n')}\n`);
  if (text === undefined) throw new Error(`${command} refused ${headers.join(' ')}`);
  const values = text.matchAll(/^value_(\w+):\n\s*\.(quad|xword|zero)\s+(-?\d+)$/gm);
  return new Map([...values].map(([, name, kind, value]) => [name ?? '', kind === 'zero' ? 0n : BigInt(value ?? '')]));
}

/** Loads a module as it is on the other architecture. */
export function loadOn<T>(arch: Architecture, load: () => T): T {
  const own = Object.getOwnPropertyDescriptor(process, 'arch');
  let loaded: T | undefined;
  Object.defineProperty(process, 'arch', { value: arch, configurable: true, enumerable: true });
  try {
    jest.isolateModules(() => {
      loaded = load();
    });
  } finally {
    if (own !== undefined) Object.defineProperty(process, 'arch', own);
  }
  return loaded as T;
}

/** `test`, or a skip that names the missing compiler; the body gets the compiler. */
export function testWithHeaders(arch: Architecture, name: string, body: (command: string) => void): void {
  const command = compilerFor(arch);
  if (command === undefined) test.skip(`${name} (no ${arch} compiler with kernel headers)`, () => {});
  else test(name, () => body(command));
}
