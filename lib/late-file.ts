// The files of the package that are compiled when they are first needed. They are read at the import: in the very next line a program
// may have another root, which is a stranger's, or other ids; later there may be no descriptor left, or another version of the
// package. The build puts this before each of their functions.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { vm } from './builtin';
import { home } from './package-files';
import { isMainRealm } from './realm';

/** Put in by the build: who requires each of them, in the words that a bundler follows, and what all of them require. */
declare const lateFiles: Readonly<Record<string, () => object>>;
declare const front: object;

type Run = (exports: object, require: (id: string) => object, module: object) => void;

/** Of nothing but ASCII, as the build writes them. */
const encoding = 'latin1';

// Mentioned here alone: the build writes the whole object in its place.
const bundled = lateFiles;
const { folder, isPackage } = home();
// As bytes: a string of them is made of what is needed alone, and V8 takes a millisecond to let go of all when the process ends.
const texts = new Map(isPackage ? Object.keys(bundled).map((name) => [name, readFileSync(fileOf(name))]) : []);
const loaded = new Map<string, object>();

function fileOf(name: string): string {
  return join(folder!, 'dist/lib', `${name}.js`);
}

function functionOf(name: string, text: string): Run {
  const parameters = ['exports', 'require', 'module'];
  const filename = fileOf(name);
  if (isMainRealm) return vm().compileFunction(text, parameters, { filename }) as Run;
  // That would be of Node's realm: its objects and errors would be instances of none of the classes that are there for a program here.
  // oxlint-disable-next-line typescript/no-implied-eval -- the text of our own file
  return new Function(...parameters, `${text}\n//# sourceURL=${filename}`) as Run;
}

function compile(name: string, text: string): object {
  const module = { exports: {} };
  functionOf(name, text)(module.exports, (id) => (id === './core.js' ? load('core') : front), module);
  return module.exports;
}

/** What a late file exports. */
export function load(name: string): object {
  let exports = loaded.get(name);
  if (exports === undefined) {
    const text = texts.get(name);
    // A part of a bundle is there already.
    exports = text === undefined ? bundled[name]!() : compile(name, text.toString(encoding));
    loaded.set(name, exports);
    texts.delete(name);
  }
  return exports;
}
