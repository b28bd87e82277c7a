// Loads the addon, when it is first needed: an import works on every platform and costs nothing.
import { existsSync, readdirSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';

import { module } from './builtin';
import { featureUnavailable } from './errors/argument-error';
import { isOurs } from './errors/caller';
import type { Addon } from './native-interface';
import { home } from './package-files';
import { isMainRealm } from './realm';

/** Names the addon's file where a user has it elsewhere. */
const variable = 'NSCLONE_ADDON';

let loaded: Addon | undefined;

/** That of Node's error, where it has one: ERR_DLOPEN_FAILED. Else as Node would say it. */
function codeFor(cause: unknown): string {
  const { code, name } = (cause ?? {}) as { code?: unknown; name?: unknown };
  if (typeof code === 'string') return code;
  return name === 'NotCapable' ? 'ERR_ACCESS_DENIED' : 'MODULE_NOT_FOUND';
}

function cannotLoad(message: string, cause?: unknown, code = codeFor(cause)): Error {
  const error = Object.assign(new Error(message, cause === undefined ? undefined : { cause }), { code });
  isOurs(error);
  return error;
}

/** In no way that a bundler would follow. */
function requireFrom(folder: string, id: string): unknown {
  return module().createRequire(join(folder, 'nsclone.js'))(id);
}

/** What to do, for why it would not be loaded. @param otherwise what helps where it is no setting of the runtime's */
function messageFor(cause: unknown, otherwise: string): string {
  const { code, message, name } = cause as { code?: unknown; message?: unknown; name?: unknown };
  if (name === 'NotCapable')
    return `nsclone is a native addon, which Deno loads where it is allowed to: run it with -A, or with --allow-ffi, --allow-read, --allow-env and --allow-sys (${String(message)})`;
  if (code === 'ERR_DLOPEN_DISABLED')
    return 'nsclone is a native addon, and this Node loads none: run it without --no-addons, or with --allow-addons beside --permission';
  if (code === 'ERR_DLOPEN_FAILED') return `the addon of nsclone does not load here (${String(message)}); ${otherwise}`;
  return `nsclone has no prebuilt addon for ${process.platform} ${process.arch} here; ${otherwise}`;
}

/** What this thread has loaded, by its file, as require() remembers it: a second load of our own files finds it. */
const cacheName = Symbol.for('nsclone.addons');

function cached(): Map<string, Addon> {
  const { [cacheName]: known } = process as { [cacheName]?: Map<string, Addon> };
  if (known !== undefined) return known;
  const cache = new Map<string, Addon>();
  // Who has frozen it loads one more each time.
  Reflect.defineProperty(process, cacheName, { value: cache });
  return cache;
}

/** As require() would, without the whole of `node:module`, which that takes from here. Of another realm it is require(). */
function loadFile(file: string): Addon {
  if (!isMainRealm) return requireFrom('/', file) as Addon;
  const known = cached().get(file);
  if (known !== undefined) return known;
  const into: { exports: unknown } = { exports: {} };
  process.dlopen(into, file);
  const loaded = into.exports as Addon;
  cached().set(file, loaded);
  return loaded;
}

function loadNamed(file: string): Addon {
  const must = `${variable} must be the absolute path of an nsclone.node that was built for this machine`;
  if (!isAbsolute(file)) throw cannotLoad(`${must}. It is '${file}'`, undefined, 'ERR_INVALID_ARG_VALUE');
  try {
    return loadFile(file);
  } catch (cause) {
    throw cannotLoad(messageFor(cause, must), cause);
  }
}

function prebuildsIn(folder: string): string {
  return join(folder, 'prebuilds', `${process.platform}-${process.arch}`);
}

/** What may be the addon in these folders. */
function filesIn(...folders: string[]): string[] {
  return folders.flatMap((folder) =>
    existsSync(folder)
      ? readdirSync(folder)
          .filter((name) => name.startsWith('nsclone.') && name.endsWith('.node'))
          .map((name) => join(folder, name))
      : [],
  );
}

/** The first of these files that loads; `instead` where none does, with why the last one did not. */
function loadFirst(files: readonly string[], instead: (cause: unknown) => Addon): Addon {
  let last: unknown;
  for (const file of files) {
    try {
      return loadFile(file);
    } catch (cause) {
      // There may be one for each C library.
      last = cause;
    }
  }
  return instead(last);
}

function loadFromPackage(root: string): Addon {
  // node-gyp-build looks there first too, and finds what has another name; it takes a third of an import.
  return loadFirst(filesIn(join(root, 'build/Release'), prebuildsIn(root)), () => loadByOthers(root));
}

function loadByOthers(root: string): Addon {
  try {
    return (requireFrom(root, 'node-gyp-build') as (folder: string) => Addon)(root);
  } catch (cause) {
    // `install` scripts are blocked by now in most clients: this is none.
    throw cannotLoad(messageFor(cause, `build it with: npm --prefix '${root}' run build:native`), cause);
  }
}

/** Beside a bundle: the file alone, or the folder of all that are prebuilt. */
function loadBeside(folder: string | undefined): Addon {
  const away =
    `nsclone has been bundled away from its package: copy its folder prebuilds to ${folder ?? 'where the bundle lies'}, ` +
    `or set ${variable} to the path of its addon`;
  return loadFirst(folder === undefined ? [] : filesIn(folder, prebuildsIn(folder)), (cause) => {
    throw cannotLoad(cause === undefined ? away : messageFor(cause, away), cause);
  });
}

function load(): Addon {
  if (process.platform !== 'linux') throw featureUnavailable('nsclone');
  const named = process.env[variable];
  if (named !== undefined && named !== '') return loadNamed(named);
  const { folder, isPackage } = home();
  return isPackage ? loadFromPackage(folder!) : loadBeside(folder);
}

/** The addon. @throws ERR_FEATURE_UNAVAILABLE_ON_PLATFORM where this is not Linux */
export function addon(): Addon {
  return (loaded ??= load());
}
