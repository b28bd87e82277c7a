// How long one start holds the JS thread, in processes of 50 MB, 1 GB and 4 GB; the README's picture has more sizes.
import { clonedInNamespaces, clonedPlan, clonedPlain, loadLibrary, spawned } from '../contenders.mjs';
import { interleave } from '../interleave.mjs';
import { held } from '../timing.mjs';

export const title = 'JS thread held per start, by touched Buffers of this process';
export const variants = ['50 MB', '1 GB', '4 GB'];
export const runs = { '50 MB': 100, '1 GB': 50, '4 GB': 10 };

/** '50 MB' is 50, '4 GB' 4096. */
export const mebibytes = (variant) => parseInt(variant, 10) * (variant.endsWith('GB') ? 1024 : 1);

/** Free memory that a variant needs, in bytes; the page tables and the children come on top. */
export const needs = (variant) => (mebibytes(variant) + 512) * 2 ** 20;

export async function measure(variant, { missing, ...bench }) {
  const memory = touched(mebibytes(variant));
  const library = await loadLibrary(missing);
  const contenders = {
    spawn: spawned(),
    clone: library && clonedPlain(library),
    'clone, all namespaces': library && clonedInNamespaces(library),
    'clone(plan), all namespaces': library && clonedPlan(library),
  };
  const takes = Object.entries(contenders).map(([subject, way]) => [subject, way && (() => held(way))]);
  const figures = await interleave(Object.fromEntries(takes), { ...bench, missing, own: true });
  memory.length = 0; // alive until here
  return figures;
}

function touched(size) {
  const piece = 2;
  return Array.from({ length: size / piece }, () => Buffer.alloc(piece * 2 ** 20, 1));
}

const at = (variant, subject) => [variant, 'held', subject];

const ofSpawn = (subject, atMost) => ({ of: at('50 MB', subject), to: at('50 MB', 'spawn'), atMost });

const flat = (subject) => ({ of: at('4 GB', subject), to: at('50 MB', subject), atMost: 1.5 });

export const goals = [
  ofSpawn('clone', 0.08),
  ofSpawn('clone, all namespaces', 0.12),
  flat('clone'),
  flat('clone, all namespaces'),
];
