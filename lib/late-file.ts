// The files of the package that are compiled when they are first needed. They are read right after the import: later there may be
// no descriptor left, another root, or another version of the package. The build puts this before each of their functions.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileFunction } from 'node:vm';

import { home } from './package-files';
import { setImmediate } from './timers';

/** Their names, and what they require: put in by the build. */
declare const lateFiles: readonly string[];
declare const core: object;

/** Of nothing but ASCII, as the build writes them. */
const encoding = 'latin1';

const texts = new Map<string, string>();
const loaded = new Map<string, object>();

function fileOf(name: string): string {
  return join(home().folder!, 'dist/lib', `${name}.js`);
}

function textOf(name: string): string {
  const text = texts.get(name) ?? readFileSync(fileOf(name), encoding);
  texts.set(name, text);
  return text;
}

function readAll(): void {
  try {
    lateFiles.forEach(textOf);
  } catch {
    // Told by whoever needs it.
  }
}

// Not while the package is loaded, for which everybody waits.
if (home().isPackage) setImmediate(readAll).unref();

function compile(name: string): object {
  const module = { exports: {} };
  const run = compileFunction(textOf(name), ['exports', 'require', 'module'], { filename: fileOf(name) }) as (
    exports: object,
    require: (id: string) => object,
    module: object,
  ) => void;
  run(module.exports, () => core, module);
  return module.exports;
}

/** What a late file exports. @param bundled requires it in the words that a bundler follows: it is then a part of the bundle */
export function load(name: string, bundled: () => object): object {
  const exports = loaded.get(name) ?? (home().isPackage ? compile(name) : bundled());
  loaded.set(name, exports);
  return exports;
}
