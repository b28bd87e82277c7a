// How long one start holds the JS thread with 0, 4,000 and 15,000 descriptors open: the kernel copies the table.
import { closeSync, openSync } from 'node:fs';
import { clonedPlain, loadLibrary, spawned } from '../contenders.mjs';
import { interleave } from '../interleave.mjs';
import { held } from '../timing.mjs';

export const title = 'JS thread held per start, by open descriptors';
export const variants = ['0 fds', '4000 fds', '15000 fds'];

export async function measure(variant, { missing, ...bench }) {
  const descriptors = opened(parseInt(variant, 10), missing);
  if (!descriptors) return [];
  const library = await loadLibrary(missing);
  const clone = library && clonedPlain(library);
  const figures = await interleave(
    { spawn: () => held(spawned()), clone: clone && (() => held(clone)) },
    { ...bench, missing, own: true },
  );
  descriptors.forEach((fd) => closeSync(fd));
  return figures;
}

function opened(count, missing) {
  try {
    return Array.from({ length: count }, () => openSync('/dev/null', 'r'));
  } catch (error) {
    missing.push({ subject: 'all', reason: `the limit of open files (ulimit -n) is too low: ${error.code}` });
    return undefined;
  }
}

export const goals = [4000, 15000].map((per) => ({
  of: [`${per} fds`, 'held', 'clone'],
  minus: ['0 fds', 'held', 'clone'],
  per,
  atMost: 10,
  unit: 'ns',
}));
