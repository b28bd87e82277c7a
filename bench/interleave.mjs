// Takes samples of several contenders in turns: A B C, B C A, … in a new random order each round.

/** Rounds that are thrown away first: caches, lazily compiled functions, pools. */
const WARM_UP = 5;

/**
 * `contenders` maps a subject to a function that resolves to `{ metric: number }`; undefined ones are left out.
 * With `own: true` each sample follows an unmeasured one of its own kind, so that nobody pays for what the one before
 * left behind: after fork() all pages of the caller are write-protected, and a network namespace is torn down late.
 *
 * Resolves to figures `{ metric, subject, samples }`. A contender that fails is dropped, with the reason in `missing`.
 */
export async function interleave(contenders, { rounds, own = false, missing, progress }) {
  const alive = new Map(Object.entries(contenders).filter(([, take]) => take));
  const figures = new Map();
  for (let round = -Math.min(WARM_UP, rounds); round < rounds; round++) {
    progress(Math.max(round, 0), rounds);
    for (const subject of shuffled([...alive.keys()])) {
      const take = alive.get(subject);
      try {
        if (own) await take();
        const sample = await take();
        if (round >= 0) keep(figures, subject, sample);
      } catch (error) {
        alive.delete(subject);
        missing.push({ subject, reason: `fails here: ${error.message}` });
      }
    }
  }
  progress(rounds, rounds);
  return inOrder([...figures.values()], [...alive.keys()]);
}

/** Metric by metric, the contenders in the order they were given; without those that were dropped. */
function inOrder(figures, subjects) {
  const metrics = [...new Set(figures.map(({ metric }) => metric))];
  return metrics.flatMap((wanted) =>
    subjects.flatMap((one) => figures.filter(({ metric, subject }) => metric === wanted && subject === one)),
  );
}

function keep(figures, subject, sample) {
  for (const [metric, value] of Object.entries(sample)) {
    const key = `${metric}\0${subject}`;
    if (!figures.has(key)) figures.set(key, { metric, subject, samples: [] });
    figures.get(key).samples.push(value);
  }
}

function shuffled(list) {
  for (let last = list.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    [list[last], list[other]] = [list[other], list[last]];
  }
  return list;
}
