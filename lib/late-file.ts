// The files of the package that are compiled when they are first needed. They are read at the import: in the very next line a program
// may have another root, which is a stranger's, or other ids; later there may be no descriptor left, or another version of the
// package. The build puts this before each of their functions.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileFunction } from 'node:vm';

import { home } from './package-files';

/** Their names, and what they require: put in by the build. */
declare const lateFiles: readonly string[];
declare const core: object;

/** Of nothing but ASCII, as the build writes them. */
const encoding = 'latin1';

const { folder, isPackage } = home();
const texts = new Map(isPackage ? lateFiles.map((name) => [name, readFileSync(fileOf(name), encoding)]) : []);
const loaded = new Map<string, object>();

function fileOf(name: string): string {
  return join(folder!, 'dist/lib', `${name}.js`);
}

function compile(name: string, text: string): object {
  const module = { exports: {} };
  const run = compileFunction(text, ['exports', 'require', 'module'], { filename: fileOf(name) }) as (
    exports: object,
    require: (id: string) => object,
    module: object,
  ) => void;
  run(module.exports, () => core, module);
  return module.exports;
}

/** What a late file exports. @param bundled requires it in the words that a bundler follows: it is then a part of the bundle */
export function load(name: string, bundled: () => object): object {
  const text = texts.get(name);
  const exports = loaded.get(name) ?? (text === undefined ? bundled() : compile(name, text));
  loaded.set(name, exports);
  return exports;
}
