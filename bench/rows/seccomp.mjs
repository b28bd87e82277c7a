// A filter by names: its size, what it adds to a system call, and what a profile costs a start, beside libseccomp's.
import { loadLibrary } from '../contenders.mjs';
import { compiled, engineProfile, filtersOfLibseccomp } from '../filters.mjs';
import { interleave } from '../interleave.mjs';
import { since } from '../timing.mjs';

export const title = 'A filter of the size that container engines ship: instructions, and time per system call';
export const variants = ['engine'];
export const units = { size: 'instructions' };

export async function measure(variant, { missing, ...bench }) {
  const library = await loadLibrary(missing);
  if (library === undefined) return [];
  const { compile } = await import('nsclone/seccomp');
  const profile = await engineProfile();
  const filters = { nsclone: compile(profile), ...(await filtersOfLibseccomp(profile, missing)) };
  const program = compiled('filtered.c');
  const calls = (options) => async () => JSON.parse((await library.run(program, [], options)).stdout);
  const perCall = await interleave(
    {
      'no filter': calls({}),
      ...Object.fromEntries(Object.entries(filters).map(([subject, seccomp]) => [subject, calls({ seccomp })])),
    },
    { ...bench, missing },
  );
  const compiling = await interleave(
    {
      nsclone: async () => {
        const began = process.hrtime.bigint();
        compile(profile);
        return { compile: since(began) };
      },
    },
    { ...bench, missing },
  );
  const sizes = Object.entries(filters).map(([subject, { length }]) => ({
    metric: 'size',
    subject,
    samples: [length / 8],
  }));
  return [...sizes, ...perCall, ...compiling];
}

const goal = (metric, subject, atMost) => ({
  of: ['engine', metric, 'nsclone'],
  to: ['engine', metric, subject],
  atMost,
});

export const goals = [
  goal('size', 'libseccomp', 1),
  goal('size', 'libseccomp, tree', 1),
  goal('allowed by argument', 'libseccomp', 1),
  goal('refused', 'libseccomp', 1),
  goal('refused', 'libseccomp, tree', 1.05),
];
