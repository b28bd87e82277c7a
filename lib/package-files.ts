// Where the files of the package lie, and where this code lies where it has been bundled into another program.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

type Prepare = typeof Error.prepareStackTrace;

/** Frames that are looked at. */
const most = 20;

/** What V8 says of the frames on the stack: their files; or a text, where Error is frozen or somebody else has the say. */
function stackOf(): unknown {
  const at: { stack?: unknown } = {};
  // oxlint-disable-next-line typescript/unbound-method -- put back, never called
  const { prepareStackTrace, stackTraceLimit } = Error;
  try {
    Error.stackTraceLimit = most;
    Error.prepareStackTrace = ((_error, sites) => sites.map((site) => site.getFileName())) satisfies Prepare;
    Error.captureStackTrace(at);
    return at.stack;
  } catch {
    return new Error().stack;
  } finally {
    Reflect.set(Error, 'prepareStackTrace', prepareStackTrace);
    Reflect.set(Error, 'stackTraceLimit', stackTraceLimit);
  }
}

/**
 * The file that this code is in. As V8 has it: bundlers put other things in the place of `__dirname` and `import.meta`, each its own.
 * Undefined where it is in no file.
 */
function ownFile(): string | undefined {
  const stack = stackOf();
  const files: unknown[] = Array.isArray(stack)
    ? stack
    : Array.from(String(stack).matchAll(/((?:file:\/\/)?\/.*?):\d+:\d+\)?$/gm), ([, file]) => file);
  // Some bundles evaluate text: then it is the file of who has evaluated it.
  const file = files.find((name): name is string => typeof name === 'string' && (name.startsWith('/') || isURL(name)));
  return file !== undefined && isURL(file) ? fileURLToPath(file) : file;
}

function isURL(file: string): boolean {
  return file.startsWith('file:');
}

/** Where this code lies in the package: as it is published, and as its sources are run. */
const ownNames = ['dist/lib/front.js', 'lib/package-files.ts'];

/**
 * The folder of the package that has this file of ours. By the name of the file first: above a bundle may be a folder like /tmp, in
 * which anybody puts a package.json.
 */
function packageOf(file: string): string | undefined {
  const name = ownNames.find((own) => file.endsWith(`/${own}`));
  if (name === undefined) return undefined;
  const folder = file.slice(0, -name.length - 1);
  try {
    const { name: ours } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: unknown };
    return ours === 'nsclone' ? folder : undefined;
  } catch {
    // There is none, or it cannot be read, or it is none.
    return undefined;
  }
}

/** The folder of a single executable that this code is a part of, see https://nodejs.org/api/single-executable-applications.html */
function executableFolder(): string | undefined {
  const sea = process.getBuiltinModule('node:sea') as { isSea(): boolean } | undefined;
  return sea?.isSea() === true ? dirname(process.execPath) : undefined;
}

export interface Home {
  /** Where the package's files are looked for; undefined where this code is in no file. */
  readonly folder: string | undefined;
  /** Whether it is the package itself. Else this code has been bundled into another program, and it is where that lies. */
  readonly isPackage: boolean;
}

let found: Home | undefined;

/** Where the package's files are, the addon first of all. */
export function home(): Home {
  return (found ??= find());
}

function find(): Home {
  const own = ownFile();
  const root = own === undefined ? undefined : packageOf(own);
  if (root !== undefined) return { folder: root, isPackage: true };
  return { folder: executableFolder() ?? (own === undefined ? undefined : dirname(own)), isPackage: false };
}
