// What a NamespaceWorker does before its module: as text, since it finds no file of ours where we are a part of a bundle.
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';
import { isAbsolute, resolve } from 'node:path';
import type { WorkerOptions } from 'node:worker_threads';

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
  /** The name that a refusal has in the error that ends the Worker, which no error of its own has. */
  readonly refusal: string;
}

/** What was refused, errno, and what the addon has told. */
export type Refused = readonly [
  what: 'join' | 'flags' | 'hostname' | 'loopback',
  errno: number,
  place: number,
  call: number,
];

/** An expression in one line, for scripts and modules. By `globalThis`: a module may have its own names for what is global. */
function enter(given: Given): string {
  return `(({ addon: file, places: targets, flags, hostname, loopback, refusal }) => {
    const loaded = { exports: {} };
    globalThis.process.dlopen(loaded, file);
    const addon = loaded.exports;
    const places = new globalThis.Int32Array(targets.length + 2);
    places.set(targets);
    const must = (result, what) => {
      if (result < 0) throw globalThis.Object.assign(new globalThis.Error(what), { [refusal]: [what, -result, places[0], places[1]] });
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

/** After which it is a script of its own: no name of it is one of ours, and its first line is its first. */
function runScript(source: string): string {
  return `(({ runInThisContext, constants }) => runInThisContext(${JSON.stringify(source)}, { filename: '[worker eval]', importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER }))(process.getBuiltinModule('node:vm'));`;
}

/** Whether Node takes every text for a module, by its arguments. */
function isModule(options: WorkerOptions): boolean {
  const environment = (typeof options.env === 'object' ? options.env : process.env)['NODE_OPTIONS'];
  return /--(?:input|experimental-default)-type[= ]module/.test(
    [...(options.execArgv ?? process.execArgv), environment].join(' '),
  );
}

function runText(source: string, options: WorkerOptions, given: Given): string {
  const couldBeScript = isScript(source);
  if (couldBeScript && !isModule(options)) return enter(given) + runScript(source);
  // In the first line of a module: all else of it is as Node has it.
  const text = source.replace(/^#!/, '//');
  if (couldBeScript) return `${enter(given)} ${text}`;
  // It is evaluated after those that it imports, in their order.
  return `import ${JSON.stringify(`data:text/javascript,${encodeURIComponent(enter(given))}`)}; ${text}`;
}

function isURL(value: unknown): value is URL {
  const candidate = value as Partial<URL> | null | undefined;
  return typeof candidate === 'object' && typeof candidate?.href === 'string' && typeof candidate.protocol === 'string';
}

/** What the Worker evaluates: enters, and goes on with what it was asked for. @throws ArgumentError */
export function workerText(filename: unknown, options: WorkerOptions, given: Given): string {
  const option = 'filename argument';
  if (options.eval) {
    if (typeof filename !== 'string') throw invalidArgType(option, 'of type string, as eval is given', filename);
    return runText(filename, options, given);
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
