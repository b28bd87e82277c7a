// How long one start with twenty options holds the JS thread: with the same ones each time, as a server has it, and with options
// that were never there before.
import { clonedWithOptions, clonedWithOtherOptions, loadLibrary } from '../contenders.mjs';
import { interleave } from '../interleave.mjs';
import { held } from '../timing.mjs';

export const title = 'JS thread held per start with twenty options';
export const variants = ['bare process'];
export const runs = { 'bare process': 100 };

export async function measure(_variant, { missing, ...bench }) {
  const library = await loadLibrary(missing);
  const way = library && clonedWithOptions(library);
  const other = library && clonedWithOtherOptions(library);
  return interleave(
    {
      'clone, twenty options': way && (() => held(way)),
      'clone, another host name each time': other && (() => held(other)),
    },
    { ...bench, missing, own: true },
  );
}

export const goals = [{ of: ['bare process', 'call', 'clone, twenty options'], atMost: 150e3, unit: 'ns' }];
