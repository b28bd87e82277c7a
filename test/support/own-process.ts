// Runs a script in a Node process of its own, with the built package: what it does to its threads and limits ends with it.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import { slow } from './slow';

/** The root of the package, for `require()` in scripts. */
export const root = join(__dirname, '../..');

export interface Outcome {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

const slowness = JSON.stringify(join(__dirname, 'slow.js'));

/** Put before the first `require()` of the package, in a script: it takes the test build of the addon, with the fault hook. */
export const withTestBuild = `process.env.NSCLONE_ADDON = ${JSON.stringify(join(root, 'build/Release/nsclone_test.node'))};`;

/** Runs CommonJS source; `nsclone`, `fs`, `slow`, `until` and `inTime` are defined in it, and `await` is allowed. */
export function runScript(source: string, wrapper: readonly string[] = []): Outcome {
  const script = `const nsclone = require(${JSON.stringify(root)}); const fs = require('node:fs');
    const { slow, until, inTime } = require(${slowness});
    (async () => { ${source} })().catch((error) => { console.error(error); process.exit(70); });`;
  const argv = [...wrapper, process.execPath, '-e', script];
  const { status, signal, stdout, stderr } = spawnSync(argv[0]!, argv.slice(1), {
    encoding: 'utf8',
    timeout: slow(25_000),
  });
  return { status, signal, stdout, stderr };
}

/** Runs a script that prints one JSON value. */
export function evaluate<T>(source: string, wrapper: readonly string[] = []): T {
  const { status, signal, stdout, stderr } = runScript(
    `console.log(JSON.stringify(await (async () => { ${source} })()));`,
    wrapper,
  );
  if (status !== 0) throw new Error(`the script ended with ${status ?? signal}: ${stderr}`);
  return JSON.parse(stdout) as T;
}
