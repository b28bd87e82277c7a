// Children per second with 64 in flight.
import { clonedPlain, loadLibrary, spawned } from '../contenders.mjs';
import { startFloor } from '../floor.mjs';
import { interleave } from '../interleave.mjs';
import { since } from '../timing.mjs';

export const title = 'Children per second, 64 in flight';
export const variants = ['plain'];
export const unit = '/s';

const IN_FLIGHT = 64;
const CHILDREN = 512;

export async function measure(variant, { missing, ...bench }) {
  const library = await loadLibrary(missing);
  const clone = library && clonedPlain(library);
  const floor = startFloor();
  const figures = await interleave(
    {
      'C floor': async () => rate((await floor.ask('inflight', CHILDREN))[0]),
      spawn: () => many(spawned()),
      clone: clone && (() => many(clone)),
    },
    { ...bench, missing },
  );
  floor.stop();
  return figures;
}

async function many({ start, exited }) {
  const began = process.hrtime.bigint();
  let left = CHILDREN;
  const lane = async () => {
    while (left-- > 0) await exited(start());
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  return rate(since(began));
}

const rate = (nanoseconds) => ({ children: CHILDREN / (nanoseconds / 1e9) });

const at = (subject) => ['plain', 'children', subject];

export const goals = [
  { of: at('clone'), to: at('C floor'), atLeast: 0.85 },
  { of: at('clone'), to: at('spawn'), atLeast: 3 },
];
