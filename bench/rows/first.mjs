// The first start of a fresh Node process, and what loading the package adds to a bare one.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { loadLibrary } from '../contenders.mjs';
import { interleave } from '../interleave.mjs';
import { since } from '../timing.mjs';

export const title = 'First start of a fresh process';
export const variants = ['fresh'];
export const runs = { fresh: 100 };

export function measure(variant, { missing, ...bench }) {
  return loadLibrary(missing).then((library) =>
    interleave(
      {
        'bare Node': () => processTime('bare.cjs'),
        'require(an empty package)': () => processTime('empty/require.cjs'),
        'require(nsclone)': library && (() => processTime('require.cjs')),
        'bare Node, ES module': () => processTime('bare.mjs'),
        'import an empty package': () => processTime('empty/import.mjs'),
        'import nsclone': library && (() => processTime('import.mjs')),
        'bare Node, one spawn': () => processTime('spawn.cjs'),
        'require(nsclone), one clone': library && (() => processTime('clone.cjs')),
        spawn: () => firstStart('spawn.mjs'),
        clone: library && (() => firstStart('clone.mjs')),
        'clone, at once': library && (() => firstStart('clone.mjs', 'at-once')),
        'clone, all namespaces': library && (() => firstStart('clone.mjs', 'namespaces')),
        probe: library && (() => firstStart('probe.mjs')),
      },
      { ...bench, missing },
    ),
  );
}

async function processTime(script) {
  const began = process.hrtime.bigint();
  await inNode(script);
  return { 'start → exit': since(began) };
}

/** The script measures itself and prints its figures. */
async function firstStart(...args) {
  return JSON.parse((await inNode(...args)).stdout);
}

/** Certificates that the environment names would be read at each start, for twice the time of all else. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('NODE_')));

function inNode(script, ...args) {
  const path = fileURLToPath(new URL(`../first-process/${script}`, import.meta.url));
  return promisify(execFile)(process.execPath, [path, ...args], { env });
}

const at = (metric, subject) => ['fresh', metric, subject];

/** What a process is longer than another one. */
const adds = (subject, other) => ({
  of: at('start → exit', subject),
  minus: at('start → exit', other),
  atMost: 6e6,
  unit: 'ns',
});

export const goals = [
  { of: at('held', 'clone'), to: at('held', 'spawn'), atMost: 0.25 },
  // Node takes some 2 ms of it to find any package by its `exports`, once in a process.
  adds('require(nsclone)', 'bare Node'),
  adds('import nsclone', 'import an empty package'),
  // Else the first call could pay for what loading has put off.
  adds('require(nsclone), one clone', 'bare Node, one spawn'),
  { of: at('call → answers', 'probe'), atMost: 30e6, unit: 'ns' },
];
