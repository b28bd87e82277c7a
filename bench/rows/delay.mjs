// The worst delay of the event loop while 100 children start at once.
import { clonedInNamespaces, clonedPlain, loadLibrary, spawned } from '../contenders.mjs';
import { interleave } from '../interleave.mjs';
import { since } from '../timing.mjs';

export const title = 'Worst event-loop delay while 100 children start at once';
export const variants = ['100 children'];

const CHILDREN = 100;

export async function measure(variant, { missing, ...bench }) {
  const library = await loadLibrary(missing);
  const clone = library && clonedPlain(library);
  const inNamespaces = library && clonedInNamespaces(library);
  return interleave(
    {
      spawn: () => worstDelay(spawned()),
      clone: clone && (() => worstDelay(clone)),
      'clone, all namespaces': inNamespaces && (() => worstDelay(inNamespaces)),
    },
    { ...bench, missing, own: true },
  );
}

/** The longest time between two turns of an event loop that never sleeps, from the first call to the last exit. */
async function worstDelay({ start, exited }) {
  let worst = 0;
  let lastTurn = process.hrtime.bigint();
  const turn = () => {
    worst = Math.max(worst, since(lastTurn));
    lastTurn = process.hrtime.bigint();
    next = setImmediate(turn);
  };
  let next = setImmediate(turn);
  try {
    await Promise.all(Array.from({ length: CHILDREN }, () => exited(start())));
    return { 'worst delay': Math.max(worst, since(lastTurn)) };
  } finally {
    clearImmediate(next);
  }
}

const at = (subject) => ['100 children', 'worst delay', subject];

export const goals = [{ of: at('clone'), to: at('spawn'), atMost: 0.1 }];
