// The first start of a fresh Node process, and what importing the package adds to a bare one.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { loadLibrary } from '../contenders.mjs';
import { interleave } from '../interleave.mjs';
import { since } from '../timing.mjs';

export const title = 'First start of a fresh process';
export const variants = ['fresh'];

export function measure(variant, { missing, ...bench }) {
  return loadLibrary(missing).then((library) =>
    interleave(
      {
        'bare node': () => processTime('bare'),
        'node that imports nsclone': library && (() => processTime('import')),
        spawn: () => firstStart('spawn'),
        clone: library && (() => firstStart('clone')),
        'clone, all namespaces': library && (() => firstStart('clone', 'namespaces')),
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

function inNode(script, ...args) {
  const path = fileURLToPath(new URL(`../first-process/${script}.mjs`, import.meta.url));
  return promisify(execFile)(process.execPath, [path, ...args]);
}

const at = (metric, subject) => ['fresh', metric, subject];

export const goals = [
  { of: at('held', 'clone'), to: at('held', 'spawn'), atMost: 0.25 },
  {
    of: at('start → exit', 'node that imports nsclone'),
    minus: at('start → exit', 'bare node'),
    atMost: 15e6,
    unit: 'ns',
  },
];
