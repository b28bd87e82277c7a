// What a NamespaceWorker does before its module: as text, since it finds no file of ours where we are a part of a bundle.
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';
import { isAbsolute, resolve } from 'node:path';

import { invalidArgType, invalidArgValue } from '../errors/argument-error';

/** What the text is given. */
export interface Given {
  /** The path of the addon. */
  readonly addon: string;
  /** [descriptor, kinds] of each namespace to enter. */
  readonly places: readonly number[];
  readonly flags: number;
  readonly hostname: string | undefined;
  readonly loopback: boolean;
}

/** The name that a refusal has in the error that ends the Worker: what was refused, errno, and what the addon has told. */
export const refusalName = 'refusedByNamespaces';
export type Refused = readonly [
  what: 'join' | 'flags' | 'hostname' | 'loopback',
  errno: number,
  place: number,
  call: number,
];

/** An expression in one line, for scripts and modules. */
function enter(given: Given): string {
  return `(({ addon: file, places: targets, flags, hostname, loopback }) => {
    const loaded = { exports: {} };
    process.dlopen(loaded, file);
    const addon = loaded.exports;
    const places = new Int32Array(targets.length + 2);
    places.set(targets);
    const must = (result, what) => {
      if (result < 0) throw Object.assign(new Error(what), { ${refusalName}: [what, -result, places[0], places[1]] });
    };
    must(addon.enter(places, targets.length / 2), 'join');
    must(addon.unshare(flags), 'flags');
    if (hostname !== undefined) must(addon.setHostname(hostname), 'hostname');
    if (loopback) must(addon.raiseLoopback(places, 0), 'loopback');
  })(${JSON.stringify(given)});`.replaceAll(/\n\s*/g, ' ');
}

/** What Node puts there for a Worker that evaluates text, and for no other. */
const forget = `for (const name of ['module', 'exports', 'require', '__filename', '__dirname']) delete globalThis[name];`;

/** As Node itself runs the file of a Worker. */
function runFile(path: string): string {
  const file = JSON.stringify(path);
  return `${forget} process.argv.splice(1, 1, ${file}); process.getBuiltinModule('node:module').runMain(${file});`;
}

function runData(url: string): string {
  return `${forget} process.argv.splice(1, 1); import(${JSON.stringify(url)});`;
}

function isScript(source: string): boolean {
  try {
    void new Script(source);
    return true;
  } catch {
    return false;
  }
}

/** What may stand before a directive. One at a time: a pattern of many would try every way to divide a line of slashes. */
const aside = /\s+|\/\/.*|\/\*[^]*?\*\//y;
const strict = /(['"])use strict\1/y;

function isStrict(text: string): boolean {
  let at = 0;
  for (aside.lastIndex = 0; aside.test(text);) at = aside.lastIndex;
  strict.lastIndex = at;
  return strict.test(text);
}

/** In the first line of the text itself: all else of it is as Node has it. */
function runText(source: string, given: Given): string {
  const text = source.replace(/^#!/, '//');
  if (isScript(source)) return `${isStrict(text) ? '"use strict"; ' : ''}${enter(given)} ${text}`;
  // A module is evaluated after those that it imports, in their order.
  return `import ${JSON.stringify(`data:text/javascript,${encodeURIComponent(enter(given))}`)}; ${text}`;
}

function isURL(value: unknown): value is URL {
  const candidate = value as Partial<URL> | null | undefined;
  return typeof candidate === 'object' && typeof candidate?.href === 'string' && typeof candidate.protocol === 'string';
}

/** What the Worker evaluates: enters, and goes on with what it was asked for. @throws ArgumentError */
export function workerText(filename: unknown, isText: boolean, given: Given): string {
  const option = 'filename argument';
  if (isText) {
    if (typeof filename !== 'string') throw invalidArgType(option, 'of type string, as eval is given', filename);
    return runText(filename, given);
  }
  if (isURL(filename)) {
    if (filename.protocol === 'data:') return enter(given) + runData(filename.href);
    if (filename.protocol !== 'file:') throw invalidArgValue(option, filename.href, 'must be a file: or data: URL');
    return enter(given) + runFile(fileURLToPath(filename.href));
  }
  if (typeof filename !== 'string') throw invalidArgType(option, 'of type string or an instance of URL', filename);
  if (!isAbsolute(filename) && !/^\.\.?[\\/]/.test(filename)) {
    const reason = /^(file|data):/.test(filename)
      ? 'must be a path; wrap it with new URL()'
      : "must be an absolute path, or begin with './' or '../'";
    throw invalidArgValue(option, filename, reason);
  }
  return enter(given) + runFile(resolve(filename));
}
