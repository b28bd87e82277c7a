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

/** The test build of the addon, with the fault hook. */
export const testBuild = join(root, 'build/Release/nsclone_test.node');

/** Put before the first `require()` of the package, in a script: it takes the test build. Of those below that is too late. */
export const withTestBuild = `process.env.NSCLONE_ADDON = ${JSON.stringify(testBuild)};`;

/** Runs CommonJS source; `nsclone`, `fs`, `slow`, `until` and `inTime` are defined in it, and `await` is allowed. */
export function runScript(source: string, wrapper: readonly string[] = []): Outcome {
  const script = `const nsclone = require(${JSON.stringify(root)}); const fs = require('node:fs');
    const { slow, until, inTime } = require(${slowness});
    (async () => { ${source} })().catch((error) => { console.error(error); process.exit(70); });`;
  const argv = [...wrapper, process.execPath, '-e', script];
  const { status, signal, stdout, stderr } = spawnSync(argv[0]!, argv.slice(1), {
    encoding: 'utf8',
    timeout: slow(25_000),
    // unshare(1) ignores SIGTERM while it waits.
    killSignal: 'SIGKILL',
  });
  return { status, signal, stdout, stderr };
}

/** Put before a script of root's: it is an ordinary user's then. */
export const asUser: readonly string[] = as(1000);

/** As an ordinary user of this number, for what the kernel counts for each user. */
export function as(uid: number): readonly string[] {
  return `setpriv --reuid ${uid} --regid ${uid} --clear-groups --inh-caps=-all`.split(' ');
}

/**
 * Put before a script, which is then root over all namespaces that it is in: an ordinary user makes some. It is pid 1 there, so that
 * nothing of it is left.
 */
export const asOwner: readonly string[] =
  process.getuid!() === 0
    ? []
    : 'unshare --user --map-root-user --net --uts --ipc --cgroup --mount --mount-proc --pid --fork --kill-child'.split(
        ' ',
      );

/** Put before a script: its mounts are shared, as systemd has them, and with nobody else. An ordinary user is root there. */
export const withSharedMounts: readonly string[] = [
  ...'unshare --mount --propagation private'.split(' '),
  ...(process.getuid!() === 0 ? [] : ['--user', '--map-root-user']),
  'sh',
  '-c',
  'mount --make-rshared / && exec "$@"',
  'sh',
];

/** Whether that is possible here. */
export const mayOwn = asOwner.length === 0 || spawnSync(asOwner[0]!, [...asOwner.slice(1), '/bin/true']).status === 0;

/** Runs a script that prints one JSON value. */
export function evaluate<T>(source: string, wrapper: readonly string[] = []): T {
  const { status, signal, stdout, stderr } = runScript(
    `console.log(JSON.stringify(await (async () => { ${source} })()));`,
    wrapper,
  );
  if (status !== 0) throw new Error(`the script ended with ${status ?? signal}: ${stderr}`);
  return JSON.parse(stdout) as T;
}
