// Where the files of the package lie, and where this code lies where it has been bundled into another program.
import { existsSync, readFileSync } from 'node:fs';
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
 * The folder of the file that this code is in. As V8 has it: bundlers put other things in the place of `__dirname` and
 * `import.meta`, each its own. Undefined where it is in no file.
 */
function ownFolder(): string | undefined {
  const stack = stackOf();
  const files: unknown[] = Array.isArray(stack)
    ? stack
    : Array.from(String(stack).matchAll(/((?:file:\/\/)?\/.*?):\d+:\d+\)?$/gm), ([, file]) => file);
  // Some bundles evaluate text: then it is the file of who has evaluated it.
  const file = files.find((name): name is string => typeof name === 'string' && /^(\/|file:)/.test(name));
  return file === undefined ? undefined : dirname(file.startsWith('file:') ? fileURLToPath(file) : file);
}

function isOurs(folder: string): boolean {
  const file = join(folder, 'package.json');
  return existsSync(file) && /"name": *"nsclone"/.test(readFileSync(file, 'utf8'));
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
  const executable = executableFolder();
  if (executable !== undefined) return { folder: executable, isPackage: false };
  const own = ownFolder();
  if (own === undefined) return { folder: undefined, isPackage: false };
  // As it is published, and as its sources are run.
  const root = [join(own, '../..'), dirname(own)].find((folder) => isOurs(folder));
  return { folder: root ?? own, isPackage: root !== undefined };
}
